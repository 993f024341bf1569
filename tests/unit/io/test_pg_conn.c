/* pg_conn, pg_query and pg_pool against a real Postgres. */
#include "tests/support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/io/pg_conn.h"
#include "common/io/pg_pool.h"

#define WAIT_MS     10000
#define DEADLINE_MS 5000

static struct loop *loop;
static struct pg_conn *conn;
static struct pool *pool;
static int n_up, n_down;
static struct err why_down;

/* How a query ended, and what to look at while its result lives. */
struct answer {
	int n;
	enum pg_status status;
	char sqlstate[6];
	char constraint[64];
	struct err err;
	bool is_retryable;
	int64_t number; /* first cell, when it is an integer is asked for */
	int order;      /* place among all answers */
	void (*look)(const struct pg_result *result);
};

static int n_answers;

static void on_answer(void *ctx, const struct pg_result *result)
{
	struct answer *answer = ctx;
	answer->n++;
	answer->status = pg_status(result);
	answer->err = *pg_err(result);
	answer->is_retryable = pg_is_retryable(result);
	answer->order = n_answers++;
	(void)snprintf(answer->sqlstate, sizeof(answer->sqlstate), "%s", pg_sqlstate(result));
	(void)snprintf(answer->constraint, sizeof(answer->constraint), "%s", pg_constraint(result));
	if (answer->look != NULL && answer->status == PG_OK)
		answer->look(result);
}

static void on_number(void *ctx, const struct pg_result *result)
{
	struct answer *answer = ctx;
	if (pg_status(result) == PG_OK)
		answer->number = pg_int(result, 0, 0);
	on_answer(ctx, result);
}

static void on_change(UNUSED void *ctx, bool up, const struct err *err)
{
	if (up) {
		assert_null(err);
		n_up++;
		return;
	}
	n_down++;
	why_down = *err;
}

static int is_answered(void *ctx)
{
	return ((struct answer *)ctx)->n > 0;
}

static int is_up(void *ctx)
{
	return pg_conn_is_up(ctx);
}

static int is_told_up(UNUSED void *ctx)
{
	return n_up > 0 && pg_conn_is_up(conn);
}

static int is_told_down(UNUSED void *ctx)
{
	return n_down > 0;
}

static const char *database_url(void)
{
	const char *url = getenv("WA_TEST_DATABASE_URL");
	if (url == NULL)
		fail_msg("run under tests/support/with_services.sh");
	return url;
}

static struct pg_conn *connect_with(int max_in_flight)
{
	struct pg_conn_options options = {
		.url = database_url(), .app_name = "test_pg_conn", .max_in_flight = max_in_flight};
	struct pg_conn *new_conn = pg_conn_new(loop, &options, on_change, NULL);
	assert_false(pg_conn_is_up(new_conn));
	assert_true(loop_run_until(loop, is_up, new_conn, WAIT_MS));
	return new_conn;
}

static int set_up(UNUSED void **state)
{
	loop = loop_new();
	pool = pool_new();
	n_up = n_down = n_answers = 0;
	why_down.text[0] = '\0';
	conn = connect_with(0);
	assert_true(loop_run_until(loop, is_told_up, NULL, WAIT_MS));
	return 0;
}

static int tear_down(UNUSED void **state)
{
	pg_conn_free(&conn);
	loop_free(&loop);
	pool_free(&pool);
	return 0;
}

/* Run one statement to its end. */
static struct answer run_with(const struct pg_stmt *stmt, const struct pg_params *params,
	void (*look)(const struct pg_result *result))
{
	struct answer answer = {.look = look};
	pg_conn_query(conn, stmt, params, DEADLINE_MS, on_answer, &answer);
	assert_int_equal(answer.n, 0);
	assert_true(loop_run_until(loop, is_answered, &answer, WAIT_MS));
	return answer;
}

static void run_ok(const struct pg_stmt *stmt)
{
	struct answer answer = run_with(stmt, NULL, NULL);
	if (answer.status != PG_OK)
		fail_msg("%s: %s", stmt->name, answer.err.text);
}

static int64_t run_number(const struct pg_stmt *stmt, const struct pg_params *params)
{
	struct answer answer = {.n = 0};
	pg_conn_query(conn, stmt, params, DEADLINE_MS, on_number, &answer);
	assert_true(loop_run_until(loop, is_answered, &answer, WAIT_MS));
	if (answer.status != PG_OK)
		fail_msg("%s: %s", stmt->name, answer.err.text);
	return answer.number;
}

/* --- values --- */

static void look_at_scalars(const struct pg_result *result)
{
	assert_int_equal(pg_rows(result), 1);
	assert_sv(pg_text(result, 0, 0), "h\xc3\xa9llo");
	assert_sv(pg_bytes(result, 0, 1), "a\\b");
	assert_true(pg_bool(result, 0, 2));
	assert_int_equal(pg_int(result, 0, 3), -7);
	assert_int_equal(pg_int(result, 0, 4), INT32_MIN);
	assert_true(pg_int(result, 0, 5) == INT64_MAX);
	assert_true(pg_time(result, 0, 6) == INT64_C(1700000000123));
	assert_sv(pg_text(result, 0, 7), "{\"a\": [1, 2]}");
	assert_true(fabs(pg_real(result, 0, 8) + 0.25) < 1e-12);
	assert_false(pg_is_null(result, 0, 0));
	assert_sv(pg_text(result, 0, 9), "");
	assert_false(pg_is_null(result, 0, 9));
}

static void TEST(scalars_make_the_round_trip)
{
	static const struct pg_stmt stmt = {"scalars",
		"SELECT $1::text, $2::bytea, $3::bool, $4::int2, $5::int4, $6::int8, "
		"$7::timestamptz,"
		" $8::text::jsonb, -0.25::float8, $9::text"};
	struct pg_params *params = pg_params_new(pool);
	pg_param_text(params, SV_LIT("h\xc3\xa9llo"));
	pg_param_bytes(params, SV_LIT("a\\b"));
	pg_param_bool(params, true);
	pg_param_int2(params, -7);
	pg_param_int4(params, INT32_MIN);
	pg_param_int8(params, INT64_MAX);
	pg_param_time(params, INT64_C(1700000000123));
	pg_param_text(params, SV_LIT("{\"a\":[1,2]}"));
	pg_param_text(params, SV_LIT(""));
	assert_int_equal(run_with(&stmt, params, look_at_scalars).status, PG_OK);
}

static void look_at_nulls(const struct pg_result *result)
{
	for (int col = 0; col < 6; col++)
		assert_true(pg_is_null(result, 0, col));
	assert_true(sv_is_null(pg_text(result, 0, 0)));
	assert_true(sv_is_null(pg_bytes(result, 0, 1)));
	assert_false(pg_bool(result, 0, 2));
	assert_int_equal(pg_int(result, 0, 3), 0);
	assert_true(pg_time(result, 0, 4) == PG_TIME_NULL);
	assert_true(sv_is_null(pg_text(result, 0, 5)));
	struct strview *elements;
	assert_int_equal(pg_text_array(result, 0, 6, pool, &elements), 0);
}

static void TEST(nulls_make_the_round_trip)
{
	static const struct pg_stmt stmt = {
		"nulls", "SELECT $1::text, $2::bytea, $3::bool, $4::int8, $5::timestamptz, "
			 "$6::text::jsonb, NULL::text[]"};
	struct pg_params *params = pg_params_new(pool);
	pg_param_text(params, SV_NULL);
	pg_param_bytes(params, SV_NULL);
	pg_param_null(params);
	pg_param_null(params);
	pg_param_time(params, PG_TIME_NULL);
	pg_param_text(params, SV_NULL);
	assert_int_equal(run_with(&stmt, params, look_at_nulls).status, PG_OK);
}

static void look_at_times(const struct pg_result *result)
{
	static const int64_t want[] = {0, -1, -62135596800000, 253402300799999};
	for (int i = 0; i < 4; i++)
		assert_true(pg_time(result, i, 0) == want[i]);
	assert_true(pg_time(result, 4, 0) == PG_TIME_NULL);
	assert_true(pg_time(result, 5, 0) > want[3]);
	assert_true(pg_time(result, 6, 0) < want[2]);
}

static void TEST(times_make_the_round_trip_and_stay_in_range)
{
	static const struct pg_stmt stmt = {"times", "SELECT unnest($1::timestamptz[])"};
	static const int64_t times[] = {
		0, -1, -62135596800000, 253402300799999, PG_TIME_NULL, INT64_MAX, INT64_MIN + 1};
	struct pg_params *params = pg_params_new(pool);
	pg_param_time_array(params, times, (int)array_len(times));
	assert_int_equal(run_with(&stmt, params, look_at_times).status, PG_OK);
}

static void look_at_infinity(const struct pg_result *result)
{
	assert_true(pg_time(result, 0, 0) == INT64_MAX);
	assert_true(pg_time(result, 0, 1) == INT64_MIN + 1);
	assert_true(pg_time(result, 0, 2) == -1); /* 999 µs before 1970, cut downwards */
}

static void TEST(times_that_are_no_milliseconds)
{
	static const struct pg_stmt stmt = {
		"infinity", "SELECT 'infinity'::timestamptz, '-infinity'::timestamptz, '1969-12-31 "
			    "23:59:59.999999Z'::timestamptz"};
	assert_int_equal(run_with(&stmt, NULL, look_at_infinity).status, PG_OK);
}

static void look_at_arrays(const struct pg_result *result)
{
	assert_int_equal(pg_rows(result), 3);
	assert_sv(pg_text(result, 0, 0), "one");
	assert_true(sv_is_null(pg_text(result, 1, 0)));
	assert_sv(pg_text(result, 2, 0), "");
	assert_true(sv_is_null(pg_bytes(result, 0, 1)));
	assert_sv(pg_bytes(result, 1, 1), "\x01");
	assert_int_equal(pg_int(result, 0, 2), -2);
	assert_true(pg_is_null(result, 2, 2));
	assert_true(pg_is_null(result, 0, 3));
	assert_int_equal(pg_int(result, 1, 3), 4);
	assert_true(pg_int(result, 1, 4) == INT64_MIN + 1);
	assert_true(pg_is_null(result, 2, 4));
	assert_false(pg_bool(result, 0, 5));
	assert_true(pg_bool(result, 1, 5));
}

static void TEST(arrays_with_nulls_make_the_round_trip)
{
	static const struct pg_stmt stmt = {
		"arrays", "SELECT * FROM unnest($1::text[], $2::bytea[], $3::int2[], $4::int4[], "
			  "$5::int8[], $6::bool[])"};
	struct pg_params *params = pg_params_new(pool);
	pg_param_text_array(params, (struct strview[]){SV_LIT("one"), SV_NULL, SV_LIT("")}, 3);
	pg_param_bytes_array(params, (struct strview[]){SV_NULL, SV_LIT("\x01"), SV_LIT("x")}, 3);
	pg_param_int2_array(params, (int64_t[]){-2, 3, PG_INT_NULL}, 3);
	pg_param_int4_array(params, (int64_t[]){PG_INT_NULL, 4, 5}, 3);
	pg_param_int8_array(params, (int64_t[]){1, INT64_MIN + 1, PG_INT_NULL}, 3);
	pg_param_bool_array(params, (bool[]){false, true, true}, 3);
	assert_int_equal(run_with(&stmt, params, look_at_arrays).status, PG_OK);
}

static void TEST(empty_arrays_are_empty)
{
	static const struct pg_stmt stmt = {"empty_arrays",
		"SELECT (cardinality($1::text[]) + cardinality($2::int8[]) + "
		"cardinality($3::bool[])"
		" + cardinality($4::timestamptz[]) + cardinality($5::bytea[]))::int8"};
	struct pg_params *params = pg_params_new(pool);
	pg_param_text_array(params, NULL, 0);
	pg_param_int8_array(params, NULL, 0);
	pg_param_bool_array(params, NULL, 0);
	pg_param_time_array(params, NULL, 0);
	pg_param_bytes_array(params, NULL, 0);
	assert_int_equal(run_number(&stmt, params), 0);
}

static void look_at_text_array(const struct pg_result *result)
{
	struct strview *elements;
	assert_int_equal(pg_text_array(result, 0, 0, pool, &elements), 3);
	assert_sv(elements[0], "a");
	assert_true(sv_is_null(elements[1]));
	assert_sv(elements[2], "");
	assert_int_equal(pg_text_array(result, 0, 1, pool, &elements), 0);
	assert_sv(pg_text(result, 0, 2), "blue");
}

static void TEST(text_arrays_and_enums_are_read)
{
	static const struct pg_stmt create = {
		"create_color", "CREATE TYPE color AS ENUM ('red', 'blue')"};
	static const struct pg_stmt stmt = {
		"text_array", "SELECT ARRAY['a', NULL, '']::text[], '{}'::text[], 'blue'::color"};
	static const struct pg_stmt drop = {"drop_color", "DROP TYPE color"};
	run_ok(&create);
	assert_int_equal(run_with(&stmt, NULL, look_at_text_array).status, PG_OK);
	run_ok(&drop);
}

/* --- order and failures --- */

static void TEST(a_thousand_queries_are_answered_in_order)
{
	enum { N = 1000 };
	static const struct pg_stmt stmt = {"echo", "SELECT $1::int8"};
	static struct answer answers[N];
	memset(answers, 0, sizeof(answers));
	struct pg_conn *wide = connect_with(N);
	for (int i = 0; i < N; i++) {
		struct pg_params *params = pg_params_new(pool);
		pg_param_int8(params, i);
		pg_conn_query(wide, &stmt, params, DEADLINE_MS, on_number, &answers[i]);
		pool_reset(pool);
	}
	assert_int_equal(pg_conn_in_flight(wide), N);
	assert_int_equal(pg_conn_room(wide), 0);
	assert_true(loop_run_until(loop, is_answered, &answers[N - 1], WAIT_MS));
	for (int i = 0; i < N; i++) {
		assert_int_equal(answers[i].n, 1);
		assert_int_equal(answers[i].status, PG_OK);
		assert_int_equal(answers[i].number, i);
		assert_int_equal(answers[i].order, i);
	}
	assert_int_equal(pg_conn_in_flight(wide), 0);
	pg_conn_free(&wide);
}

static void TEST(more_than_the_maximum_is_refused)
{
	static const struct pg_stmt stmt = {"one", "SELECT 1"};
	struct answer answers[3] = {{.n = 0}};
	struct pg_conn *narrow = connect_with(2);
	for (int i = 0; i < 3; i++)
		pg_conn_query(narrow, &stmt, NULL, DEADLINE_MS, on_answer, &answers[i]);
	assert_true(loop_run_until(loop, is_answered, &answers[1], WAIT_MS));
	assert_int_equal(answers[0].status, PG_OK);
	assert_int_equal(answers[1].status, PG_OK);
	assert_int_equal(answers[2].status, PG_UNAVAILABLE);
	assert_true(answers[2].is_retryable);
	pg_conn_free(&narrow);
}

/* Big parameters fill the socket both ways. */
static void look_at_big(const struct pg_result *result)
{
	assert_int_equal(pg_text(result, 0, 0).len, 3000000);
}

static void TEST(big_values_do_not_block)
{
	enum { N = 20, SIZE = 3000000 };
	static const struct pg_stmt stmt = {"big", "SELECT $1::text"};
	struct answer answers[N] = {{.n = 0}};
	char *text = mem_alloc(SIZE);
	memset(text, 'x', SIZE);
	struct pg_params *params = pg_params_new(pool);
	pg_param_text(params, sv_make(text, SIZE));
	mem_free(text);
	for (int i = 0; i < N; i++) {
		answers[i].look = look_at_big;
		pg_conn_query(conn, &stmt, params, 4 * DEADLINE_MS, on_answer, &answers[i]);
	}
	assert_true(loop_run_until(loop, is_answered, &answers[N - 1], 2 * WAIT_MS));
	for (int i = 0; i < N; i++)
		assert_int_equal(answers[i].status, PG_OK);
}

static const struct pg_stmt create_things = {"create_things",
	"CREATE TABLE things (id int8 PRIMARY KEY, parent int8"
	" CONSTRAINT parent_exists REFERENCES things DEFERRABLE INITIALLY DEFERRED)"};
static const struct pg_stmt drop_things = {"drop_things", "DROP TABLE IF EXISTS things"};
static const struct pg_stmt insert_thing = {
	"insert_thing", "INSERT INTO things (id) VALUES ($1::int8)"};
static const struct pg_stmt count_things = {"count_things", "SELECT count(*) FROM things"};
static const struct pg_stmt divide = {"divide", "SELECT 1 / $1::int8"};

static void TEST(a_refusal_says_why_and_harms_no_other)
{
	run_ok(&drop_things);
	run_ok(&create_things);
	struct pg_params *params = pg_params_new(pool);
	pg_param_int8(params, 1);
	struct answer answers[4] = {{.n = 0}};
	for (int i = 0; i < 3; i++)
		pg_conn_query(conn, &insert_thing, params, DEADLINE_MS, on_answer, &answers[i]);
	pg_conn_query(conn, &count_things, NULL, DEADLINE_MS, on_number, &answers[3]);
	assert_true(loop_run_until(loop, is_answered, &answers[3], WAIT_MS));
	assert_int_equal(answers[0].status, PG_OK);
	for (int i = 1; i < 3; i++) {
		assert_int_equal(answers[i].status, PG_FAILED);
		assert_string_equal(answers[i].sqlstate, "23505");
		assert_string_equal(answers[i].constraint, "things_pkey");
		assert_non_null(strstr(answers[i].err.text, "things_pkey"));
		assert_null(
			strstr(answers[i].err.text, "(id)=(1)")); /* DETAIL: it has the values */
		assert_false(answers[i].is_retryable);
	}
	assert_int_equal(answers[3].number, 1);
	run_ok(&drop_things);
	assert_int_equal(n_down, 0);
}

static void TEST(a_bad_statement_fails_each_time_and_is_not_taken_as_prepared)
{
	static const struct pg_stmt stmt = {"bad", "SELECT * FROM not_there_yet"};
	static const struct pg_stmt create = {"create_late", "CREATE TABLE not_there_yet ()"};
	static const struct pg_stmt drop = {"drop_late", "DROP TABLE not_there_yet"};
	for (int i = 0; i < 2; i++) {
		struct answer answer = run_with(&stmt, NULL, NULL);
		assert_int_equal(answer.status, PG_FAILED);
		assert_string_equal(answer.sqlstate, "42P01");
	}
	run_ok(&create);
	run_ok(&stmt);
	run_ok(&drop);
}

static void TEST(a_group_is_all_or_nothing)
{
	run_ok(&drop_things);
	run_ok(&create_things);
	struct pg_params *id = pg_params_new(pool);
	pg_param_int8(id, 5);
	struct pg_params *zero = pg_params_new(pool);
	pg_param_int8(zero, 0);
	const struct pg_stmt *stmts[] = {&insert_thing, &divide, &count_things};
	const struct pg_params *params[] = {id, zero, NULL};
	struct answer answers[2] = {{.n = 0}};
	pg_conn_query_all(conn, 3, stmts, params, DEADLINE_MS, on_answer, &answers[0]);
	/* count_things was never executed above, and prepared all the same. */
	pg_conn_query(conn, &count_things, NULL, DEADLINE_MS, on_number, &answers[1]);
	assert_true(loop_run_until(loop, is_answered, &answers[1], WAIT_MS));
	assert_int_equal(answers[0].n, 1);
	assert_int_equal(answers[0].status, PG_FAILED);
	assert_string_equal(answers[0].sqlstate, "22012");
	assert_int_equal(answers[1].status, PG_OK);
	assert_int_equal(answers[1].number, 0);

	pool_reset(pool);
	id = pg_params_new(pool);
	pg_param_int8(id, 6);
	stmts[1] = &count_things;
	params[0] = id;
	params[1] = NULL;
	struct answer good = {.n = 0};
	pg_conn_query_all(conn, 2, stmts, params, DEADLINE_MS, on_number, &good);
	assert_true(loop_run_until(loop, is_answered, &good, WAIT_MS));
	assert_int_equal(good.status, PG_OK);
	assert_int_equal(good.number, 1); /* the last statement's result */
	run_ok(&drop_things);
}

/* A deferred constraint is checked by the commit: the row was inserted, the transaction was not. */
static void TEST(a_commit_that_fails_is_a_failure)
{
	static const struct pg_stmt orphan = {
		"orphan", "INSERT INTO things (id, parent) VALUES (1, 99) RETURNING id"};
	run_ok(&drop_things);
	run_ok(&create_things);
	struct answer answers[2] = {{.n = 0}};
	pg_conn_query(conn, &orphan, NULL, DEADLINE_MS, on_answer, &answers[0]);
	pg_conn_query(conn, &count_things, NULL, DEADLINE_MS, on_number, &answers[1]);
	assert_true(loop_run_until(loop, is_answered, &answers[1], WAIT_MS));
	assert_int_equal(answers[0].status, PG_FAILED);
	assert_string_equal(answers[0].sqlstate, "23503");
	assert_string_equal(answers[0].constraint, "parent_exists");
	assert_int_equal(answers[1].number, 0);
	run_ok(&drop_things);
}

static void TEST(a_value_in_a_message_is_hidden)
{
	static const struct pg_stmt stmt = {"cast", "SELECT $1::text::int8"};
	struct pg_params *params = pg_params_new(pool);
	pg_param_text(params, SV_LIT("s3cret"));
	struct answer answer = run_with(&stmt, params, NULL);
	assert_int_equal(answer.status, PG_FAILED);
	assert_string_equal(answer.sqlstate, "22P02");
	assert_null(strstr(answer.err.text, "s3cret"));
	assert_non_null(strstr(answer.err.text, "22P02"));
}

static void TEST(a_plan_that_no_longer_fits_is_made_anew)
{
	static const struct pg_stmt select = {"select_things", "SELECT * FROM things"};
	static const struct pg_stmt alter = {"alter_things", "ALTER TABLE things ADD extra text"};
	run_ok(&drop_things);
	run_ok(&create_things);
	run_ok(&select);
	run_ok(&alter);
	struct answer answers[2] = {{.n = 0}};
	for (int i = 0; i < 2; i++)
		pg_conn_query(conn, &select, NULL, DEADLINE_MS, on_answer, &answers[i]);
	assert_true(loop_run_until(loop, is_answered, &answers[1], WAIT_MS));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(answers[i].status, PG_FAILED);
		assert_true(answers[i].is_retryable);
	}
	run_ok(&select);
	run_ok(&drop_things);
}

static void look_at_affected(const struct pg_result *result)
{
	assert_int_equal(pg_affected(result), 3);
	assert_int_equal(pg_rows(result), 0);
}

static void TEST(affected_rows_are_counted)
{
	static const struct pg_stmt stmt = {
		"insert_three", "INSERT INTO things (id) VALUES (1), (2), (3)"};
	run_ok(&drop_things);
	run_ok(&create_things);
	assert_int_equal(run_with(&stmt, NULL, look_at_affected).status, PG_OK);
	run_ok(&drop_things);
}

/* --- loss --- */

static const struct pg_stmt sleep_long = {"sleep_long", "SELECT pg_sleep(30)"};
static const struct pg_stmt one = {"select_one", "SELECT 1"};

static void TEST(a_missed_deadline_is_unknown_and_reconnects)
{
	struct answer answers[2] = {{.n = 0}};
	int64_t start_ms = clock_mono_ms();
	pg_conn_query(conn, &sleep_long, NULL, 200, on_answer, &answers[0]);
	pg_conn_query(conn, &one, NULL, DEADLINE_MS, on_answer, &answers[1]);
	assert_true(loop_run_until(loop, is_answered, &answers[1], WAIT_MS));
	assert_in_range(clock_mono_ms() - start_ms, 200, 5000);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(answers[i].n, 1);
		assert_int_equal(answers[i].status, PG_UNKNOWN);
		assert_true(answers[i].is_retryable);
		assert_non_null(strstr(answers[i].err.text, "sleep_long"));
	}
	assert_false(pg_conn_is_up(conn));
	assert_int_equal(n_down, 1);
	struct answer refused = {.n = 0};
	pg_conn_query(conn, &one, NULL, DEADLINE_MS, on_answer, &refused);
	assert_int_equal(refused.n, 0);
	assert_true(loop_run_until(loop, is_answered, &refused, WAIT_MS));
	assert_int_equal(refused.status, PG_UNAVAILABLE);
	assert_true(loop_run_until(loop, is_up, conn, WAIT_MS));
	run_ok(&one);
	assert_int_equal(n_up, 2);
	/* The server has noticed that nobody waits for the long one. */
	static const struct pg_stmt count = {
		"count_sleepers", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT "
				  "pg_sleep(30)%' AND state = 'active'"};
	int64_t give_up_ms = clock_mono_ms() + WAIT_MS;
	while (run_number(&count, NULL) > 0)
		assert_true(clock_mono_ms() < give_up_ms);
}

/* Only the earliest deadline has a timer: one that was given later and ends earlier moves it. */
static void TEST(a_later_query_may_have_an_earlier_deadline)
{
	struct answer answers[2] = {{.n = 0}};
	pg_conn_query(conn, &sleep_long, NULL, 20000, on_answer, &answers[0]);
	pg_conn_query(conn, &one, NULL, 100, on_answer, &answers[1]);
	assert_true(loop_run_until(loop, is_answered, &answers[1], 3000));
	assert_int_equal(answers[0].status, PG_UNKNOWN);
	assert_non_null(strstr(answers[0].err.text, "select_one"));
}

static void TEST(a_killed_backend_is_unknown_and_reconnects)
{
	static const struct pg_stmt kill = {"kill_sleepers",
		"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
		" WHERE query LIKE 'SELECT pg_sleep(30)%' AND state = 'active' AND pid <> "
		"pg_backend_pid()"};
	struct answer lost = {.n = 0};
	pg_conn_query(conn, &sleep_long, NULL, DEADLINE_MS, on_answer, &lost);
	struct pg_conn *killer = connect_with(0);
	while (lost.n == 0) {
		struct answer killed = {.n = 0};
		pg_conn_query(killer, &kill, NULL, DEADLINE_MS, on_number, &killed);
		assert_true(loop_run_until(loop, is_answered, &killed, WAIT_MS));
	}
	assert_int_equal(lost.status, PG_UNKNOWN);
	assert_non_null(strstr(lost.err.text, "administrator command"));
	assert_true(loop_run_until(loop, is_told_down, NULL, WAIT_MS));
	assert_non_null(strstr(why_down.text, "administrator command"));
	assert_true(loop_run_until(loop, is_up, conn, WAIT_MS));
	run_ok(&one);
	pg_conn_free(&killer);
}

static void TEST(an_idle_connection_that_is_killed_reconnects)
{
	static const struct pg_stmt kill = {"kill_others",
		"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
		" WHERE application_name = 'test_pg_conn' AND pid <> pg_backend_pid()"};
	run_ok(&one);
	struct pg_conn *killer = connect_with(0);
	struct answer killed = {.n = 0};
	pg_conn_query(killer, &kill, NULL, DEADLINE_MS, on_number, &killed);
	assert_true(loop_run_until(loop, is_told_down, NULL, WAIT_MS));
	assert_non_null(strstr(why_down.text, "administrator command"));
	pg_conn_free(&killer);
	assert_true(loop_run_until(loop, is_up, conn, WAIT_MS));
	run_ok(&one);
}

static void TEST(a_server_that_is_not_there_is_told_once)
{
	struct pg_conn_options options = {
		.url = "postgresql://postgres@127.0.0.1:1/postgres", .app_name = "test"};
	n_up = n_down = 0;
	struct pg_conn *nowhere = pg_conn_new(loop, &options, on_change, NULL);
	assert_true(loop_run_until(loop, is_told_down, NULL, WAIT_MS));
	assert_non_null(strstr(why_down.text, "refused"));
	struct answer answers[2] = {{.n = 0}};
	for (int i = 0; i < 2; i++) {
		pg_conn_query(nowhere, &one, NULL, DEADLINE_MS, on_answer, &answers[i]);
		assert_int_equal(answers[i].n, 0);
		assert_true(loop_run_until(loop, is_answered, &answers[i], WAIT_MS));
		assert_int_equal(answers[i].status, PG_UNAVAILABLE);
		assert_true(loop_run_until(loop, is_told_down, NULL, 300));
	}
	assert_int_equal(n_down, 1);
	pg_conn_free(&nowhere);
}

/* The first host is none, the second has no server, the third is found: all names are looked up,
 * ports stay with their hosts. */
static void TEST(several_hosts_are_tried)
{
	char url[256];
	(void)snprintf(url, sizeof(url),
		"host=no-such-host.invalid,localhost,%s port=1,1, user=postgres dbname=postgres",
		strchr(database_url(), '=') + 1);
	struct pg_conn_options options = {
		.url = url, .app_name = "test", .connect_timeout_ms = 20000};
	struct pg_conn *found = pg_conn_new(loop, &options, NULL, NULL);
	assert_true(loop_run_until(loop, is_up, found, 20000));
	pg_conn_free(&found);
}

static void TEST(a_host_without_address_is_told)
{
	struct pg_conn_options options = {
		.url = "postgresql://postgres@no-such-host.invalid/postgres"};
	n_down = 0;
	struct pg_conn *lost = pg_conn_new(loop, &options, on_change, NULL);
	assert_true(loop_run_until(loop, is_told_down, NULL, WAIT_MS));
	pg_conn_free(&lost);
}

static void TEST(a_bad_url_does_not_show_its_password)
{
	struct pg_conn_options options = {
		.url = "postgresql://user:s3cret@host:port/db?nonsense=1"};
	n_down = 0;
	struct pg_conn *bad = pg_conn_new(loop, &options, on_change, NULL);
	assert_true(loop_run_until(loop, is_told_down, NULL, WAIT_MS));
	assert_null(strstr(why_down.text, "s3cret"));
	assert_non_null(strstr(why_down.text, "URL"));
	pg_conn_free(&bad);
}

/* --- callbacks that do much --- */

static void on_answer_free(void *ctx, const struct pg_result *result)
{
	on_answer(ctx, result);
	pg_conn_free(&conn);
}

static void TEST(a_callback_may_free_the_connection)
{
	struct answer answers[3] = {{.n = 0}};
	pg_conn_query(conn, &one, NULL, DEADLINE_MS, on_answer_free, &answers[0]);
	pg_conn_query(conn, &one, NULL, DEADLINE_MS, on_answer, &answers[1]);
	pg_conn_query(conn, &sleep_long, NULL, DEADLINE_MS, on_answer, &answers[2]);
	assert_true(loop_run_until(loop, is_answered, &answers[0], WAIT_MS));
	assert_null(conn);
	assert_int_equal(answers[1].n, 0);
	assert_int_equal(answers[2].n, 0);
}

static void TEST(a_callback_may_free_the_connection_when_it_is_lost)
{
	struct answer answers[2] = {{.n = 0}};
	pg_conn_query(conn, &sleep_long, NULL, 50, on_answer_free, &answers[0]);
	pg_conn_query(conn, &sleep_long, NULL, 50, on_answer, &answers[1]);
	assert_true(loop_run_until(loop, is_answered, &answers[0], WAIT_MS));
	assert_null(conn);
	assert_int_equal(answers[0].status, PG_UNKNOWN);
	assert_int_equal(answers[1].n, 0);
}

static void on_change_free(UNUSED void *ctx, UNUSED bool up, UNUSED const struct err *err)
{
	n_down++;
	pg_conn_free(&conn);
}

static void TEST(on_change_may_free_the_connection)
{
	pg_conn_free(&conn);
	n_down = 0;
	struct pg_conn_options options = {.url = database_url()};
	conn = pg_conn_new(loop, &options, on_change_free, NULL);
	assert_true(loop_run_until(loop, is_told_down, NULL, WAIT_MS));
	assert_null(conn);
}

static void on_answer_again(void *ctx, const struct pg_result *result)
{
	on_answer(ctx, result);
	if (((struct answer *)ctx)->n < 50)
		pg_conn_query(conn, &one, NULL, DEADLINE_MS, on_answer_again, ctx);
}

static int is_answered_50_times(void *ctx)
{
	return ((struct answer *)ctx)->n == 50;
}

static void TEST(a_callback_may_ask_again_also_when_refused)
{
	struct answer answer = {.n = 0};
	pg_conn_query(conn, &one, NULL, DEADLINE_MS, on_answer_again, &answer);
	assert_true(loop_run_until(loop, is_answered_50_times, &answer, WAIT_MS));
	pg_conn_free(&conn);
	conn = pg_conn_new(loop, &(struct pg_conn_options){.url = database_url()}, NULL, NULL);
	answer.n = 0;
	pg_conn_query(conn, &one, NULL, DEADLINE_MS, on_answer_again, &answer);
	assert_true(loop_run_until(loop, is_answered_50_times, &answer, WAIT_MS));
}

static void TEST(what_is_forgotten_is_not_called)
{
	struct answer answers[2] = {{.n = 0}};
	pg_conn_query(conn, &one, NULL, DEADLINE_MS, on_answer, &answers[0]);
	pg_conn_query(conn, &one, NULL, DEADLINE_MS, on_answer, &answers[1]);
	pg_conn_forget(conn, &answers[0]);
	assert_true(loop_run_until(loop, is_answered, &answers[1], WAIT_MS));
	assert_int_equal(answers[0].n, 0);
}

/* --- the pool --- */

static int is_pool_up(void *ctx)
{
	return pg_pool_is_up(ctx);
}

static void TEST(a_pool_runs_queries_beside_each_other)
{
	static const struct pg_stmt nap = {"nap", "SELECT pg_sleep(0.2)"};
	enum { N = 4 };
	struct answer answers[N] = {{.n = 0}};
	struct pg_conn_options options = {.url = database_url(), .app_name = "test_pg_pool"};
	n_up = n_down = 0;
	struct pg_pool *pg_pool = pg_pool_new(loop, &options, N, on_change, NULL);
	assert_true(loop_run_until(loop, is_pool_up, pg_pool, WAIT_MS));
	struct answer forgotten = {.n = 0};
	/* Wait until all are up: as many naps as there are connections then take the time of one.
	 */
	static const struct pg_stmt count = {"count_pool",
		"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test_pg_pool'"};
	while (run_number(&count, NULL) < N)
		;
	pg_pool_query(pg_pool, &one, NULL, DEADLINE_MS, on_answer, &forgotten);
	pg_pool_forget(pg_pool, &forgotten);
	for (int i = 0; i < N; i++)
		pg_pool_query(pg_pool, &nap, NULL, DEADLINE_MS, on_answer, &answers[i]);
	assert_true(loop_run_until(loop, is_answered, &answers[N - 1], WAIT_MS));
	for (int i = 0; i < N; i++)
		assert_true(loop_run_until(loop, is_answered, &answers[i], WAIT_MS));
	assert_int_equal(forgotten.n, 0);
	assert_int_equal(n_up, 1);
	assert_int_equal(n_down, 0);
	pg_pool_free(&pg_pool);
}

static void look_at_plan_settings(const struct pg_result *result)
{
	assert_true(sv_eq_cstr(pg_text(result, 0, 0), "force_generic_plan off off off 7s"));
}

static void TEST(a_connection_that_plans_once_probes_indexes)
{
	static const struct pg_stmt settings = {"test_settings",
		"SELECT concat_ws(' ', current_setting('plan_cache_mode'),"
		" current_setting('enable_seqscan'), current_setting('enable_hashjoin'),"
		" current_setting('enable_mergejoin'), current_setting('lock_timeout'))"};
	/* What the URL itself asks for stays. */
	struct pg_conn_options options = {
		.url = pool_printf(pool, "%s%coptions=-clock_timeout%%3D7s", database_url(),
			strchr(database_url(), '?') ? '&' : '?'),
		.app_name = "test_pg_conn",
		.plan_once = true};
	pg_conn_free(&conn);
	conn = pg_conn_new(loop, &options, NULL, NULL);
	assert_true(loop_run_until(loop, is_up, conn, WAIT_MS));
	assert_int_equal(run_with(&settings, NULL, look_at_plan_settings).status, PG_OK);
}

#define PG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PG_TEST(scalars_make_the_round_trip),
		PG_TEST(nulls_make_the_round_trip),
		PG_TEST(times_make_the_round_trip_and_stay_in_range),
		PG_TEST(times_that_are_no_milliseconds),
		PG_TEST(arrays_with_nulls_make_the_round_trip),
		PG_TEST(empty_arrays_are_empty),
		PG_TEST(text_arrays_and_enums_are_read),
		PG_TEST(a_thousand_queries_are_answered_in_order),
		PG_TEST(more_than_the_maximum_is_refused),
		PG_TEST(big_values_do_not_block),
		PG_TEST(a_refusal_says_why_and_harms_no_other),
		PG_TEST(a_bad_statement_fails_each_time_and_is_not_taken_as_prepared),
		PG_TEST(a_group_is_all_or_nothing),
		PG_TEST(a_commit_that_fails_is_a_failure),
		PG_TEST(a_value_in_a_message_is_hidden),
		PG_TEST(a_plan_that_no_longer_fits_is_made_anew),
		PG_TEST(a_connection_that_plans_once_probes_indexes),
		PG_TEST(affected_rows_are_counted),
		PG_TEST(a_missed_deadline_is_unknown_and_reconnects),
		PG_TEST(a_later_query_may_have_an_earlier_deadline),
		PG_TEST(a_killed_backend_is_unknown_and_reconnects),
		PG_TEST(an_idle_connection_that_is_killed_reconnects),
		PG_TEST(a_server_that_is_not_there_is_told_once),
		PG_TEST(several_hosts_are_tried),
		PG_TEST(a_host_without_address_is_told),
		PG_TEST(a_bad_url_does_not_show_its_password),
		PG_TEST(a_callback_may_free_the_connection),
		PG_TEST(a_callback_may_free_the_connection_when_it_is_lost),
		PG_TEST(on_change_may_free_the_connection),
		PG_TEST(a_callback_may_ask_again_also_when_refused),
		PG_TEST(what_is_forgotten_is_not_called),
		PG_TEST(a_pool_runs_queries_beside_each_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
