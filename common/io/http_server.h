/*
 * An HTTP/1.1 server (RFC 9112): limits on header, body, idle time and whole-request time,
 * keep-alive, pipelined requests one after the other. What is malformed or could be read in two
 * ways is answered by the server itself and the connection closed.
 */
#ifndef WA_IO_HTTP_SERVER_H
#define WA_IO_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/pool.h"
#include "common/base/strview.h"
#include "common/io/loop.h"

struct http_server;
struct http_request;

struct http_server_options {
	const char *address;      /* "127.0.0.1", "::", … */
	int port;                 /* 0 = any */
	bool reuse_port;          /* several processes share the port */
	int64_t max_header_bytes; /* 0 = 16 KiB; more is 431 */
	int64_t max_body_bytes;   /* 0 = 1 MiB; more is 413 */
	int64_t idle_timeout_ms;  /* 0 = 60 s: a connection without a request is closed */
	/* 0 = 10 s: from a request's first byte to its last; later is 408 (slow-loris) */
	int64_t request_timeout_ms;
	int max_connections; /* 0 = 10,000; more are closed at once */
	/* The body of answers that the server itself must give (400, 408, 413, 431, 505 …); may be
	 * NULL. Fills body and content type; may use http_reply_header() and the request's pool,
	 * nothing else of the request, which may not be whole. */
	void (*format_error)(void *ctx, struct http_request *request, int status,
		const char *detail, struct strview *ret_body, const char **ret_content_type);
};

/* A request came in whole. It must be answered once with http_reply(), now or later, also when the
 * client has hung up. */
typedef void (*http_request_fn)(void *ctx, struct http_request *request);

struct http_server *http_server_new(struct loop *loop, const struct http_server_options *options,
	http_request_fn fn, void *ctx, struct err *err);
/* Stop accepting; idle connections are closed at once, the others after their next answer. */
void http_server_drain(struct http_server *server);
int http_server_port(const struct http_server *server);
int http_server_connections(const struct http_server *server);
/* Of answers that are held in memory until their clients take them. */
int64_t http_server_unread_bytes(const struct http_server *server);
/* Requests handed out and not yet answered. */
int http_server_in_flight(const struct http_server *server);
/* Requests that are not answered are gone as well: whoever might still answer one must be freed
 * before. */
void http_server_free(struct http_server **server);

enum http_method {
	HTTP_GET,
	HTTP_POST,
	HTTP_PUT,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_HEAD,
	HTTP_OPTIONS,
	HTTP_OTHER
};
enum http_method http_request_method(const struct http_request *request);
const char *http_method_name(enum http_method method);
/* Raw, without query; starts with '/'. */
struct strview http_request_path(const struct http_request *request);
struct strview http_request_query(const struct http_request *request); /* raw, without '?' */
struct strview http_request_body(const struct http_request *request);
/* Case of the name ignored; SV_NULL when absent. */
struct strview http_request_header(const struct http_request *request, const char *name);
/* Is there a header whose name begins so? Case ignored. */
bool http_request_has_header_like(const struct http_request *request, const char *prefix);
bool http_request_is_http10(const struct http_request *request);
/* Numeric address of the client. */
const char *http_request_peer(const struct http_request *request);
bool http_request_peer_is_loopback(const struct http_request *request);
struct pool *http_request_pool(struct http_request *request); /* lives as long as the request */
void *http_request_user(const struct http_request *request);
/* A pointer of the handler's. */
void http_request_set_user(struct http_request *request, void *user);
/* The client has closed its side: nobody may be left to read the answer. */
bool http_request_is_gone(const struct http_request *request);
/* The first value of a query parameter, percent-decoded with '+' as space, in pool; SV_NULL when
   absent, "" without '='. Bad escapes or NUL bytes: -1. */
int http_query_get(
	struct strview query, const char *name, struct pool *pool, struct strview *ret_value);
/* '+' stays; 0 or -1. */
int http_percent_decode(struct strview text, struct pool *pool, struct strview *ret_value);

/* Before http_reply; control bytes become spaces. */
void http_reply_header(struct http_request *request, const char *name, struct strview value);
/* Content-Length, Date and Connection are the server's. body is copied. The request is gone
 * afterwards. */
void http_reply(
	struct http_request *request, int status, const char *content_type, struct strview body);

#endif
