/* One client's connection to the HTTP server. */
#include "common/io/http_conn.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#define DISCARD_BYTES 16384 /* at once, of what a lingering client still sends */

static void set_state(struct http_conn *conn, enum http_conn_state state)
{
	static const unsigned moves[HTTP_CONN_STATES] = {
		[HTTP_CONN_IDLE] =
			1 << HTTP_CONN_RECEIVING | 1 << HTTP_CONN_HANDLING | 1 << HTTP_CONN_CLOSED,
		[HTTP_CONN_RECEIVING] = 1 << HTTP_CONN_HANDLING | 1 << HTTP_CONN_WRITING |
					1 << HTTP_CONN_LINGERING | 1 << HTTP_CONN_CLOSED,
		[HTTP_CONN_HANDLING] = 1 << HTTP_CONN_IDLE | 1 << HTTP_CONN_RECEIVING |
				       1 << HTTP_CONN_WRITING | 1 << HTTP_CONN_LINGERING |
				       1 << HTTP_CONN_CLOSED,
		[HTTP_CONN_WRITING] = 1 << HTTP_CONN_IDLE | 1 << HTTP_CONN_RECEIVING |
				      1 << HTTP_CONN_LINGERING | 1 << HTTP_CONN_CLOSED,
		[HTTP_CONN_LINGERING] = 1 << HTTP_CONN_CLOSED,
	};

	ASSERT((moves[conn->state] & 1U << state) != 0);
	http_wait_leave(&conn->server->waits[conn->state], conn);
	conn->state = state;
	http_wait_join(&conn->server->waits[state], conn);
}

static void read_start(struct http_conn *conn)
{
	if (conn->is_reading || conn->saw_end)
		return;
	ASSERT(event_add(&conn->read_event, NULL) == 0);
	conn->is_reading = true;
}

static void read_stop(struct http_conn *conn)
{
	ASSERT(event_del(&conn->read_event) == 0);
	conn->is_reading = false;
}

static void drop_request(struct http_conn *conn)
{
	if (conn->request != NULL)
		http_request_return(conn->request);
	conn->request = NULL;
}

static void drop_output(struct http_conn *conn)
{
	conn->server->unread_bytes -= (int64_t)conn->output.len;
	strbuf_deinit(&conn->output);
	conn->output_done = 0;
}

static void close_conn(struct http_conn *conn)
{
	read_stop(conn);
	ASSERT(event_del(&conn->write_event) == 0);
	close(conn->fd);
	conn->fd = -1;
	conn->server->n_conns--;
	set_state(conn, HTTP_CONN_CLOSED);
	drop_output(conn);
	if (conn->request != NULL && !conn->request->is_handed_out)
		drop_request(conn);
}

void http_conn_free(struct http_conn *conn)
{
	if (conn->state != HTTP_CONN_CLOSED)
		close_conn(conn);
	drop_request(conn);
	TAILQ_REMOVE(&conn->server->conns, conn, in_server);
	mem_free(conn);
}

/* Every way in is put between these two, so that a connection that closes meanwhile is freed only
 * at the end. */
static bool enter(struct http_conn *conn)
{
	bool was_entered = conn->is_entered;

	conn->is_entered = true;
	return was_entered;
}

static void leave(struct http_conn *conn, bool was_entered)
{
	conn->is_entered = was_entered;
	if (!was_entered && conn->state == HTTP_CONN_CLOSED && conn->request == NULL)
		http_conn_free(conn);
}

/* Have what is buffered looked at in this turn, but not from here: a handler that answers at once
 * would run nested. */
static void process_soon(struct http_conn *conn)
{
	event_active(&conn->read_event, EV_TIMEOUT, 1);
}

/* --- output --- */

/* Send what the socket takes now, keep the rest for on_writable(). -1: the connection is broken. */
static int send_out(struct http_conn *conn, struct strview head, struct strview body)
{
	struct iovec parts[2] = {
		{(void *)(uintptr_t)head.ptr, head.len}, {(void *)(uintptr_t)body.ptr, body.len}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = body.len > 0 ? 2 : 1};
	size_t sent = 0;

	if (conn->output.len == 0) {
		ssize_t n = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -1;
		sent = n > 0 ? (size_t)n : 0;
		if (sent == head.len + body.len)
			return 0;
	}
	size_t of_head = sent < head.len ? sent : head.len;
	strbuf_append(&conn->output, head.ptr + of_head, head.len - of_head);
	strbuf_append(&conn->output, body.ptr + (sent - of_head), body.len - (sent - of_head));
	conn->server->unread_bytes += (int64_t)(head.len + body.len - sent);
	ASSERT(event_add(&conn->write_event, NULL) == 0);
	return 0;
}

/* The answer is out: wait for the next request, or let the connection end. */
static void go_on(struct http_conn *conn)
{
	bool has_more = conn->request != NULL;

	if (conn->is_last && !conn->saw_end) {
		drop_request(conn);
		set_state(conn, HTTP_CONN_LINGERING);
		shutdown(conn->fd, SHUT_WR);
		read_start(conn);
	} else if (conn->is_last || (conn->saw_end && !has_more)) {
		close_conn(conn);
	} else {
		set_state(conn, has_more ? HTTP_CONN_RECEIVING : HTTP_CONN_IDLE);
		read_start(conn);
		if (has_more)
			process_soon(conn);
	}
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
	struct http_conn *conn = ctx;
	bool was_entered = enter(conn);
	size_t left = conn->output.len - conn->output_done;
	ssize_t n = send(fd, conn->output.data + conn->output_done, left, MSG_NOSIGNAL);

	(void)what;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		close_conn(conn);
	} else if (n > 0 && (size_t)n < left) {
		conn->output_done += (size_t)n;
		if (conn->state == HTTP_CONN_WRITING) { /* progress: the time starts anew */
			http_wait_leave(&conn->server->waits[HTTP_CONN_WRITING], conn);
			http_wait_join(&conn->server->waits[HTTP_CONN_WRITING], conn);
		}
	} else if (n > 0) {
		drop_output(conn);
		ASSERT(event_del(&conn->write_event) == 0);
		if (conn->state == HTTP_CONN_WRITING)
			go_on(conn);
	}
	leave(conn, was_entered);
}

/* Of an answered request, keep what the client sent behind it: the start of the next. */
static void next_request(struct http_conn *conn)
{
	struct http_request *request = conn->request;
	struct http_request *next = NULL;

	if (request->stage == HTTP_REQUEST_WHOLE && request->input_len > request->whole_len) {
		next = http_request_take(conn);
		http_request_append(next, request->input + request->whole_len,
			request->input_len - request->whole_len);
	}
	drop_request(conn);
	conn->request = next;
}

static void answer(
	struct http_conn *conn, int status, const char *content_type, struct strview body)
{
	struct http_request *request = conn->request;
	bool is_parsed = request->stage != HTTP_REQUEST_HEAD;

	if (body.ptr == NULL)
		body = SV_LIT("");
	struct http_reply_head head = {.status = status,
		.content_type = content_type,
		.body_len = body.len,
		.fields = strbuf_view(&request->reply_fields),
		.is_last = conn->is_last,
		.minor_version = is_parsed ? request->head.minor_version : 1};

	http_reply_format(conn->server, &head);
	if (!http_status_has_body(status) || (is_parsed && request->head.method == HTTP_HEAD))
		body.len = 0;
	if (send_out(conn, strbuf_view(&conn->server->head), body) != 0) {
		drop_request(conn);
		close_conn(conn);
		return;
	}
	next_request(conn);
	if (conn->output.len == 0) {
		go_on(conn);
		return;
	}
	read_stop(conn);
	set_state(conn, HTTP_CONN_WRITING);
}

void http_reply(
	struct http_request *request, int status, const char *content_type, struct strview body)
{
	struct http_conn *conn = request->conn;
	bool was_entered = enter(conn);

	ASSERT(request->is_handed_out);
	ASSERT(status >= 200 && status <= 599);
	request->is_handed_out = false;
	conn->server->n_in_flight--;
	if (conn->state == HTTP_CONN_CLOSED) {
		drop_request(conn);
	} else {
		if (request->head.is_last || conn->server->listener == NULL)
			conn->is_last = true;
		answer(conn, status, content_type, body);
	}
	leave(conn, was_entered);
}

static void refuse(struct http_conn *conn, const struct http_refusal *refusal)
{
	struct http_server *server = conn->server;
	struct strview body = sv_from(refusal->detail);
	const char *content_type = "text/plain; charset=utf-8";

	if (server->options.format_error != NULL)
		server->options.format_error(server->ctx, conn->request, refusal->status,
			refusal->detail, &body, &content_type);
	conn->is_last = true;
	answer(conn, refusal->status, content_type, body);
}

/* --- input --- */

static void hand_out(struct http_conn *conn)
{
	struct http_server *server = conn->server;

	set_state(conn, HTTP_CONN_HANDLING);
	conn->request->is_handed_out = true;
	server->n_in_flight++;
	server->fn(server->ctx, conn->request); /* may answer, and so change all */
}

static void await_more(struct http_conn *conn)
{
	struct http_request *request = conn->request;

	if (conn->saw_end) {
		close_conn(conn);
		return;
	}
	if (request->input_len == 0 && conn->state == HTTP_CONN_IDLE) {
		drop_request(conn);
		return;
	}
	if (conn->state == HTTP_CONN_IDLE)
		set_state(conn, HTTP_CONN_RECEIVING);
	if (request->stage != HTTP_REQUEST_BODY || !request->head.expects_continue ||
		request->is_continue_sent)
		return;
	request->is_continue_sent = true;
	if (send_out(conn, SV_LIT("HTTP/1.1 100 Continue\r\n\r\n"), SV_LIT("")) != 0)
		close_conn(conn);
}

static void process(struct http_conn *conn)
{
	struct http_refusal refusal;

	switch (http_request_advance(conn->request, &refusal)) {
	case HTTP_ADVANCE_WHOLE:
		hand_out(conn);
		break;
	case HTTP_ADVANCE_REFUSED:
		if (conn->state == HTTP_CONN_IDLE)
			set_state(conn, HTTP_CONN_RECEIVING);
		refuse(conn, &refusal);
		break;
	case HTTP_ADVANCE_MORE:
	default:
		await_more(conn);
		break;
	}
}

static void discard_input(struct http_conn *conn)
{
	char scratch[DISCARD_BYTES];
	ssize_t n = recv(conn->fd, scratch, sizeof(scratch), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_conn(conn);
}

/* False when there is nothing new to look at. */
static bool receive(struct http_conn *conn)
{
	if (conn->request == NULL)
		conn->request = http_request_take(conn);
	struct http_request *request = conn->request;
	if (!http_request_make_room(request)) {
		/* Read-ahead behind a request that is being handled; go_on() starts again. */
		read_stop(conn);
		return false;
	}
	ssize_t n = recv(conn->fd, request->input + request->input_len,
		request->input_cap - request->input_len, 0);
	if (n > 0) {
		request->input_len += (size_t)n;
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return conn->state == HTTP_CONN_IDLE;
	if (n < 0) {
		close_conn(conn);
		return false;
	}
	conn->saw_end = true;
	read_stop(conn);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct http_conn *conn = ctx;
	bool was_entered = enter(conn);
	bool is_new = true;

	(void)fd;
	if (conn->state == HTTP_CONN_LINGERING)
		discard_input(conn);
	else if ((what & EV_READ) != 0)
		is_new = receive(conn);
	if (is_new && conn->request != NULL &&
		(conn->state == HTTP_CONN_IDLE || conn->state == HTTP_CONN_RECEIVING))
		process(conn);
	leave(conn, was_entered);
}

/* --- life --- */

static void keep_peer(struct http_conn *conn, const struct sockaddr *peer)
{
	if (peer->sa_family == AF_INET6)
		memcpy(&conn->peer.in6, peer, sizeof(conn->peer.in6));
	else if (peer->sa_family == AF_INET)
		memcpy(&conn->peer.in, peer, sizeof(conn->peer.in));
}

void http_conn_new(struct http_server *server, int fd, const struct sockaddr *peer)
{
	struct http_conn *conn = mem_new(struct http_conn);
	struct event_base *base = loop_base(server->loop);

	conn->server = server;
	conn->fd = fd;
	conn->state = HTTP_CONN_IDLE;
	keep_peer(conn, peer);
	ASSERT(event_assign(&conn->read_event, base, fd, EV_READ | EV_PERSIST, on_readable, conn) ==
		0);
	ASSERT(event_assign(&conn->write_event, base, fd, EV_WRITE | EV_PERSIST, on_writable,
		       conn) == 0);
	TAILQ_INSERT_TAIL(&server->conns, conn, in_server);
	http_wait_join(&server->waits[HTTP_CONN_IDLE], conn);
	server->n_conns++;
	read_start(conn);
}

void http_conn_expire(struct http_conn *conn)
{
	static const struct http_refusal too_slow = {408, "The request did not come in time."};
	bool was_entered = enter(conn);

	if (conn->state == HTTP_CONN_RECEIVING)
		refuse(conn, &too_slow);
	else
		close_conn(conn);
	leave(conn, was_entered);
}

void http_conn_drain(struct http_conn *conn)
{
	bool was_entered = enter(conn);
	char first;

	conn->is_last = true;
	/* A request may have come that we have not been told of yet. */
	if (conn->state == HTTP_CONN_IDLE && recv(conn->fd, &first, 1, MSG_PEEK) <= 0)
		close_conn(conn);
	leave(conn, was_entered);
}
