/* The port for operators. */
#include "common/daemon/private_port.h"

#include "common/base/mem.h"

#define MAX_CONNECTIONS 64

struct private_port {
	struct http_server *server;
	const struct health *health;
	struct metrics *metrics;
};

static void reply_metrics(struct private_port *port, struct http_request *request)
{
	struct strbuf text = STRBUF_INIT;

	metrics_format(port->metrics, &text);
	health_format_metrics(port->health, &text);
	http_reply(request, 200, "text/plain; version=0.0.4; charset=utf-8", strbuf_view(&text));
	strbuf_deinit(&text);
}

static void reply_ready(struct private_port *port, struct http_request *request)
{
	struct strbuf text = STRBUF_INIT;

	health_format(port->health, &text);
	http_reply(request, health_is_ready(port->health) ? 200 : 503, "application/json",
		strbuf_view(&text));
	strbuf_deinit(&text);
}

static void on_request(void *ctx, struct http_request *request)
{
	struct private_port *port = ctx;
	enum http_method method = http_request_method(request);
	struct strview path = http_request_path(request);

	if (method != HTTP_GET && method != HTTP_HEAD) {
		http_reply_header(request, "Allow", SV_LIT("GET, HEAD"));
		http_reply(request, 405, "text/plain", SV_LIT("only GET\n"));
	} else if (sv_eq_cstr(path, "/metrics")) {
		reply_metrics(port, request);
	} else if (sv_eq_cstr(path, "/ready")) {
		reply_ready(port, request);
	} else if (sv_eq_cstr(path, "/live")) {
		http_reply(request, 200, "application/json", SV_LIT("{\"live\":true}\n"));
	} else {
		http_reply(request, 404, "text/plain", SV_LIT("try /metrics, /live or /ready\n"));
	}
}

struct private_port *private_port_new(struct loop *loop, const char *address, int port,
	const struct health *health, struct metrics *metrics, struct err *err)
{
	struct private_port *private_port = mem_new(struct private_port);
	struct http_server_options options = {
		.address = address, .port = port, .max_connections = MAX_CONNECTIONS};

	private_port->health = health;
	private_port->metrics = metrics;
	private_port->server = http_server_new(loop, &options, on_request, private_port, err);
	if (private_port->server == NULL)
		private_port_free(&private_port);
	return private_port;
}

int private_port_number(const struct private_port *private_port)
{
	return http_server_port(private_port->server);
}

void private_port_free(struct private_port **private_port)
{
	if (*private_port == NULL)
		return;
	http_server_free(&(*private_port)->server);
	mem_free(*private_port);
	*private_port = NULL;
}
