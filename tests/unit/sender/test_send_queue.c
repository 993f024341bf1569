/* Stories of the send queue: what is heard, and what goes next. */
#include "tests/support/test.h"

#include "tests/unit/sender/queue_fixture.h"

#define A "+1000000001"
#define B "+1000000002"
#define C "+1000000003"

static int setup_small(void **state)
{
	return setup_sized(state, 20, 4);
}

static void one_message_goes_and_the_conversation_is_forgotten(void **state)
{
	struct fixture *f = *state;
	assert_true(add(f, A, "m1", 1));
	assert_string_equal(go(f, 0), "m1");
	assert_string_equal(go(f, 0), "");
	assert_int_equal(send_queue_tried(f->queue, 3), 1);
	assert_true(tell(f, A, "m1", OUTCOME_SENT, 1, 0, 10));
	assert_string_equal(go(f, 10), "");
	assert_int_equal(send_queue_conversations(f->queue, -1), 0);
	assert_int_equal(send_queue_messages(f->queue), 0);
}

static void a_conversation_goes_in_order_one_at_a_time(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	add(f, A, "m3", 3);
	add(f, A, "m2", 2); /* its entry came late */
	add(f, B, "n1", 4);
	assert_string_equal(go(f, 0), "m1");
	assert_string_equal(go(f, 0), "n1"); /* another chat does not wait */
	assert_string_equal(go(f, 0), "");
	tell(f, A, "m1", OUTCOME_SENT, 1, 0, 10);
	assert_string_equal(go(f, 10), "m2");
	assert_string_equal(go(f, 10), "");
	tell(f, A, "m2", OUTCOME_FINAL, 1, 0, 20);
	assert_string_equal(go(f, 20), "m3");
}

static void doubled_entries_change_nothing(void **state)
{
	struct fixture *f = *state;
	assert_true(add(f, A, "m1", 1));
	assert_false(add(f, A, "m1", 1));
	assert_false(add(f, A, "mx", 1)); /* nobody else has this number */
	assert_int_equal(send_queue_messages(f->queue), 1);
	go(f, 0);
	assert_false(add(f, A, "m1", 1));
	add(f, A, "m2", 2);
	tell(f, A, "m1", OUTCOME_SENT, 1, 0, 0);
	assert_false(add(f, A, "m1", 1)); /* read again after it ended */
	assert_string_equal(go(f, 0), "m2");
}

static void a_certain_failure_waits_for_its_time_and_holds_the_rest(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	add(f, A, "m2", 2);
	go(f, 0);
	tell(f, A, "m1", OUTCOME_RETRY, 1, 5000, 100);
	assert_int_equal(send_queue_in_state(f->queue, CONVERSATION_WAITING), 1);
	assert_int_equal(send_queue_next_timer_ms(f->queue), 5100);
	pass(f, 5099);
	assert_string_equal(go(f, 5099), "");
	pass(f, 5100);
	struct conversation *c = send_queue_next(f->queue, 5100);
	assert_string_equal(conversation_first(c)->id, "m1");
	assert_int_equal(conversation_first(c)->attempts, 1);
	send_queue_dispatched(f->queue, c, 5100);
	/* The same news once more is about the attempt before this one. */
	tell(f, A, "m1", OUTCOME_RETRY, 1, 5000, 5200);
	assert_int_equal(send_queue_in_state(f->queue, CONVERSATION_DISPATCHED), 1);
	tell(f, A, "m1", OUTCOME_RETRY, 2, 15000, 5300);
	assert_int_equal(send_queue_next_timer_ms(f->queue), 20300);
}

static void an_unknown_outcome_is_settled_by_a_late_ack_in_any_state(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	add(f, A, "m2", 2);
	go(f, 0);
	tell(f, A, "m1", OUTCOME_UNKNOWN, 1, 5000, 0);
	assert_true(tell(f, A, "m1", OUTCOME_SENT, 1, 0, 1000)); /* while it waits */
	assert_string_equal(go(f, 1000), "m2");

	tell(f, A, "m2", OUTCOME_UNKNOWN, 1, 5000, 1000);
	add(f, A, "m3", 3);
	pass(f, 6000);
	struct conversation *c = send_queue_next(f->queue, 6000);
	send_queue_asked(f->queue, c);
	assert_true(tell(f, A, "m2", OUTCOME_SENT, 1, 0, 6000)); /* while the limiters are asked */
	assert_true(send_queue_allowed(f->queue, c, 6000));
	assert_string_equal(conversation_first(c)->id, "m3");
	send_queue_dispatched(f->queue, c, 6000);
	tell(f, A, "m3", OUTCOME_REFUSED, 0, 0, 6000);
	assert_true(tell(f, A, "m3", OUTCOME_SENT, 1, 0, 6000)); /* while it is in doubt */
	reread(f, NULL, 0, true, 6000);
	assert_string_equal(go(f, 6000), "");
	assert_int_equal(send_queue_conversations(f->queue, -1), 0);
}

static void a_limit_on_the_recipient_holds_only_that_conversation(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	add(f, B, "n1", 2);
	struct conversation *c = send_queue_next(f->queue, 0);
	send_queue_asked(f->queue, c);
	send_queue_denied(f->queue, c, HELD_RECIPIENT_PACE, 6000, 0);
	assert_int_equal(f->n_held, 1);
	assert_int_equal(f->held_reason, HELD_RECIPIENT_PACE);
	assert_int_equal(f->held_until_ms, 6000);
	assert_string_equal(go(f, 0), "n1");
	assert_string_equal(go(f, 5999), "");
	pass(f, 6000);
	assert_string_equal(go(f, 6000), "m1");
}

static void a_limit_on_the_session_keeps_everybodys_place(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	add(f, B, "n1", 2);
	struct conversation *a = send_queue_next(f->queue, 0);
	send_queue_asked(f->queue, a);
	struct conversation *b = send_queue_next(f->queue, 0);
	send_queue_asked(f->queue, b);
	add(f, C, "o1", 3);
	/* Told from the last to the first, they stand as before. */
	send_queue_denied(f->queue, b, HELD_SESSION_PACE, 3000, 0);
	send_queue_denied(f->queue, a, HELD_SESSION_PACE, 3000, 0);
	assert_string_equal(go(f, 0), "");
	assert_int_equal(
		send_queue_next_timer_ms(f->queue), 300); /* then they are told to be held */
	pass(f, 300);
	assert_int_equal(f->n_held, 3);
	assert_int_equal(f->held_reason, HELD_SESSION_PACE);
	pass(f, 3000);
	assert_string_equal(go(f, 3000), "m1");
	assert_string_equal(go(f, 3000), "n1");
	assert_string_equal(go(f, 3000), "o1");
}

static void many_short_waits_are_told_as_one(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	for (int i = 0; i < 4; i++) {
		int64_t now_ms = 100 * i;
		pass(f, now_ms);
		struct conversation *c = send_queue_next(f->queue, now_ms);
		send_queue_asked(f->queue, c);
		send_queue_denied(f->queue, c, HELD_SESSION_PACE, 100, now_ms);
	}
	assert_int_equal(f->n_held, 0);
	pass(f, 301); /* 300 ms in the lane, though never for more than 100 at a time */
	assert_int_equal(f->n_held, 1);
	assert_int_equal(f->held_until_ms, 400);
}

static void a_tenants_limit_lets_other_tenants_pass_at_once(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	struct conversation *c = send_queue_next(f->queue, 0);
	send_queue_asked(f->queue, c);
	send_queue_denied(f->queue, c, HELD_TENANT_PACE, 3000, 0);
	assert_string_equal(go(f, 0), ""); /* nobody else is there: the lane closes */
	struct conversation_key key = key_of(B);
	struct send_message other = message("n1", 2);
	other.tenant_id = 2;
	send_queue_add(f->queue, &key, &other, 10);
	assert_string_equal(go(f, 10), "n1");
	assert_string_equal(go(f, 10), "");
	pass(f, 3000);
	assert_string_equal(go(f, 3000), "m1");
}

static void nothing_heard_from_the_limiters_means_waiting_in_place(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	struct conversation *c = send_queue_next(f->queue, 0);
	send_queue_asked(f->queue, c);
	send_queue_close_lane(f->queue, 1, 500, HELD_NOT, 0);
	send_queue_denied(f->queue, c, HELD_NOT, 0, 0);
	assert_string_equal(go(f, 499), "");
	pass(f, 500);
	assert_int_equal(f->n_held, 0); /* no limit said so */
	assert_string_equal(go(f, 500), "m1");
}

static void a_session_that_is_not_ready_is_probed_and_costs_no_attempt(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	add(f, B, "n1", 2);
	add(f, C, "o1", 3);
	go(f, 0);
	go(f, 0);
	go(f, 0);
	tell(f, A, "m1", OUTCOME_NOT_READY, 0, 1000, 0);
	tell(f, B, "n1", OUTCOME_NOT_READY, 0, 1001, 0);
	tell(f, C, "o1", OUTCOME_NOT_READY, 0, 1002, 0); /* now it is believed of the session */
	assert_int_equal(f->n_held, 3);
	assert_int_equal(f->held_reason, HELD_SESSION_NOT_READY);
	pass(f, 1001);
	assert_string_equal(go(f, 1001), "");
	pass(f, 1002);
	struct conversation *probe = send_queue_next(f->queue, 1002);
	assert_int_equal(conversation_first(probe)->attempts, 0);
	send_queue_dispatched(f->queue, probe, 1002);
	assert_string_equal(go(f, 1002), ""); /* one finds out for all */
	pass(f, 1400);
	assert_int_equal(f->n_held, 5); /* who waits for the probe's end is held as well */
	tell(f, A, "m1", OUTCOME_SENT, 1, 0, 1500);
	assert_string_equal(go(f, 1500), "n1");
	assert_string_equal(go(f, 1500), "o1");
}

static void a_message_that_waits_for_its_media_holds_nobody_else(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	for (int i = 0; i < 10; i++) {
		assert_string_equal(go(f, 500 * i), "m1");
		tell(f, A, "m1", OUTCOME_NO_MEDIA, 0, 500, 500 * i);
		assert_int_equal(f->held_reason, HELD_NO_MEDIA);
		assert_string_equal(go(f, 500 * i + 499), "");
		pass(f, 500 * (i + 1));
	}
	add(f, B, "n1", 2);
	assert_string_equal(go(f, 5000), "m1");
	assert_string_equal(go(f, 5000), "n1");
}

static void a_refused_claim_is_looked_up(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m2", 2);
	go(f, 0);
	tell(f, A, "m2", OUTCOME_REFUSED, 0, 0, 0);
	assert_string_equal(go(f, 0), "");
	struct send_message rows[] = {message("m1", 1), message("m2", 2)};
	reread(f, rows, 2, true, 0);
	assert_string_equal(go(f, 0), "m1"); /* its entry was lost */
	tell(f, A, "m1", OUTCOME_SENT, 1, 0, 0);
	assert_string_equal(go(f, 0), "m2");
}

static void refusals_in_a_row_are_spaced_out(void **state)
{
	struct fixture *f = *state;
	struct send_message row = message("m1", 1);
	add(f, A, "m1", 1);
	assert_string_equal(go(f, 0), "m1");
	tell(f, A, "m1", OUTCOME_REFUSED, 0, 0, 0);
	reread(f, &row, 1, true, 0);
	assert_string_equal(go(f, 0), "m1"); /* once is forgiven */
	int64_t now_ms = 0;
	int64_t waited_ms = 0;
	for (int i = 0; i < 10; i++) {
		tell(f, A, "m1", OUTCOME_REFUSED, 0, 0, now_ms);
		reread(f, &row, 1, true, now_ms);
		assert_string_equal(go(f, now_ms), "");
		waited_ms = send_queue_next_timer_ms(f->queue) - now_ms;
		assert_in_range(waited_ms, 250, 5000);
		now_ms += waited_ms;
		pass(f, now_ms);
		assert_string_equal(go(f, now_ms), "m1");
	}
	assert_int_equal(waited_ms, 5000);
}

static void no_outcome_in_time_means_looking_it_up(void **state)
{
	struct fixture *f = *state;
	struct send_message row = message("m1", 1);
	add(f, A, "m1", 1);
	go(f, 0);
	pass(f, DEADLINE_MS - 1);
	assert_false(send_queue_has_rereads(f->queue));
	pass(f, DEADLINE_MS);
	assert_true(send_queue_has_rereads(f->queue));
	reread(f, &row, 1, true, DEADLINE_MS);
	assert_string_equal(go(f, DEADLINE_MS), "m1"); /* still queued: it was lost on the way */

	pass(f, 2 * DEADLINE_MS);
	row.claimed = true;
	row.attempts = 1;
	reread(f, &row, 1, true, 2 * DEADLINE_MS);
	assert_string_equal(go(f, 2 * DEADLINE_MS), ""); /* the gateway has it: wait on */
	assert_int_equal(send_queue_in_state(f->queue, CONVERSATION_DISPATCHED), 1);
	tell(f, A, "m1", OUTCOME_RETRY, 1, 5000, 2 * DEADLINE_MS);
	assert_int_equal(send_queue_in_state(f->queue, CONVERSATION_WAITING), 1);
}

static void a_session_without_a_gateway_is_not_flooded(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	go(f, 0);
	send_queue_set_lane(f->queue, 1, false, 0, 100);
	pass(f, DEADLINE_MS);
	assert_false(send_queue_has_rereads(f->queue));
	assert_int_equal(f->held_reason, HELD_SESSION_NOT_READY);
	send_queue_set_lane(f->queue, 1, true, 0, 100);
	pass(f, DEADLINE_MS + 5000);
	assert_true(send_queue_has_rereads(f->queue));
}

static void what_was_dispatched_is_doubted_when_redis_lost_it(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	add(f, B, "n1", 2);
	go(f, 0);
	send_queue_doubt(f->queue, 4); /* not theirs */
	assert_false(send_queue_has_rereads(f->queue));
	send_queue_doubt(f->queue, 3);
	assert_int_equal(send_queue_in_state(f->queue, CONVERSATION_REREADING), 1);
	struct send_message row = message("m1", 1);
	reread(f, &row, 1, true, 0);
	assert_string_equal(go(f, 0), "n1");
	assert_string_equal(go(f, 0), "m1");
}

static void a_lost_partition_is_forgotten_also_while_it_is_asked_for(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	add(f, B, "n1", 2);
	struct conversation *a = send_queue_next(f->queue, 0);
	send_queue_asked(f->queue, a);
	struct conversation *b = send_queue_next(f->queue, 0);
	send_queue_asked(f->queue, b);
	send_queue_drop_partition(f->queue, 3);
	assert_int_equal(send_queue_messages(f->queue), 0);
	assert_false(send_queue_allowed(f->queue, a, 0));
	send_queue_denied(f->queue, b, HELD_SESSION_PACE, 1000, 0);
	assert_false(tell(f, A, "m1", OUTCOME_SENT, 1, 0, 0));
	assert_true(add(f, A, "m1", 1)); /* and it may come back */
	assert_string_equal(go(f, 0), "m1");
}

static void what_was_put_back_comes_again(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	add(f, B, "n1", 2);
	struct conversation *c = send_queue_next(f->queue, 0);
	send_queue_put_back(f->queue, c, 200, 0);
	assert_string_equal(go(f, 0), "n1");
	assert_string_equal(go(f, 0), "");
	pass(f, 200);
	assert_string_equal(go(f, 200), "m1");
}

static void what_is_put_back_in_a_closed_lane_keeps_its_place(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	add(f, B, "n1", 2);
	struct conversation *c = send_queue_next(f->queue, 0);
	send_queue_close_lane(f->queue, 1, 1000, HELD_NOT, 0);
	send_queue_put_back(f->queue, c, 0, 0);
	assert_string_equal(go(f, 0), "");
	send_queue_open_lane(f->queue, 1, 10);
	assert_string_equal(go(f, 10), "m1");
	assert_string_equal(go(f, 10), "n1");
}

static void no_more_are_asked_for_than_the_limit_will_let_through(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	add(f, B, "n1", 2);
	send_queue_set_lane(f->queue, 1, true, 3000, 1);
	struct conversation *c = send_queue_next(f->queue, 0);
	send_queue_asked(f->queue, c);
	assert_null(send_queue_next(f->queue, 0));
	assert_true(send_queue_allowed(f->queue, c, 0));
	send_queue_dispatched(f->queue, c, 0);
	assert_non_null(c = send_queue_next(f->queue, 0));
	send_queue_put_back(f->queue, c, 1, 0);
}

static void what_expired_is_gone(void **state)
{
	struct fixture *f = *state;
	struct conversation_key key = key_of(A);
	add(f, A, "m1", 1);
	add(f, A, "m2", 2);
	send_queue_ended(f->queue, &key, SV_LIT("m1"), 0);
	assert_string_equal(go(f, 0), "m2");
	send_queue_ended(f->queue, &key, SV_LIT("m2"), 0); /* expired between dispatch and claim */
	assert_int_equal(send_queue_messages(f->queue), 0);
	send_queue_ended(f->queue, &key, SV_LIT("m2"), 0);
}

static void memory_is_bounded_and_the_rest_is_found_again(void **state)
{
	struct fixture *f = *state;
	for (int i = 1; i <= 6; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "m%d", i);
		assert_true(add(f, A, id, i) == (i <= 4));
	}
	assert_int_equal(send_queue_messages(f->queue), 4);
	for (int i = 1; i <= 4; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "m%d", i);
		assert_string_equal(go(f, 0), id);
		tell(f, A, id, OUTCOME_SENT, 1, 0, 0);
	}
	assert_true(send_queue_has_rereads(f->queue));
	assert_false(add(f, A, "m7", 7)); /* 5 and 6 are before it */
	struct send_message rows[] = {message("m5", 5), message("m6", 6)};
	reread(f, rows, 2, false, 0);
	assert_string_equal(go(f, 0), "m5");
}

static void a_big_session_leaves_room_for_others(void **state)
{
	struct fixture *f = *state;
	int taken = 0;
	for (int i = 0; i < 30; i++) {
		char phone[32];
		char id[32];
		(void)snprintf(phone, sizeof(phone), "+2000000%03d", i);
		(void)snprintf(id, sizeof(id), "x%d", i);
		taken += add(f, phone, id, i + 1);
	}
	assert_int_equal(taken, 10); /* half of all; the other half is for those that come */
	assert_true(send_queue_take_missed(f->queue, 3));
	assert_false(send_queue_take_missed(f->queue, 3));
	assert_false(send_queue_has_room(f->queue));
	struct conversation_key key = {.partition = 5, .session_id = 2, .phone = sv_from(A)};
	struct send_message m = message("y1", 50);
	assert_true(send_queue_add(f->queue, &key, &m, 0));
}

static void sessions_take_turns(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 4; i++) {
		char phone[32];
		char id[32];
		(void)snprintf(phone, sizeof(phone), "+2000000%03d", i);
		(void)snprintf(id, sizeof(id), "x%d", i);
		add(f, phone, id, i + 1);
	}
	struct conversation_key key = {.partition = 5, .session_id = 2, .phone = sv_from(A)};
	struct send_message m = message("y1", 50);
	send_queue_add(f->queue, &key, &m, 0);
	assert_string_equal(go(f, 0), "x0");
	assert_string_equal(go(f, 0), "y1");
	assert_string_equal(go(f, 0), "x1");
}

static void the_note_that_it_is_held_goes_with_the_message(void **state)
{
	struct fixture *f = *state;
	add(f, A, "m1", 1);
	struct conversation *c = send_queue_next(f->queue, 0);
	assert_false(conversation_untell(c));
	conversation_told(c);
	assert_true(conversation_untell(c));
	assert_false(conversation_untell(c));
	send_queue_put_back(f->queue, c, 0, 0);
}

static void unused_lanes_are_freed(void **state)
{
	struct fixture *f = *state;
	size_t place = 0;
	add(f, A, "m1", 1);
	send_queue_prune(f->queue, 0);
	assert_int_equal(send_queue_next_session(f->queue, &place), 1);
	go(f, 0);
	tell(f, A, "m1", OUTCOME_SENT, 1, 0, 0);
	go(f, 0);
	send_queue_prune(f->queue, 0);
	place = 0;
	assert_int_equal(send_queue_next_session(f->queue, &place), 0);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SMALL(name) cmocka_unit_test_setup_teardown(name, setup_small, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(one_message_goes_and_the_conversation_is_forgotten),
		STORY(a_conversation_goes_in_order_one_at_a_time),
		STORY(doubled_entries_change_nothing),
		STORY(a_certain_failure_waits_for_its_time_and_holds_the_rest),
		STORY(an_unknown_outcome_is_settled_by_a_late_ack_in_any_state),
		STORY(a_limit_on_the_recipient_holds_only_that_conversation),
		STORY(a_limit_on_the_session_keeps_everybodys_place),
		STORY(many_short_waits_are_told_as_one),
		STORY(a_tenants_limit_lets_other_tenants_pass_at_once),
		STORY(nothing_heard_from_the_limiters_means_waiting_in_place),
		STORY(a_session_that_is_not_ready_is_probed_and_costs_no_attempt),
		STORY(a_message_that_waits_for_its_media_holds_nobody_else),
		STORY(a_refused_claim_is_looked_up),
		STORY(refusals_in_a_row_are_spaced_out),
		STORY(no_outcome_in_time_means_looking_it_up),
		STORY(a_session_without_a_gateway_is_not_flooded),
		STORY(what_was_dispatched_is_doubted_when_redis_lost_it),
		STORY(a_lost_partition_is_forgotten_also_while_it_is_asked_for),
		STORY(what_was_put_back_comes_again),
		STORY(what_is_put_back_in_a_closed_lane_keeps_its_place),
		STORY(no_more_are_asked_for_than_the_limit_will_let_through),
		STORY(what_expired_is_gone),
		SMALL(memory_is_bounded_and_the_rest_is_found_again),
		SMALL(a_big_session_leaves_room_for_others),
		STORY(sessions_take_turns),
		STORY(the_note_that_it_is_held_goes_with_the_message),
		STORY(unused_lanes_are_freed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
