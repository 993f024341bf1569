/*
 * Whole calls of the api, from a request's bytes to its answer, while Postgres and Redis are away:
 * whatever a call says is refused with reasons or gets as far as the database. The first byte
 * chooses: below 128 it is the number of a route, and the rest is its body, or its query where it
 * takes none; the others let the rest be the request's raw bytes. The second byte says who calls
 * and how.
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/io/http_conn.h"
#include "services/api/api_call.h"
#include "services/api/api_key.h"
#include "services/api/api_reply.h"
#include "services/api/api_store.h"
#include "services/api/backlog.h"
#include "services/api/key_cache.h"
#include "services/api/key_use.h"
#include "services/api/message_accept.h"
#include "services/api/request_stats.h"
#include "services/api/routes.h"
#include "services/api/system_health.h"
#include "services/api/wind_down.h"
#include "tests/fuzz/fuzz.h"

#define NOWHERE      "postgresql://wa@/wa?host=/nonexistent"
#define NOWHERE_PORT "redis://127.0.0.1:1"
#define MAX_BODY     8192
#define MAX_ROUNDS   20000

static struct api api;
static struct metrics *metrics;
static char key[API_KEY_SIZE];

/* --- what the target stands in for --- */

/* Every key that is one by shape is good and may do everything. */
void key_cache_look_up(struct key_cache *cache, const uint8_t hash[SHA256_SIZE],
	struct api_call *call, key_found_fn fn)
{
	(void)cache;
	(void)hash;
	call->caller.tenant_id = 1;
	memcpy(call->caller.key_id, "key_fuzz", sizeof("key_fuzz"));
	call->caller.permissions = (1 << 7) - 1;
	call->caller.sandbox = true;
	call->caller.backlog_cap = -1;
	call->caller.n_sessions = 1;
	call->caller.sessions[0] = 1;
	fn(call, KEY_GOOD);
}

struct key_cache *key_cache_new(struct api_store *store)
{
	(void)store;
	return NULL;
}

void key_cache_free(struct key_cache **cache)
{
	*cache = NULL;
}

void key_cache_forget(struct key_cache *cache, int32_t tenant_id, const char *key_id)
{
	(void)cache;
	(void)tenant_id;
	(void)key_id;
}

const char *daemon_instance(struct daemon *daemon)
{
	(void)daemon;
	return "fuzz";
}

struct metrics *daemon_metrics(struct daemon *daemon)
{
	(void)daemon;
	return metrics;
}

/* --- the api --- */

static void no_change(void *ctx, bool up, const struct err *err)
{
	(void)ctx;
	(void)err;
	ASSERT(!up);
}

static void no_line(void *ctx, const char *line)
{
	(void)ctx;
	ASSERT(sv_is_utf8(sv_from(line)));
}

static void start_api(void)
{
	struct http_server_options options = {.address = "127.0.0.1",
		.max_body_bytes = MAX_BODY,
		.format_error = api_format_error};
	struct err err;

	log_capture(no_line, NULL);
	metrics = metrics_new();
	api.loop = loop_new();
	api.development = true;
	api.admin_token = SV_LIT("secret");
	cursor_key_init(&api.cursor_key, SV_LIT("k"));
	api.pool = pool_new();
	api.secrets = secret_box_new(
		SV_LIT("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"), &err);
	api.media_links = media_links_new(api.secrets, SV_LIT("http://127.0.0.1:8000"), 3600000);
	api.guard = url_guard_new(true, SV_LIT(""), &err);
	api.stats = request_stats_new(metrics);
	api.redis = redis_conn_new(api.loop, NOWHERE_PORT, no_change, NULL, &err);
	api.streams = stream_writer_new(api.loop, api.redis);
	api.store = api_store_new(api.loop, NOWHERE, "fuzz", 1000, no_change, NULL);
	api.keys = key_cache_new(api.store);
	api.key_use = key_use_new(api.loop, api.store);
	api.backlog = backlog_new(api.store, 1000);
	api.wind_down = wind_down_new(api.loop, api.store);
	api.accept = message_accept_new(&api, NOWHERE, 1000);
	api.system_health = system_health_new(&api);
	api.server = http_server_new(api.loop, &options, api_call_begin, &api, &err);
	ASSERT(api.server != NULL && api.secrets != NULL && api.guard != NULL);
	api_key_new(true, key);
}

/* --- a request --- */

/* An id that a path takes in the place of `name`. */
static const char *param_of(struct strview name)
{
	static const struct {
		const char *name, *value;
	} known[] = {
		{"message_id", "msg_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
		{"webhook_id", "wh_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
		{"key_id", "key_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
		{"set_aside_id", "sa_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
		{"sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	};

	for (size_t i = 0; i < array_len(known); i++)
		if (sv_eq_cstr(name, known[i].name))
			return known[i].value;
	return "7";
}

static void append_path(struct strbuf *out, struct strview pattern)
{
	struct strview text;

	while (sv_split(&pattern, '{', &text)) {
		strbuf_append_sv(out, text);
		if (sv_is_null(pattern))
			break;
		(void)sv_split(&pattern, '}', &text);
		strbuf_append_cstr(out, param_of(text));
	}
}

/* Only what a request line can hold: else every query would end there. */
static void append_query(struct strbuf *out, struct strview query)
{
	for (size_t i = 0; i < query.len; i++)
		strbuf_append_char(
			out, query.ptr[i] > ' ' && query.ptr[i] < 0x7f ? query.ptr[i] : '+');
}

static void compose(const struct route *route, uint8_t how, struct strview rest, struct strbuf *out)
{
	bool has_body = route->body != ROUTE_NO_BODY;

	strbuf_printf(out, "%s ", http_method_name(route->method));
	append_path(out, sv_from(route->pattern));
	if (!has_body && rest.len > 0) {
		strbuf_append_char(out, '?');
		append_query(out, rest);
	}
	strbuf_append_cstr(out, " HTTP/1.1\r\nHost: localhost\r\n");
	if (route->auth == ROUTE_TENANT)
		strbuf_printf(out, "X-API-Key: %s\r\n", key);
	else if (how & 1)
		strbuf_append_cstr(out, "Authorization: Bearer secret\r\n");
	if (how & 2)
		strbuf_printf(out, "Idempotency-Key: fuzz-%u\r\n", how);
	if (how & 4)
		strbuf_append_cstr(out, "Accept: image/svg+xml\r\n");
	strbuf_append_cstr(out, "Content-Type: application/json\r\n");
	if (has_body)
		strbuf_printf(out, "Content-Length: %zu\r\n", rest.len);
	strbuf_append_cstr(out, "\r\n");
	if (has_body)
		strbuf_append_sv(out, rest);
}

/* --- its answer --- */

static void check_answer(struct strview answer, bool is_one)
{
	struct strview status;

	if (sv_is_null(answer) || answer.len == 0)
		return;
	ASSERT(sv_starts_with(answer, "HTTP/1.1 "));
	status = sv_make(answer.ptr + 9, 3);
	ASSERT(!sv_eq_cstr(status, "500"));
	ASSERT(!sv_eq_cstr(status, "201") && !sv_eq_cstr(status, "202"));
	const char *body = NULL;
	if (is_one && answer.ptr != NULL)
		body = memmem(answer.ptr, answer.len, "\r\n\r\n", 4);
	if (body == NULL || memmem(answer.ptr, (size_t)(body - answer.ptr), "json\r\n", 6) == NULL)
		return;
	body += 4;
	struct json *json =
		json_parse(sv_make(body, answer.len - (size_t)(body - answer.ptr)), NULL);
	ASSERT(json != NULL);
	json_free(&json);
}

static void take(int fd, struct strbuf *answer)
{
	char chunk[16384];
	ssize_t got;

	ASSERT(event_base_loop(loop_base(api.loop), EVLOOP_NONBLOCK) >= 0);
	while ((got = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		strbuf_append(answer, chunk, (size_t)got);
}

static void run(struct strview request, bool is_one)
{
	struct sockaddr_in peer = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct strbuf answer = STRBUF_INIT;
	int fds[2];

	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	http_conn_new(api.server, fds[0], (struct sockaddr *)&peer);
	(void)!send(fds[1], request.ptr, request.len, MSG_NOSIGNAL);
	shutdown(fds[1], SHUT_WR);
	for (int i = 0; i < MAX_ROUNDS && http_server_connections(api.server) > 0; i++)
		take(fds[1], &answer);
	take(fds[1], &answer);
	ASSERT(http_server_connections(api.server) == 0);
	ASSERT(http_server_in_flight(api.server) == 0);
	check_answer(strbuf_view(&answer), is_one);
	close(fds[1]);
	strbuf_deinit(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct strbuf request = STRBUF_INIT;
	int n_routes;
	const struct route *routes = routes_get(&n_routes);

	if (size_bytes < 2)
		return 0;
	if (api.server == NULL)
		start_api();
	struct strview rest = sv_make(data + 2, size_bytes - 2);
	if (data[0] >= 128)
		strbuf_append_sv(&request, rest);
	else
		compose(&routes[data[0] % n_routes], data[1], rest, &request);
	run(strbuf_view(&request), data[0] < 128);
	strbuf_deinit(&request);
	return 0;
}
