/* http_server: what it says to those who do not behave. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/mem.h"
#include "tests/unit/io_http/http_scene.h"

#define HOST      "Host: example.com\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define N_IDLE    2000

static const struct http_server_options small = {
	.max_header_bytes = 2048,
	.max_body_bytes = 10000,
	.idle_timeout_ms = 150,
	.request_timeout_ms = 150,
	.max_connections = 4,
};

struct fixture {
	struct http_scene *scene;
	struct raw_client *client;
};

static int set_up(void **state)
{
	struct fixture *fixture = mem_new(struct fixture);

	fixture->scene = http_scene_new(&small);
	fixture->client = raw_client_new(fixture->scene);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	raw_client_free(&fixture->client);
	http_scene_free(&fixture->scene);
	mem_free(fixture);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The client has been given this status in our own words, was not served, and is hung up on without
 * a reset. */
static void assert_refused(struct fixture *fixture, int status)
{
	char text[64];

	raw_client_wait_end(fixture->client);
	snprintf(text, sizeof(text), "HTTP/1.1 %d ", status);
	assert_int_equal(raw_client_count(fixture->client, text), 1);
	snprintf(text, sizeof(text), "\r\n\r\n{\"status\":%d,\"detail\":\"", status);
	assert_int_equal(raw_client_count(fixture->client, text), 1);
	assert_int_equal(
		raw_client_count(fixture->client, "Content-Type: application/problem+json\r\n"), 1);
	assert_int_equal(raw_client_count(fixture->client, "X-Error: ours\r\n"), 1);
	assert_int_equal(raw_client_count(fixture->client, "Connection: close\r\n"), 1);
	assert_int_equal(raw_client_count(fixture->client, "\r\nDate: "), 1);
	assert_int_equal(fixture->scene->n_requests, 0);
	raw_client_free(&fixture->client);
	http_scene_wait_connections(fixture->scene, 0);
}

static void say_times(struct raw_client *client, const char *text, int times)
{
	for (int i = 0; i < times; i++)
		strbuf_append_cstr(&client->to_send, text);
	raw_client_say(client, "");
}

/* --- size --- */

static void TEST(a_large_header_is_refused)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client, "GET /echo HTTP/1.1\r\n" HOST "X-Large: ");
	say_times(fixture->client, "0123456789", 300);
	raw_client_say(fixture->client, "\r\n\r\n");
	assert_refused(fixture, 431);
}

static void TEST(a_header_without_end_is_refused)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client, "GET /echo HTTP/1.1\r\n" HOST);
	say_times(fixture->client, "X-More: and more\r\n", 100000);
	assert_refused(fixture, 431);
}

static void TEST(a_request_line_without_end_is_refused)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client, "GET /");
	say_times(fixture->client, "0123456789", 100000);
	assert_refused(fixture, 431);
}

static void TEST(too_many_headers_are_refused)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client, "GET /echo HTTP/1.1\r\n" HOST);
	say_times(fixture->client, "A:b\r\n", 101);
	raw_client_say(fixture->client, "\r\n");
	assert_refused(fixture, 431);
}

static void TEST(a_header_of_just_the_limit_is_served)
{
	struct fixture *fixture = *state;
	struct strbuf text = STRBUF_INIT;
	static const char start[] = "GET /echo HTTP/1.1\r\n" HOST "X: ";

	strbuf_append_cstr(&text, start);
	while (text.len < 2048 - 4)
		strbuf_append_char(&text, 'x');
	strbuf_append_cstr(&text, "\r\n\r\n");
	raw_client_say_sv(fixture->client, strbuf_view(&text));
	raw_client_wait_text(fixture->client, "GET /echo ");
	strbuf_deinit(&text);
}

static void TEST(a_large_body_is_refused_before_it_comes)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client, "POST /echo HTTP/1.1\r\n" HOST
					"Content-Length: 10001\r\nExpect: 100-continue\r\n\r\n");
	assert_refused(fixture, 413);
}

static void TEST(who_sends_a_large_body_at_once_still_reads_the_refusal)
{
	struct fixture *fixture = *state;

	raw_client_say(
		fixture->client, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5000000\r\n\r\n");
	say_times(fixture->client, "0123456789", 500000);
	raw_client_wait_sent(fixture->client);
	assert_refused(fixture, 413);
}

static void TEST(a_body_of_just_the_limit_is_served)
{
	struct fixture *fixture = *state;

	raw_client_say(
		fixture->client, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 10000\r\n\r\n");
	say_times(fixture->client, "0123456789", 1000);
	raw_client_wait_text(fixture->client, "Content-Length: 10012\r\n");
	raw_client_say(fixture->client,
		"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	say_times(fixture->client, "a\r\n0123456789\r\n", 1000);
	raw_client_say(fixture->client, "0\r\n\r\n");
	raw_client_wait_count(fixture->client, "Content-Length: 10012\r\n", 2);
}

static void TEST(a_large_chunked_body_is_refused)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client,
		"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	say_times(fixture->client, "a\r\n0123456789\r\n", 1001);
	assert_refused(fixture, 413);
}

static void TEST(a_large_chunk_is_refused_before_it_comes)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client,
		"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2711\r\n");
	assert_refused(fixture, 413);
}

/* --- form (test_http_head.c has them all) --- */

#define CASE(text, status)                                                                         \
	{                                                                                          \
		{text, sizeof(text) - 1}, status                                                   \
	}
static const struct {
	struct strview text;
	int status;
} malformed[] = {
	CASE("\x16\x03\x01\x02", 400),
	CASE("GET / HTTP/1.1\n\n", 400),
	CASE("GET /\0 HTTP/1.1\r\n" HOST "\r\n", 400),
	CASE("GET / HTTP/1.1\r\n" HOST "A: b\0c\r\n\r\n", 400),
	CASE("GET / HTTP/1.1\r\n\r\n", 400),
	CASE("GET / HTTP/3.0\r\n" HOST "\r\n", 505),
	CASE("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501),
	CASE("POST / HTTP/1.1\r\n" HOST "Expect: much\r\n\r\n", 417),
	CASE("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nZ\r\n", 400),
	/* one request inside another, if somebody in front reads the other length */
	CASE("POST / HTTP/1.1\r\n" HOST
	     "Content-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET("/echo"),
		400),
	CASE("POST / HTTP/1.1\r\n" HOST
	     "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" GET("/echo"),
		400),
	CASE("POST / HTTP/1.1\r\n" HOST "Content-Length : 0\r\n\r\n" GET("/echo"), 400),
};

static void TEST(malformed_requests_are_refused_in_our_own_words)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < array_len(malformed); i++) {
		print_message("# case %zu\n", i);
		raw_client_say_sv(fixture->client, malformed[i].text);
		assert_refused(fixture, malformed[i].status);
		fixture->client = raw_client_new(fixture->scene);
	}
}

static void TEST(what_follows_a_refused_request_is_not_read)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client, "BAD REQUEST\r\n\r\n" GET("/echo") GET("/echo"));
	assert_refused(fixture, 400);
}

static void TEST(a_refusal_to_head_has_no_body)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client,
		"HEAD / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nZ\r\n");
	raw_client_wait_end(fixture->client);
	assert_int_equal(raw_client_count(fixture->client, "HTTP/1.1 400 "), 1);
	assert_int_equal(raw_client_count(fixture->client, "{"), 0);
}

/* --- time --- */

static void assert_slow_is_refused(struct fixture *fixture, const char *start, const char *drip)
{
	int64_t start_ms;

	raw_client_say(fixture->client, start);
	raw_client_wait_sent(fixture->client);
	start_ms = now_ms();
	fixture->client->most_at_once = 1; /* something comes all the time */
	say_times(fixture->client, drip, 1000);
	assert_refused(fixture, 408);
	assert_in_range(now_ms() - start_ms, 100, 1500);
}

static void TEST(a_header_that_drips_in_is_refused)
{
	assert_slow_is_refused(*state, "G", "ET");
}

static void TEST(a_body_that_drips_in_is_refused)
{
	assert_slow_is_refused(
		*state, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 9000\r\n\r\n", "x");
}

static void TEST(a_chunked_body_that_drips_in_is_refused)
{
	assert_slow_is_refused(*state,
		"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n");
}

static void TEST(trailers_that_drip_in_are_refused)
{
	assert_slow_is_refused(*state,
		"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n",
		"A: b\r\n");
}

static void TEST(who_stops_in_the_middle_is_refused)
{
	struct fixture *fixture = *state;

	raw_client_say(
		fixture->client, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhell");
	assert_refused(fixture, 408);
}

static void TEST(the_time_starts_anew_with_each_request)
{
	struct fixture *fixture = *state;
	int64_t start_ms = now_ms();
	int n = 0;

	while (now_ms() - start_ms < 500) {
		raw_client_say(fixture->client, GET("/echo"));
		http_scene_run_ms(fixture->scene, fixture->client, 60);
		n++;
	}
	raw_client_wait_count(fixture->client, "GET /echo ", n);
	assert_false(fixture->client->saw_end);
}

static void TEST(an_idle_connection_is_closed_in_silence)
{
	struct fixture *fixture = *state;
	struct raw_client *blank = raw_client_new(fixture->scene);

	/* Empty lines are not the start of a request. */
	blank->most_at_once = 2;
	say_times(blank, "\r\n", 1000);
	raw_client_wait_end(fixture->client);
	assert_int_equal(fixture->client->got.len, 0);
	raw_client_free(&fixture->client);
	raw_client_wait_end(blank);
	assert_int_equal(blank->got.len, 0);
	raw_client_free(&blank);
	http_scene_wait_connections(fixture->scene, 0);
}

static void TEST(an_idle_connection_is_closed_after_its_last_answer)
{
	struct fixture *fixture = *state;
	int64_t start_ms;

	http_scene_run_ms(fixture->scene, fixture->client, 60);
	raw_client_say(fixture->client, GET("/later"));
	http_scene_wait_requests(fixture->scene, fixture->client, 1);
	/* The handler may take its time. */
	http_scene_run_ms(fixture->scene, fixture->client, 300);
	assert_false(fixture->client->saw_end);
	start_ms = now_ms();
	http_scene_reply(fixture->scene);
	raw_client_wait_end(fixture->client);
	assert_true(now_ms() - start_ms >= 140);
	assert_int_equal(raw_client_count(fixture->client, "late"), 1);
}

static int holds_something(void *ctx)
{
	return http_server_unread_bytes(ctx) > 0;
}

static int holds_nothing(void *ctx)
{
	return http_server_unread_bytes(ctx) == 0;
}

static void TEST(what_is_not_taken_is_counted_until_it_is)
{
	struct http_scene *scene = http_scene_new(NULL);
	struct raw_client *client = raw_client_new(scene);

	(void)state;
	client->is_deaf = true;
	raw_client_say(client, GET("/big"));
	http_scene_wait(scene, client, holds_something, scene->server);
	assert_true(http_server_unread_bytes(scene->server) < BIG_BYTES + 1024);
	client->is_deaf = false;
	http_scene_wait(scene, client, holds_nothing, scene->server);
	raw_client_wait_count(client, "HTTP/1.1 200", 1);
	client->is_deaf = true;
	raw_client_say(client, GET("/big"));
	http_scene_wait(scene, client, holds_something, scene->server);
	raw_client_reset(client);
	http_scene_wait_connections(scene, 0);
	assert_int_equal(http_server_unread_bytes(scene->server), 0);
	raw_client_free(&client);
	http_scene_free(&scene);
}

static void TEST(who_does_not_take_the_answer_is_hung_up_on)
{
	struct fixture *fixture = *state;

	fixture->client->is_deaf = true;
	raw_client_say(fixture->client, GET("/big"));
	http_scene_wait_requests(fixture->scene, fixture->client, 1);
	assert_int_equal(http_server_connections(fixture->scene->server), 1);
	http_scene_wait_connections(fixture->scene, 0);
}

static void TEST(who_does_not_go_after_the_last_answer_is_hung_up_on)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client, "GET /echo HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	raw_client_wait_end(fixture->client);
	say_times(fixture->client, "and then ", 100);
	http_scene_run_ms(fixture->scene, fixture->client, 50);
	assert_int_equal(http_server_connections(fixture->scene->server), 1);
	http_scene_wait_connections(fixture->scene, 0);
}

/* --- number --- */

static void TEST(more_connections_than_allowed_are_closed_at_once)
{
	struct fixture *fixture = *state;
	struct raw_client *clients[8];
	int n_closed = 0;

	for (size_t i = 0; i < array_len(clients); i++)
		clients[i] = raw_client_new(fixture->scene);
	http_scene_run_ms(fixture->scene, fixture->client, 30);
	assert_int_equal(http_server_connections(fixture->scene->server), 4);
	for (size_t i = 0; i < array_len(clients); i++) {
		http_scene_run_ms(fixture->scene, clients[i], 1);
		n_closed += clients[i]->saw_end || clients[i]->saw_reset;
	}
	assert_int_equal(n_closed, 5);
	raw_client_say(fixture->client, GET("/echo"));
	raw_client_wait_text(fixture->client, "GET /echo ");
	for (size_t i = 0; i < array_len(clients); i++)
		raw_client_free(&clients[i]);
	/* There is room again. */
	http_scene_wait_connections(fixture->scene, 1);
	raw_client_free(&fixture->client);
	fixture->client = raw_client_new(fixture->scene);
	raw_client_say(fixture->client, GET("/echo"));
	raw_client_wait_text(fixture->client, "GET /echo ");
}

static void TEST(many_idle_connections_do_not_slow_the_busy_one)
{
	struct http_server_options options = {.idle_timeout_ms = 60000};
	struct http_scene *scene = http_scene_new(&options);
	struct raw_client **idle = mem_array(N_IDLE, sizeof(*idle));
	struct raw_client *busy;

	(void)state;
	for (int i = 0; i < N_IDLE; i++) {
		idle[i] = raw_client_new(scene);
		if (i % 100 == 99)
			http_scene_wait_connections(scene, i + 1);
	}
	busy = raw_client_new(scene);
	for (int i = 1; i <= 200; i++) {
		raw_client_say(busy, GET("/echo"));
		raw_client_wait_count(busy, "GET /echo ", i);
	}
	assert_int_equal(http_server_connections(scene->server), N_IDLE + 1);
	for (int i = 0; i < N_IDLE; i++)
		raw_client_free(&idle[i]);
	http_scene_wait_connections(scene, 1);
	mem_free(idle);
	raw_client_free(&busy);
	http_scene_free(&scene);
}

#define WITH_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SCENE(a_large_header_is_refused),
		WITH_SCENE(a_header_without_end_is_refused),
		WITH_SCENE(a_request_line_without_end_is_refused),
		WITH_SCENE(too_many_headers_are_refused),
		WITH_SCENE(a_header_of_just_the_limit_is_served),
		WITH_SCENE(a_large_body_is_refused_before_it_comes),
		WITH_SCENE(who_sends_a_large_body_at_once_still_reads_the_refusal),
		WITH_SCENE(a_body_of_just_the_limit_is_served),
		WITH_SCENE(a_large_chunked_body_is_refused),
		WITH_SCENE(a_large_chunk_is_refused_before_it_comes),
		WITH_SCENE(malformed_requests_are_refused_in_our_own_words),
		WITH_SCENE(what_follows_a_refused_request_is_not_read),
		WITH_SCENE(a_refusal_to_head_has_no_body),
		WITH_SCENE(a_header_that_drips_in_is_refused),
		WITH_SCENE(a_body_that_drips_in_is_refused),
		WITH_SCENE(a_chunked_body_that_drips_in_is_refused),
		WITH_SCENE(trailers_that_drip_in_are_refused),
		WITH_SCENE(who_stops_in_the_middle_is_refused),
		WITH_SCENE(the_time_starts_anew_with_each_request),
		WITH_SCENE(an_idle_connection_is_closed_in_silence),
		WITH_SCENE(an_idle_connection_is_closed_after_its_last_answer),
		cmocka_unit_test(what_is_not_taken_is_counted_until_it_is),
		WITH_SCENE(who_does_not_take_the_answer_is_hung_up_on),
		WITH_SCENE(who_does_not_go_after_the_last_answer_is_hung_up_on),
		WITH_SCENE(more_connections_than_allowed_are_closed_at_once),
		cmocka_unit_test(many_idle_connections_do_not_slow_the_busy_one),
	};

	return cmocka_run_group_tests_name("http_limits", tests, NULL, NULL);
}
