/* A server and its clients in one process. */
#include "tests/unit/io_http/http_scene.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "tests/support/test.h"

/* --- the server's side --- */

static void echo(struct http_request *request)
{
	struct strbuf text = STRBUF_INIT;

	strbuf_printf(&text, "%s %.*s %.*s %.*s", http_method_name(http_request_method(request)),
		SV_ARG(http_request_path(request)), SV_ARG(http_request_query(request)),
		SV_ARG(http_request_body(request)));
	http_reply(request, 200, "text/plain", strbuf_view(&text));
	strbuf_deinit(&text);
}

static void reply_big(struct http_request *request)
{
	char *big = mem_alloc(BIG_BYTES);

	memset(big, 'B', BIG_BYTES);
	http_reply(request, 200, "text/plain", sv_make(big, BIG_BYTES));
	mem_free(big);
}

static void on_request(void *ctx, struct http_request *request)
{
	struct http_scene *scene = ctx;
	struct strview path = http_request_path(request);
	int in_flight = http_server_in_flight(scene->server);

	scene->n_requests++;
	if (in_flight > scene->most_in_flight)
		scene->most_in_flight = in_flight;
	if (sv_eq_cstr(path, "/echo")) {
		echo(request);
	} else if (sv_eq_cstr(path, "/later")) {
		assert_true(scene->n_waiting < MAX_WAITING);
		scene->waiting[scene->n_waiting++] = request;
	} else if (sv_eq_cstr(path, "/big")) {
		reply_big(request);
	} else if (sv_eq_cstr(path, "/empty")) {
		http_reply(request, 204, NULL, SV_NULL);
	} else if (sv_eq_cstr(path, "/evil")) {
		http_reply_header(request, "X-Name", SV_LIT("a\r\nSet-Cookie: b\r\n\r\nbody"));
		http_reply(request, 200, "text/plain", SV_LIT("good"));
	} else {
		http_reply(request, 404, "text/plain", SV_LIT("none such"));
	}
}

static void format_error(void *ctx, struct http_request *request, int status, const char *detail,
	struct strview *ret_body, const char **ret_content_type)
{
	(void)ctx;
	*ret_body = sv_from(pool_printf(http_request_pool(request),
		"{\"status\":%d,\"detail\":\"%s\"}", status, detail));
	http_reply_header(request, "X-Error", SV_LIT("ours"));
	*ret_content_type = "application/problem+json";
}

struct http_scene *http_scene_new(const struct http_server_options *options)
{
	struct http_scene *scene = mem_new(struct http_scene);
	struct http_server_options ours = {.address = NULL};
	struct err err = {""};

	if (options != NULL)
		ours = *options;
	if (ours.address == NULL)
		ours.address = "127.0.0.1";
	ours.format_error = format_error;
	scene->loop = loop_new();
	scene->server = http_server_new(scene->loop, &ours, on_request, scene, &err);
	assert_string_equal(err.text, "");
	assert_non_null(scene->server);
	return scene;
}

void http_scene_free(struct http_scene **scene)
{
	http_server_free(&(*scene)->server);
	loop_free(&(*scene)->loop);
	mem_free(*scene);
	*scene = NULL;
}

void http_scene_reply(struct http_scene *scene)
{
	struct http_request *request = scene->waiting[0];

	assert_true(scene->n_waiting > 0);
	scene->n_waiting--;
	memmove(scene->waiting, scene->waiting + 1, sizeof(scene->waiting[0]) * scene->n_waiting);
	http_reply(request, 200, "text/plain", SV_LIT("late"));
}

/* --- the client's side --- */

struct raw_client *raw_client_new(struct http_scene *scene)
{
	struct raw_client *client = mem_new(struct raw_client);
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)http_server_port(scene->server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int yes = 1;

	client->scene = scene;
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(client->fd >= 0);
	assert_int_equal(connect(client->fd, (struct sockaddr *)&to, sizeof(to)), 0);
	(void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	return client;
}

void raw_client_free(struct raw_client **client)
{
	if (*client == NULL)
		return;
	if ((*client)->fd >= 0)
		close((*client)->fd);
	strbuf_deinit(&(*client)->to_send);
	strbuf_deinit(&(*client)->got);
	mem_free(*client);
	*client = NULL;
}

static void speak(struct raw_client *client)
{
	size_t left = client->to_send.len - client->sent;

	if (client->most_at_once > 0 && left > client->most_at_once)
		left = client->most_at_once;
	if (left == 0 || client->fd < 0)
		return;
	ssize_t n = send(
		client->fd, client->to_send.data + client->sent, left, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		client->sent += (size_t)n;
	else if (errno != EAGAIN)
		client->sent = client->to_send.len; /* nobody listens any more */
}

static void listen_to(struct raw_client *client)
{
	char bytes[65536];
	ssize_t n;

	if (client->is_deaf || client->fd < 0)
		return;
	while ((n = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		strbuf_append(&client->got, bytes, (size_t)n);
	if (n == 0)
		client->saw_end = true;
	else if (errno != EAGAIN)
		client->saw_reset = true;
}

static void pump(struct raw_client *client)
{
	if (client == NULL)
		return;
	speak(client);
	listen_to(client);
}

void raw_client_say_sv(struct raw_client *client, struct strview text)
{
	strbuf_append_sv(&client->to_send, text);
	speak(client);
}

void raw_client_say(struct raw_client *client, const char *text)
{
	raw_client_say_sv(client, sv_from(text));
}

void raw_client_reset(struct raw_client *client)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(client->fd);
	client->fd = -1;
}

void raw_client_shut(struct raw_client *client)
{
	shutdown(client->fd, SHUT_WR);
}

int raw_client_count(const struct raw_client *client, const char *text)
{
	const char *at = strbuf_cstr(&client->got);
	int count = 0;

	while ((at = memmem(at, (size_t)(strbuf_cstr(&client->got) + client->got.len - at), text,
			strlen(text))) != NULL) {
		count++;
		at += strlen(text);
	}
	return count;
}

/* --- waiting --- */

struct wait {
	struct raw_client *client;
	int (*fn)(void *ctx);
	void *ctx;
};

static int is_over(void *ctx)
{
	struct wait *wait = ctx;

	pump(wait->client);
	return wait->fn(wait->ctx);
}

void http_scene_wait(
	struct http_scene *scene, struct raw_client *client, int (*fn)(void *ctx), void *ctx)
{
	struct wait wait = {client, fn, ctx};

	if (!loop_run_until(scene->loop, is_over, &wait, PATIENCE_MS) && client != NULL)
		print_message("# got only: %.2000s\n", strbuf_cstr(&client->got));
	assert_true(fn(ctx));
}

static int never(void *ctx)
{
	(void)ctx;
	return 0;
}

void http_scene_run_ms(struct http_scene *scene, struct raw_client *client, int64_t ms)
{
	struct wait wait = {client, never, NULL};

	assert_false(loop_run_until(scene->loop, is_over, &wait, ms));
}

struct count {
	struct raw_client *client;
	const char *text;
	int count;
};

static int has_count(void *ctx)
{
	struct count *count = ctx;

	return raw_client_count(count->client, count->text) >= count->count;
}

void raw_client_wait_count(struct raw_client *client, const char *text, int count)
{
	struct count ctx = {client, text, count};

	http_scene_wait(client->scene, client, has_count, &ctx);
	assert_int_equal(raw_client_count(client, text), count);
}

void raw_client_wait_text(struct raw_client *client, const char *text)
{
	raw_client_wait_count(client, text, 1);
}

static int has_end(void *ctx)
{
	struct raw_client *client = ctx;

	return client->saw_end || client->saw_reset;
}

void raw_client_wait_end(struct raw_client *client)
{
	http_scene_wait(client->scene, client, has_end, client);
	assert_false(client->saw_reset);
}

static int has_sent(void *ctx)
{
	struct raw_client *client = ctx;

	return client->sent == client->to_send.len;
}

void raw_client_wait_sent(struct raw_client *client)
{
	http_scene_wait(client->scene, client, has_sent, client);
}

struct number {
	struct http_scene *scene;
	int number;
};

static int has_requests(void *ctx)
{
	struct number *number = ctx;

	return number->scene->n_requests >= number->number;
}

void http_scene_wait_requests(struct http_scene *scene, struct raw_client *client, int n_requests)
{
	struct number ctx = {scene, n_requests};

	http_scene_wait(scene, client, has_requests, &ctx);
	assert_int_equal(scene->n_requests, n_requests);
}

static int has_connections(void *ctx)
{
	struct number *number = ctx;

	return http_server_connections(number->scene->server) == number->number;
}

void http_scene_wait_connections(struct http_scene *scene, int n_connections)
{
	struct number ctx = {scene, n_connections};

	http_scene_wait(scene, NULL, has_connections, &ctx);
}
