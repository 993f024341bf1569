#include "tests/support/test.h"

#include <string.h>

#include "services/gateway/gateway_store_inbound.h"
#include "services/gateway/gateway_store_progress.h"
#include "services/gateway/sandbox_store.h"
#include "tests/unit/gateway/store_scene.h"

#define PHONE "+4915112345"
#define T1    INT64_C(1700000000000)

struct seen {
	int n_rows;
	int n_held;
	int64_t held_number;
	int n_messages;
	int64_t first_int;
	int64_t copies;
};

static struct gateway_inbound inbound(const char *id, const char *wa, int32_t tenant_id)
{
	return (struct gateway_inbound){
		.message_id = sv_from(id),
		.wa_message_id = sv_from(wa),
		.phone = SV_LIT(PHONE),
		.session_id = 1,
		.session_epoch = SCENE_EPOCH,
		.tenant_id = tenant_id,
		.partition = 3,
		.type = MESSAGE_TEXT,
		.body = SV_LIT("PAY123"),
		.at_ms = T1,
	};
}

static void on_rows(void *ctx, const struct pg_result *result)
{
	struct seen *seen = ctx;
	memset(seen, 0, sizeof(*seen));
	seen->n_rows = pg_rows(result);
	for (int i = 0; i < pg_rows(result); i++) {
		struct gateway_held_row held;
		enum gateway_row_kind kind = gateway_store_row_kind(result, i);
		seen->n_messages += kind == GATEWAY_ROW_MESSAGE;
		if (kind != GATEWAY_ROW_HELD)
			continue;
		gateway_store_held_row(result, i, &held);
		seen->n_held++;
		seen->held_number = held.number;
	}
}

static struct seen keep(struct scene *scene, const struct gateway_inbound *rows, int n)
{
	struct seen seen;
	gateway_store_inbound(scene->conn, rows, n, scene_on_done, scene);
	scene_wait(scene, on_rows, &seen);
	return seen;
}

static void an_unknown_number_becomes_one_contact(void **state)
{
	struct scene *scene = *state;
	struct gateway_inbound rows[] = {inbound("msg_1", "WA1", 1), inbound("msg_2", "WA2", 1)};
	struct seen seen = keep(scene, rows, 2);
	assert_int_equal(seen.n_held, 1);
	assert_int_equal(seen.held_number, 2);
	scene_expect(scene,
		"SELECT count(*), count(DISTINCT contact_id) FROM messages WHERE direction = 1",
		"2|1");
	scene_expect(scene,
		"SELECT n.phone, c.tenant_id FROM contact_numbers n JOIN contacts c ON c.id = "
		"n.contact_id",
		PHONE "|1");
	scene_expect(scene, "SELECT id, status, open, body, tenant_id FROM messages ORDER BY id",
		"msg_1|10|f|PAY123|1\nmsg_2|10|f|PAY123|1");
	scene_expect(scene,
		"SELECT string_agg(message_id || ' ' || type, ',' ORDER BY sequence),"
		" bool_and(at = to_timestamp(1700000000)) FROM events",
		"msg_1 1,msg_2 1|t");
}

static void what_is_offered_twice_is_kept_once(void **state)
{
	struct scene *scene = *state;
	struct gateway_inbound twice[] = {inbound("msg_1", "WA1", 1), inbound("msg_2", "WA1", 1)};
	assert_int_equal(keep(scene, twice, 2).held_number, 1);
	struct gateway_inbound again = inbound("msg_3", "WA1", 1);
	struct seen seen = keep(scene, &again, 1);
	assert_int_equal(seen.n_held, 1); /* and may be acknowledged */
	assert_int_equal(seen.held_number, 0);
	scene_expect(scene, "SELECT count(*) FROM messages", "1");
	scene_expect(scene, "SELECT count(*) FROM events", "1");
}

static void it_belongs_to_who_wrote_there_last_else_to_the_default_tenant(void **state)
{
	struct scene *scene = *state;
	struct gateway_inbound first = inbound("msg_1", "WA1", 0);
	(void)keep(scene, &first, 1);
	(void)scene_sql(scene, "INSERT INTO tenants (id, name) VALUES (2, 'wrote last');"
			       "INSERT INTO conversations VALUES (1, '" PHONE "', 2, 10)");
	struct gateway_inbound second = inbound("msg_2", "WA2", 0);
	(void)keep(scene, &second, 1);
	struct gateway_inbound third = inbound("msg_3", "WA3", 1); /* the sandbox knows better */
	(void)keep(scene, &third, 1);
	scene_expect(scene, "SELECT id, tenant_id FROM messages ORDER BY id",
		"msg_1|1\nmsg_2|2\nmsg_3|1");
	scene_expect(scene, "SELECT tenant_id FROM contact_numbers ORDER BY 1", "1\n2");
}

static void who_lost_the_lease_keeps_nothing(void **state)
{
	struct scene *scene = *state;
	struct gateway_inbound row = inbound("msg_1", "WA1", 1);
	row.session_epoch--;
	assert_int_equal(keep(scene, &row, 1).n_held, 0);
	scene_expect(scene, "SELECT count(*) FROM messages", "0");
}

/* --- what real phones do --- */

static struct gateway_inbound change(
	const char *wa, enum engine_inbound_kind kind, const char *target)
{
	struct gateway_inbound row = inbound("", wa, 0);
	row.kind = kind;
	row.target_wa_id = sv_from(target);
	row.body = kind == ENGINE_INBOUND_DELETE ? SV_NULL : SV_LIT("new words");
	return row;
}

static struct seen keep_changes(struct scene *scene, const struct gateway_inbound *rows, int n)
{
	struct seen seen;
	gateway_store_changes(scene->conn, rows, n, scene_on_done, scene);
	scene_wait(scene, on_rows, &seen);
	return seen;
}

static void keys_are_committed_with_their_message_the_last_of_each(void **state)
{
	struct scene *scene = *state;
	struct engine_key first[] = {
		{SV_LIT("session/a"), SV_LIT("1")}, {SV_LIT("pre-key/7"), SV_LIT("x")}};
	struct engine_key second[] = {
		{SV_LIT("session/a"), SV_LIT("2")}, {SV_LIT("pre-key/7"), SV_NULL}};
	struct gateway_inbound rows[] = {inbound("msg_1", "WA1", 1), inbound("msg_2", "WA2", 1)};
	rows[0].keys = first;
	rows[0].n_keys = 2;
	rows[1].kind = ENGINE_INBOUND_NOTHING;
	rows[1].phone = SV_LIT("");
	rows[1].keys = second;
	rows[1].n_keys = 2;
	struct seen seen = keep(scene, rows, 2);
	assert_int_equal(seen.n_held, 1);
	assert_int_equal(seen.held_number, 1);
	scene_expect(
		scene, "SELECT name, encode(sealed, 'escape') FROM session_keys", "session/a|2");
	scene_expect(scene, "SELECT count(*) FROM messages", "1");
}

static void who_lost_the_lease_keeps_no_key(void **state)
{
	struct scene *scene = *state;
	struct engine_key key = {SV_LIT("session/a"), SV_LIT("1")};
	struct gateway_inbound row = inbound("msg_1", "WA1", 1);
	row.keys = &key;
	row.n_keys = 1;
	row.session_epoch--;
	assert_int_equal(keep(scene, &row, 1).n_held, 0);
	scene_expect(scene, "SELECT count(*) FROM session_keys", "0");
}

static void what_the_own_phone_writes_is_outgoing_and_no_event(void **state)
{
	struct scene *scene = *state;
	struct gateway_inbound row = inbound("msg_1", "WA1", 1);
	row.is_from_me = true;
	(void)keep(scene, &row, 1);
	scene_expect(scene, "SELECT direction, status, open FROM messages", "0|4|f");
	scene_expect(scene, "SELECT count(*) FROM events", "0");
}

static void a_change_is_told_of_once_and_of_the_message_meant(void **state)
{
	struct scene *scene = *state;
	struct gateway_inbound row = inbound("msg_1", "WA1", 1);
	(void)keep(scene, &row, 1);
	struct gateway_inbound changes[] = {change("R1", ENGINE_INBOUND_REACTION, "WA1"),
		change("E1", ENGINE_INBOUND_EDIT, "WA1"),
		change("D1", ENGINE_INBOUND_DELETE, "WA1"),
		change("E2", ENGINE_INBOUND_EDIT, "unknown")};
	assert_int_equal(keep_changes(scene, changes, 4).held_number, 4);
	assert_int_equal(keep_changes(scene, changes, 4).held_number, 0);
	scene_expect(scene,
		"SELECT string_agg(message_id || ' ' || type, ',' ORDER BY sequence) FROM events",
		"msg_1 1,msg_1 2,msg_1 3,msg_1 4");
	scene_expect(scene, "SELECT body, edited_body, deleted_at IS NOT NULL FROM messages",
		"PAY123|new words|t");
}

/* Erasure finds texts by their messages. */
static void no_text_of_a_change_stays_where_erasure_does_not_find_it(void **state)
{
	struct scene *scene = *state;
	struct gateway_inbound row = inbound("msg_1", "WA1", 1);
	(void)keep(scene, &row, 1);
	struct gateway_inbound changes[] = {change("E1", ENGINE_INBOUND_EDIT, "unknown"),
		change("E2", ENGINE_INBOUND_EDIT, "WA1"),
		change("R1", ENGINE_INBOUND_REACTION, "unknown")};
	assert_int_equal(keep_changes(scene, changes, 3).held_number, 3);
	scene_expect(scene,
		"SELECT count(*), count(*) FILTER (WHERE c::text LIKE '%new words%') FROM "
		"message_changes c",
		"3|0");
	scene_expect(scene, "SELECT edited_body FROM messages", "new words");
}

static void nobody_edits_what_another_wrote(void **state)
{
	struct scene *scene = *state;
	struct gateway_inbound row = inbound("msg_1", "WA1", 1);
	row.is_from_me = true;
	(void)keep(scene, &row, 1);
	struct gateway_inbound edit = change("E1", ENGINE_INBOUND_EDIT, "WA1");
	(void)keep_changes(scene, &edit, 1);
	struct gateway_inbound other = change("E2", ENGINE_INBOUND_REACTION, "WA1");
	other.phone = SV_LIT("+4915199999");
	(void)keep_changes(scene, &other, 1);
	scene_expect(scene, "SELECT edited_body IS NULL FROM messages", "t");
	scene_expect(scene, "SELECT count(*) FROM events", "0");
}

/* --- set aside --- */

static int64_t set_aside(struct scene *scene, const struct gateway_inbound *row, const char *reason)
{
	struct seen seen;
	struct gateway_aside aside = {.id = "sa_1", .reason = reason, .sealed = SV_LIT("sealed")};
	gateway_store_inbound_aside(scene->conn, row, &aside, scene_on_done, scene);
	scene_wait(scene, on_rows, &seen);
	return seen.n_held;
}

static void on_back(void *ctx, const struct pg_result *result)
{
	int *n = ctx;
	*n = pg_rows(result);
	for (int row = 0; row < *n; row++)
		assert_sv(pg_bytes(result, row, 1), "sealed");
}

static int put_back(struct scene *scene)
{
	int n = -1;
	int64_t session_id = 1;
	gateway_store_inbound_put_back(scene->conn, &session_id, 1, 10, scene_on_done, scene);
	scene_wait(scene, on_back, &n);
	return n;
}

static void what_is_set_aside_keeps_its_keys_and_is_there_once(void **state)
{
	struct scene *scene = *state;
	struct engine_key key = {SV_LIT("session/a"), SV_LIT("1")};
	struct gateway_inbound row = inbound("msg_1", "WA1", 1);
	row.keys = &key;
	row.n_keys = 1;
	assert_int_equal(set_aside(scene, &row, "first"), 1);
	assert_int_equal(set_aside(scene, &row, "second"), 1);
	scene_expect(scene,
		"SELECT id, kind, session_id, wa_message_id, from_me, phone, tenant_id, reason,"
		" encode(payload, 'escape') FROM set_aside",
		"sa_1|inbound|1|WA1|f|" PHONE "|1|second|sealed");
	scene_expect(
		scene, "SELECT name, encode(sealed, 'escape') FROM session_keys", "session/a|1");
	row.session_epoch--;
	assert_int_equal(set_aside(scene, &row, "third"), 0);
	scene_expect(scene, "SELECT reason FROM set_aside", "second");
	scene_sql(scene, "DELETE FROM set_aside");
}

static void what_was_set_aside_comes_back_when_the_operator_says_so_until_it_is_kept(void **state)
{
	struct scene *scene = *state;
	struct gateway_inbound row = inbound("msg_1", "WA1", 1);
	(void)set_aside(scene, &row, "refused");
	assert_int_equal(put_back(scene), 0);
	scene_sql(scene, "UPDATE set_aside SET retried_at = now()");
	assert_int_equal(put_back(scene), 1);
	(void)set_aside(scene, &row, "refused again");
	assert_int_equal(put_back(scene), 0);
	scene_sql(scene, "UPDATE set_aside SET retried_at = now()");
	(void)keep(scene, &row, 1);
	assert_int_equal(put_back(scene), 0);
	scene_expect(scene, "SELECT payload IS NULL FROM set_aside", "t");
	scene_sql(scene, "DELETE FROM set_aside");
}

/* --- media --- */

static void on_first(void *ctx, const struct pg_result *result)
{
	struct seen *seen = ctx;
	seen->n_rows = pg_rows(result);
}

static int wanted(struct scene *scene, const char *known)
{
	struct seen seen = {0};
	int64_t session_id = 1;
	struct strview known_id = sv_from(known);
	gateway_store_media_wanted(
		scene->conn, &session_id, 1, &known_id, known != NULL, 10, scene_on_done, scene);
	scene_wait(scene, on_first, &seen);
	return seen.n_rows;
}

#define WANTED ", type = 2, media_url = 'http://x/y', media_wanted = true"

static void wanted_media_is_found_stored_and_not_wanted_any_more(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, WANTED);
	assert_int_equal(wanted(scene, NULL), 1);
	assert_int_equal(wanted(scene, "msg_A"), 0);
	for (int i = 0; i < 2; i++) {
		gateway_store_media(scene->conn, SV_LIT("msg_A"), SV_LIT("abc"),
			SV_LIT("image/png"), SV_LIT("by\0tes"), scene_on_done, scene);
		scene_wait(scene, NULL, NULL);
	}
	assert_int_equal(wanted(scene, NULL), 0);
	scene_expect(scene, "SELECT media_sha256, media_wanted, status FROM messages", "abc|f|2");
	scene_expect(scene,
		"SELECT sha256, content_type, size_bytes, encode(bytes, 'hex') FROM media",
		"abc|image/png|6|627900746573");
}

static void media_of_what_was_erased_meanwhile_is_not_kept(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, WANTED ", erased = true");
	gateway_store_media(scene->conn, SV_LIT("msg_A"), SV_LIT("abc"), SV_LIT("image/png"),
		SV_LIT("x"), scene_on_done, scene);
	scene_wait(scene, NULL, NULL);
	scene_expect(scene, "SELECT media_sha256, media_wanted FROM messages", "|f");
	scene_expect(scene, "SELECT count(*) FROM media", "0");
}

static void media_that_cannot_be_had_fails_its_message_once(void **state)
{
	struct scene *scene = *state;
	struct seen seen;
	scene_message(scene, "msg_A", PHONE, 1,
		WANTED ", status = 1, queue_seq = NULL, due_at = now() + interval '1 hour'");
	for (int i = 0; i < 2; i++) {
		gateway_store_media_failed(
			scene->conn, SV_LIT("msg_A"), SV_LIT("no such file"), scene_on_done, scene);
		scene_wait(scene, on_rows, &seen);
		assert_int_equal(seen.n_messages, i == 0);
	}
	scene_expect(scene,
		"SELECT status, open, error_code, error, media_wanted, due_at FROM messages",
		"7|f|media_failed|no such file|f|");
	scene_expect(scene, "SELECT type, data->>'error_code' FROM events", "8|media_failed");
}

static void a_message_that_was_cancelled_meanwhile_stays_so(void **state)
{
	struct scene *scene = *state;
	struct seen seen;
	scene_message(scene, "msg_A", PHONE, 1, WANTED ", status = 8, open = false");
	gateway_store_media_failed(
		scene->conn, SV_LIT("msg_A"), SV_LIT("no such file"), scene_on_done, scene);
	scene_wait(scene, on_rows, &seen);
	assert_int_equal(seen.n_messages, 0);
	scene_expect(scene, "SELECT status, media_wanted, error FROM messages", "8|f|");
	scene_expect(scene, "SELECT count(*) FROM events", "0");
}

/* --- the sandbox's ledger --- */

static void on_taken(void *ctx, const struct pg_result *result)
{
	struct seen *seen = ctx;
	struct sandbox_taken taken;
	assert_int_equal(pg_rows(result), 1);
	sandbox_store_taken(result, 0, &taken);
	assert_sv(taken.wa_message_id, "WA1");
	seen->copies = taken.copies;
}

static int64_t take(struct scene *scene, bool first, bool again)
{
	struct seen seen = {0};
	struct sandbox_copy copy = {
		.session_id = 1,
		.tenant_id = 1,
		.wa_message_id = SV_LIT("WA1"),
		.phone = SV_LIT(PHONE),
		.message_id = SV_LIT("msg_A"),
		.type = MESSAGE_TEXT,
		.body = SV_LIT("hello"),
		.has_receipts_first = first,
		.has_receipts_again = again,
	};
	sandbox_store_take(scene->conn, &copy, 1, scene_on_done, scene);
	scene_wait(scene, on_taken, &seen);
	return seen.copies;
}

static void on_pending(void *ctx, const struct pg_result *result)
{
	struct seen *seen = ctx;
	seen->n_rows = pg_rows(result);
	if (seen->n_rows == 0)
		return;
	struct sandbox_pending pending;
	sandbox_store_pending_row(result, 0, &pending);
	seen->first_int = pending.receipt_level;
}

static struct seen pending(struct scene *scene)
{
	struct seen seen = {0};
	sandbox_store_pending(scene->conn, 1, 0, 10, scene_on_done, scene);
	scene_wait(scene, on_pending, &seen);
	return seen;
}

static void acknowledge(struct scene *scene, int64_t level)
{
	int64_t session_id = 1;
	struct strview wa = SV_LIT("WA1");
	sandbox_store_acknowledge(scene->conn, &session_id, &wa, &level, 1, scene_on_done, scene);
	scene_wait(scene, NULL, NULL);
}

static void a_repeated_id_is_shown_once_and_counted(void **state)
{
	struct scene *scene = *state;
	assert_int_equal(take(scene, true, true), 1);
	assert_int_equal(take(scene, true, true), 2);
	scene_expect(scene, "SELECT copies, body, message_id, pending FROM sandbox.ledger",
		"2|hello|msg_A|t");
}

static void receipts_are_held_until_they_are_acknowledged(void **state)
{
	struct scene *scene = *state;
	(void)take(scene, true, true);
	assert_int_equal(pending(scene).n_rows, 1);
	acknowledge(scene, 1);
	assert_int_equal(pending(scene).first_int, 1);
	acknowledge(scene, 2);
	assert_int_equal(pending(scene).n_rows, 0);
	acknowledge(scene, 1); /* late: levels only rise */
	scene_expect(scene,
		"SELECT receipt_level, pending, delivered_at IS NOT NULL, read_at IS NOT NULL FROM "
		"sandbox.ledger",
		"2|f|t|t");
	assert_int_equal(take(scene, true, true), 2);
	assert_int_equal(pending(scene).n_rows, 0); /* all was said before */
}

static void a_lost_acknowledgement_holds_no_receipts_until_the_second_copy(void **state)
{
	struct scene *scene = *state;
	assert_int_equal(take(scene, false, true), 1);
	assert_int_equal(pending(scene).n_rows, 0);
	assert_int_equal(take(scene, false, true), 2);
	assert_int_equal(pending(scene).n_rows, 1);
}

static void tries_are_counted_across_restarts(void **state)
{
	struct scene *scene = *state;
	for (int64_t i = 1; i <= 3; i++) {
		struct seen seen = {0};
		int64_t session_id = 1;
		struct strview wa = SV_LIT("WA1");
		sandbox_store_try(scene->conn, &session_id, &wa, 1, scene_on_done, scene);
		scene_wait(scene, on_taken, &seen);
		assert_int_equal(seen.copies, i);
	}
}

static void what_a_customer_writes_stays_until_it_is_forgotten(void **state)
{
	struct scene *scene = *state;
	struct seen seen = {0};
	int64_t sessions[] = {1, 7};
	(void)scene_sql(scene, "INSERT INTO sandbox.inbound (id, session_id, tenant_id, phone, "
			       "wa_message_id, type, body)"
			       " OVERRIDING SYSTEM VALUE VALUES (5, 1, 1, '" PHONE
			       "', 'WA9', 1, 'hi'), (6, 2, 1, '" PHONE "', 'WA8', 1, 'hi')");
	for (int i = 0; i < 2; i++) {
		sandbox_store_inbound(scene->conn, sessions, 2, 10, scene_on_done, scene);
		scene_wait(scene, on_first, &seen);
		assert_int_equal(seen.n_rows, 1);
	}
	int64_t id = 5;
	sandbox_store_forget_inbound(scene->conn, &id, 1, scene_on_done, scene);
	scene_wait(scene, NULL, NULL);
	scene_expect(scene, "SELECT id FROM sandbox.inbound", "6");
}

#define TEST_OF(name) cmocka_unit_test_setup(name, scene_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OF(an_unknown_number_becomes_one_contact),
		TEST_OF(what_is_offered_twice_is_kept_once),
		TEST_OF(it_belongs_to_who_wrote_there_last_else_to_the_default_tenant),
		TEST_OF(who_lost_the_lease_keeps_nothing),
		TEST_OF(keys_are_committed_with_their_message_the_last_of_each),
		TEST_OF(who_lost_the_lease_keeps_no_key),
		TEST_OF(what_the_own_phone_writes_is_outgoing_and_no_event),
		TEST_OF(a_change_is_told_of_once_and_of_the_message_meant),
		TEST_OF(no_text_of_a_change_stays_where_erasure_does_not_find_it),
		TEST_OF(nobody_edits_what_another_wrote),
		TEST_OF(what_is_set_aside_keeps_its_keys_and_is_there_once),
		TEST_OF(what_was_set_aside_comes_back_when_the_operator_says_so_until_it_is_kept),
		TEST_OF(wanted_media_is_found_stored_and_not_wanted_any_more),
		TEST_OF(media_of_what_was_erased_meanwhile_is_not_kept),
		TEST_OF(media_that_cannot_be_had_fails_its_message_once),
		TEST_OF(a_message_that_was_cancelled_meanwhile_stays_so),
		TEST_OF(a_repeated_id_is_shown_once_and_counted),
		TEST_OF(receipts_are_held_until_they_are_acknowledged),
		TEST_OF(a_lost_acknowledgement_holds_no_receipts_until_the_second_copy),
		TEST_OF(tries_are_counted_across_restarts),
		TEST_OF(what_a_customer_writes_stays_until_it_is_forgotten),
	};
	return cmocka_run_group_tests(tests, scene_setup, scene_teardown);
}
