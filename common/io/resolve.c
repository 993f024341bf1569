#include "common/io/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/base/check.h"
#include "common/base/mem.h"

/* What the thread works on, and its own. */
struct lookup {
	int fd;
	char *host;
};

struct resolve {
	int fd;
	struct event *event;
	struct loop_timer *timer;
	resolve_fn fn;
	void *ctx;
	char *host;
};

bool resolve_is_numeric(const char *host)
{
	struct in6_addr address;
	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* --- in the thread: no logging, no ASSERT, nothing of ours but mem --- */

static void add_address(struct resolve_answer *answer, const struct addrinfo *address)
{
	char *text = answer->addresses[answer->n];
	if (answer->n < RESOLVE_MAX_ADDRESSES &&
		getnameinfo(address->ai_addr, address->ai_addrlen, text, RESOLVE_ADDRESS_SIZE, NULL,
			0, NI_NUMERICHOST) == 0)
		answer->n++;
}

static void *run_lookup(void *arg)
{
	static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct lookup *lookup = arg;
	struct resolve_answer answer;
	struct addrinfo *list = NULL;
	memset(&answer, 0, sizeof(answer));
	int code = getaddrinfo(lookup->host, NULL, &hints, &list);
	for (const struct addrinfo *at = list; at != NULL; at = at->ai_next)
		add_address(&answer, at);
	if (list != NULL)
		freeaddrinfo(list);
	if (answer.n == 0)
		(void)err_set(&answer.err, "no address for host %s: %s", lookup->host,
			code != 0 ? gai_strerror(code) : "none found");
	/* One datagram; when nobody waits any more it goes nowhere. */
	(void)send(lookup->fd, &answer, sizeof(answer), MSG_NOSIGNAL);
	(void)close(lookup->fd);
	mem_free(lookup->host);
	mem_free(lookup);
	return NULL;
}

static void start_thread(int fd, const char *host)
{
	struct lookup *lookup = mem_new(struct lookup);
	lookup->fd = fd;
	lookup->host = mem_strdup(host);
	/* Signals are the loop's. */
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	(void)sigfillset(&all);
	ASSERT(pthread_attr_init(&attr) == 0);
	ASSERT(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0);
	ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	int code = pthread_create(&thread, &attr, run_lookup, lookup);
	ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	(void)pthread_attr_destroy(&attr);
	if (code != 0) { /* no thread to be had: closing the socket says that no answer comes */
		(void)close(fd);
		mem_free(lookup->host);
		mem_free(lookup);
	}
}

/* --- in the loop --- */

static void finish(struct resolve *resolve, const struct resolve_answer *answer)
{
	resolve_fn fn = resolve->fn;
	void *ctx = resolve->ctx;
	resolve_cancel(&resolve);
	fn(ctx, answer);
}

static void on_answer(evutil_socket_t fd, short what, void *ctx)
{
	struct resolve *resolve = ctx;
	struct resolve_answer answer;
	(void)what;
	ssize_t len = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
	if (len != (ssize_t)sizeof(answer)) {
		memset(&answer, 0, sizeof(answer));
		(void)err_set(&answer.err, "no address for host %s: the lookup could not be made",
			resolve->host);
	}
	finish(resolve, &answer);
}

static void on_timeout(void *ctx)
{
	struct resolve *resolve = ctx;
	struct resolve_answer answer;
	memset(&answer, 0, sizeof(answer));
	(void)err_set(&answer.err, "no address for host %s: %s", resolve->host,
		resolve->fd >= 0 ? "no answer in time" : "the lookup could not be made");
	finish(resolve, &answer);
}

struct resolve *resolve_start(
	struct loop *loop, const char *host, int64_t timeout_ms, resolve_fn fn, void *ctx)
{
	int fds[2] = {-1, -1};
	struct resolve *resolve = mem_new(struct resolve);
	resolve->fn = fn;
	resolve->ctx = ctx;
	resolve->host = mem_strdup(host);
	resolve->timer = loop_timer_new(loop, "resolve", on_timeout, resolve);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
		resolve->fd = -1;
		loop_timer_arm(resolve->timer, 0);
		return resolve;
	}
	resolve->fd = fds[0];
	loop_timer_arm(resolve->timer, timeout_ms);
	resolve->event = event_new(loop_base(loop), resolve->fd, EV_READ, on_answer, resolve);
	ASSERT(resolve->event != NULL && event_add(resolve->event, NULL) == 0);
	start_thread(fds[1], host);
	return resolve;
}

void resolve_cancel(struct resolve **resolve)
{
	struct resolve *old = *resolve;
	if (old == NULL)
		return;
	*resolve = NULL;
	if (old->fd >= 0) {
		event_free(old->event);
		(void)close(old->fd);
	}
	loop_timer_free(&old->timer);
	mem_free(old->host);
	mem_free(old);
}
