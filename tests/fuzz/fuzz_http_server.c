/*
 * A connection of the server, fed with anything in pieces: it ends, answers what it took once, and
 * keeps nothing. The first byte of the input says how the rest is cut; a request whose path has an
 * 'l' is answered later.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/base/check.h"
#include "common/io/http_conn.h"
#include "tests/fuzz/fuzz.h"

#define MAX_WAITING 16
#define MAX_ROUNDS  2000

static struct loop *loop;
static struct http_server *server;
static struct http_request *waiting[MAX_WAITING];
static int n_waiting;
static int n_taken, n_answered;

static void reply(struct http_request *request)
{
	struct strview body = http_request_body(request);

	n_answered++;
	http_reply_header(request, "X-Query", http_request_query(request));
	http_reply(request, 200, "text/plain", body);
}

static void on_request(void *ctx, struct http_request *request)
{
	struct strview path = http_request_path(request);

	(void)ctx;
	n_taken++;
	ASSERT(path.ptr[0] == '/');
	ASSERT(http_request_body(request).len <= 1000);
	if (memchr(path.ptr, 'l', path.len) != NULL && n_waiting < MAX_WAITING)
		waiting[n_waiting++] = request;
	else
		reply(request);
}

static void start_server(void)
{
	struct http_server_options options = {
		.address = "127.0.0.1", .max_header_bytes = 500, .max_body_bytes = 1000};

	loop = loop_new();
	server = http_server_new(loop, &options, on_request, NULL, NULL);
	ASSERT(server != NULL);
}

static void turn(int fd)
{
	char answer[4096];

	ASSERT(event_base_loop(loop_base(loop), EVLOOP_NONBLOCK) >= 0);
	while (fd >= 0 && recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
}

static void reply_waiting(void)
{
	while (n_waiting > 0)
		reply(waiting[--n_waiting]);
}

static void feed(int fd, const uint8_t *data, size_t size_bytes, size_t step)
{
	for (size_t at = 0; at < size_bytes; at += step) {
		size_t n = size_bytes - at < step ? size_bytes - at : step;

		if (send(fd, data + at, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
		turn(fd);
		if (at / step % 3 == 2)
			reply_waiting();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	const struct sockaddr peer = {.sa_family = AF_UNIX};
	int fds[2];

	if (size_bytes == 0)
		return 0;
	if (server == NULL)
		start_server();
	n_taken = n_answered = 0;
	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	http_conn_new(server, fds[0], &peer);
	feed(fds[1], data + 1, size_bytes - 1, (size_t)(data[0] % 64) + (data[0] > 128 ? 1000 : 1));
	if (data[0] % 2 == 0)
		shutdown(fds[1], SHUT_WR);
	else
		close(fds[1]);
	for (int i = 0; i < MAX_ROUNDS && (http_server_connections(server) > 0 || n_waiting > 0);
		i++) {
		turn(data[0] % 2 == 0 ? fds[1] : -1);
		reply_waiting();
	}
	if (data[0] % 2 == 0)
		close(fds[1]);
	turn(-1);
	ASSERT(http_server_connections(server) == 0);
	ASSERT(http_server_in_flight(server) == 0);
	ASSERT(n_taken == n_answered);
	ASSERT(server->input_bytes == 0);
	return 0;
}
