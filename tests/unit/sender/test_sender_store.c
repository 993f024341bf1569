/* The sender's SQL on the product's schema, with the sender's rights. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "services/sender/sender_store.h"

#define WAIT_MS 15000
#define MOST    64

struct got {
	enum pg_status status;
	int n;
	struct {
		int32_t session_id;
		char phone[PHONE_SIZE];
		bool has_message;
		char id[ID_SIZE];
		int64_t queue_seq;
		int64_t due_in_ms;
		int attempts;
		bool claimed;
		bool has_event;
	} rows[MOST];
	int64_t wait_ms;
	struct store_limits limits[4];
};

static struct loop *loop;
static struct pg_conn *admin;
static struct pg_pool *pool;
static struct sender_store *store;
static struct got got;
static bool is_done;

static int done(void *ctx)
{
	(void)ctx;
	return is_done;
}

static void wait_done(void)
{
	assert_true(loop_run_until(loop, done, NULL, WAIT_MS));
	assert_int_equal(got.status, PG_OK);
}

static void begin(void)
{
	is_done = false;
	got = (struct got){0};
}

static void on_admin(void *ctx, const struct pg_result *result)
{
	(void)ctx;
	got.status = pg_status(result);
	if (got.status != PG_OK) {
		print_error("%s\n", pg_err(result)->text);
	}
	got.n = pg_status(result) == PG_OK && pg_rows(result) > 0 ? (int)pg_int(result, 0, 0) : 0;
	is_done = true;
}

/* Statements are prepared once under their names: each is one of its own. */
static struct {
	struct pg_stmt stmt;
	char name[16];
	char sql[1024];
} statements[128];
static int n_statements;

/* Run a statement of the operator's; its first column of its first row, an integer, if it has one.
 */
static int run(const char *sql)
{
	int i = n_statements++;
	assert_true(i < (int)array_len(statements));
	(void)snprintf(statements[i].name, sizeof(statements[i].name), "run%d", i);
	(void)snprintf(statements[i].sql, sizeof(statements[i].sql), "%s", sql);
	statements[i].stmt = (struct pg_stmt){statements[i].name, statements[i].sql};
	begin();
	pg_conn_query(admin, &statements[i].stmt, NULL, WAIT_MS, on_admin, NULL);
	wait_done();
	return got.n;
}

static void on_messages(void *ctx, enum pg_status status, const struct err *err,
	const struct store_message *rows, int n)
{
	(void)ctx;
	(void)err;
	got.status = status;
	got.n = n;
	assert_true(n <= MOST);
	for (int i = 0; i < n; i++) {
		const struct send_message *m = &rows[i].message;
		got.rows[i].session_id = rows[i].key.session_id;
		got.rows[i].has_message = rows[i].has_message;
		got.rows[i].queue_seq = m->queue_seq;
		got.rows[i].due_in_ms = m->due_in_ms;
		got.rows[i].attempts = m->attempts;
		got.rows[i].claimed = m->claimed;
		(void)snprintf(got.rows[i].phone, PHONE_SIZE, "%.*s", SV_ARG(rows[i].key.phone));
		(void)snprintf(got.rows[i].id, ID_SIZE, "%.*s", SV_ARG(m->id));
	}
	is_done = true;
}

static void on_expired(void *ctx, enum pg_status status, const struct err *err,
	const struct store_expired *rows, int n)
{
	(void)ctx;
	(void)err;
	got.status = status;
	got.n = n;
	for (int i = 0; i < n; i++) {
		got.rows[i].has_event = rows[i].has_event;
		got.rows[i].queue_seq = rows[i].sequence;
		(void)snprintf(got.rows[i].id, ID_SIZE, "%.*s", SV_ARG(rows[i].message_id));
	}
	is_done = true;
}

static void on_limits(void *ctx, enum pg_status status, const struct err *err,
	const struct store_limits *rows, int n)
{
	(void)ctx;
	(void)err;
	got.status = status;
	got.n = n;
	memcpy(got.limits, rows, (size_t)(n < 4 ? n : 4) * sizeof(*rows));
	is_done = true;
}

static void on_wait(void *ctx, enum pg_status status, const struct err *err, int64_t wait_ms)
{
	(void)ctx;
	(void)err;
	got.status = status;
	got.wait_ms = wait_ms;
	is_done = true;
}

static void on_stored(void *ctx, enum pg_status status, const struct err *err)
{
	(void)ctx;
	(void)err;
	got.status = status;
	is_done = true;
}

static int is_up(void *ctx)
{
	(void)ctx;
	return pg_pool_is_up(pool) && pg_conn_is_up(admin);
}

/* The URL with which the tests were started is the superuser's; the service has its own role. */
static char *sender_url(const char *url)
{
	const char *user = strstr(url, "postgres@");
	assert_non_null(user);
	char *made = mem_zalloc(strlen(url) + 1);
	(void)snprintf(made, strlen(url) + 1, "%.*ssender@%s", (int)(user - url), url,
		user + strlen("postgres@"));
	return made;
}

static char *service_url;

static int setup(void **state)
{
	const char *url = getenv("WA_TEST_DATABASE_URL");
	if (url == NULL) {
		fail_msg("run under tests/support/with_services.sh, with WITH_SERVICES_SCHEMA=1");
	}
	(void)state;
	service_url = sender_url(url);
	n_statements = 0;
	struct pg_conn_options admin_options = {.url = url, .app_name = "test"};
	struct pg_conn_options options = {.url = service_url, .app_name = "test_sender_store"};
	loop = loop_new();
	admin = pg_conn_new(loop, &admin_options, NULL, NULL);
	pool = pg_pool_new(loop, &options, 1, NULL, NULL);
	store = sender_store_new(pool);
	assert_true(loop_run_until(loop, is_up, NULL, WAIT_MS));
	(void)run("TRUNCATE messages, events, deliveries, set_aside");
	(void)run("DELETE FROM webhooks");
	(void)run("UPDATE leases SET owner = 'me', epoch = 4, expires_at = 'infinity' WHERE kind = "
		  "'partition'"
		  " AND id IN (3, 5)");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pg_pool_free(&pool);
	sender_store_free(&store);
	pg_conn_free(&admin);
	loop_free(&loop);
	mem_free(service_url);
	return 0;
}

/* more: further columns and their values, e.g. "attempts = 2, …" as SET list. */
static void put(const char *id, int partition, int session_id, const char *phone, const char *set)
{
	char sql[1024];
	(void)snprintf(sql, sizeof(sql),
		"WITH i AS (INSERT INTO messages (id, tenant_id, contact_id, session_id, "
		"partition, direction, type, status,"
		" open, queue_seq, created_at, wa_message_id, phone)"
		" VALUES ('%s', 1, 1, %d, %d, 0, 1, 2, true, nextval('queue_seq'), now(), 'W%s', "
		"'%s')) SELECT 1",
		id, session_id, partition, id, phone);
	(void)run(sql);
	if (set != NULL) {
		(void)snprintf(sql, sizeof(sql), "UPDATE messages SET %s WHERE id = '%s'", set, id);
		(void)run(sql);
	}
}

static void page(int partition, int32_t after_session_id, const char *after_phone, int most)
{
	begin();
	sender_store_read_page(store, partition, after_session_id, sv_from(after_phone), most, 2,
		on_messages, NULL);
	wait_done();
}

static void a_page_has_each_conversations_first_messages_in_order(void **state)
{
	(void)state;
	put("m1", 3, 1, "+1000000002", "attempts = 2, next_attempt_at = now() + interval '1 hour'");
	put("m2", 3, 1, "+1000000001", "status = 3, attempts = 1");
	put("m3", 3, 1, "+1000000001", NULL);
	put("m4", 3, 1, "+1000000001", NULL); /* the third: not read */
	put("m5", 3, 2, "+1000000001",
		"status = 3, outcome_unknown = true, next_attempt_at = now()");
	put("m6", 3, 2, "+1000000002", "status = 4, open = false"); /* sent */
	put("m7", 3, 2, "+1000000003",
		"status = 1, queue_seq = NULL, due_at = now()"); /* scheduled */
	put("m8", 5, 1, "+1000000001", NULL);                    /* elsewhere */
	page(3, 0, "", 100);
	assert_int_equal(got.n, 5);
	assert_string_equal(got.rows[0].id, "m2");
	assert_true(got.rows[0].claimed);
	assert_int_equal(got.rows[0].attempts, 1);
	assert_string_equal(got.rows[1].id, "m3");
	assert_string_equal(got.rows[2].id, "m1");
	assert_in_range(got.rows[2].due_in_ms, 3500000, 3600000);
	assert_string_equal(got.rows[3].id, "m5");
	assert_false(got.rows[3].claimed); /* its end is not known: to be sent again */
	assert_false(got.rows[4].has_message);
	assert_string_equal(got.rows[4].phone, "+1000000003");
}

static void pages_follow_each_other(void **state)
{
	(void)state;
	put("m1", 3, 1, "+1000000001", NULL);
	put("m2", 3, 1, "+1000000002", NULL);
	put("m3", 3, 2, "+1000000001", NULL);
	page(3, 0, "", 2);
	assert_int_equal(got.n, 2);
	page(3, got.rows[1].session_id, "+1000000002", 2);
	assert_int_equal(got.n, 1);
	assert_string_equal(got.rows[0].id, "m3");
	page(3, 1, "~", 2); /* past all numbers of a session */
	assert_int_equal(got.n, 1);
	assert_string_equal(got.rows[0].id, "m3");
}

static void conversations_are_reread_by_name(void **state)
{
	(void)state;
	put("m1", 3, 1, "+1000000001", NULL);
	put("m2", 3, 1, "+1000000002", NULL);
	put("m3", 3, 1, "+1000000001", NULL);
	put("m4", 5, 2, "+1000000009", NULL);
	struct conversation_key keys[] = {{5, 2, SV_LIT("+1000000009")},
		{3, 1, SV_LIT("+1000000005")}, {3, 1, SV_LIT("+1000000001")}};
	begin();
	sender_store_read_conversations(store, keys, 3, 16, on_messages, NULL);
	wait_done();
	assert_int_equal(got.n, 3);
	assert_string_equal(got.rows[0].id, "m4");
	assert_string_equal(got.rows[1].id, "m1");
	assert_string_equal(got.rows[2].id, "m3");
}

static const int64_t partitions[] = {3, 5, 6};
static const int64_t epochs[] = {4, 3, 4}; /* 5 is another's by now, 6 never was ours */
static const struct store_ownership ownership = {"me", partitions, epochs, 3};

static void what_is_due_joins_the_queue_in_order_if_it_is_ours(void **state)
{
	(void)state;
	put("m1", 3, 1, "+1000000001",
		"status = 1, queue_seq = NULL, due_at = now() - interval '1 s'");
	put("m2", 3, 1, "+1000000001",
		"status = 1, queue_seq = NULL, due_at = now() - interval '2 s'");
	put("m3", 3, 1, "+1000000001",
		"status = 1, queue_seq = NULL, due_at = now() + interval '1 hour'");
	put("m4", 5, 1, "+1000000001",
		"status = 1, queue_seq = NULL, due_at = now() - interval '1 s'");
	put("m5", 6, 1, "+1000000001",
		"status = 1, queue_seq = NULL, due_at = now() - interval '1 s'");
	begin();
	sender_store_queue_due(store, &ownership, 10, on_messages, NULL);
	wait_done();
	assert_int_equal(got.n, 2);
	int64_t seq_of_m1 = got.rows[strcmp(got.rows[0].id, "m1") == 0 ? 0 : 1].queue_seq;
	int64_t seq_of_m2 = got.rows[strcmp(got.rows[0].id, "m2") == 0 ? 0 : 1].queue_seq;
	assert_true(seq_of_m2 < seq_of_m1);
	assert_int_equal(run("SELECT count(*)::int FROM messages WHERE status = 2 AND due_at IS "
			     "NULL AND queued_at IS NOT NULL"),
		2);
	begin();
	sender_store_queue_due(store, &ownership, 10, on_messages, NULL);
	wait_done();
	assert_int_equal(got.n, 0);
	begin();
	sender_store_read_next_due(store, on_wait, NULL);
	wait_done();
	assert_in_range(got.wait_ms, 3500000, 3600000);
}

static void nothing_is_due_is_said_so(void **state)
{
	(void)state;
	begin();
	sender_store_read_next_due(store, on_wait, NULL);
	wait_done();
	assert_int_equal(got.wait_ms, -1);
}

static void what_is_late_expires_with_its_event_unless_it_may_have_gone_out(void **state)
{
	(void)state;
	(void)run("INSERT INTO contacts (id, tenant_id) VALUES (1, 1) ON CONFLICT DO NOTHING");
	(void)run("INSERT INTO webhooks (public_id, tenant_id, url, event_mask, active)"
		  " VALUES ('wh_1', 1, 'http://a', 1 << 8, true), ('wh_2', 1, 'http://b', 1 << 8, "
		  "true)");
	put("m1", 3, 1, "+1000000001", "valid_until = now() - interval '1 s'");
	put("m2", 3, 1, "+1000000001",
		"status = 1, queue_seq = NULL, due_at = now() + interval '1 h', valid_until = "
		"now()");
	put("m3", 3, 1, "+1000000001", "valid_until = now(), status = 3, outcome_unknown = true");
	put("m4", 3, 1, "+1000000001", "valid_until = now() + interval '1 h'");
	put("m5", 5, 1, "+1000000001", "valid_until = now() - interval '1 s'");
	begin();
	sender_store_expire(store, &ownership, 10, on_expired, NULL);
	wait_done();
	assert_int_equal(got.n, 4); /* two messages, two endpoints */
	assert_string_equal(got.rows[0].id, "m1");
	assert_string_equal(got.rows[1].id, "m1");
	assert_string_equal(got.rows[2].id, "m2");
	assert_true(got.rows[0].has_event);
	assert_true(got.rows[0].queue_seq < got.rows[2].queue_seq);
	assert_int_equal(run("SELECT count(*)::int FROM messages WHERE status = 9 AND NOT open AND "
			     "due_at IS NULL"
			     " AND expired_at IS NOT NULL AND error_code = 'expired'"),
		2);
	assert_int_equal(run("SELECT count(*)::int FROM events WHERE type = 8 AND data ->> "
			     "'error_code' = 'expired'"),
		2);
	assert_int_equal(run("SELECT count(*)::int FROM deliveries WHERE open"), 4);
}

static void a_lease_that_ran_out_changes_nothing(void **state)
{
	(void)state;
	(void)run("UPDATE leases SET expires_at = now() - interval '1 s' WHERE kind = 'partition' "
		  "AND id = 3");
	put("m1", 3, 1, "+1000000001", "valid_until = now() - interval '1 s'");
	begin();
	sender_store_expire(store, &ownership, 10, on_expired, NULL);
	wait_done();
	assert_int_equal(got.n, 0);
}

static void limits_are_read_of_sessions_and_tenants_that_exist(void **state)
{
	int64_t sessions[] = {1, 77};
	int64_t tenants[] = {1, 77};
	(void)state;
	(void)run("UPDATE sessions SET state = 'connected', rate_per_min = 30 WHERE id = 1");
	(void)run("UPDATE leases SET owner = 'g', expires_at = 'infinity' WHERE kind = 'session' "
		  "AND id = 1");
	begin();
	sender_store_read_limits(store, sessions, 2, tenants, 2, on_limits, NULL);
	wait_done();
	assert_int_equal(got.n, 2);
	const struct store_limits *session = &got.limits[got.limits[0].is_session ? 0 : 1];
	const struct store_limits *tenant = &got.limits[got.limits[0].is_session ? 1 : 0];
	assert_int_equal(session->id, 1);
	assert_true(session->is_sandbox && session->is_alive && session->is_connected);
	assert_int_equal(session->rate_per_min, 30);
	assert_int_equal(session->burst, -1);
	assert_false(tenant->is_session);
	assert_int_equal(tenant->rate_per_min, -1);
}

static void an_entry_is_set_aside_once(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) { /* the first answer may have been lost */
		begin();
		sender_store_set_aside(store, "sa_1", "outbound", "outbound.3",
			sv_make("\0\xff", 2), "odd", on_stored, NULL);
		wait_done();
	}
	assert_int_equal(run("SELECT count(*)::int FROM set_aside WHERE id = 'sa_1' AND payload = "
			     "'\\x00ff'"),
		1);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_page_has_each_conversations_first_messages_in_order),
		STORY(pages_follow_each_other),
		STORY(conversations_are_reread_by_name),
		STORY(what_is_due_joins_the_queue_in_order_if_it_is_ours),
		STORY(nothing_is_due_is_said_so),
		STORY(what_is_late_expires_with_its_event_unless_it_may_have_gone_out),
		STORY(a_lease_that_ran_out_changes_nothing),
		STORY(limits_are_read_of_sessions_and_tenants_that_exist),
		STORY(an_entry_is_set_aside_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
