/* One outgoing HTTP call: its curl handle and what curl told about it. The inside of http_client.c.
 */
#ifndef WA_IO_HTTP_CALL_H
#define WA_IO_HTTP_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <curl/curl.h>

#include "common/base/strbuf.h"
#include "common/io/http_client.h"

/* Only call_set_state() changes it. */
enum http_call_state {
	HTTP_CALL_STARTING,  /* in client->starting: handed to curl at the end of the turn */
	HTTP_CALL_RUNNING,   /* curl has it */
	HTTP_CALL_CANCELLED, /* in client->cancelled: cancelled from within curl, who must let go of
				it first */
	HTTP_CALL_FINISHED,  /* its callback is running, or it is being freed */
};

/* Who ended a call that curl calls a failed write. */
enum http_call_cut {
	HTTP_CALL_NOT_CUT,
	HTTP_CALL_CUT_SHORT,
	HTTP_CALL_CUT_TOO_LARGE,
	HTTP_CALL_CUT_BY_CALLER
};

struct http_call {
	struct http_client *client;
	enum http_call_state state;
	TAILQ_ENTRY(http_call) in_list; /* of its state: starting, running or cancelled */
	struct loop_timer *deadline;
	http_answer_fn fn;
	void *ctx;
	CURL *easy;
	struct curl_slist *headers;
	char *url;
	char *method;
	struct strbuf request_body;
	int64_t connect_timeout_ms;
	int64_t max_response_bytes;
	bool cut_response;
	int (*on_body)(void *ctx, const void *data, size_t len);
	const struct url_guard *guard;
	int64_t started_us;
	bool is_sent;    /* from here on the request may have reached the other side */
	bool is_refused; /* the guard refused an address */
	bool has_socket; /* the guard allowed one */
	enum http_call_cut cut;
	int64_t header_bytes; /* of all answers, 1xx too */
	bool has_head;        /* the header of the last answer came to its end */
	int64_t body_bytes;
	int64_t retry_after_ms;
	struct strbuf body;
	char error[CURL_ERROR_SIZE];
};

/* A curl handle with all that is alike for every call; NULL when curl cannot. */
CURL *http_call_easy_new(void);
struct http_call *http_call_new(struct http_client *client, const struct url_guard *guard,
	const struct http_call_options *options, http_answer_fn fn, void *ctx);
void http_call_free(struct http_call *call); /* the easy handle must have been taken away */
/* Set what is this call's own on its handle. */
void http_call_prepare(struct http_call *call);
/* What became of it, after curl's code. Views are borrowed from the call and its handle. */
void http_call_judge(struct http_call *call, CURLcode code, struct http_answer *ret_answer);
/* The same for a call whose deadline has passed. */
void http_call_judge_late(struct http_call *call, struct http_answer *ret_answer);

#endif
