/* http_client: calls, their answers and their ends. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/unit/io_http/outgoing_scene.h"

/* --- answers --- */

static void TEST(a_post_is_sent_and_its_answer_given)
{
	struct scene *scene = *state;
	const struct http_header headers[] = {
		{"Content-Type", "application/json"},
		{"X-Empty", ""},
		{"X-Evil", "a\r\nInjected: b"},
	};
	const struct http_answer *answer;

	scene->answer = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json; x\r\n"
			"Content-Length: 8\r\nRetry-After: 7\r\n\r\n{\"a\":1}\n";
	answer = call(scene, OPTIONS(.method = "POST", .headers = headers, .n_headers = 3,
				     .body = SV_LIT("{\"to\":1}")));
	assert_failure(answer, HTTP_FAILURE_NONE);
	assert_int_equal(answer->status, 202);
	assert_string_equal(last_body(scene), "{\"a\":1}\n");
	assert_string_equal(scene->types[0], "application/json; x");
	assert_int_equal(answer->retry_after_ms, 7000);
	assert_in_range(answer->duration_ms, 0, PATIENCE_MS);

	const char *seen = strbuf_cstr(&scene->seen);
	assert_ptr_equal(strstr(seen, "POST /hook?x=1 HTTP/1.1\r\n"), seen);
	assert_non_null(strstr(seen, "\r\nUser-Agent: WhatsApp-Agent/"));
	assert_non_null(strstr(seen, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(seen, "\r\nX-Empty:\r\n"));
	assert_non_null(strstr(seen, "\r\nX-Evil: a  Injected: b\r\n"));
	assert_non_null(strstr(seen, "\r\nContent-Length: 8\r\n"));
	assert_non_null(strstr(seen, "\r\n\r\n{\"to\":1}"));
	assert_null(strstr(seen, "Expect"));
	assert_null(strstr(seen, "Accept-Encoding"));
	assert_int_equal(http_client_in_flight(scene->client), 0);
}

static void TEST(each_method_is_its_own_on_a_handle_used_before)
{
	static const char *const methods[] = {
		"POST", "GET", "PUT", "DELETE", "HEAD", "GET", "PATCH", "POST", "GET"};
	struct scene *scene = *state;

	for (size_t i = 0; i < array_len(methods); i++) {
		bool has_body = strcmp(methods[i], "POST") == 0 || strcmp(methods[i], "PUT") == 0;
		char line[64];

		call(scene,
			OPTIONS(.method = methods[i], .body = has_body ? SV_LIT("body") : SV_NULL));
		assert_failure(&scene->answers[i], HTTP_FAILURE_NONE);
		snprintf(line, sizeof(line), "%s /hook", methods[i]);
		assert_ptr_equal(
			strstr(strbuf_cstr(&scene->seen), line), strbuf_cstr(&scene->seen));
		assert_int_equal(
			strstr(strbuf_cstr(&scene->seen), "\r\n\r\nbody") != NULL, has_body);
		if (strcmp(methods[i], "HEAD") == 0) /* its answer's body was none of it */
			peer_close(&scene->peers[scene->n_peers - 1]);
	}
}

static void TEST(an_empty_post_has_a_length)
{
	struct scene *scene = *state;

	assert_failure(call(scene, OPTIONS(.method = "POST")), HTTP_FAILURE_NONE);
	assert_non_null(strstr(strbuf_cstr(&scene->seen), "\r\nContent-Length: 0\r\n"));
}

static void TEST(a_connection_is_used_again)
{
	struct scene *scene = *state;

	for (int i = 0; i < 20; i++)
		assert_failure(call(scene, OPTIONS(.method = "POST", .body = SV_LIT("x"))),
			HTTP_FAILURE_NONE);
	assert_int_equal(scene->n_seen, 20);
	assert_int_equal(scene->n_peers, 1);
}

static void TEST(a_kept_connection_that_was_closed_is_replaced)
{
	struct scene *scene = *state;

	call(scene, GET);
	peer_close(&scene->peers[0]);
	assert_failure(call(scene, GET), HTTP_FAILURE_NONE);
	assert_int_equal(scene->n_peers, 2);
}

static void TEST(many_calls_share_few_connections)
{
	struct scene *scene = *state;

	use_guard(scene, true, "", 8, 3);
	for (int i = 0; i < 200; i++)
		start(scene, OPTIONS(.method = "POST"), "127.0.0.1");
	assert_int_equal(http_client_in_flight(scene->client), 200);
	wait_answers(scene, 200);
	for (int i = 0; i < 200; i++)
		assert_failure(&scene->answers[i], HTTP_FAILURE_NONE);
	assert_int_equal(scene->most_open, 3);
	assert_int_equal(http_client_in_flight(scene->client), 0);
}

static void TEST(a_redirect_is_an_answer)
{
	struct scene *scene = *state;
	char answer[128];

	snprintf(answer, sizeof(answer),
		"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/there\r\nContent-Length: "
		"0\r\n\r\n",
		scene->port);
	scene->answer = answer;
	assert_int_equal(call(scene, GET)->status, 302);
	assert_int_equal(scene->n_seen, 1);
}

static void TEST(a_packed_body_is_not_unpacked)
{
	struct scene *scene = *state;

	scene->answer = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
			"4\r\n\r\n\x1f\x8b\x08z";
	assert_failure(call(scene, GET), HTTP_FAILURE_NONE);
	assert_string_equal(last_body(scene), "\x1f\x8b\x08z");
}

static void TEST(the_environment_has_no_say)
{
	struct scene *scene = *state;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	assert_failure(call(scene, GET), HTTP_FAILURE_NONE);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
}

static void TEST(a_preliminary_answer_is_not_the_answer)
{
	struct scene *scene = *state;

	scene->answer =
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n"
		"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";
	assert_int_equal(call(scene, GET)->status, 503);
	assert_int_equal(scene->answers[0].retry_after_ms, -1);
	assert_null(scene->types[0]);
}

/* --- large answers --- */

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define PLAIN   "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"

static void TEST(an_endless_body_is_too_large_or_cut)
{
	struct scene *scene = *state;

	scene->after = AFTER_FLOOD;
	for (int i = 0; i < 4; i++) {
		bool is_cut = i % 2 == 1;

		scene->answer = i < 2 ? CHUNKED : PLAIN;
		scene->more = i < 2 ? "a\r\n0123456789\r\n" : "0123456789";
		call(scene, OPTIONS(.max_response_bytes = 1005, .cut_response = is_cut));
		assert_failure(
			&scene->answers[i], is_cut ? HTTP_FAILURE_NONE : HTTP_FAILURE_TOO_LARGE);
		assert_int_equal(strlen(last_body(scene)), is_cut ? 1005 : 0);
	}
	assert_string_equal(last_body(scene) + 1000, "01234");
}

static void TEST(a_body_of_just_the_limit_is_whole)
{
	struct scene *scene = *state;

	scene->answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";
	assert_failure(call(scene, OPTIONS(.max_response_bytes = 10)), HTTP_FAILURE_NONE);
	assert_failure(call(scene, OPTIONS(.max_response_bytes = 9)), HTTP_FAILURE_TOO_LARGE);
}

/* --- bodies that go elsewhere --- */

static int on_body_count(void *ctx, const void *data, size_t len)
{
	struct scene *scene = ctx;

	(void)data;
	scene->n_body_calls += (int)len;
	return 0;
}

static int on_body_stop(void *ctx, const void *data, size_t len)
{
	on_body_count(ctx, data, len);
	return -1;
}

static int on_body_cancel(void *ctx, const void *data, size_t len)
{
	struct scene *scene = ctx;

	on_body_count(ctx, data, len);
	http_call_cancel(&scene->call);
	start(scene, GET, "127.0.0.1"); /* may be done here as well */
	return 0;
}

static void TEST(a_body_can_be_taken_as_it_comes)
{
	struct scene *scene = *state;

	scene->answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";
	assert_failure(call(scene, OPTIONS(.on_body = on_body_count)), HTTP_FAILURE_NONE);
	assert_int_equal(scene->n_body_calls, 10);
	assert_string_equal(last_body(scene), "");
	assert_failure(call(scene, OPTIONS(.on_body = on_body_stop)), HTTP_FAILURE_ABORTED);
	scene->answer = PLAIN;
	scene->after = AFTER_FLOOD;
	scene->more = "0123456789";
	scene->n_body_calls = 0;
	call(scene, OPTIONS(.on_body = on_body_count, .max_response_bytes = 500000));
	assert_failure(&scene->answers[2], HTTP_FAILURE_TOO_LARGE);
	assert_in_range(scene->n_body_calls, 400000, 500000);
}

/* --- cancelling --- */

static void TEST(a_cancelled_call_says_nothing)
{
	struct scene *scene = *state;
	struct http_call *early, *late;

	scene->answer = "";
	early = start(scene, GET, "127.0.0.1");
	late = start(scene, GET, "127.0.0.1");
	http_call_cancel(&early);
	assert_null(early);
	wait_seen(scene, 1);
	http_call_cancel(&late);
	assert_int_equal(http_client_in_flight(scene->client), 0);
	run_a_while(scene);
	assert_int_equal(scene->n_answers, 0);
	assert_int_equal(scene->n_seen, 1);
}

static void TEST(a_call_may_be_cancelled_while_its_body_comes)
{
	struct scene *scene = *state;

	scene->answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";
	scene->call = start(scene, OPTIONS(.on_body = on_body_cancel), "127.0.0.1");
	wait_answers(scene, 1);
	assert_string_equal(last_body(scene), "0123456789"); /* of the other */
	assert_int_equal(http_client_in_flight(scene->client), 0);
}

static void on_answer_cancel(void *ctx, const struct http_answer *answer)
{
	struct scene *scene = ctx;

	on_answer(ctx, answer);
	http_call_cancel(&scene->call);
	if (scene->n_answers < 3)
		scene->call = http_client_start(scene->client,
			OPTIONS(.method = "GET", .url = "http://good.test:1/"), on_answer_cancel,
			scene);
}

static void TEST(a_callback_may_cancel_its_call_and_start_another)
{
	struct scene *scene = *state;

	scene->call = http_client_start(scene->client,
		OPTIONS(.method = "GET", .url = "http://good.test:1/"), on_answer_cancel, scene);
	wait_answers(scene, 3);
	assert_int_equal(http_client_in_flight(scene->client), 0);
}

static void on_refusal_again(void *ctx, const struct http_answer *answer)
{
	struct scene *scene = ctx;

	assert_failure(answer, HTTP_FAILURE_GUARD);
	scene->n_body_calls++;
	http_client_start(scene->client, OPTIONS(.method = "GET", .url = "ftp://good.test/"),
		on_refusal_again, scene);
}

static void TEST(calls_that_fail_at_once_leave_room_for_the_rest)
{
	struct scene *scene = *state;

	http_client_start(scene->client, OPTIONS(.method = "GET", .url = "ftp://good.test/"),
		on_refusal_again, scene);
	assert_failure(call(scene, GET), HTTP_FAILURE_NONE);
	assert_true(scene->n_body_calls > 1);
}

static void TEST(a_client_is_freed_with_calls_in_flight)
{
	struct scene *scene = *state;

	scene->answer = "";
	start(scene, GET, "127.0.0.1");
	wait_seen(scene, 1);
	start(scene, GET, "good.test");
	http_client_free(&scene->client);
	assert_null(scene->client);
	run_a_while(scene);
	assert_int_equal(scene->n_answers, 0);
}

/* --- against our own server --- */

static void on_request(void *ctx, struct http_request *request)
{
	(void)ctx;
	http_reply(request, 200, "text/plain", http_request_body(request));
}

static void TEST(our_own_server_is_understood)
{
	struct scene *scene = *state;
	struct http_server_options options = {.address = "127.0.0.1"};
	struct http_server *server = http_server_new(scene->loop, &options, on_request, NULL, NULL);
	size_t size = 300000;
	char *large = mem_alloc(size);

	memset(large, 'L', size);
	scene->port = http_server_port(server);
	for (int i = 0; i < 3; i++) {
		call(scene, OPTIONS(.method = "POST", .body = sv_make(large, size),
				    .max_response_bytes = 1000000));
		assert_failure(&scene->answers[i], HTTP_FAILURE_NONE);
		assert_int_equal(strlen(last_body(scene)), size);
	}
	assert_int_equal(http_server_connections(server), 1);
	http_server_free(&server);
	mem_free(large);
}

#define WITH_SCENE(test) cmocka_unit_test_setup_teardown(test, scene_set_up, scene_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SCENE(a_post_is_sent_and_its_answer_given),
		WITH_SCENE(each_method_is_its_own_on_a_handle_used_before),
		WITH_SCENE(an_empty_post_has_a_length),
		WITH_SCENE(a_connection_is_used_again),
		WITH_SCENE(a_kept_connection_that_was_closed_is_replaced),
		WITH_SCENE(many_calls_share_few_connections),
		WITH_SCENE(a_redirect_is_an_answer),
		WITH_SCENE(a_packed_body_is_not_unpacked),
		WITH_SCENE(the_environment_has_no_say),
		WITH_SCENE(a_preliminary_answer_is_not_the_answer),
		WITH_SCENE(an_endless_body_is_too_large_or_cut),
		WITH_SCENE(a_body_of_just_the_limit_is_whole),
		WITH_SCENE(a_body_can_be_taken_as_it_comes),
		WITH_SCENE(a_cancelled_call_says_nothing),
		WITH_SCENE(a_call_may_be_cancelled_while_its_body_comes),
		WITH_SCENE(a_callback_may_cancel_its_call_and_start_another),
		WITH_SCENE(calls_that_fail_at_once_leave_room_for_the_rest),
		WITH_SCENE(a_client_is_freed_with_calls_in_flight),
		WITH_SCENE(our_own_server_is_understood),
	};

	return cmocka_run_group_tests_name("http_client", tests, NULL, NULL);
}
