/*
 * An HTTP/1.1 load generator for the benchmarks: keep-alive connections on epoll, one thread.
 *
 * usage: loadgen --port P --path /x --connections N --seconds S [--rate R] [--method POST]
 * [--header 'K: V']…
 *                [--body TEMPLATE] [--contacts FIRST:COUNT] [--tag TEXT]
 * In headers and body, {n} becomes a number that never repeats and {c} a contact id out of the
 * range, in turn.
 * --rate R is an open loop: requests are due R times a second whatever the server does, and latency
 * counts from when a request was due, so that a server that stalls is charged for those that had to
 * wait. Without it each connection sends its next request as soon as it has its answer.
 * --ahead N --done-file F --per-message K: a closed loop over the whole pipeline. No request is
 * started while more than N messages were accepted but not yet reported K times by webhook; F is
 * where bare_evhttp counts those. `finished` is how many were. Prints one line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_REQUEST = 16384,
	MAX_ANSWER = 65536,
	MAX_HEADERS = 16,
	BUCKETS = 200000,
	BUCKET_US = 10
};

struct options {
	int port;
	const char *path;
	const char *method;
	const char *headers[MAX_HEADERS];
	int n_headers;
	const char *body;
	const char *tag;
	int connections;
	double seconds;
	double rate;
	long first_contact;
	long n_contacts;
	long ahead;
	long per_message;
	volatile int64_t *webhooks;
};

struct connection {
	int fd;
	bool busy;
	int64_t due_us; /* when the request in flight was due */
	char request[MAX_REQUEST];
	size_t request_len;
	size_t sent;
	char answer[MAX_ANSWER];
	size_t received;
};

struct totals {
	long started;
	long done;
	long accepted; /* 2xx */
	long refused;  /* any other answer */
	long broken;   /* connections lost with a request in flight */
	uint32_t bucket[BUCKETS];
};

static struct options options = {.path = "/",
	.method = "POST",
	.connections = 64,
	.seconds = 10,
	.n_contacts = 1,
	.per_message = 1,
	.tag = ""};
static struct totals totals;
static int epoll_fd;
static struct connection *connections;
static long serial;

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

/* Copy text into out with its placeholders put in; gives the length. */
static size_t expand(const char *text, char *out, size_t size)
{
	size_t len = 0;

	for (const char *p = text; *p != '\0' && len + 64 < size;) {
		if (strncmp(p, "{n}", 3) == 0) {
			len += (size_t)snprintf(
				out + len, size - len, "%s%ld", options.tag, serial);
			p += 3;
		} else if (strncmp(p, "{c}", 3) == 0) {
			len += (size_t)snprintf(out + len, size - len, "%ld",
				options.first_contact + serial % options.n_contacts);
			p += 3;
		} else {
			out[len++] = *p++;
		}
	}
	out[len] = '\0';
	return len;
}

static void build_request(struct connection *c)
{
	char body[MAX_REQUEST / 2] = "";
	size_t body_len = options.body != NULL ? expand(options.body, body, sizeof(body)) : 0;
	size_t len = (size_t)snprintf(c->request, sizeof(c->request),
		"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
		"application/json\r\nContent-Length: %zu\r\n",
		options.method, options.path, body_len);

	for (int i = 0; i < options.n_headers; i++) {
		len += expand(options.headers[i], c->request + len, sizeof(c->request) - len - 4);
		memcpy(c->request + len, "\r\n", 2);
		len += 2;
	}
	len += (size_t)snprintf(c->request + len, sizeof(c->request) - len, "\r\n%s", body);
	c->request_len = len;
	serial++;
}

static void open_connection(struct connection *c)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)options.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		fail("connect");
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) {
		fail("epoll_ctl");
	}
	c->busy = false;
}

static void lose_connection(struct connection *c)
{
	totals.broken += c->busy;
	close(c->fd);
	open_connection(c);
}

static void write_request(struct connection *c)
{
	while (c->sent < c->request_len) {
		ssize_t n = write(c->fd, c->request + c->sent, c->request_len - c->sent);

		if (n < 0 && errno != EAGAIN) {
			lose_connection(c);
			return;
		}
		if (n < 0) {
			continue; /* requests are far smaller than a socket buffer: this does not
				     spin in practice */
		}
		c->sent += (size_t)n;
	}
}

static void start_request(struct connection *c, int64_t due_us)
{
	build_request(c);
	c->busy = true;
	c->due_us = due_us;
	c->sent = 0;
	c->received = 0;
	totals.started++;
	write_request(c);
}

/* The length of the whole answer once its head is there; 0 while it is not. */
static size_t answer_length(const struct connection *c)
{
	const char *end = memmem(c->answer, c->received, "\r\n\r\n", 4);
	const char *length;

	if (end == NULL) {
		return 0;
	}
	length = strcasestr(c->answer, "\r\nContent-Length:");
	if (length == NULL || length > end) {
		return (size_t)(end - c->answer) + 4;
	}
	return (size_t)(end - c->answer) + 4 + strtoul(length + 17, NULL, 10);
}

static void finish_request(struct connection *c, int64_t now)
{
	int64_t bucket = (now - c->due_us) / BUCKET_US;

	totals.done++;
	if (c->answer[9] == '2') {
		totals.accepted++;
	} else {
		totals.refused++;
	}
	totals.bucket[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
	c->busy = false;
}

/* Take in what has come; true when the answer is whole. */
static bool read_answer(struct connection *c)
{
	ssize_t n = read(c->fd, c->answer + c->received, sizeof(c->answer) - 1 - c->received);
	size_t whole;

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		lose_connection(c);
		return false;
	}
	if (n < 0) {
		return false;
	}
	c->received += (size_t)n;
	c->answer[c->received] = '\0';
	whole = answer_length(c);
	return c->busy && whole > 0 && c->received >= whole;
}

/* Open loop: give the requests that are due to idle connections. */
static void start_due(int64_t begun, int64_t now, long *scheduled)
{
	long due = (long)((double)(now - begun) * options.rate / 1e6);

	for (int i = 0; i < options.connections && *scheduled < due; i++) {
		if (!connections[i].busy) {
			start_request(&connections[i],
				begun + (int64_t)((double)*scheduled * 1e6 / options.rate));
			(*scheduled)++;
		}
	}
}

static long finished(void)
{
	return options.webhooks != NULL ? (long)(*options.webhooks / options.per_message) : 0;
}

/* Whole pipeline: idle connections go on while not too much is under way. */
static void start_allowed(int64_t now)
{
	long under_way = totals.started - totals.refused - totals.broken - finished();

	for (int i = 0; i < options.connections && under_way < options.ahead; i++) {
		if (!connections[i].busy) {
			start_request(&connections[i], now);
			under_way++;
		}
	}
}

static void run(void)
{
	struct epoll_event events[256];
	int64_t begun = now_us();
	int64_t end = begun + (int64_t)(options.seconds * 1e6);
	long scheduled = 0;

	bool is_free = options.rate <= 0 && options.ahead == 0;

	for (int i = 0; is_free && i < options.connections; i++) {
		start_request(&connections[i], now_us());
	}
	for (int64_t now = begun; now < end; now = now_us()) {
		int n = epoll_wait(epoll_fd, events, 256, is_free ? 100 : 1);

		now = now_us();
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;

			if (!read_answer(c)) {
				continue;
			}
			finish_request(c, now);
			if (is_free) {
				start_request(c, now);
			}
		}
		if (options.rate > 0) {
			start_due(begun, now, &scheduled);
		} else if (!is_free) {
			start_allowed(now);
		}
	}
}

static double percentile_ms(double share)
{
	long want = (long)((double)totals.done * share);
	long seen = 0;

	for (int i = 0; i < BUCKETS; i++) {
		seen += totals.bucket[i];
		if (seen > want) {
			return (i + 1) * BUCKET_US / 1000.0;
		}
	}
	return 0;
}

static volatile int64_t *map_counter(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	void *map =
		fd >= 0 ? mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (map == MAP_FAILED) {
		fail(file);
	}
	return map;
}

static void parse_options(int argc, char **argv)
{
	static const struct option longs[] = {{"port", 1, NULL, 'p'}, {"path", 1, NULL, 'u'},
		{"method", 1, NULL, 'm'}, {"connections", 1, NULL, 'c'}, {"seconds", 1, NULL, 's'},
		{"rate", 1, NULL, 'r'}, {"header", 1, NULL, 'H'}, {"body", 1, NULL, 'b'},
		{"contacts", 1, NULL, 'k'}, {"tag", 1, NULL, 't'}, {"ahead", 1, NULL, 'a'},
		{"done-file", 1, NULL, 'f'}, {"per-message", 1, NULL, 'n'}, {NULL, 0, NULL, 0}};

	for (int o; (o = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		switch (o) {
		case 'p':
			options.port = (int)strtol(optarg, NULL, 10);
			break;
		case 'u':
			options.path = optarg;
			break;
		case 'm':
			options.method = optarg;
			break;
		case 'c':
			options.connections = (int)strtol(optarg, NULL, 10);
			break;
		case 's':
			options.seconds = strtod(optarg, NULL);
			break;
		case 'r':
			options.rate = strtod(optarg, NULL);
			break;
		case 'b':
			options.body = optarg;
			break;
		case 't':
			options.tag = optarg;
			break;
		case 'a':
			options.ahead = strtol(optarg, NULL, 10);
			break;
		case 'n':
			options.per_message = strtol(optarg, NULL, 10);
			break;
		case 'f':
			options.webhooks = map_counter(optarg);
			break;
		case 'H':
			if (options.n_headers < MAX_HEADERS) {
				options.headers[options.n_headers++] = optarg;
			}
			break;
		case 'k':
			if (sscanf(optarg, "%ld:%ld", &options.first_contact,
				    &options.n_contacts) != 2 ||
				options.n_contacts < 1) {
				fprintf(stderr, "--contacts FIRST:COUNT\n");
				exit(2);
			}
			break;
		default:
			exit(2);
		}
	}
	if (options.port <= 0 || options.connections < 1) {
		fprintf(stderr, "loadgen: --port and --connections are needed\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	parse_options(argc, argv);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	connections = calloc((size_t)options.connections, sizeof(*connections));
	if (epoll_fd < 0 || connections == NULL) {
		fail("setup");
	}
	for (int i = 0; i < options.connections; i++) {
		open_connection(&connections[i]);
	}
	run();
	printf("{\"seconds\":%.1f,\"finished\":%ld,\"done\":%ld,\"accepted\":%ld,\"refused\":%ld,"
	       "\"broken\":%ld,\"per_s\":%.0f,"
	       "\"p50_ms\":%.2f,\"p90_ms\":%.2f,\"p99_ms\":%.2f,\"p999_ms\":%.2f}\n",
		options.seconds, finished(), totals.done, totals.accepted, totals.refused,
		totals.broken, (double)totals.accepted / options.seconds, percentile_ms(0.5),
		percentile_ms(0.9), percentile_ms(0.99), percentile_ms(0.999));
	return 0;
}
