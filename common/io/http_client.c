/* Outgoing HTTP: curl_multi on the loop. */
#include "common/io/http_client.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/http_call.h"

#define DEFAULT_TOTAL_TIMEOUT_MS 15000
#define MAX_FREE_HANDLES         64
/* Before 8.1.1 a header that begins with a space, first of its answer, was taken for the rest of
 * the last header of the handle's call before: freed memory, and an endpoint's choice
 * (curl pull request 11103). */
#define CURL_REUSABLE 0x080101

TAILQ_HEAD(call_list, http_call);

struct http_client {
	struct loop *loop;
	const struct url_guard *guard; /* borrowed */
	CURLM *multi;
	struct loop_timer *timer; /* curl's */
	struct loop_turn *turn;
	struct call_list starting, running, cancelled;
	int n_calls;
	bool is_in_curl; /* curl must not be called from its own callbacks */
	bool reuses_handles;
	CURL *free_handles[MAX_FREE_HANDLES];
	int n_free_handles;
};

struct client_socket { /* one that curl wants watched */
	struct http_client *client;
	struct event event;
};

static void call_set_state(struct http_call *call, enum http_call_state state)
{
	static const unsigned moves[] = {
		[HTTP_CALL_STARTING] = 1 << HTTP_CALL_RUNNING | 1 << HTTP_CALL_FINISHED,
		[HTTP_CALL_RUNNING] = 1 << HTTP_CALL_CANCELLED | 1 << HTTP_CALL_FINISHED,
		[HTTP_CALL_CANCELLED] = 1 << HTTP_CALL_FINISHED,
		[HTTP_CALL_FINISHED] = 0,
	};
	struct http_client *client = call->client;
	struct call_list *lists[] = {
		[HTTP_CALL_STARTING] = &client->starting,
		[HTTP_CALL_RUNNING] = &client->running,
		[HTTP_CALL_CANCELLED] = &client->cancelled,
		[HTTP_CALL_FINISHED] = NULL,
	};

	ASSERT((moves[call->state] & 1U << state) != 0);
	TAILQ_REMOVE(lists[call->state], call, in_list);
	call->state = state;
	if (lists[state] != NULL)
		TAILQ_INSERT_TAIL(lists[state], call, in_list);
}

/* --- curl handles, used again --- */

static CURL *take_handle(struct http_client *client)
{
	if (client->n_free_handles > 0)
		return client->free_handles[--client->n_free_handles];
	return http_call_easy_new();
}

static void return_handle(struct http_client *client, CURL *easy)
{
	if (client->reuses_handles && client->n_free_handles < MAX_FREE_HANDLES)
		client->free_handles[client->n_free_handles++] = easy;
	else
		curl_easy_cleanup(easy);
}

/* --- the end of a call --- */

static void let_go(struct http_call *call)
{
	struct http_client *client = call->client;

	if (call->easy != NULL) {
		curl_multi_remove_handle(client->multi, call->easy);
		/* The handle outlives what it points to. */
		curl_easy_setopt(call->easy, CURLOPT_ERRORBUFFER, (char *)NULL);
		curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, (struct curl_slist *)NULL);
		return_handle(client, call->easy);
	}
	call->easy = NULL;
	client->n_calls--;
	http_call_free(call);
}

static void finish(struct http_call *call, const struct http_answer *answer)
{
	call_set_state(call, HTTP_CALL_FINISHED);
	call->fn(call->ctx, answer);
	let_go(call);
}

static void on_deadline(void *ctx)
{
	struct http_call *call = ctx;
	struct http_answer answer;

	http_call_judge_late(call, &answer);
	finish(call, &answer);
}

/* Finish what curl is done with, and what was cancelled while curl was busy. */
static void reap(struct http_client *client)
{
	struct http_call *call;
	struct CURLMsg *message;
	int n_left;

	while ((message = curl_multi_info_read(client->multi, &n_left)) != NULL) {
		struct http_answer answer;
		CURLcode code = message->data.result;
		char *private_ptr = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private_ptr);
		call = (struct http_call *)(void *)private_ptr;
		if (call->state != HTTP_CALL_RUNNING)
			continue;
		http_call_judge(call, code, &answer);
		finish(call, &answer);
	}
	while ((call = TAILQ_FIRST(&client->cancelled)) != NULL) {
		call_set_state(call, HTTP_CALL_FINISHED);
		let_go(call);
	}
}

/* --- curl's events --- */

static void drive(struct http_client *client, curl_socket_t fd, int what)
{
	int n_running;

	client->is_in_curl = true;
	ASSERT(curl_multi_socket_action(client->multi, fd, what, &n_running) == CURLM_OK);
	client->is_in_curl = false;
	reap(client);
}

static void on_socket(evutil_socket_t fd, short what, void *ctx)
{
	struct client_socket *sock = ctx;
	int action = ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
		     ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);

	drive(sock->client, fd, action);
}

static void on_curl_timer(void *ctx)
{
	drive(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer_wish(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http_client *client = ctx;

	(void)multi;
	if (timeout_ms < 0)
		loop_timer_disarm(client->timer);
	else
		loop_timer_arm(client->timer, timeout_ms);
	return 0;
}

static int on_socket_wish(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct http_client *client = ctx;
	struct client_socket *sock = socket_ctx;
	short events = EV_PERSIST;

	(void)easy;
	if (sock != NULL)
		ASSERT(event_del(&sock->event) == 0);
	if (what == CURL_POLL_REMOVE) {
		mem_free(sock);
		ASSERT(curl_multi_assign(client->multi, fd, NULL) == CURLM_OK);
		return 0;
	}
	if (sock == NULL) {
		sock = mem_new(struct client_socket);
		sock->client = client;
		ASSERT(curl_multi_assign(client->multi, fd, sock) == CURLM_OK);
	}
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= EV_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= EV_WRITE;
	ASSERT(event_assign(&sock->event, loop_base(client->loop), fd, events, on_socket, sock) ==
		0);
	ASSERT(event_add(&sock->event, NULL) == 0);
	return 0;
}

/* --- the beginning of a call --- */

static void begin(struct http_call *call)
{
	struct http_client *client = call->client;
	struct http_answer answer;
	struct err err;

	if (url_guard_check_url(client->guard, sv_from(call->url), &err) != 0) {
		http_call_judge(call, CURLE_URL_MALFORMAT, &answer);
		answer.err = err;
		finish(call, &answer);
		return;
	}
	call->easy = take_handle(client);
	http_call_prepare(call);
	call_set_state(call, HTTP_CALL_RUNNING);
	ASSERT(curl_multi_add_handle(client->multi, call->easy) == CURLM_OK);
}

/* Not from http_client_start(): that may be called by a callback of curl, and must not call back.
 */
static void on_turn(void *ctx)
{
	struct http_client *client = ctx;
	struct http_call *call;
	int n_calls = 0;

	TAILQ_FOREACH(call, &client->starting, in_list)
	n_calls++;
	/* What a callback starts meanwhile waits for the next turn, or this one might never end. */
	while (n_calls-- > 0 && (call = TAILQ_FIRST(&client->starting)) != NULL)
		begin(call);
}

struct http_call *http_client_start(struct http_client *client,
	const struct http_call_options *options, http_answer_fn fn, void *ctx)
{
	struct http_call *call = http_call_new(client, client->guard, options, fn, ctx);

	call->deadline = loop_timer_new(client->loop, "http_call", on_deadline, call);
	loop_timer_arm(call->deadline, options->total_timeout_ms > 0 ? options->total_timeout_ms
								     : DEFAULT_TOTAL_TIMEOUT_MS);
	TAILQ_INSERT_TAIL(&client->starting, call, in_list);
	client->n_calls++;
	loop_turn_request(client->turn);
	return call;
}

void http_call_cancel(struct http_call **call)
{
	struct http_call *gone = *call;

	*call = NULL;
	/* Finished: from its own callback, after which it is freed. */
	if (gone == NULL || gone->state == HTTP_CALL_FINISHED || gone->state == HTTP_CALL_CANCELLED)
		return;
	loop_timer_disarm(gone->deadline);
	if (gone->state == HTTP_CALL_RUNNING && gone->client->is_in_curl) {
		call_set_state(gone, HTTP_CALL_CANCELLED);
		return;
	}
	call_set_state(gone, HTTP_CALL_FINISHED);
	let_go(gone);
}

/* --- the client --- */

int http_client_in_flight(const struct http_client *client)
{
	return client->n_calls;
}

struct http_client *http_client_new(
	struct loop *loop, const struct url_guard *guard, int max_connections, int max_per_host)
{
	struct http_client *client = mem_new(struct http_client);

	ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); /* counted by curl */
	client->loop = loop;
	client->guard = guard;
	client->reuses_handles = curl_version_info(CURLVERSION_NOW)->version_num >= CURL_REUSABLE;
	TAILQ_INIT(&client->starting);
	TAILQ_INIT(&client->running);
	TAILQ_INIT(&client->cancelled);
	client->timer = loop_timer_new(loop, "curl", on_curl_timer, client);
	client->turn = loop_turn_new(loop, "http_client", on_turn, client);
	client->multi = curl_multi_init();
	ASSERT(client->multi != NULL);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)max_connections);
	curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)max_per_host);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)max_connections);
	return client;
}

static void drop_all(struct call_list *list)
{
	struct http_call *call;

	while ((call = TAILQ_FIRST(list)) != NULL)
		http_call_cancel(&call);
}

void http_client_free(struct http_client **client)
{
	if (*client == NULL)
		return;
	ASSERT(!(*client)->is_in_curl);
	drop_all(&(*client)->starting);
	drop_all(&(*client)->running);
	ASSERT((*client)->n_calls == 0);
	while ((*client)->n_free_handles > 0)
		curl_easy_cleanup((*client)->free_handles[--(*client)->n_free_handles]);
	curl_multi_cleanup((*client)->multi);
	loop_timer_free(&(*client)->timer);
	loop_turn_free(&(*client)->turn);
	mem_free(*client);
	*client = NULL;
	curl_global_cleanup();
}
