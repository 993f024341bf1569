/* An HTTP client, and a server that does as it is told. */
#include "tests/unit/io_http/outgoing_scene.h"

#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "common/base/mem.h"
#include "tests/support/test.h"

/* --- the resolver: names under .test are ours --- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_opened = PTHREAD_COND_INITIALIZER;
static bool gate_is_open = true;
static int n_in_gate;

void gate_set(bool is_open)
{
	pthread_mutex_lock(&gate);
	gate_is_open = is_open;
	pthread_cond_broadcast(&gate_opened);
	pthread_mutex_unlock(&gate);
}

static void gate_pass(void)
{
	pthread_mutex_lock(&gate);
	n_in_gate++;
	while (!gate_is_open)
		pthread_cond_wait(&gate_opened, &gate);
	n_in_gate--;
	pthread_mutex_unlock(&gate);
}

int gate_waiting(void)
{
	pthread_mutex_lock(&gate);
	int n = n_in_gate;
	pthread_mutex_unlock(&gate);
	return n;
}

typedef int (*getaddrinfo_fn)(
	const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *restrict node, const char *restrict service,
	const struct addrinfo *restrict hints, struct addrinfo **restrict ret_list)
{
	getaddrinfo_fn real;
	struct addrinfo *rest = NULL;

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (node == NULL || strstr(node, ".test") == NULL)
		return real(node, service, hints, ret_list);
	if (strcmp(node, "slow.test") == 0)
		gate_pass();
	if (strcmp(node, "good.test") == 0 || strcmp(node, "slow.test") == 0)
		return real("127.0.0.1", service, hints, ret_list);
	if (strcmp(node, "private.test") == 0)
		return real("10.0.0.1", service, hints, ret_list);
	if (strcmp(node, "mixed.test") != 0)
		return EAI_NONAME;
	if (real("10.0.0.1", service, hints, ret_list) != 0 ||
		real("127.0.0.1", service, hints, &rest) != 0)
		return EAI_NONAME;
	struct addrinfo *last = *ret_list;
	while (last->ai_next != NULL)
		last = last->ai_next;
	last->ai_next = rest;
	return 0;
}

/* --- the guard, that can change its mind --- */

bool guard_refuses_all;

bool __real_url_guard_allows_address(const struct url_guard *guard, const struct sockaddr *address);
bool __wrap_url_guard_allows_address(const struct url_guard *guard, const struct sockaddr *address);

bool __wrap_url_guard_allows_address(const struct url_guard *guard, const struct sockaddr *address)
{
	return !guard_refuses_all && __real_url_guard_allows_address(guard, address);
}

/* --- a server that does as it is told --- */

void peer_close(struct peer *peer)
{
	if (peer->bev == NULL)
		return;
	bufferevent_free(peer->bev);
	peer->bev = NULL;
	peer->scene->n_open--;
}

static void peer_reset(struct peer *peer)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	setsockopt(bufferevent_getfd(peer->bev), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	peer_close(peer);
}

static void on_drip(void *ctx)
{
	struct scene *scene = ctx;

	for (int i = 0; i < scene->n_peers; i++)
		if (scene->peers[i].bev != NULL)
			bufferevent_write(scene->peers[i].bev, scene->more, strlen(scene->more));
	loop_timer_arm(scene->drip, 10);
}

static void on_peer_write(struct bufferevent *bev, void *ctx)
{
	struct peer *peer = ctx;

	if (!peer->has_asked || peer->scene->after == AFTER_STAY)
		return;
	if (peer->scene->after == AFTER_CLOSE)
		peer_close(peer);
	else if (peer->scene->after == AFTER_RESET)
		peer_reset(peer);
	else if (peer->scene->after == AFTER_FLOOD)
		for (int i = 0; i < 100; i++)
			bufferevent_write(bev, peer->scene->more, strlen(peer->scene->more));
}

static void on_peer_read(struct bufferevent *bev, void *ctx)
{
	struct peer *peer = ctx;
	struct scene *scene = peer->scene;
	struct evbuffer *input = bufferevent_get_input(bev);
	struct evbuffer_ptr end = evbuffer_search(input, "\r\n\r\n", 4, NULL);

	if (end.pos < 0 && !scene->answers_anything)
		return;
	strbuf_reset(&scene->seen);
	strbuf_append(&scene->seen, evbuffer_pullup(input, -1), evbuffer_get_length(input));
	evbuffer_drain(input, evbuffer_get_length(input));
	scene->n_seen++;
	peer->has_asked = true;
	if (scene->answer[0] != '\0')
		bufferevent_write(bev, scene->answer, strlen(scene->answer));
	else
		on_peer_write(bev, peer);
	if (peer->bev != NULL && scene->after == AFTER_DRIP)
		loop_timer_arm(scene->drip, 10);
}

static void on_peer_event(struct bufferevent *bev, short what, void *ctx)
{
	(void)bev;
	(void)what;
	peer_close(ctx);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
	int len, void *ctx)
{
	struct scene *scene = ctx;
	struct peer *peer = &scene->peers[scene->n_peers];

	(void)listener;
	(void)from;
	(void)len;
	assert_true(scene->n_peers < MAX_PEERS);
	scene->n_peers++;
	scene->n_open++;
	if (scene->n_open > scene->most_open)
		scene->most_open = scene->n_open;
	peer->scene = scene;
	peer->bev = bufferevent_socket_new(loop_base(scene->loop), fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(peer->bev, on_peer_read, on_peer_write, on_peer_event, peer);
	bufferevent_enable(peer->bev, EV_READ | EV_WRITE);
}

void scene_listen(struct scene *scene)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	scene->listener = evconnlistener_new_bind(loop_base(scene->loop), on_accept, scene,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 64, (struct sockaddr *)&at,
		sizeof(at));
	assert_non_null(scene->listener);
	getsockname(evconnlistener_get_fd(scene->listener), (struct sockaddr *)&at, &len);
	scene->port = ntohs(at.sin_port);
}

void use_guard(struct scene *scene, bool development, const char *allow, int max, int max_per_host)
{
	struct err err = {""};

	http_client_free(&scene->client);
	url_guard_free(&scene->guard);
	scene->guard = url_guard_new(development, sv_from(allow), &err);
	assert_string_equal(err.text, "");
	scene->client = http_client_new(scene->loop, scene->guard, max, max_per_host);
}

int scene_set_up(void **state)
{
	struct scene *scene = mem_new(struct scene);

	scene->loop = loop_new();
	scene->answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	scene->more = "";
	scene->drip = loop_timer_new(scene->loop, "drip", on_drip, scene);
	scene_listen(scene);
	use_guard(scene, true, "", 64, 32);
	guard_refuses_all = false;
	*state = scene;
	return 0;
}

int scene_tear_down(void **state)
{
	struct scene *scene = *state;

	http_client_free(&scene->client);
	url_guard_free(&scene->guard);
	for (int i = 0; i < scene->n_peers; i++)
		peer_close(&scene->peers[i]);
	evconnlistener_free(scene->listener);
	loop_timer_free(&scene->drip);
	loop_free(&scene->loop);
	strbuf_deinit(&scene->seen);
	for (int i = 0; i < scene->n_answers; i++) {
		mem_free(scene->bodies[i]);
		mem_free(scene->types[i]);
	}
	mem_free(scene);
	return 0;
}

/* --- calling --- */

void on_answer(void *ctx, const struct http_answer *answer)
{
	struct scene *scene = ctx;
	int i = scene->n_answers;

	assert_true(i < (int)array_len(scene->answers));
	scene->answers[i] = *answer;
	scene->bodies[i] = mem_strndup(answer->body.ptr, answer->body.len);
	scene->types[i] = answer->content_type.ptr != NULL
				  ? mem_strndup(answer->content_type.ptr, answer->content_type.len)
				  : NULL;
	scene->n_answers++;
}

struct http_call *start(
	struct scene *scene, const struct http_call_options *options, const char *host)
{
	struct http_call_options ours = *options;
	char url[256];

	snprintf(url, sizeof(url), "http://%s:%d/hook?x=1", host, scene->port);
	if (ours.url == NULL)
		ours.url = url;
	if (ours.method == NULL)
		ours.method = "GET";
	return http_client_start(scene->client, &ours, on_answer, scene);
}

struct wish {
	const struct scene *scene;
	int n;
};

static int has_answers(void *ctx)
{
	const struct wish *wish = ctx;

	return wish->scene->n_answers >= wish->n;
}

void wait_answers(struct scene *scene, int n)
{
	struct wish wish = {scene, n};

	assert_true(loop_run_until(scene->loop, has_answers, &wish, PATIENCE_MS));
	assert_int_equal(scene->n_answers, n);
}

static int has_seen(void *ctx)
{
	const struct wish *wish = ctx;

	return wish->scene->n_seen >= wish->n;
}

void wait_seen(struct scene *scene, int n)
{
	struct wish wish = {scene, n};

	assert_true(loop_run_until(scene->loop, has_seen, &wish, PATIENCE_MS));
}

static int never(void *ctx)
{
	(void)ctx;
	return 0;
}

void run_a_while(struct scene *scene)
{
	assert_false(loop_run_until(scene->loop, never, NULL, 20));
}

const struct http_answer *call(struct scene *scene, const struct http_call_options *options)
{
	int before = scene->n_answers;

	start(scene, options, "127.0.0.1");
	assert_int_equal(scene->n_answers, before);
	wait_answers(scene, before + 1);
	return &scene->answers[before];
}

const char *last_body(const struct scene *scene)
{
	return scene->bodies[scene->n_answers - 1];
}

void assert_failure(const struct http_answer *answer, enum http_failure failure)
{
	if (answer->failure != failure)
		print_message("# %s: %s\n", http_failure_name(answer->failure), answer->err.text);
	assert_int_equal(answer->failure, failure);
	assert_true((answer->err.text[0] != '\0') == (failure != HTTP_FAILURE_NONE));
	if (failure != HTTP_FAILURE_NONE) {
		assert_int_equal(answer->status, 0);
		assert_int_equal(answer->retry_after_ms, -1);
	}
}
