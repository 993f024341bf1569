#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "services/gateway/gateway_store_progress.h"
#include "services/gateway/gateway_store_session.h"
#include "tests/unit/gateway/store_scene.h"

#define PHONE "+4915112345"
#define T1    INT64_C(1700000000000)

struct rows { /* how many of each kind, and the last of each */
	int n_held;
	int n_messages;
	int n_events;
	int64_t held_number;
	char message_id[40];
	int event_types[8];
	int n_settled;
};

static void on_rows(void *ctx, const struct pg_result *result)
{
	struct rows *rows = ctx;
	memset(rows, 0, sizeof(*rows));
	for (int i = 0; i < pg_rows(result); i++) {
		struct gateway_held_row held;
		struct gateway_message_row message;
		struct gateway_event_row event;
		switch (gateway_store_row_kind(result, i)) {
		case GATEWAY_ROW_HELD:
			assert_int_equal(
				rows->n_messages + rows->n_events, 0); /* they come first */
			gateway_store_held_row(result, i, &held);
			rows->held_number = held.number;
			rows->n_held++;
			break;
		case GATEWAY_ROW_MESSAGE:
			gateway_store_message_row(result, i, &message);
			assert_sv(message.phone, PHONE);
			assert_int_equal(message.partition, 3);
			(void)snprintf(rows->message_id, sizeof(rows->message_id), "%.*s",
				SV_ARG(message.message_id));
			rows->n_messages++;
			break;
		case GATEWAY_ROW_EVENT:
			gateway_store_event_row(result, i, &event);
			assert_true(rows->n_events < 8);
			rows->event_types[rows->n_events++] = event.type;
			break;
		}
	}
}

static struct rows progress(struct scene *scene, int64_t epoch, const char *wa, int64_t sent,
	int64_t delivered, int64_t read, bool again)
{
	struct rows rows;
	const int64_t at[] = {sent, delivered, read};
	struct progress_batch *batch = progress_batch_new();
	for (int level = 0; level < PROGRESS_LEVELS; level++) {
		if (at[level] != 0)
			progress_batch_add(batch, 1, epoch, sv_from(wa), (enum progress_level)level,
				at[level], PROGRESS_NO_TOKEN);
	}
	const struct progress_fact *fact = TAILQ_FIRST(progress_batch_facts(batch));
	gateway_store_progress(scene->conn, &fact, 1, again, scene_on_done, scene);
	scene_wait(scene, on_rows, &rows);
	progress_batch_free(&batch);
	return rows;
}

static void add_webhook(struct scene *scene)
{
	(void)scene_sql(scene, "INSERT INTO webhooks (public_id, tenant_id, url, event_mask, "
			       "active) VALUES ('wh_1', 1, 'http://x', 65535, true)");
}

#define SENDING ", status = 3, attempts = 1, session_epoch = 5, sending_at = now()"

static void an_acknowledgement_and_receipts_are_one_move(void **state)
{
	struct scene *scene = *state;
	add_webhook(scene);
	scene_message(scene, "msg_A", PHONE, 1, SENDING);
	struct rows rows = progress(scene, SCENE_EPOCH, "WA_msg_A", T1, T1 + 1, T1 + 2, false);
	assert_int_equal(rows.n_held, 1);
	assert_int_equal(rows.held_number, 1);
	assert_int_equal(rows.n_messages, 1);
	assert_string_equal(rows.message_id, "msg_A");
	assert_int_equal(rows.n_events, 3);
	assert_int_equal(rows.event_types[0], 5);
	assert_int_equal(rows.event_types[1], 6);
	assert_int_equal(rows.event_types[2], 7);
	scene_expect(scene,
		"SELECT status, open, read_at - sent_at, read_at - delivered_at FROM messages",
		"6|f|00:00:00.002|00:00:00.001");
	scene_expect(scene, "SELECT count(*) FROM deliveries WHERE open", "3");
}

static void reading_implies_delivery_and_sending(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, SENDING);
	(void)progress(scene, SCENE_EPOCH, "WA_msg_A", 0, 0, T1, false);
	scene_expect(scene,
		"SELECT status, sent_at = read_at, delivered_at = read_at FROM messages", "6|t|t");
	scene_expect(
		scene, "SELECT string_agg(type::text, ',' ORDER BY sequence) FROM events", "5,6,7");
}

static void a_state_moves_forward_only_and_an_event_comes_once(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, SENDING);
	(void)progress(scene, SCENE_EPOCH, "WA_msg_A", T1, 0, T1, false);
	struct rows rows = progress(scene, SCENE_EPOCH, "WA_msg_A", T1 + 9, T1 + 9, 0, false);
	assert_int_equal(rows.n_messages, 0);
	scene_expect(scene, "SELECT status, sent_at = read_at FROM messages", "6|t");
	scene_expect(scene, "SELECT count(*) FROM events", "3");
	rows = progress(scene, SCENE_EPOCH, "WA_msg_A", T1, 0, T1, true);
	assert_int_equal(rows.n_messages, 1); /* the sender is told again */
	scene_expect(scene, "SELECT count(*) FROM events", "3");
}

static void a_late_receipt_proves_an_unknown_outcome_wrong(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1,
		", status = 7, open = false, error_code = 'outcome_unknown', error = 'x', "
		"failed_at = now()");
	(void)progress(scene, SCENE_EPOCH, "WA_msg_A", T1, 0, 0, false);
	scene_expect(scene, "SELECT status, sent_at FROM messages", "7|");
	(void)progress(scene, SCENE_EPOCH, "WA_msg_A", 0, T1, 0, false);
	scene_expect(scene,
		"SELECT status, error_code, error, sent_at = delivered_at FROM messages", "5|||t");
	scene_expect(
		scene, "SELECT string_agg(type::text, ',' ORDER BY sequence) FROM events", "5,6");
}

static void any_other_final_state_stays(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1,
		", status = 7, open = false, error_code = 'attempts_spent'");
	scene_message(scene, "msg_B", PHONE, 2, ", status = 8, open = false");
	(void)progress(scene, SCENE_EPOCH, "WA_msg_A", T1, T1, 0, false);
	(void)progress(scene, SCENE_EPOCH, "WA_msg_B", T1, T1, 0, false);
	scene_expect(scene, "SELECT id, status, delivered_at IS NULL FROM messages ORDER BY id",
		"msg_A|7|t\nmsg_B|8|f");
	scene_expect(scene, "SELECT count(*) FROM events", "0");
}

static void what_was_erased_makes_no_events(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, SENDING ", erased = true");
	(void)progress(scene, SCENE_EPOCH, "WA_msg_A", T1, T1, T1, false);
	scene_expect(scene, "SELECT status, open FROM messages", "6|f");
	scene_expect(scene, "SELECT count(*) FROM events", "0");
}

static void who_lost_the_lease_writes_nothing(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, SENDING);
	struct rows rows = progress(scene, SCENE_EPOCH - 1, "WA_msg_A", T1, T1, T1, false);
	assert_int_equal(rows.n_held, 0);
	scene_expect(scene, "SELECT status, open FROM messages", "3|t");
}

static void an_id_that_nobody_knows_is_counted(void **state)
{
	struct scene *scene = *state;
	struct rows rows = progress(scene, SCENE_EPOCH, "WA_none", T1, 0, 0, false);
	assert_int_equal(rows.n_held, 1);
	assert_int_equal(rows.held_number, 0);
}

/* --- moves --- */

static struct rows move_message(struct scene *scene, struct gateway_move move)
{
	struct rows rows;
	move.message_id = SV_LIT("msg_A");
	move.session_id = 1;
	if (move.session_epoch == 0)
		move.session_epoch = SCENE_EPOCH;
	gateway_store_moves(scene->conn, &move, 1, scene_on_done, scene);
	scene_wait(scene, on_rows, &rows);
	return rows;
}

static const struct attempt_move retry = {
	.kind = OUTCOME_RETRY, .status = MESSAGE_QUEUED, .delay_ms = 5000};
static const struct attempt_move unknown = {
	.kind = OUTCOME_UNKNOWN, .status = MESSAGE_SENDING, .delay_ms = 5000};
static const struct attempt_move failed = {.kind = OUTCOME_FINAL,
	.status = MESSAGE_FAILED,
	.code = "not_on_whatsapp",
	.error = "no \"such\" number"};

static void a_certain_failure_waits_in_the_queue(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, SENDING);
	struct rows rows =
		move_message(scene, (struct gateway_move){.attempts = 1, .move = &retry});
	assert_int_equal(rows.n_messages, 1);
	scene_expect(scene,
		"SELECT status, open, outcome_unknown, ever_unknown, next_attempt_at > now() + "
		"interval '3 s', error_code FROM messages",
		"2|t|f|f|t|");
	rows = move_message(scene, (struct gateway_move){.attempts = 1, .move = &retry});
	assert_int_equal(rows.n_messages, 0); /* once */
}

static void an_unknown_end_is_remembered(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, SENDING ", alone = true");
	(void)move_message(scene, (struct gateway_move){.attempts = 1, .move = &unknown});
	scene_expect(scene,
		"SELECT status, open, outcome_unknown, ever_unknown, alone FROM messages",
		"3|t|t|t|f");
}

static void a_failure_closes_and_tells(void **state)
{
	struct scene *scene = *state;
	add_webhook(scene);
	scene_message(scene, "msg_A", PHONE, 1, SENDING);
	struct rows rows =
		move_message(scene, (struct gateway_move){.attempts = 1, .move = &failed});
	assert_int_equal(rows.n_events, 1);
	assert_int_equal(rows.event_types[0], 8);
	scene_expect(scene,
		"SELECT status, open, error_code, error, failed_at IS NOT NULL FROM messages",
		"7|f|not_on_whatsapp|no \"such\" number|t");
	scene_expect(scene, "SELECT data->>'error', data->>'error_code' FROM events",
		"no \"such\" number|not_on_whatsapp");
}

/* Dispatched twice after a loss, a message that may no longer be sent is refused twice. */
static void a_failure_told_twice_in_a_batch_is_one(void **state)
{
	struct scene *scene = *state;
	struct gateway_move twice[2];
	struct rows rows;
	add_webhook(scene);
	scene_message(scene, "msg_A", PHONE, 1, SENDING);
	for (int i = 0; i < 2; i++)
		twice[i] = (struct gateway_move){.message_id = SV_LIT("msg_A"),
			.session_id = 1,
			.session_epoch = SCENE_EPOCH,
			.attempts = 1,
			.move = i == 0 ? &failed : &unknown};
	gateway_store_moves(scene->conn, twice, 2, scene_on_done, scene);
	scene_wait(scene, on_rows, &rows);
	assert_int_equal(rows.n_messages, 1);
	assert_int_equal(rows.n_events, 1);
	scene_expect(scene, "SELECT status, error_code FROM messages", "7|not_on_whatsapp");
	scene_expect(scene, "SELECT count(*) FROM events", "1");
}

static void what_does_not_fit_moves_nothing(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, SENDING);
	assert_int_equal(move_message(scene, (struct gateway_move){.attempts = 2, .move = &failed})
				 .n_messages,
		0);
	assert_int_equal(
		move_message(scene,
			(struct gateway_move){.attempts = 1, .was_unknown = true, .move = &failed})
			.n_messages,
		0);
	assert_int_equal(
		move_message(scene,
			(struct gateway_move){.attempts = 1, .session_epoch = 4, .move = &failed})
			.n_messages,
		0);
	(void)scene_sql(scene, "UPDATE messages SET status = 4, open = false");
	assert_int_equal(move_message(scene, (struct gateway_move){.attempts = 1, .move = &failed})
				 .n_messages,
		0);
	scene_expect(scene, "SELECT status FROM messages", "4");
}

static void an_unknown_outcome_is_closed_or_set_aside(void **state)
{
	struct scene *scene = *state;
	struct attempt_move aside;
	attempt_move_set_aside(2, &aside);
	scene_message(
		scene, "msg_A", PHONE, 1, SENDING ", outcome_unknown = true, ever_unknown = true");
	struct rows rows = move_message(scene, (struct gateway_move){.attempts = 1,
						       .was_unknown = true,
						       .move = &aside,
						       .set_aside_id = "sa_1"});
	assert_int_equal(rows.n_messages, 1);
	scene_expect(scene, "SELECT status, error_code FROM messages", "7|set_aside");
	scene_expect(scene, "SELECT id, kind, message_id, tenant_id FROM set_aside",
		"sa_1|message|msg_A|1");
	scene_expect(scene, "SELECT type FROM events", "8");
}

/* --- taking a session over --- */

static void on_settled(void *ctx, const struct pg_result *result)
{
	struct rows *rows = ctx;
	rows->n_settled = pg_rows(result);
}

static int settle(struct scene *scene, int64_t survived_epoch)
{
	struct rows rows;
	gateway_store_settle(
		scene->conn, 1, SCENE_EPOCH, survived_epoch, 1500, 100, scene_on_done, scene);
	scene_wait(scene, on_settled, &rows);
	return rows.n_settled;
}

static void what_the_last_owner_had_in_flight_is_settled(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, ", status = 3, attempts = 1, session_epoch = 4");
	scene_message(scene, "msg_B", PHONE, 2,
		", status = 3, attempts = 1, session_epoch = 4, alone = true, deaths = 2");
	scene_message(scene, "msg_C", PHONE, 3,
		", status = 3, attempts = 1, session_epoch = 4, outcome_unknown = true");
	scene_message(scene, "msg_D", PHONE, 4, "");
	scene_message(scene, "msg_E", PHONE, 5, ", status = 3, attempts = 1, session_epoch = 5");
	assert_int_equal(settle(scene, 0), 2);
	scene_expect(scene,
		"SELECT id, outcome_unknown, ever_unknown, deaths, deaths_alone, alone FROM "
		"messages ORDER BY id",
		"msg_A|t|t|1|0|f\nmsg_B|t|t|3|1|f\nmsg_C|t|f|0|0|f\nmsg_D|f|f|0|0|f\nmsg_E|f|f|0|0|"
		"f");
	scene_expect(scene, "SELECT next_attempt_at > now() FROM messages WHERE id = 'msg_A'", "t");
	assert_int_equal(settle(scene, 0), 0);
}

static void who_only_lost_the_lease_did_not_die(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1,
		", status = 3, attempts = 1, session_epoch = 4, alone = true, deaths = 2");
	assert_int_equal(settle(scene, 4), 1);
	scene_expect(scene, "SELECT outcome_unknown, deaths, deaths_alone, alone FROM messages",
		"t|2|0|f");
}

static void set_state(struct scene *scene, int64_t epoch, enum session_state session_state,
	const char *reason, struct rows *ret_rows)
{
	gateway_store_session_state(scene->conn, 1, epoch, session_state, sv_from(reason),
		SV_LIT("+49151"), scene_on_done, scene);
	scene_wait(scene, on_rows, ret_rows);
}

static void coming_and_going_of_a_session_is_told_to_who_depends_on_it(void **state)
{
	struct scene *scene = *state;
	struct rows rows;
	add_webhook(scene);
	(void)scene_sql(scene,
		"INSERT INTO tenants (id, name) VALUES (2, 'listens'), (3, 'has its own'), (4, "
		"'does not listen');"
		"INSERT INTO sessions (id, tenant_id, engine) VALUES (30, 3, 'sandbox');"
		"INSERT INTO webhooks (public_id, tenant_id, url, event_mask, active) VALUES "
		"('wh_2', 2, 'http://x', 1536, true),"
		" ('wh_3', 3, 'http://x', 1536, true), ('wh_4', 4, 'http://x', 2, true)");
	set_state(scene, SCENE_EPOCH, SESSION_CONNECTED, NULL, &rows);
	assert_int_equal(rows.n_events, 2);
	scene_expect(scene, "SELECT tenant_id, type, data->>'session_id' FROM events ORDER BY 1",
		"1|9|1\n2|9|1");
	set_state(scene, SCENE_EPOCH, SESSION_CONNECTED, NULL, &rows);
	assert_int_equal(rows.n_events, 0);
	set_state(scene, SCENE_EPOCH, SESSION_LOGGED_OUT, "the phone removed it", &rows);
	set_state(scene, SCENE_EPOCH, SESSION_FAILED, "worse", &rows);
	assert_int_equal(rows.n_events, 0); /* it was gone already */
	scene_expect(scene,
		"SELECT tenant_id, data->>'reason' FROM events WHERE type = 10 ORDER BY 1",
		"1|the phone removed it\n2|the phone removed it");
	scene_expect(scene, "SELECT state, reason, phone_number FROM sessions WHERE id = 1",
		"failed|worse|+49151");
}

static void what_needs_somebody_is_told_though_the_connection_was_lost_before(void **state)
{
	struct scene *scene = *state;
	struct rows rows;
	add_webhook(scene);
	set_state(scene, SCENE_EPOCH, SESSION_CONNECTED, NULL, &rows);
	set_state(scene, SCENE_EPOCH, SESSION_RECONNECTING, "lost", &rows);
	set_state(scene, SCENE_EPOCH, SESSION_RECONNECTING, "lost again", &rows);
	set_state(scene, SCENE_EPOCH, SESSION_BANNED, "banned", &rows);
	set_state(scene, SCENE_EPOCH, SESSION_BANNED, "still", &rows);
	set_state(scene, SCENE_EPOCH, SESSION_PAIRING, "scan the code", &rows);
	set_state(scene, SCENE_EPOCH, SESSION_FAILED, "nobody came", &rows);
	scene_expect(scene,
		"SELECT string_agg(data->>'reason', ',' ORDER BY sequence) FROM events"
		" WHERE type = 10 AND tenant_id = 1",
		"lost,banned,nobody came");
}

static void a_session_of_one_tenant_tells_that_one_only(void **state)
{
	struct scene *scene = *state;
	struct rows rows;
	add_webhook(scene);
	(void)scene_sql(scene, "INSERT INTO tenants (id, name) VALUES (2, 'owner'); UPDATE "
			       "sessions SET tenant_id = 2 WHERE id = 1");
	set_state(scene, SCENE_EPOCH, SESSION_CONNECTED, NULL, &rows);
	scene_expect(scene, "SELECT tenant_id, type FROM events", "2|9");
	set_state(scene, SCENE_EPOCH - 1, SESSION_FAILED, "stale", &rows);
	scene_expect(scene, "SELECT state FROM sessions WHERE id = 1", "connected");
}

#define TEST_OF(name) cmocka_unit_test_setup(name, scene_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OF(an_acknowledgement_and_receipts_are_one_move),
		TEST_OF(reading_implies_delivery_and_sending),
		TEST_OF(a_state_moves_forward_only_and_an_event_comes_once),
		TEST_OF(a_late_receipt_proves_an_unknown_outcome_wrong),
		TEST_OF(any_other_final_state_stays),
		TEST_OF(what_was_erased_makes_no_events),
		TEST_OF(who_lost_the_lease_writes_nothing),
		TEST_OF(an_id_that_nobody_knows_is_counted),
		TEST_OF(a_certain_failure_waits_in_the_queue),
		TEST_OF(an_unknown_end_is_remembered),
		TEST_OF(a_failure_closes_and_tells),
		TEST_OF(a_failure_told_twice_in_a_batch_is_one),
		TEST_OF(what_does_not_fit_moves_nothing),
		TEST_OF(an_unknown_outcome_is_closed_or_set_aside),
		TEST_OF(what_the_last_owner_had_in_flight_is_settled),
		TEST_OF(who_only_lost_the_lease_did_not_die),
		TEST_OF(coming_and_going_of_a_session_is_told_to_who_depends_on_it),
		TEST_OF(what_needs_somebody_is_told_though_the_connection_was_lost_before),
		TEST_OF(a_session_of_one_tenant_tells_that_one_only),
	};
	return cmocka_run_group_tests(tests, scene_setup, scene_teardown);
}
