/* redis_conn against a real Redis. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/io/redis_conn.h"
#include "tests/unit/io/redis_server.h"

#define WAIT_MS     10000
#define DEADLINE_MS 5000

static struct loop *loop;
static struct redis_conn *conn;
static int n_up, n_down, n_answers;
static struct err why_down;

struct answer {
	int n;
	enum redis_status status;
	enum redis_kind kind;
	char text[256];
	int64_t number;
	int len;
	int order;
};

static void on_answer(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct answer *answer = ctx;
	answer->n++;
	answer->order = n_answers++;
	answer->status = status;
	answer->kind = redis_reply_kind(reply);
	answer->number = redis_reply_int(reply);
	answer->len = redis_reply_len(reply);
	(void)snprintf(
		answer->text, sizeof(answer->text), "%.*s", SV_ARG(redis_reply_string(reply)));
}

static void on_change(UNUSED void *ctx, bool up, const struct err *err)
{
	if (up) {
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
	return redis_conn_is_up(ctx);
}

static int is_told_up(UNUSED void *ctx)
{
	return n_up > 0 && redis_conn_is_up(conn);
}

static int is_told_down(UNUSED void *ctx)
{
	return n_down > 0;
}

static const char *redis_url(void)
{
	const char *url = getenv("WA_TEST_REDIS_URL");
	if (url == NULL)
		fail_msg("run under tests/support/with_services.sh");
	return url;
}

static struct redis_conn *connect_to(const char *url)
{
	struct err err;
	struct redis_conn *new_conn = redis_conn_new(loop, url, on_change, NULL, &err);
	assert_non_null(new_conn);
	assert_false(redis_conn_is_up(new_conn));
	return new_conn;
}

static int set_up(UNUSED void **state)
{
	loop = loop_new();
	n_up = n_down = n_answers = 0;
	why_down.text[0] = '\0';
	conn = connect_to(redis_url());
	assert_true(loop_run_until(loop, is_told_up, NULL, WAIT_MS));
	return 0;
}

static int tear_down(UNUSED void **state)
{
	redis_conn_free(&conn);
	loop_free(&loop);
	return 0;
}

/* A command given as words with single blanks between. */
static void send_words(
	struct redis_conn *to, const char *words, int64_t deadline_ms, redis_done_fn fn, void *ctx)
{
	struct strview argv[16];
	int argc = 0;
	struct strview rest = sv_from(words);
	while (sv_split(&rest, ' ', &argv[argc]))
		argc++;
	redis_conn_command(to, argc, argv, deadline_ms, fn, ctx);
}

static struct answer run_words(const char *words)
{
	struct answer answer = {.n = 0};
	send_words(conn, words, DEADLINE_MS, on_answer, &answer);
	assert_int_equal(answer.n, 0);
	assert_true(loop_run_until(loop, is_answered, &answer, WAIT_MS));
	return answer;
}

static void TEST(replies_have_their_kinds)
{
	assert_string_equal(run_words("SET k v").text, "OK");
	struct answer answer = run_words("GET k");
	assert_int_equal(answer.kind, REDIS_STRING);
	assert_string_equal(answer.text, "v");
	answer = run_words("GET nothing");
	assert_int_equal(answer.status, REDIS_OK);
	assert_int_equal(answer.kind, REDIS_NIL);
	answer = run_words("DEL k");
	assert_int_equal(answer.kind, REDIS_INT);
	assert_int_equal(answer.number, 1);
	answer = run_words("TIME");
	assert_int_equal(answer.kind, REDIS_ARRAY);
	assert_int_equal(answer.len, 2);
	answer = run_words("NONSENSE");
	assert_int_equal(answer.status, REDIS_REFUSED);
	assert_int_equal(answer.kind, REDIS_ERROR);
	assert_true(strncmp(answer.text, "ERR", 3) == 0);
	assert_int_equal(n_down, 0);
}

static void on_binary(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	on_answer(ctx, status, reply);
	struct strview value = redis_reply_string(reply);
	assert_int_equal(value.len, 5);
	assert_memory_equal(value.ptr, "a\0\r\nb", 5);
}

static void TEST(values_are_binary)
{
	struct strview argv[] = {SV_LIT("SET"), SV_LIT("bin"), sv_make("a\0\r\nb", 5)};
	struct answer answer = {.n = 0};
	redis_conn_command(conn, 3, argv, DEADLINE_MS, NULL, NULL);
	argv[0] = SV_LIT("GET");
	redis_conn_command(conn, 2, argv, DEADLINE_MS, on_binary, &answer);
	assert_true(loop_run_until(loop, is_answered, &answer, WAIT_MS));
	argv[2] = SV_LIT("");
	argv[0] = SV_LIT("SET");
	redis_conn_command(conn, 3, argv, DEADLINE_MS, NULL, NULL);
	struct answer empty = run_words("GET bin");
	assert_int_equal(empty.kind, REDIS_STRING);
	assert_string_equal(empty.text, "");
}

static void TEST(many_commands_are_answered_in_order)
{
	enum { N = 20000 };
	struct answer *answers = mem_array(N, sizeof(*answers));
	(void)run_words("DEL counter");
	for (int i = 0; i < N; i++)
		send_words(conn, "INCR counter", DEADLINE_MS, on_answer, &answers[i]);
	assert_true(loop_run_until(loop, is_answered, &answers[N - 1], WAIT_MS));
	int first = answers[0].order;
	for (int i = 0; i < N; i++) {
		assert_int_equal(answers[i].number, i + 1);
		assert_int_equal(answers[i].order, first + i);
	}
	mem_free(answers);
}

static void TEST(too_much_at_once_is_refused)
{
	enum { N = 20, SIZE = 1000 * 1000, FIT = REDIS_MAX_IN_FLIGHT_BYTES / SIZE };
	struct answer answers[N] = {{.n = 0}};
	char *payload = mem_zalloc(SIZE);
	struct strview argv[] = {SV_LIT("ECHO"), sv_make(payload, SIZE)};
	for (int i = 0; i < N; i++)
		redis_conn_command(conn, 2, argv, WAIT_MS, on_answer, &answers[i]);
	mem_free(payload);
	for (int i = 0; i < N; i++) {
		assert_true(loop_run_until(loop, is_answered, &answers[i], WAIT_MS));
		assert_int_equal(answers[i].status, i < FIT ? REDIS_OK : REDIS_UNAVAILABLE);
	}
	assert_string_equal(run_words("PING").text, "PONG");
}

static void TEST(a_missed_deadline_is_unknown_and_reconnects)
{
	struct answer answers[2] = {{.n = 0}};
	int64_t start_ms = clock_mono_ms();
	send_words(conn, "BLPOP never 0", DEADLINE_MS, on_answer, &answers[0]);
	send_words(conn, "PING", 150, on_answer, &answers[1]);
	assert_true(loop_run_until(loop, is_answered, &answers[1], WAIT_MS));
	assert_in_range(clock_mono_ms() - start_ms, 150, 5000);
	assert_int_equal(answers[0].status, REDIS_UNKNOWN);
	assert_int_equal(answers[1].status, REDIS_UNKNOWN);
	assert_int_equal(n_down, 1);
	struct answer refused = {.n = 0};
	send_words(conn, "PING", DEADLINE_MS, on_answer, &refused);
	assert_int_equal(refused.n, 0);
	assert_true(loop_run_until(loop, is_answered, &refused, WAIT_MS));
	assert_int_equal(refused.status, REDIS_UNAVAILABLE);
	assert_true(loop_run_until(loop, is_up, conn, WAIT_MS));
	assert_string_equal(run_words("PING").text, "PONG");
}

static void TEST(a_killed_client_is_unknown_and_reconnects)
{
	struct answer lost = {.n = 0};
	send_words(conn, "BLPOP never 0", DEADLINE_MS, on_answer, &lost);
	struct redis_conn *killer = connect_to(redis_url());
	assert_true(loop_run_until(loop, is_up, killer, WAIT_MS));
	send_words(killer, "CLIENT KILL TYPE normal SKIPME yes", DEADLINE_MS, NULL, NULL);
	assert_true(loop_run_until(loop, is_answered, &lost, WAIT_MS));
	assert_int_equal(lost.status, REDIS_UNKNOWN);
	assert_true(loop_run_until(loop, is_told_down, NULL, WAIT_MS));
	assert_true(loop_run_until(loop, is_up, conn, WAIT_MS));
	redis_conn_free(&killer);
}

static void TEST(a_restarted_server_is_found_again)
{
	struct redis_server *server = redis_server_new(NULL);
	redis_conn_free(&conn);
	n_up = n_down = 0;
	conn = connect_to(redis_server_url(server));
	assert_true(loop_run_until(loop, is_told_up, NULL, WAIT_MS));
	redis_server_kill(server);
	assert_true(loop_run_until(loop, is_told_down, NULL, WAIT_MS));
	redis_server_start(server);
	assert_true(loop_run_until(loop, is_up, conn, WAIT_MS));
	assert_string_equal(run_words("PING").text, "PONG");
	assert_int_equal(n_down, 1);
	redis_server_free(&server);
}

static void TEST(a_frozen_server_is_found_out_by_the_ping)
{
	struct redis_server *server = redis_server_new(NULL);
	redis_conn_free(&conn);
	n_up = n_down = 0;
	conn = connect_to(redis_server_url(server));
	assert_true(loop_run_until(loop, is_told_up, NULL, WAIT_MS));
	redis_server_freeze(server);
	assert_true(loop_run_until(
		loop, is_told_down, NULL, WAIT_MS)); /* idle 5 s, then 3 s for the PING */
	assert_non_null(strstr(why_down.text, "no answer"));
	redis_server_thaw(server);
	assert_true(loop_run_until(loop, is_up, conn, WAIT_MS));
	redis_server_free(&server);
}

static void TEST(a_password_is_given_and_a_wrong_one_told)
{
	struct redis_server *server = redis_server_new("s3cret");
	redis_conn_free(&conn);
	n_up = n_down = 0;
	conn = connect_to(redis_server_url(server));
	assert_true(loop_run_until(loop, is_told_up, NULL, WAIT_MS));
	assert_string_equal(run_words("PING").text, "PONG");
	redis_conn_free(&conn);

	char url[128];
	(void)snprintf(
		url, sizeof(url), "redis://:wr0ng@%s/2", strchr(redis_server_url(server), '@') + 1);
	conn = connect_to(url);
	assert_true(loop_run_until(loop, is_told_down, NULL, WAIT_MS));
	assert_non_null(strstr(why_down.text, "WRONGPASS"));
	assert_null(strstr(why_down.text, "wr0ng"));
	redis_server_free(&server);
}

static void TEST(a_database_is_selected)
{
	char url[128];
	(void)snprintf(url, sizeof(url), "%s/2", redis_url());
	redis_conn_free(&conn);
	n_up = 0;
	conn = connect_to(url);
	assert_true(loop_run_until(loop, is_told_up, NULL, WAIT_MS));
	assert_string_equal(run_words("SET only_here 1").text, "OK");
	struct answer answer = run_words("CLIENT LIST");
	assert_int_equal(answer.kind, REDIS_STRING);
	(void)run_words("SELECT 0");
	assert_int_equal(run_words("GET only_here").kind, REDIS_NIL);
}

static void TEST(a_host_name_is_looked_up)
{
	char url[128];
	(void)snprintf(url, sizeof(url), "redis://localhost:%s", strrchr(redis_url(), ':') + 1);
	redis_conn_free(&conn);
	n_up = 0;
	conn = connect_to(url);
	assert_true(loop_run_until(loop, is_told_up, NULL, WAIT_MS));
	redis_conn_free(&conn);
	n_down = 0;
	conn = connect_to("redis://no-such-host.invalid");
	assert_true(loop_run_until(loop, is_told_down, NULL, 2 * WAIT_MS));
	assert_non_null(strstr(why_down.text, "no-such-host.invalid"));
}

static void TEST(nobody_listens_is_told_once)
{
	redis_conn_free(&conn);
	n_down = 0;
	conn = connect_to("redis://127.0.0.1:1");
	assert_true(loop_run_until(loop, is_told_down, NULL, WAIT_MS));
	assert_non_null(strstr(why_down.text, "refused"));
	struct answer answer = {.n = 0};
	send_words(conn, "PING", DEADLINE_MS, on_answer, &answer);
	assert_true(loop_run_until(loop, is_answered, &answer, WAIT_MS));
	assert_int_equal(answer.status, REDIS_UNAVAILABLE);
	assert_false(loop_run_until(loop, is_up, conn, 400));
	assert_int_equal(n_down, 1);
}

static void TEST(a_bad_url_is_refused)
{
	struct err err;
	assert_null(redis_conn_new(loop, "http://x", on_change, NULL, &err));
	assert_true(strlen(err.text) > 0);
}

static void TEST(a_replica_is_left)
{
	struct redis_server *server = redis_server_new(NULL);
	redis_conn_free(&conn);
	n_up = n_down = 0;
	conn = connect_to(redis_server_url(server));
	assert_true(loop_run_until(loop, is_told_up, NULL, WAIT_MS));
	(void)run_words("REPLICAOF 127.0.0.1 1");
	struct answer answer = run_words("SET a b");
	assert_int_equal(answer.status, REDIS_REFUSED);
	assert_true(loop_run_until(loop, is_told_down, NULL, WAIT_MS));
	assert_non_null(strstr(why_down.text, "replica"));
	redis_server_free(&server);
}

/* --- scripts --- */

static struct redis_script add_script = {.source = "return redis.call('INCRBY', KEYS[1], ARGV[1])"};

static int64_t run_add(void)
{
	struct answer answer = {.n = 0};
	struct strview argv[] = {SV_LIT("sum"), SV_LIT("5")};
	redis_conn_script(conn, &add_script, 1, 2, argv, DEADLINE_MS, on_answer, &answer);
	assert_int_equal(answer.n, 0);
	assert_true(loop_run_until(loop, is_answered, &answer, WAIT_MS));
	assert_int_equal(answer.status, REDIS_OK);
	return answer.number;
}

static void TEST(a_script_is_loaded_when_redis_does_not_know_it)
{
	(void)run_words("SCRIPT FLUSH");
	(void)run_words("DEL sum");
	assert_int_equal(run_add(), 5);
	assert_int_equal(run_add(), 10);
	char words[80];
	(void)snprintf(words, sizeof(words), "SCRIPT EXISTS %s", add_script.sha);
	struct answer exists = run_words(words);
	assert_int_equal(exists.len, 1);
	(void)run_words("SCRIPT FLUSH");
	assert_int_equal(run_add(), 15);
	struct redis_script bad = {.source = "return redis.call('NONSENSE')"};
	struct answer answer = {.n = 0};
	redis_conn_script(conn, &bad, 0, 0, NULL, DEADLINE_MS, on_answer, &answer);
	assert_true(loop_run_until(loop, is_answered, &answer, WAIT_MS));
	assert_int_equal(answer.status, REDIS_REFUSED);
}

/* --- callbacks that do much --- */

static void on_answer_free(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	on_answer(ctx, status, reply);
	redis_conn_free(&conn);
}

static void TEST(a_callback_may_free_the_connection)
{
	struct answer answers[3] = {{.n = 0}};
	send_words(conn, "PING", DEADLINE_MS, on_answer_free, &answers[0]);
	send_words(conn, "PING", DEADLINE_MS, on_answer, &answers[1]);
	send_words(conn, "BLPOP never 0", DEADLINE_MS, on_answer, &answers[2]);
	assert_true(loop_run_until(loop, is_answered, &answers[0], WAIT_MS));
	assert_null(conn);
	assert_int_equal(answers[1].n, 0);
	assert_int_equal(answers[2].n, 0);
}

static void TEST(a_callback_may_free_the_connection_when_it_is_lost)
{
	struct answer answers[2] = {{.n = 0}};
	send_words(conn, "BLPOP never 0", 50, on_answer_free, &answers[0]);
	send_words(conn, "PING", 50, on_answer, &answers[1]);
	assert_true(loop_run_until(loop, is_answered, &answers[0], WAIT_MS));
	assert_null(conn);
	assert_int_equal(answers[1].n, 0);
}

static void on_change_free(UNUSED void *ctx, UNUSED bool up, UNUSED const struct err *err)
{
	n_down++;
	redis_conn_free(&conn);
}

static void TEST(on_change_may_free_the_connection)
{
	redis_conn_free(&conn);
	struct err err;
	conn = redis_conn_new(loop, redis_url(), on_change_free, NULL, &err);
	assert_true(loop_run_until(loop, is_told_down, NULL, WAIT_MS));
	assert_null(conn);
}

static void TEST(what_is_forgotten_is_not_called)
{
	struct answer answers[2] = {{.n = 0}};
	send_words(conn, "PING", DEADLINE_MS, on_answer, &answers[0]);
	send_words(conn, "PING", DEADLINE_MS, on_answer, &answers[1]);
	redis_conn_forget(conn, &answers[0]);
	assert_true(loop_run_until(loop, is_answered, &answers[1], WAIT_MS));
	assert_int_equal(answers[0].n, 0);
}

#define REDIS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REDIS_TEST(replies_have_their_kinds),
		REDIS_TEST(values_are_binary),
		REDIS_TEST(many_commands_are_answered_in_order),
		REDIS_TEST(too_much_at_once_is_refused),
		REDIS_TEST(a_missed_deadline_is_unknown_and_reconnects),
		REDIS_TEST(a_killed_client_is_unknown_and_reconnects),
		REDIS_TEST(a_restarted_server_is_found_again),
		REDIS_TEST(a_frozen_server_is_found_out_by_the_ping),
		REDIS_TEST(a_password_is_given_and_a_wrong_one_told),
		REDIS_TEST(a_database_is_selected),
		REDIS_TEST(a_host_name_is_looked_up),
		REDIS_TEST(nobody_listens_is_told_once),
		REDIS_TEST(a_bad_url_is_refused),
		REDIS_TEST(a_replica_is_left),
		REDIS_TEST(a_script_is_loaded_when_redis_does_not_know_it),
		REDIS_TEST(a_callback_may_free_the_connection),
		REDIS_TEST(a_callback_may_free_the_connection_when_it_is_lost),
		REDIS_TEST(on_change_may_free_the_connection),
		REDIS_TEST(what_is_forgotten_is_not_called),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
