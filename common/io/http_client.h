/*
 * Outgoing HTTP on curl_multi with the loop's sockets: keep-alive, deadlines over everything
 * including the body, an address guard at every connect and every reuse, no redirects, no proxy
 * from the environment, no decompression, a byte limit counted in the write callback. A request
 * that finds its kept connection closed before any byte of an answer is sent once more on a new
 * one, as HTTP clients do. curl stays behind http_client.c.
 */
#ifndef WA_IO_HTTP_CLIENT_H
#define WA_IO_HTTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/strview.h"
#include "common/base/url_guard.h"
#include "common/io/loop.h"

struct http_client;
struct http_call;

struct http_header {
	const char *name;
	const char *value;
};

struct http_call_options {
	const char *method; /* "GET", "POST", … */
	const char *url;
	const struct http_header *headers; /* n_headers of them; copied */
	int n_headers;
	struct strview body;        /* copied */
	int64_t connect_timeout_ms; /* 0 = 5 s */
	/* 0 = 15 s. Counts from the start, the wait for a free connection included. */
	int64_t total_timeout_ms;
	int64_t max_response_bytes; /* 0 = 16 KiB */
	/* What is beyond the limit: true ends the call as success with the body cut, false is
	   HTTP_FAILURE_TOO_LARGE. */
	bool cut_response;
	/* When not NULL the body goes here, with fn's ctx, instead of being kept; return -1 to stop
	   the call. It may start and cancel calls, but not free the client. */
	int (*on_body)(void *ctx, const void *data, size_t len);
};

enum http_failure {
	HTTP_FAILURE_NONE,    /* an answer came, status says which */
	HTTP_FAILURE_GUARD,   /* the guard refused the URL or the address */
	HTTP_FAILURE_RESOLVE, /* no address for the name */
	HTTP_FAILURE_CONNECT, /* refused, unreachable, too late: for certain nothing was sent */
	HTTP_FAILURE_TLS,
	HTTP_FAILURE_TIMEOUT, /* after connecting */
	HTTP_FAILURE_BROKEN,  /* reset, short or malformed answer */
	HTTP_FAILURE_TOO_LARGE,
	HTTP_FAILURE_ABORTED, /* by on_body */
};
const char *http_failure_name(enum http_failure failure);

struct http_answer { /* valid until the callback returns */
	enum http_failure failure;
	int status; /* 0 without an answer */
	struct strview body;
	struct strview content_type; /* SV_NULL when absent */
	struct strview
		redirect_url; /* where a 3xx points, resolved; it was not followed. SV_NULL */
	/* From Retry-After, seconds or date, at most 24 h; -1 when absent or not sane. */
	int64_t retry_after_ms;
	int64_t duration_ms;
	struct err err; /* text of the failure */
};

typedef void (*http_answer_fn)(void *ctx, const struct http_answer *answer);

/* guard is borrowed. max_connections in all, max_per_host of them to one host. */
struct http_client *http_client_new(
	struct loop *loop, const struct url_guard *guard, int max_connections, int max_per_host);
void http_client_free(struct http_client **client); /* ends calls without their callbacks */
/* Never calls fn before it returns. The call is gone after fn, from which the client must not be
 * freed. */
struct http_call *http_client_start(struct http_client *client,
	const struct http_call_options *options, http_answer_fn fn, void *ctx);
void http_call_cancel(struct http_call **call); /* fn is not called */
int http_client_in_flight(const struct http_client *client);

#endif
