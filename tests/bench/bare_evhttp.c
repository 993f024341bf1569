/*
 * An evhttp server that answers a constant to everything: the limit that the api is measured
 * against, and the endpoint that webhooks are sent to. With a file name it keeps the number of
 * requests there (int64, mapped), for loadgen's --done-file.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile int64_t *requests;

static void on_request(struct evhttp_request *request, void *ctx)
{
	static const char answer[] =
		"{\"message_id\":\"msg_00000000000000000000000000\",\"contact_id\":1,"
		"\"status\":\"queued\",\"created_at\":\"2026-01-01T00:00:00.000Z\"}";
	struct evbuffer *body = ctx;

	evbuffer_add(body, answer, sizeof(answer) - 1);
	evhttp_add_header(
		evhttp_request_get_output_headers(request), "Content-Type", "application/json");
	evhttp_send_reply(request, 202, "Accepted", body);
	*requests += 1;
}

static volatile int64_t *map_counter(const char *file)
{
	int fd = file != NULL ? open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	void *map = MAP_FAILED;

	if (file == NULL)
		map = mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	else if (fd >= 0 && ftruncate(fd, sizeof(int64_t)) == 0)
		map = mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		perror(file != NULL ? file : "mmap");
		exit(2);
	}
	return map;
}

int main(int argc, char **argv)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = evhttp_new(base);
	struct evbuffer *body = evbuffer_new();
	long port = argc > 1 ? strtol(argv[1], NULL, 10) : 0;

	requests = map_counter(argc > 2 ? argv[2] : NULL);
	if (base == NULL || http == NULL || body == NULL || port <= 0 || port > 65535 ||
		evhttp_bind_socket(http, "127.0.0.1", (ev_uint16_t)port) != 0) {
		fprintf(stderr, "usage: bare_evhttp <free port> [count file]\n");
		return 2;
	}
	evhttp_set_gencb(http, on_request, body);
	event_base_dispatch(base);
	return 0;
}
