/* http_server: what it says to those who behave, and its life with them. */
#include "tests/support/test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/unit/io_http/http_scene.h"

#define HOST      "Host: example.com\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

struct fixture {
	struct http_scene *scene;
	struct raw_client *client;
};

static int set_up(void **state)
{
	struct fixture *fixture = mem_new(struct fixture);

	fixture->scene = http_scene_new(NULL);
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
	clock_fake_end();
	return 0;
}

/* --- answers --- */

static void TEST(an_answer_has_all_that_it_needs)
{
	struct fixture *fixture = *state;

	clock_fake(1000, 784111777000);
	raw_client_say(fixture->client, GET("/echo?a=b"));
	raw_client_wait_text(fixture->client, "GET /echo a=b ");
	assert_string_equal(strbuf_cstr(&fixture->client->got),
		"HTTP/1.1 200 OK\r\n"
		"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		"Content-Length: 14\r\n"
		"Content-Type: text/plain\r\n"
		"\r\n"
		"GET /echo a=b ");
	assert_int_equal(http_server_in_flight(fixture->scene->server), 0);
	assert_int_equal(http_server_connections(fixture->scene->server), 1);
}

static void TEST(a_connection_serves_many_requests)
{
	struct fixture *fixture = *state;

	for (int i = 1; i <= 50; i++) {
		raw_client_say(fixture->client, i % 2 ? GET("/echo") : GET("/empty"));
		raw_client_wait_count(fixture->client, "HTTP/1.1 20", i);
	}
	assert_int_equal(http_server_connections(fixture->scene->server), 1);
}

static void TEST(a_request_may_come_byte_by_byte)
{
	struct fixture *fixture = *state;

	fixture->client->most_at_once = 1;
	raw_client_say(fixture->client, "\r\n\r\nPOST /echo HTTP/1.1\r\n" HOST
					"Content-Length: 5\r\n\r\nhello" GET("/empty"));
	raw_client_wait_text(fixture->client, "POST /echo  hello");
	raw_client_wait_text(fixture->client, "HTTP/1.1 204 No Content\r\n");
}

static void TEST(requests_in_one_packet_are_answered_in_order_one_at_a_time)
{
	struct fixture *fixture = *state;
	struct strbuf text = STRBUF_INIT;
	char at[32];
	const char *last;

	for (int i = 0; i < 100; i++)
		strbuf_printf(&text, "POST /%s?%d HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi",
			i % 10 == 5 ? "later" : "echo", i);
	raw_client_say_sv(fixture->client, strbuf_view(&text));
	for (int i = 0; i < 10; i++) {
		http_scene_wait_requests(fixture->scene, fixture->client, i * 10 + 6);
		assert_int_equal(fixture->scene->n_waiting, 1);
		http_scene_reply(fixture->scene);
	}
	raw_client_wait_count(fixture->client, "HTTP/1.1 200 OK", 100);
	assert_int_equal(fixture->scene->most_in_flight, 1);
	last = strbuf_cstr(&fixture->client->got);
	for (int i = 0; i < 100; i++) {
		snprintf(at, sizeof(at), "/echo %d hi", i);
		last = strstr(last, i % 10 == 5 ? "late" : at);
		assert_non_null(last);
	}
	strbuf_deinit(&text);
}

static void TEST(more_than_the_buffer_may_wait_behind_a_slow_request)
{
	struct fixture *fixture = *state;
	struct strbuf text = STRBUF_INIT;

	raw_client_say(fixture->client, GET("/later"));
	for (int i = 0; i < 2000; i++)
		strbuf_append_cstr(&text, GET("/empty"));
	raw_client_say_sv(fixture->client, strbuf_view(&text));
	http_scene_wait_requests(fixture->scene, fixture->client, 1);
	http_scene_run_ms(fixture->scene, fixture->client, 20);
	assert_int_equal(fixture->scene->n_requests, 1);
	http_scene_reply(fixture->scene);
	http_scene_wait_requests(fixture->scene, fixture->client, 2001);
	raw_client_wait_count(fixture->client, "HTTP/1.1 204", 2000);
	strbuf_deinit(&text);
}

static void TEST(an_answer_to_head_has_no_body)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client, "HEAD /echo HTTP/1.1\r\n" HOST "\r\n" GET("/nowhere"));
	raw_client_wait_text(fixture->client, "none such");
	assert_int_equal(raw_client_count(fixture->client, "Content-Length: 12\r\n"), 1);
	assert_int_equal(raw_client_count(fixture->client, "HEAD"), 0);
	assert_int_equal(raw_client_count(fixture->client, "HTTP/1.1 404 Not Found\r\n"), 1);
}

static void TEST(an_answer_without_content_has_no_length)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client, GET("/empty"));
	raw_client_wait_text(fixture->client, "\r\n\r\n");
	assert_int_equal(raw_client_count(fixture->client, "Content-"), 0);
}

static void TEST(a_value_cannot_split_the_answer)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client, GET("/evil"));
	raw_client_wait_text(fixture->client, "good");
	assert_int_equal(
		raw_client_count(fixture->client, "\r\nX-Name: a  Set-Cookie: b    body\r\n"), 1);
	assert_int_equal(raw_client_count(fixture->client, "\r\n\r\n"), 1);
}

static int count_byte(struct strview text, char byte)
{
	int count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == byte;
	return count;
}

static void TEST(a_large_answer_reaches_a_slow_reader_whole)
{
	struct fixture *fixture = *state;

	fixture->client->is_deaf = true;
	raw_client_say(fixture->client, GET("/big") GET("/echo"));
	http_scene_wait_requests(fixture->scene, fixture->client, 1);
	http_scene_run_ms(fixture->scene, fixture->client, 20);
	assert_int_equal(fixture->scene->n_requests, 1);
	fixture->client->is_deaf = false;
	raw_client_wait_text(fixture->client, "GET /echo ");
	assert_int_equal(count_byte(strbuf_view(&fixture->client->got), 'B'), BIG_BYTES);
}

/* --- the end of a connection --- */

static void TEST(a_connection_ends_when_the_client_wishes)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client, "GET /echo HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	raw_client_wait_end(fixture->client);
	assert_int_equal(raw_client_count(fixture->client, "Connection: close\r\n"), 1);
	assert_int_equal(raw_client_count(fixture->client, "GET /echo "), 1);
	raw_client_free(&fixture->client);
	http_scene_wait_connections(fixture->scene, 0);
}

static void TEST(http_1_0_ends_unless_kept_alive)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client, "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	raw_client_wait_text(fixture->client, "GET /echo ");
	assert_int_equal(raw_client_count(fixture->client, "Connection: keep-alive\r\n"), 1);
	raw_client_say(fixture->client, "GET /echo HTTP/1.0\r\n\r\n");
	raw_client_wait_end(fixture->client);
	assert_int_equal(raw_client_count(fixture->client, "GET /echo "), 2);
}

static void TEST(a_client_that_says_no_more_is_still_answered)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client, GET("/later") GET("/echo"));
	raw_client_shut(fixture->client);
	http_scene_wait_requests(fixture->scene, fixture->client, 1);
	http_scene_run_ms(fixture->scene, fixture->client, 10);
	assert_true(http_request_is_gone(fixture->scene->waiting[0]));
	http_scene_reply(fixture->scene);
	raw_client_wait_end(fixture->client);
	assert_int_equal(raw_client_count(fixture->client, "late"), 1);
	assert_int_equal(raw_client_count(fixture->client, "GET /echo "), 1);
	http_scene_wait_connections(fixture->scene, 0);
}

static int is_gone(void *ctx)
{
	return http_request_is_gone(ctx);
}

static void TEST(an_answer_after_the_client_hung_up_goes_nowhere)
{
	struct fixture *fixture = *state;
	struct http_scene *scene = fixture->scene;

	raw_client_say(fixture->client, GET("/later"));
	http_scene_wait_requests(scene, fixture->client, 1);
	assert_false(http_request_is_gone(scene->waiting[0]));
	raw_client_reset(fixture->client);
	http_scene_wait(scene, NULL, is_gone, scene->waiting[0]);
	assert_int_equal(http_server_connections(scene->server), 0);
	assert_int_equal(http_server_in_flight(scene->server), 1);
	http_scene_reply(scene);
	assert_int_equal(http_server_in_flight(scene->server), 0);
}

static void TEST(a_client_may_hang_up_at_any_moment)
{
	struct fixture *fixture = *state;
	struct http_scene *scene = fixture->scene;
	const char *text = "POST /big HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello";

	for (size_t len = 0; len <= strlen(text); len++) {
		for (int how = 0; how < 2; how++) {
			struct raw_client *client = raw_client_new(scene);

			client->is_deaf = true;
			raw_client_say_sv(client, sv_make(text, len));
			http_scene_wait_connections(scene, 2);
			http_scene_run_ms(scene, client, 1);
			if (how == 0)
				raw_client_reset(client);
			raw_client_free(&client);
			http_scene_wait_connections(scene, 1);
		}
	}
	assert_int_equal(http_server_in_flight(scene->server), 0);
}

/* --- bodies --- */

static void TEST(a_chunked_body_is_read)
{
	struct fixture *fixture = *state;

	raw_client_say(fixture->client,
		"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: t\r\n\r\n" GET("/empty"));
	raw_client_wait_text(fixture->client, "POST /echo  hello world");
	raw_client_wait_text(fixture->client, "HTTP/1.1 204");
}

static void say_large(struct raw_client *client, int chunk_bytes, int body_bytes)
{
	char *data = mem_alloc((size_t)body_bytes);

	for (int i = 0; i < body_bytes; i++)
		data[i] = (char)('a' + i % 23);
	for (int at = 0; at < body_bytes; at += chunk_bytes) {
		int n = body_bytes - at < chunk_bytes ? body_bytes - at : chunk_bytes;
		strbuf_printf(&client->to_send, "%x\r\n%.*s\r\n", (unsigned)n, n, data + at);
	}
	raw_client_say(client, "0\r\n\r\n");
	mem_free(data);
}

static void TEST(large_bodies_are_read_however_they_are_cut)
{
	static const int chunk_bytes[] = {1, 7, 4096, 60000};
	struct fixture *fixture = *state;
	struct raw_client *client = fixture->client;

	for (size_t i = 0; i < array_len(chunk_bytes); i++) {
		raw_client_say(client, "POST /echo HTTP/1.1\r\n" HOST
				       "X-Late: here\r\nTransfer-Encoding: chunked\r\n\r\n");
		say_large(client, chunk_bytes[i], 60000);
		raw_client_wait_count(client, "Content-Length: 60012\r\n", (int)i + 1);
		raw_client_wait_count(client, "POST /echo  abcdefghijklmnopqrstuvwa", (int)i + 1);
	}
}

static void TEST(a_client_that_waits_to_be_told_is_told_to_go_on)
{
	struct fixture *fixture = *state;
	struct raw_client *client = fixture->client;

	raw_client_say(client,
		"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	raw_client_wait_text(client, "HTTP/1.1 100 Continue\r\n\r\n");
	raw_client_say(client, "he");
	http_scene_run_ms(fixture->scene, client, 10);
	raw_client_say(client, "llo");
	raw_client_wait_text(client, "POST /echo  hello");
	assert_int_equal(raw_client_count(client, "100 Continue"), 1);
	/* Who does not wait is not told. */
	raw_client_say(client, "POST /echo HTTP/1.1\r\n" HOST
			       "Content-Length: 2\r\nExpect: 100-continue\r\n\r\nhi");
	raw_client_wait_text(client, "POST /echo  hi");
	assert_int_equal(raw_client_count(client, "100 Continue"), 1);
}

/* --- what a handler can ask --- */

static void TEST(a_handler_learns_of_the_request)
{
	struct fixture *fixture = *state;
	struct http_request *request;

	raw_client_say(fixture->client, "PUT http://example.com/later?x HTTP/1.1\r\n" HOST
					"X-One: 1\r\nContent-Length: 2\r\n\r\nhi");
	http_scene_wait_requests(fixture->scene, fixture->client, 1);
	request = fixture->scene->waiting[0];
	assert_int_equal(http_request_method(request), HTTP_PUT);
	assert_sv(http_request_path(request), "/later");
	assert_sv(http_request_query(request), "x");
	assert_sv(http_request_body(request), "hi");
	assert_sv(http_request_header(request, "x-one"), "1");
	assert_true(sv_is_null(http_request_header(request, "x-two")));
	assert_string_equal(http_request_peer(request), "127.0.0.1");
	assert_true(http_request_peer_is_loopback(request));
	assert_null(http_request_user(request));
	http_request_set_user(request, fixture);
	assert_ptr_equal(http_request_user(request), fixture);
	assert_non_null(pool_strdup(http_request_pool(request), "text"));
	http_scene_reply(fixture->scene);
}

/* --- the server's life --- */

static void TEST(draining_closes_the_idle_and_answers_the_rest)
{
	struct fixture *fixture = *state;
	struct http_scene *scene = fixture->scene;
	struct raw_client *idle = raw_client_new(scene);
	struct raw_client *half = raw_client_new(scene);
	struct raw_client *just_sent, *just_connected;

	raw_client_say(fixture->client, GET("/later"));
	raw_client_say(idle, GET("/echo"));
	raw_client_wait_text(idle, "GET /echo ");
	raw_client_say(half, "GET /echo ");
	http_scene_wait_connections(scene, 3);
	http_scene_wait_requests(scene, fixture->client, 2);
	http_scene_run_ms(scene, half, 10);
	just_sent = raw_client_new(scene); /* the server has not accepted it yet */
	raw_client_say(just_sent, GET("/echo"));
	just_connected = raw_client_new(scene);

	http_server_drain(scene->server);
	raw_client_wait_end(idle);
	raw_client_wait_end(just_connected);
	raw_client_wait_text(just_sent, "Connection: close\r\n");
	raw_client_say(half, "HTTP/1.1\r\n" HOST "\r\n");
	raw_client_wait_end(half);
	assert_int_equal(raw_client_count(half, "Connection: close\r\n"), 1);
	assert_int_equal(raw_client_count(half, "GET /echo "), 1);
	http_scene_reply(scene);
	raw_client_wait_end(fixture->client);
	assert_int_equal(raw_client_count(fixture->client, "late"), 1);
	assert_int_equal(http_server_in_flight(scene->server), 0);
	raw_client_free(&idle);
	raw_client_free(&half);
	raw_client_free(&just_sent);
	raw_client_free(&just_connected);
	raw_client_free(&fixture->client);
	http_scene_wait_connections(scene, 0);
}

static void TEST(a_drained_server_listens_no_more)
{
	struct fixture *fixture = *state;
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)http_server_port(fixture->scene->server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	http_server_drain(fixture->scene->server);
	http_server_drain(fixture->scene->server);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
	close(fd);
}

static void TEST(a_server_is_freed_with_requests_in_flight)
{
	struct fixture *fixture = *state;
	struct raw_client *gone = raw_client_new(fixture->scene);

	raw_client_say(fixture->client, GET("/later"));
	raw_client_say(gone, GET("/later"));
	http_scene_wait_requests(fixture->scene, fixture->client, 2);
	raw_client_reset(gone);
	http_scene_wait_connections(fixture->scene, 1);
	raw_client_free(&gone);
	http_server_free(&fixture->scene->server);
	assert_null(fixture->scene->server);
}

static void on_nothing(void *ctx, struct http_request *request)
{
	(void)ctx;
	http_reply(request, 204, NULL, SV_NULL);
}

static struct http_server *listen_on(
	struct fixture *fixture, const char *address, int port, bool reuse, struct err *err)
{
	struct http_server_options options = {
		.address = address, .port = port, .reuse_port = reuse};

	return http_server_new(fixture->scene->loop, &options, on_nothing, NULL, err);
}

static void TEST(a_port_is_shared_only_when_asked_for)
{
	struct fixture *fixture = *state;
	struct err err;
	int port = http_server_port(fixture->scene->server);

	assert_null(listen_on(fixture, "127.0.0.1", port, false, &err));
	assert_non_null(strstr(err.text, "Address already in use"));
	struct http_server *one = listen_on(fixture, "127.0.0.1", 0, true, &err);
	assert_non_null(one);
	struct http_server *two =
		listen_on(fixture, "127.0.0.1", http_server_port(one), true, &err);
	assert_non_null(two);
	http_server_free(&one);
	http_server_free(&two);
}

static void TEST(a_bad_address_is_refused)
{
	struct fixture *fixture = *state;
	struct err err;

	assert_null(listen_on(fixture, "localhost", 0, false, &err));
	assert_string_equal(err.text, "\"localhost\" is no numeric IPv4 or IPv6 address");
	assert_null(listen_on(fixture, "127.0.0.1", 65536, false, &err));
	assert_null(listen_on(fixture, "192.0.2.1", 0, false, &err));
	assert_non_null(strstr(err.text, "cannot listen on 192.0.2.1 port 0"));
}

static void TEST(accepting_goes_on_after_a_lack_of_file_descriptors)
{
	struct fixture *fixture = *state;
	struct rlimit before, none;

	raw_client_say(fixture->client, GET("/echo"));
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = (rlim_t)fixture->client->fd;
	setrlimit(RLIMIT_NOFILE, &none);
	http_scene_run_ms(fixture->scene, fixture->client, 20);
	assert_int_equal(http_server_connections(fixture->scene->server), 0);
	setrlimit(RLIMIT_NOFILE, &before);
	raw_client_wait_text(fixture->client, "GET /echo ");
}

static void TEST(drain_while_accepting_is_paused_is_safe)
{
	struct fixture *fixture = *state;
	struct rlimit before, none;

	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = (rlim_t)fixture->client->fd;
	setrlimit(RLIMIT_NOFILE, &none);
	http_scene_run_ms(fixture->scene, fixture->client, 20);
	setrlimit(RLIMIT_NOFILE, &before);
	http_server_drain(fixture->scene->server);
	http_scene_run_ms(fixture->scene, fixture->client, 150);
	raw_client_wait_end(fixture->client);
}

static void TEST(v4_clients_of_a_v6_server_are_named_as_v4)
{
	struct http_server_options options = {.address = "::"};
	int probe = socket(AF_INET6, SOCK_STREAM, 0);
	struct http_scene *scene;
	struct raw_client *client;

	(void)state;
	if (probe < 0)
		skip();
	close(probe);
	scene = http_scene_new(&options);
	client = raw_client_new(scene);
	raw_client_say(client, GET("/later"));
	http_scene_wait_requests(scene, client, 1);
	assert_string_equal(http_request_peer(scene->waiting[0]), "127.0.0.1");
	assert_true(http_request_peer_is_loopback(scene->waiting[0]));
	raw_client_free(&client);
	http_scene_free(&scene);
}

#define WITH_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SCENE(an_answer_has_all_that_it_needs),
		WITH_SCENE(a_connection_serves_many_requests),
		WITH_SCENE(a_request_may_come_byte_by_byte),
		WITH_SCENE(requests_in_one_packet_are_answered_in_order_one_at_a_time),
		WITH_SCENE(more_than_the_buffer_may_wait_behind_a_slow_request),
		WITH_SCENE(an_answer_to_head_has_no_body),
		WITH_SCENE(an_answer_without_content_has_no_length),
		WITH_SCENE(a_value_cannot_split_the_answer),
		WITH_SCENE(a_large_answer_reaches_a_slow_reader_whole),
		WITH_SCENE(a_connection_ends_when_the_client_wishes),
		WITH_SCENE(http_1_0_ends_unless_kept_alive),
		WITH_SCENE(a_client_that_says_no_more_is_still_answered),
		WITH_SCENE(an_answer_after_the_client_hung_up_goes_nowhere),
		WITH_SCENE(a_client_may_hang_up_at_any_moment),
		WITH_SCENE(a_chunked_body_is_read),
		WITH_SCENE(large_bodies_are_read_however_they_are_cut),
		WITH_SCENE(a_client_that_waits_to_be_told_is_told_to_go_on),
		WITH_SCENE(a_handler_learns_of_the_request),
		WITH_SCENE(draining_closes_the_idle_and_answers_the_rest),
		WITH_SCENE(a_drained_server_listens_no_more),
		WITH_SCENE(a_server_is_freed_with_requests_in_flight),
		WITH_SCENE(a_port_is_shared_only_when_asked_for),
		WITH_SCENE(a_bad_address_is_refused),
		WITH_SCENE(accepting_goes_on_after_a_lack_of_file_descriptors),
		WITH_SCENE(drain_while_accepting_is_paused_is_safe),
		cmocka_unit_test(v4_clients_of_a_v6_server_are_named_as_v4),
	};

	return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
