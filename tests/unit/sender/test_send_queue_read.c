/* What Postgres says, weighed against what was heard while it was asked. */
#include "tests/support/test.h"

#include "tests/unit/sender/queue_fixture.h"

#define A "+1000000001"
#define B "+1000000002"

static void merge(struct fixture *f, const char *phone, const struct send_message *rows, int n,
	bool whole, int64_t stamp)
{
	struct conversation_key key = key_of(phone);
	(void)send_queue_merge(f->queue, &key, rows, n, whole, stamp, 0);
	send_queue_check(f->queue);
}

static void heads_come_with_their_tails(void **state)
{
	struct fixture *f = *state;
	int64_t stamp = send_queue_read_begin(f->queue);
	struct send_message rows[] = {message("m1", 1), message("m2", 2)};
	merge(f, A, rows, 2, true, stamp);
	merge(f, A, rows, 2, true, stamp); /* as often as it likes */
	send_queue_read_end(f->queue);
	assert_int_equal(send_queue_messages(f->queue), 2);
	assert_string_equal(go(f, 0), "m1");
	assert_string_equal(go(f, 0), "");
}

static void what_ended_meanwhile_does_not_come_back(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	go(f, 0);
	int64_t stamp = send_queue_read_begin(f->queue);
	tell(f, A, "m1", OUTCOME_SENT, 1, 0, 0);
	assert_string_equal(go(f, 0), "");
	struct send_message row = message("m1", 1);
	row.claimed = true;
	merge(f, A, &row, 1, true, stamp);
	send_queue_read_end(f->queue);
	assert_int_equal(send_queue_messages(f->queue), 0);
	assert_int_equal(send_queue_conversations(f->queue, -1), 0);
}

static void what_came_meanwhile_is_kept(void **state)
{
	struct fixture *f = *state;
	int64_t stamp = send_queue_read_begin(f->queue);
	add(f, A, "m1", 1);
	merge(f, A, NULL, 0, true, stamp);
	send_queue_read_end(f->queue);
	assert_string_equal(go(f, 0), "m1");
}

static void what_was_cancelled_is_dropped_and_the_next_goes(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	add(f, A, "m2", 2);
	go(f, 0);
	tell(f, A, "m1", OUTCOME_RETRY, 1, 7200000, 0); /* in two hours */
	assert_string_equal(go(f, 0), "");
	int64_t stamp = send_queue_read_begin(f->queue);
	struct send_message row = message("m2", 2);
	merge(f, A, &row, 1, true, stamp);
	send_queue_read_end(f->queue);
	assert_string_equal(go(f, 0), "m2");
}

static void a_scan_that_does_not_meet_a_conversation_has_it_reread(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	add(f, B, "n1", 2);
	go(f, 0);
	tell(f, A, "m1", OUTCOME_RETRY, 1, 7200000, 0);
	int64_t scan = send_queue_read_begin(f->queue);
	struct send_message row = message("n1", 2);
	merge(f, B, &row, 1, true, scan);
	add(f, "+1000000009", "z1", 9); /* too new to have been met */
	send_queue_read_end(f->queue);
	send_queue_scan_end(f->queue, 3, scan);
	assert_int_equal(send_queue_in_state(f->queue, CONVERSATION_REREADING), 1);
	reread(f, NULL, 0, true, 0); /* all of it was cancelled */
	assert_string_equal(go(f, 0), "n1");
	assert_string_equal(go(f, 0), "z1");
	assert_int_equal(send_queue_conversations(f->queue, -1), 2);
}

static void a_young_dispatch_stays_and_a_lost_outcome_is_made_good(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	go(f, 0);
	int64_t stamp = send_queue_read_begin(f->queue);
	struct send_message row = message("m1", 1);
	merge(f, A, &row, 1, true, stamp); /* queued, the same attempt: it is on its way */
	assert_int_equal(send_queue_in_state(f->queue, CONVERSATION_DISPATCHED), 1);
	row.attempts = 1;
	row.due_in_ms = 5000;
	merge(f, A, &row, 1, true, stamp);
	assert_int_equal(send_queue_in_state(f->queue, CONVERSATION_WAITING), 1);
	assert_int_equal(send_queue_next_timer_ms(f->queue), 5000);
	send_queue_read_end(f->queue);
}

static void an_old_read_does_not_undo_what_was_heard(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	go(f, 0);
	int64_t stamp = send_queue_read_begin(f->queue);
	tell(f, A, "m1", OUTCOME_RETRY, 1, 5000, 0);
	struct send_message row = message("m1", 1);
	row.claimed = true;
	row.attempts = 1; /* as it was before the outcome */
	merge(f, A, &row, 1, true, stamp);
	send_queue_read_end(f->queue);
	assert_int_equal(send_queue_in_state(f->queue, CONVERSATION_WAITING), 1);
}

static void what_a_gateway_has_is_waited_for_also_behind_a_late_one(void **state)
{
	struct fixture *f = *state;
	int64_t stamp = send_queue_read_begin(f->queue);
	struct send_message rows[] = {message("m1", 1), message("m2", 2)};
	rows[1].claimed = true; /* m1 was committed after m2 was claimed */
	rows[1].attempts = 1;
	merge(f, A, rows, 2, true, stamp);
	send_queue_read_end(f->queue);
	assert_string_equal(go(f, 0), "");
	assert_int_equal(send_queue_in_state(f->queue, CONVERSATION_DISPATCHED), 1);
	tell(f, A, "m2", OUTCOME_SENT, 1, 0, 0);
	assert_string_equal(go(f, 0), "m1");
}

static void a_read_older_than_the_doubt_does_not_settle_it(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	go(f, 0);
	int64_t stamp = send_queue_read_begin(f->queue);
	tell(f, A, "m1", OUTCOME_REFUSED, 0, 0, 0);
	struct send_message row = message("m1", 1);
	merge(f, A, &row, 1, true, stamp);
	send_queue_read_end(f->queue);
	assert_int_equal(send_queue_in_state(f->queue, CONVERSATION_REREADING), 1);
	reread(f, &row, 1, true, 0);
	assert_string_equal(go(f, 0), "m1");
}

static void a_failed_reread_is_asked_again(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	go(f, 0);
	tell(f, A, "m1", OUTCOME_REFUSED, 0, 0, 0);
	(void)send_queue_read_begin(f->queue);
	struct conversation *c = send_queue_reread_next(f->queue);
	assert_null(send_queue_reread_next(f->queue));
	send_queue_reread_end(f->queue, c);
	send_queue_read_end(f->queue);
	assert_true(send_queue_has_rereads(f->queue));
	reread(f, NULL, 0, true, 0);
	assert_int_equal(send_queue_conversations(f->queue, -1), 0);
}

static void a_gap_in_what_is_known_is_not_jumped(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m9", 9); /* the entries of 1 to 8 were lost */
	int64_t stamp = send_queue_read_begin(f->queue);
	struct send_message rows[] = {message("m1", 1), message("m2", 2)};
	merge(f, A, rows, 2, false, stamp);
	send_queue_read_end(f->queue);
	assert_int_equal(send_queue_messages(f->queue), 2); /* 9 comes when 3 to 8 have */
	assert_string_equal(go(f, 0), "m1");
	tell(f, A, "m1", OUTCOME_SENT, 1, 0, 0);
	assert_string_equal(go(f, 0), "m2");
	tell(f, A, "m2", OUTCOME_SENT, 1, 0, 0);
	assert_true(send_queue_has_rereads(f->queue));
	struct send_message more[] = {message("m3", 3)};
	reread(f, more, 1, true, 0);
	assert_string_equal(go(f, 0), "m3");
}

static void what_was_left_during_the_read_is_not_forgotten(void **state)
{
	struct fixture *f = *state;
	int64_t stamp = send_queue_read_begin(f->queue);
	struct send_message first = message("m1", 1);
	merge(f, A, &first, 1, false, stamp); /* there are more */
	send_queue_read_end(f->queue);
	stamp = send_queue_read_begin(f->queue);
	assert_false(add(f, A, "m5", 5)); /* accepted after the read began, left in Postgres */
	merge(f, A, &first, 1, true, stamp);
	send_queue_read_end(f->queue);
	go(f, 0);
	tell(f, A, "m1", OUTCOME_SENT, 1, 0, 0);
	assert_true(send_queue_has_rereads(f->queue));
}

static void a_partition_lost_during_a_reread_stays_lost(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	go(f, 0);
	tell(f, A, "m1", OUTCOME_REFUSED, 0, 0, 0);
	(void)send_queue_read_begin(f->queue);
	struct conversation *c = send_queue_reread_next(f->queue);
	send_queue_drop_partition(f->queue, 3);
	send_queue_reread_end(f->queue, c);
	send_queue_read_end(f->queue);
	assert_int_equal(send_queue_conversations(f->queue, -1), 0);
	assert_false(send_queue_has_rereads(f->queue));
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(heads_come_with_their_tails),
		STORY(what_ended_meanwhile_does_not_come_back),
		STORY(what_came_meanwhile_is_kept),
		STORY(what_was_cancelled_is_dropped_and_the_next_goes),
		STORY(a_scan_that_does_not_meet_a_conversation_has_it_reread),
		STORY(a_young_dispatch_stays_and_a_lost_outcome_is_made_good),
		STORY(an_old_read_does_not_undo_what_was_heard),
		STORY(what_a_gateway_has_is_waited_for_also_behind_a_late_one),
		STORY(a_read_older_than_the_doubt_does_not_settle_it),
		STORY(a_failed_reread_is_asked_again),
		STORY(a_gap_in_what_is_known_is_not_jumped),
		STORY(what_was_left_during_the_read_is_not_forgotten),
		STORY(a_partition_lost_during_a_reread_stays_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
