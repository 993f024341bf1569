/*
 * One client's connection to the HTTP server, and the request it is busy with. The inside of the
 * server: http_server.c and http_conn.c only.
 */
#ifndef WA_IO_HTTP_CONN_H
#define WA_IO_HTTP_CONN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/base/strbuf.h"
#include "common/io/http_chunks.h"
#include "common/io/http_head.h"
#include "common/io/http_server.h"

/* Only http_conn_set_state() changes it. Drawn in docs/state/http_conn.dot. */
enum http_conn_state {
	HTTP_CONN_IDLE,      /* no byte of a request is here */
	HTTP_CONN_RECEIVING, /* a request has begun */
	HTTP_CONN_HANDLING,  /* it is handed out, its answer is awaited */
	HTTP_CONN_WRITING,   /* the socket did not take the whole answer at once */
	HTTP_CONN_LINGERING, /* the last answer is out; what still comes is dropped, or a reset
				could overtake the answer */
	HTTP_CONN_CLOSED,    /* no socket; kept until the request is answered */
	HTTP_CONN_STATES
};

/* Connections that wait for the same length of time: the first to join is the first to be due. */
struct http_wait {
	struct http_server *server;
	struct loop_timer *timer;
	int64_t timeout_ms; /* 0 = no deadline */
	TAILQ_HEAD(http_wait_head, http_conn) conns;
};

struct http_conn {
	struct http_server *server;
	enum http_conn_state state;
	int fd;
	struct event read_event;
	struct event write_event;
	bool is_reading; /* read_event is pending */
	bool is_entered; /* a function of this connection is on the stack, which frees it at its end
			  */
	bool saw_end;    /* the client has closed its side */
	bool is_last;    /* to be closed after the answer */
	struct http_request *request; /* owned; NULL while idle */
	struct strbuf output;         /* what the socket has not taken */
	size_t output_done;
	int64_t due_ms;
	TAILQ_ENTRY(http_conn) in_wait;
	TAILQ_ENTRY(http_conn) in_server;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} peer;
};

enum http_request_stage { HTTP_REQUEST_HEAD, HTTP_REQUEST_BODY, HTTP_REQUEST_WHOLE };

struct http_request {
	struct http_conn *conn;
	enum http_request_stage stage;
	bool is_handed_out;
	bool is_continue_sent;
	char *input; /* the request's bytes from its first on, and what the client sent behind it */
	size_t input_len, input_cap;
	size_t known_len; /* of input, what was looked at already */
	size_t head_len;
	size_t body_len;
	size_t whole_len; /* head and body as sent: what follows belongs to the next request */
	struct http_chunks chunks;
	struct strbuf reply_fields; /* "Name: value\r\n" … */
	struct pool *pool;
	void *user;
	char peer[INET6_ADDRSTRLEN];
	struct http_request *next_free;
	struct http_head head; /* last, for it is large and mostly not touched */
};

struct http_server {
	struct loop *loop;
	struct http_server_options options; /* defaults filled in; address is not kept */
	http_request_fn fn;
	void *ctx;
	struct evconnlistener *listener; /* NULL once draining */
	struct loop_timer
		*accept_timer; /* armed while accepting pauses for want of file descriptors */
	int port;
	int n_conns;
	int64_t unread_bytes; /* of answers that their clients have not taken yet */
	int n_in_flight;
	struct http_wait waits[HTTP_CONN_STATES];
	TAILQ_HEAD(, http_conn) conns;
	struct http_request *free_requests;
	int n_free_requests;
	size_t input_bytes; /* of all requests together */
	struct strbuf head; /* scratch for the head of an answer */
	int64_t date_s;
	char date[32];
};

void http_conn_new(struct http_server *server, int fd, const struct sockaddr *peer);
void http_conn_free(struct http_conn *conn); /* at once, with an unanswered request */
/* The time of its state is over. */
void http_conn_expire(struct http_conn *conn);
/* No further request after the present one; closes an idle connection. */
void http_conn_drain(struct http_conn *conn);

/* Of http_request.c. */
enum http_advance { HTTP_ADVANCE_MORE, HTTP_ADVANCE_WHOLE, HTTP_ADVANCE_REFUSED };
struct http_request *http_request_take(struct http_conn *conn);
void http_request_return(struct http_request *request);
/* Look at the input: is the request whole by now? */
enum http_advance http_request_advance(
	struct http_request *request, struct http_refusal *ret_refusal);
/* Have room in the input for at least a byte. False when there is none and the input cannot move,
 * because it is handed out. */
bool http_request_make_room(struct http_request *request);
/* Free those that are kept for reuse. */
void http_request_free_all(struct http_server *server);
void http_request_append(struct http_request *request, const char *data, size_t len);

/* Of http_server.c. */
void http_wait_join(struct http_wait *wait, struct http_conn *conn);
void http_wait_leave(struct http_wait *wait, struct http_conn *conn);

/* Of http_reply.c: the head of an answer, into server->head. */
struct http_reply_head {
	int status;
	const char *content_type; /* NULL: none */
	size_t body_len;
	struct strview fields;
	bool is_last;
	int minor_version; /* of the request */
};
void http_reply_format(struct http_server *server, const struct http_reply_head *head);
bool http_status_has_body(int status);

#endif
