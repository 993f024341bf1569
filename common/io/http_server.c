/*
 * An HTTP/1.1 server: the listener, and the deadlines of its connections.
 *
 * Not on evhttp, whose 2.1 answers a header that is too large with 413, gives no say in the bodies
 * of its own answers, has one timeout per read and none per request, and takes what must be
 * refused: folded lines, blanks before a colon, bare LF, NUL bytes, a length given twice. A request
 * costs this one three system calls.
 */
#include "common/io/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include <event2/listener.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/io/http_conn.h"

#define BACKLOG            1024
#define LINGER_MS          2000
#define ACCEPT_PAUSE_MS    100
#define DEFAULT_HEAD_BYTES (INT64_C(16) * 1024)
#define DEFAULT_BODY_BYTES (INT64_C(1024) * 1024)
#define DEFAULT_IDLE_MS    60000
#define DEFAULT_REQUEST_MS 10000
#define DEFAULT_CONNS      10000

/* --- deadlines --- */

void http_wait_join(struct http_wait *wait, struct http_conn *conn)
{
	if (wait->timeout_ms == 0)
		return;
	conn->due_ms = clock_mono_ms() + wait->timeout_ms;
	TAILQ_INSERT_TAIL(&wait->conns, conn, in_wait);
	/* Once armed it is left alone: it looks who is due and goes on from there. */
	if (!loop_timer_is_armed(wait->timer))
		loop_timer_arm(wait->timer, wait->timeout_ms);
}

void http_wait_leave(struct http_wait *wait, struct http_conn *conn)
{
	if (wait->timeout_ms > 0)
		TAILQ_REMOVE(&wait->conns, conn, in_wait);
}

static void on_wait_due(void *ctx)
{
	struct http_wait *wait = ctx;
	int64_t now_ms = clock_mono_ms();
	struct http_conn *conn;

	while ((conn = TAILQ_FIRST(&wait->conns)) != NULL && conn->due_ms <= now_ms)
		http_conn_expire(conn);
	if (conn != NULL)
		loop_timer_arm(wait->timer, conn->due_ms - now_ms);
}

static void start_wait(struct http_server *server, enum http_conn_state state, int64_t timeout_ms)
{
	struct http_wait *wait = &server->waits[state];

	wait->server = server;
	wait->timeout_ms = timeout_ms;
	wait->timer = loop_timer_new(server->loop, "http_wait", on_wait_due, wait);
}

/* --- accepting --- */

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
	int peer_len, void *ctx)
{
	struct http_server *server = ctx;

	(void)listener;
	(void)peer_len;
	if (server->n_conns >= server->options.max_connections)
		close(fd);
	else
		http_conn_new(server, fd, peer);
}

/* Out of file descriptors: the listener stays readable, so that going on at once would burn the
 * processor. */
static void on_accept_error(struct evconnlistener *listener, void *ctx)
{
	struct http_server *server = ctx;

	evconnlistener_disable(listener);
	loop_timer_arm(server->accept_timer, ACCEPT_PAUSE_MS);
}

static void on_accept_pause_over(void *ctx)
{
	struct http_server *server = ctx;

	evconnlistener_enable(server->listener);
}

static int parse_address(const struct http_server_options *options,
	struct sockaddr_storage *ret_address, socklen_t *ret_len, struct err *err)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (options->port < 0 || options->port > 65535)
		return err_set(err, "port %d is not between 0 and 65535", options->port);
	if (inet_pton(AF_INET, options->address, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)options->port);
		*ret_len = sizeof(*in);
		return 0;
	}
	if (inet_pton(AF_INET6, options->address, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)options->port);
		*ret_len = sizeof(*in6);
		return 0;
	}
	return err_set(err, "\"%s\" is no numeric IPv4 or IPv6 address", options->address);
}

static int find_port(evutil_socket_t fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	memset(&address, 0, sizeof(address));
	ASSERT(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
	return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
						   : ((struct sockaddr_in *)&address)->sin_port);
}

static int start_listener(
	struct http_server *server, const struct http_server_options *options, struct err *err)
{
	unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
	struct sockaddr_storage address;
	socklen_t len;
	int yes = 1;

	if (parse_address(options, &address, &len, err) != 0)
		return -1;
	if (options->reuse_port)
		flags |= LEV_OPT_REUSEABLE_PORT;
	server->listener = evconnlistener_new_bind(loop_base(server->loop), on_accept, server,
		flags, BACKLOG, (struct sockaddr *)&address, (int)len);
	if (server->listener == NULL)
		return err_set(err, "cannot listen on %s port %d: %s", options->address,
			options->port, strerror(errno));
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	evutil_socket_t fd = evconnlistener_get_fd(server->listener);
	/* Linux hands it down to accepted sockets, which saves a call each. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	server->port = find_port(fd);
	return 0;
}

/* Closing the listener resets those who are connected but not yet accepted. */
static void accept_rest(struct http_server *server)
{
	struct sockaddr_storage peer;

	for (int i = 0; i < BACKLOG; i++) {
		socklen_t len = sizeof(peer);
		int fd = accept4(evconnlistener_get_fd(server->listener), (struct sockaddr *)&peer,
			&len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		on_accept(server->listener, fd, (struct sockaddr *)&peer, (int)len, server);
	}
}

/* --- the server --- */

static void fill_options(struct http_server_options *options)
{
	options->address = NULL; /* borrowed; of no use after the start */
	if (options->max_header_bytes == 0)
		options->max_header_bytes = DEFAULT_HEAD_BYTES;
	if (options->max_body_bytes == 0)
		options->max_body_bytes = DEFAULT_BODY_BYTES;
	if (options->idle_timeout_ms == 0)
		options->idle_timeout_ms = DEFAULT_IDLE_MS;
	if (options->request_timeout_ms == 0)
		options->request_timeout_ms = DEFAULT_REQUEST_MS;
	if (options->max_connections == 0)
		options->max_connections = DEFAULT_CONNS;
}

struct http_server *http_server_new(struct loop *loop, const struct http_server_options *options,
	http_request_fn fn, void *ctx, struct err *err)
{
	struct http_server *server = mem_new(struct http_server);

	server->loop = loop;
	server->options = *options;
	fill_options(&server->options);
	server->fn = fn;
	server->ctx = ctx;
	server->date_s = -1;
	server->accept_timer =
		loop_timer_new(loop, "http_accept_pause", on_accept_pause_over, server);
	TAILQ_INIT(&server->conns);
	for (int state = 0; state < HTTP_CONN_STATES; state++)
		TAILQ_INIT(&server->waits[state].conns);
	start_wait(server, HTTP_CONN_IDLE, server->options.idle_timeout_ms);
	start_wait(server, HTTP_CONN_RECEIVING, server->options.request_timeout_ms);
	start_wait(server, HTTP_CONN_WRITING, server->options.idle_timeout_ms);
	start_wait(server, HTTP_CONN_LINGERING, LINGER_MS);
	if (start_listener(server, options, err) != 0)
		http_server_free(&server);
	return server;
}

static void stop_listener(struct http_server *server)
{
	loop_timer_disarm(server->accept_timer);
	if (server->listener != NULL)
		evconnlistener_free(server->listener);
	server->listener = NULL;
}

void http_server_drain(struct http_server *server)
{
	struct http_conn *conn, *next;

	if (server->listener == NULL)
		return;
	accept_rest(server);
	stop_listener(server);
	for (conn = TAILQ_FIRST(&server->conns); conn != NULL; conn = next) {
		next = TAILQ_NEXT(conn, in_server);
		http_conn_drain(conn);
	}
}

int http_server_port(const struct http_server *server)
{
	return server->port;
}

int http_server_connections(const struct http_server *server)
{
	return server->n_conns;
}

int64_t http_server_unread_bytes(const struct http_server *server)
{
	return server->unread_bytes;
}

int http_server_in_flight(const struct http_server *server)
{
	return server->n_in_flight;
}

void http_server_free(struct http_server **server)
{
	struct http_conn *conn, *next;

	if (*server == NULL)
		return;
	stop_listener(*server);
	for (conn = TAILQ_FIRST(&(*server)->conns); conn != NULL; conn = next) {
		next = TAILQ_NEXT(conn, in_server);
		http_conn_free(conn);
	}
	for (int state = 0; state < HTTP_CONN_STATES; state++)
		loop_timer_free(&(*server)->waits[state].timer);
	loop_timer_free(&(*server)->accept_timer);
	http_request_free_all(*server);
	strbuf_deinit(&(*server)->head);
	mem_free(*server);
	*server = NULL;
}
