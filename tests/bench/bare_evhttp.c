/* The limit that the api is measured against: an evhttp server that answers a constant to everything. */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_request(struct evhttp_request *request, void *ctx)
{
	static const char answer[] = "{\"message_id\":\"msg_00000000000000000000000000\",\"contact_id\":1,"
				     "\"status\":\"queued\",\"created_at\":\"2026-01-01T00:00:00.000Z\"}";
	struct evbuffer *body = ctx;

	evbuffer_add(body, answer, sizeof(answer) - 1);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "application/json");
	evhttp_send_reply(request, 202, "Accepted", body);
}

int main(int argc, char **argv)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = evhttp_new(base);
	struct evbuffer *body = evbuffer_new();
	long port = argc > 1 ? strtol(argv[1], NULL, 10) : 0;

	if (base == NULL || http == NULL || body == NULL || port <= 0 || port > 65535 ||
		evhttp_bind_socket(http, "127.0.0.1", (ev_uint16_t)port) != 0) {
		fprintf(stderr, "usage: bare_evhttp <free port>\n");
		return 2;
	}
	evhttp_set_gencb(http, on_request, body);
	event_base_dispatch(base);
	return 0;
}
