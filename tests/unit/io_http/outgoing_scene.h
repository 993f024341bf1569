/*
 * An HTTP client, and a server that does as it is told, in one process and one loop. Names under
 * .test are resolved here: good.test and slow.test (once the gate is open) to 127.0.0.1,
 * private.test to 10.0.0.1, mixed.test to both, others not at all. Programs that use this are
 * linked with --wrap=url_guard_allows_address.
 */
#ifndef WA_TESTS_OUTGOING_SCENE_H
#define WA_TESTS_OUTGOING_SCENE_H

#include <stdbool.h>

#include "common/base/strbuf.h"
#include "common/io/http_client.h"
#include "common/io/http_server.h"

#define PATIENCE_MS 60000
#define MAX_PEERS   64

struct bufferevent;

/* While true, the guard refuses every address. */
extern bool guard_refuses_all;

void gate_set(bool is_open);
int gate_waiting(void); /* lookups of slow.test that wait */

/* What the server does behind its answer. */
enum after { AFTER_STAY, AFTER_CLOSE, AFTER_RESET, AFTER_DRIP, AFTER_FLOOD };

struct scene;

struct peer {
	struct scene *scene;
	struct bufferevent *bev; /* NULL: gone */
	bool has_asked;
};

struct scene {
	struct loop *loop;
	struct url_guard *guard;
	struct http_client *client;
	/* what the server says to each request, and does then */
	const char *answer;
	enum after after;
	const char *more;      /* what it drips or floods */
	bool answers_anything; /* not only requests */
	struct evconnlistener *listener;
	int port;
	struct peer peers[MAX_PEERS];
	int n_peers; /* ever */
	int n_open, most_open;
	int n_seen;
	struct strbuf seen; /* the last request */
	struct loop_timer *drip;
	/* what came back */
	int n_answers;
	struct http_answer answers[256];
	char *bodies[256];
	char *types[256];
	int n_body_calls;
	struct http_call *call;
};

int scene_set_up(void **state);
int scene_tear_down(void **state);
void scene_listen(struct scene *scene);
/* Another client, with this guard. */
void use_guard(struct scene *scene, bool development, const char *allow, int max, int max_per_host);
void peer_close(struct peer *peer);

#define OPTIONS(...) (&(struct http_call_options){__VA_ARGS__})
#define GET          OPTIONS(.method = "GET")

/* Keeps the answer in the scene. */
void on_answer(void *ctx, const struct http_answer *answer);
/* Start a call to the server under this name; method GET and the URL unless given. */
struct http_call *start(
	struct scene *scene, const struct http_call_options *options, const char *host);
/* One call to 127.0.0.1, and what came of it. */
const struct http_answer *call(struct scene *scene, const struct http_call_options *options);
void wait_answers(struct scene *scene, int n);
void wait_seen(struct scene *scene, int n); /* requests */
void run_a_while(struct scene *scene);      /* so that what must not happen has its chance */
const char *last_body(const struct scene *scene);
/* The call ended so, and says why. */
void assert_failure(const struct http_answer *answer, enum http_failure failure);

#endif
