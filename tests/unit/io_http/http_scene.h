/*
 * A server and its clients in one process and one loop. A client says exactly the bytes that a test
 * gives it; what the server does with a request is decided by its path: /echo   200 with "METHOD
 * path query body" /later  kept in scene->waiting until the test answers /big    200 with BIG_BYTES
 * bytes /empty  204 /evil   200 with a header whose value tries to split the answer else    404
 */
#ifndef WA_TESTS_HTTP_SCENE_H
#define WA_TESTS_HTTP_SCENE_H

#include <stdbool.h>

#include "common/base/strbuf.h"
#include "common/io/http_server.h"

#define BIG_BYTES   (8 * 1024 * 1024)
#define PATIENCE_MS 10000
#define MAX_WAITING 64

struct http_scene {
	struct loop *loop;
	struct http_server *server;
	struct http_request *waiting[MAX_WAITING];
	int n_waiting;
	int n_requests;
	int most_in_flight;
};

/* options may be NULL; address is 127.0.0.1 unless given. */
struct http_scene *http_scene_new(const struct http_server_options *options);
void http_scene_free(struct http_scene **scene); /* also with requests that wait */
/* Answer the request that has waited longest: 200 "late". */
void http_scene_reply(struct http_scene *scene);

struct raw_client {
	struct http_scene *scene;
	int fd;
	struct strbuf to_send;
	size_t sent;
	size_t most_at_once; /* 0 = all; else bytes at each turn: a drip */
	bool is_deaf;        /* does not read */
	struct strbuf got;
	bool saw_end;
	bool saw_reset;
};

struct raw_client *raw_client_new(struct http_scene *scene);
void raw_client_free(struct raw_client **client);
void raw_client_say(struct raw_client *client, const char *text);
void raw_client_say_sv(struct raw_client *client, struct strview text);
void raw_client_reset(struct raw_client *client); /* hang up with a reset */
void raw_client_shut(struct raw_client *client);  /* say no more, but listen */
/* Run the loop until … ; asserts that it comes to that. */
void raw_client_wait_text(struct raw_client *client, const char *text);
void raw_client_wait_count(struct raw_client *client, const char *text, int count);
void raw_client_wait_end(struct raw_client *client);
void raw_client_wait_sent(struct raw_client *client);
int raw_client_count(const struct raw_client *client, const char *text);
/* Run the loop until fn(ctx), while the client speaks and listens (client may be NULL). */
void http_scene_wait(
	struct http_scene *scene, struct raw_client *client, int (*fn)(void *ctx), void *ctx);
void http_scene_wait_requests(struct http_scene *scene, struct raw_client *client, int n_requests);
void http_scene_wait_connections(struct http_scene *scene, int n_connections);
/* Run the loop for a while, so that what must not happen has its chance. */
void http_scene_run_ms(struct http_scene *scene, struct raw_client *client, int64_t ms);

#endif
