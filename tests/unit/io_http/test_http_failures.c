/* http_client: what may not be called, cannot be reached, or gives no whole answer. */
#include "tests/support/test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/listener.h>

#include "tests/unit/io_http/outgoing_scene.h"

/* --- the guard --- */

static void TEST(a_url_that_may_not_be_called_is_refused)
{
	static const char *const urls[] = {
		"http://127.0.0.1:%d/",
		"http://2130706433:%d/",
		"http://0x7f.1:%d/",
		"http://0177.0.0.1:%d/",
		"http://127.1:%d/",
		"http://[::1]:%d/",
		"http://[::ffff:127.0.0.1]:%d/",
		"http://localhost:%d/",
		"https://localhost:%d/",
		"https://user:word@good.test:%d/",
		"ftp://good.test:%d/",
		"file:///etc/passwd?%d",
		"gopher://127.0.0.1:%d/",
		"not a url %d",
		"%d",
	};
	struct scene *scene = *state;
	char url[128];

	use_guard(scene, false, "", 8, 8);
	for (size_t i = 0; i < array_len(urls); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(url, sizeof(url), urls[i], scene->port);
#pragma GCC diagnostic pop
		print_message("# %s\n", url);
		assert_failure(call(scene, OPTIONS(.url = url)), HTTP_FAILURE_GUARD);
	}
	assert_int_equal(scene->n_peers, 0);
}

static void TEST(an_allowed_range_may_be_called)
{
	struct scene *scene = *state;

	use_guard(scene, false, "127.0.0.0/8", 8, 8);
	assert_failure(call(scene, GET), HTTP_FAILURE_NONE);
}

static void TEST(a_name_is_judged_by_its_address)
{
	struct scene *scene = *state;

	start(scene, GET, "private.test");
	wait_answers(scene, 1);
	assert_failure(&scene->answers[0], HTTP_FAILURE_GUARD);
	start(scene, GET, "good.test");
	wait_answers(scene, 2);
	assert_failure(&scene->answers[1], HTTP_FAILURE_NONE);
	start(scene, GET, "mixed.test"); /* the good one of two */
	wait_answers(scene, 3);
	assert_failure(&scene->answers[2], HTTP_FAILURE_NONE);
}

static void TEST(a_connection_used_again_is_judged_again)
{
	struct scene *scene = *state;

	assert_failure(call(scene, GET), HTTP_FAILURE_NONE);
	guard_refuses_all = true;
	assert_failure(call(scene, GET), HTTP_FAILURE_GUARD);
	assert_int_equal(scene->n_seen, 1);
	assert_int_equal(scene->n_peers, 1);
	guard_refuses_all = false;
	assert_failure(call(scene, GET), HTTP_FAILURE_NONE);
}

/* --- no connection --- */

static void TEST(an_unknown_name_is_a_failure_to_resolve)
{
	struct scene *scene = *state;

	start(scene, GET, "nowhere.test");
	wait_answers(scene, 1);
	assert_failure(&scene->answers[0], HTTP_FAILURE_RESOLVE);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int gate_is_empty(void *ctx)
{
	(void)ctx;
	return gate_waiting() == 0;
}

static int gate_has_two(void *ctx)
{
	(void)ctx;
	return gate_waiting() == 2;
}

static void TEST(a_slow_resolver_does_not_stop_the_loop)
{
	struct scene *scene = *state;
	struct http_call *cancelled;
	int64_t start_ms = now_ms();

	gate_set(false);
	start(scene, OPTIONS(.total_timeout_ms = 1000), "slow.test");
	cancelled = start(scene, GET, "slow.test");
	assert_true(loop_run_until(scene->loop, gate_has_two, NULL, PATIENCE_MS));
	http_call_cancel(&cancelled);
	assert_failure(call(scene, GET), HTTP_FAILURE_NONE);
	wait_answers(scene, 2);
	assert_failure(&scene->answers[1], HTTP_FAILURE_CONNECT);
	assert_in_range(now_ms() - start_ms, 1000, 8000);
	/* curl's own deadline for connecting ends in the same way. */
	start(scene, OPTIONS(.connect_timeout_ms = 50), "slow.test");
	wait_answers(scene, 3);
	assert_failure(&scene->answers[2], HTTP_FAILURE_CONNECT);
	http_client_free(&scene->client);
	assert_in_range(now_ms() - start_ms, 1050, 8000);
	gate_set(true);
	assert_true(loop_run_until(scene->loop, gate_is_empty, NULL, PATIENCE_MS));
}

static void TEST(a_closed_port_is_a_failure_to_connect)
{
	struct scene *scene = *state;

	evconnlistener_disable(scene->listener);
	evconnlistener_free(scene->listener);
	assert_failure(call(scene, GET), HTTP_FAILURE_CONNECT);
	scene_listen(scene);
}

static void TEST(a_connect_that_is_never_answered_is_a_failure_to_connect)
{
	struct scene *scene = *state;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int full = socket(AF_INET, SOCK_STREAM, 0);
	int fill[4];

	assert_int_equal(bind(full, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(full, 0), 0);
	assert_int_equal(getsockname(full, (struct sockaddr *)&at, &len), 0);
	for (size_t i = 0; i < array_len(fill); i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fill[i], (struct sockaddr *)&at, sizeof(at));
	}
	scene->port = ntohs(at.sin_port);
	assert_failure(call(scene, OPTIONS(.connect_timeout_ms = 100)), HTTP_FAILURE_CONNECT);
	assert_in_range(scene->answers[0].duration_ms, 95, 2000);
	for (size_t i = 0; i < array_len(fill); i++)
		close(fill[i]);
	close(full);
}

static void TEST(what_waits_too_long_for_a_connection_was_not_sent)
{
	struct scene *scene = *state;

	use_guard(scene, true, "", 1, 1);
	scene->answer = "";
	start(scene, OPTIONS(.total_timeout_ms = 200), "127.0.0.1");
	start(scene, OPTIONS(.total_timeout_ms = 100), "127.0.0.1");
	wait_answers(scene, 2);
	assert_failure(&scene->answers[0], HTTP_FAILURE_CONNECT);
	assert_failure(&scene->answers[1], HTTP_FAILURE_TIMEOUT);
	assert_int_equal(scene->n_seen, 1);
}

static void TEST(a_failed_handshake_is_a_failure_of_tls)
{
	struct scene *scene = *state;
	char url[64];

	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", scene->port);
	/* Says nothing at all: the request was not sent for certain. */
	assert_failure(
		call(scene, OPTIONS(.url = url, .connect_timeout_ms = 100)), HTTP_FAILURE_CONNECT);
	scene->answers_anything = true;
	/* The roots are read first, which takes its time where memory is watched. */
	assert_failure(call(scene, OPTIONS(.url = url, .connect_timeout_ms = PATIENCE_MS,
					   .total_timeout_ms = PATIENCE_MS)),
		HTTP_FAILURE_TLS);
}

/* --- no whole answer --- */

static void TEST(no_answer_is_a_timeout)
{
	struct scene *scene = *state;

	scene->answer = "";
	assert_failure(call(scene, OPTIONS(.total_timeout_ms = 100)), HTTP_FAILURE_TIMEOUT);
	assert_in_range(scene->answers[0].duration_ms, 100, 2000);
}

static void TEST(a_body_that_drips_in_is_a_timeout)
{
	struct scene *scene = *state;

	scene->answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
	scene->after = AFTER_DRIP;
	scene->more = "x";
	assert_failure(call(scene, OPTIONS(.total_timeout_ms = 150)), HTTP_FAILURE_TIMEOUT);
	assert_in_range(scene->answers[0].duration_ms, 150, 2000);
}

static void TEST(preliminary_answers_without_end_are_a_timeout)
{
	struct scene *scene = *state;

	scene->after = AFTER_DRIP;
	scene->answer = scene->more = "HTTP/1.1 102 Processing\r\n\r\n";
	assert_failure(call(scene, OPTIONS(.total_timeout_ms = 150)), HTTP_FAILURE_TIMEOUT);
}

static void TEST(a_flood_of_headers_is_too_large)
{
	static const char *const floods[] = {
		"HTTP/1.1 102 Processing\r\n\r\n", "X-More: and more\r\n", "xxxxxxxx"};
	struct scene *scene = *state;

	scene->after = AFTER_FLOOD;
	for (size_t i = 0; i < array_len(floods); i++) {
		scene->answer = i == 0 ? floods[0] : "HTTP/1.1 200 OK\r\nX-Long: ";
		scene->more = floods[i];
		call(scene, GET);
		/* One line without end is curl's to refuse. */
		assert_failure(
			&scene->answers[i], i < 2 ? HTTP_FAILURE_TOO_LARGE : HTTP_FAILURE_BROKEN);
	}
}

static const struct {
	const char *answer;
	enum after after;
} broken[] = {
	{"", AFTER_CLOSE},
	{"", AFTER_RESET},
	{"HTTP/1.1 200", AFTER_CLOSE},
	{"HTTP/1.1 200 OK\r\nContent-Le", AFTER_CLOSE},
	{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive!", AFTER_CLOSE},
	{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive!", AFTER_RESET},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfive!", AFTER_CLOSE},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n", AFTER_STAY},
	{"HTTP/1.1 100 Continue\r\n\r\n", AFTER_CLOSE},
	{"220 smtp.example.com ESMTP\r\n", AFTER_STAY},
	{"all that is gold does not glitter", AFTER_CLOSE},
};

static void TEST(broken_answers_are_told_apart_from_whole_ones)
{
	struct scene *scene = *state;

	for (size_t i = 0; i < array_len(broken); i++) {
		print_message("# case %zu\n", i);
		scene->answer = broken[i].answer;
		scene->after = broken[i].after;
		assert_failure(call(scene, OPTIONS(.method = "POST")), HTTP_FAILURE_BROKEN);
	}
}

static void TEST(an_answer_that_ends_with_its_connection_is_whole)
{
	struct scene *scene = *state;

	scene->answer = "HTTP/1.1 200 OK\r\n\r\nuntil the end";
	scene->after = AFTER_CLOSE;
	assert_failure(call(scene, GET), HTTP_FAILURE_NONE);
	assert_string_equal(last_body(scene), "until the end");
}

/* Old libcurls looked for the header that it goes on with in the answer before, whose memory was
 * freed: a sanitizer sees it. */
static void TEST(a_header_that_goes_on_with_none_touches_no_earlier_answer)
{
	static const char good[] = "HTTP/1.1 200 OK\r\nX-Last: one\r\nContent-Length: 0\r\n\r\n";
	struct scene *scene = *state;

	scene->answer = good;
	assert_failure(call(scene, GET), HTTP_FAILURE_NONE);
	scene->answer = "HTTP/1.1 200 OK\r\n two: x\r\nContent-Length: 0\r\n\r\n";
	assert_int_equal(call(scene, GET)->retry_after_ms, -1);
	scene->answer = good;
	assert_failure(call(scene, GET), HTTP_FAILURE_NONE);
	assert_int_equal(scene->n_answers, 3);
}

#define WITH_SCENE(test) cmocka_unit_test_setup_teardown(test, scene_set_up, scene_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SCENE(a_url_that_may_not_be_called_is_refused),
		WITH_SCENE(an_allowed_range_may_be_called),
		WITH_SCENE(a_name_is_judged_by_its_address),
		WITH_SCENE(a_connection_used_again_is_judged_again),
		WITH_SCENE(an_unknown_name_is_a_failure_to_resolve),
		WITH_SCENE(a_slow_resolver_does_not_stop_the_loop),
		WITH_SCENE(a_closed_port_is_a_failure_to_connect),
		WITH_SCENE(a_connect_that_is_never_answered_is_a_failure_to_connect),
		WITH_SCENE(what_waits_too_long_for_a_connection_was_not_sent),
		WITH_SCENE(a_failed_handshake_is_a_failure_of_tls),
		WITH_SCENE(no_answer_is_a_timeout),
		WITH_SCENE(a_body_that_drips_in_is_a_timeout),
		WITH_SCENE(preliminary_answers_without_end_are_a_timeout),
		WITH_SCENE(a_flood_of_headers_is_too_large),
		WITH_SCENE(broken_answers_are_told_apart_from_whole_ones),
		WITH_SCENE(an_answer_that_ends_with_its_connection_is_whole),
		WITH_SCENE(a_header_that_goes_on_with_none_touches_no_earlier_answer),
	};

	return cmocka_run_group_tests_name("http_failures", tests, NULL, NULL);
}
