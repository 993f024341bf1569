/* From a request to its handler. */
#include "services/api/api_call.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/model/id.h"
#include "common/model/permission.h"
#include "services/api/api_reply.h"
#include "services/api/auth.h"
#include "services/api/body_reader.h"
#include "services/api/idempotency.h"
#include "services/api/list_page.h"
#include "services/api/local_caller.h"
#include "services/api/routes.h"

#define REQUEST_ID_MAX 128

static bool request_id_is_sane(struct strview id)
{
	for (size_t i = 0; i < id.len; i++) {
		char c = id.ptr[i];
		bool is_word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			       (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
		if (!is_word)
			return false;
	}
	return id.len > 0 && id.len <= REQUEST_ID_MAX;
}

static struct strview request_id_of(struct http_request *http, struct pool *pool)
{
	struct strview given = http_request_header(http, "X-Request-Id");
	if (request_id_is_sane(given))
		return given;
	char *id = pool_alloc(pool, ID_SIZE);
	id_new("req", clock_wall_ms(), id);
	return sv_from(id);
}

static void reply_wrong_method(struct api_call *call, unsigned allowed)
{
	struct strbuf methods = STRBUF_INIT;
	for (int method = 0; method < HTTP_OTHER; method++) {
		if ((allowed & 1u << method) == 0)
			continue;
		if (methods.len > 0)
			strbuf_append_cstr(&methods, ", ");
		strbuf_append_cstr(&methods, http_method_name((enum http_method)method));
	}
	api_reply_header(call, "Allow", strbuf_view(&methods));
	const char *list = pool_sv_cstr(call->pool, strbuf_view(&methods));
	strbuf_deinit(&methods);
	api_reply_problem(call, PROBLEM_METHOD_NOT_ALLOWED, "This path takes %s", list);
}

void api_call_begin(void *ctx, struct http_request *http)
{
	struct pool *pool = http_request_pool(http);
	struct api_call *call = pool_new_in(pool, struct api_call);
	struct route_hit hit = {0};
	int n_routes;
	const struct route *routes = routes_get(&n_routes);

	call->api = ctx;
	call->http = http;
	call->pool = pool;
	call->started_us = clock_mono_us();
	call->request_id = request_id_of(http, pool);
	switch (route_match(
		routes, n_routes, http_request_method(http), http_request_path(http), &hit)) {
	case ROUTE_UNKNOWN_PATH:
		api_reply_problem(
			call, PROBLEM_NOT_FOUND, "There is nothing at this path; see /docs");
		return;
	case ROUTE_WRONG_METHOD:
		reply_wrong_method(call, hit.allowed);
		return;
	case ROUTE_FOUND:
		break;
	}
	call->route = hit.route;
	memcpy(call->params, hit.params, sizeof(call->params));
	auth_begin(call);
}

static void body_drop(void *arg)
{
	struct json *body = arg;
	json_free(&body);
}

/* False: the call was answered. */
static bool body_parse(struct api_call *call)
{
	struct strview text = http_request_body(call->http);
	struct err err;

	if (call->route->body == ROUTE_NO_BODY)
		return true;
	if (text.len == 0 && call->route->body == ROUTE_OPTIONAL_BODY) {
		call->body = json_new_object();
		pool_on_free(call->pool, body_drop, call->body);
		return true;
	}
	if (!content_type_is_json(http_request_header(call->http, "Content-Type"))) {
		api_reply_problem(call, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
			"The body must be JSON, with Content-Type: application/json");
		return false;
	}
	call->body = json_parse(text, &err);
	if (call->body == NULL) {
		api_reply_problem(call, PROBLEM_MALFORMED, "The body is no JSON: %s", err.text);
		return false;
	}
	pool_on_free(call->pool, body_drop, call->body);
	if (json_type(call->body) != JSON_OBJECT) {
		api_reply_problem(call, PROBLEM_MALFORMED, "The body must be a JSON object");
		return false;
	}
	return true;
}

void api_call_authenticated(struct api_call *call)
{
	int permission = call->route->permission;

	if (!call->caller.is_operator && (call->caller.permissions & permission) != permission) {
		api_reply_problem(call, PROBLEM_FORBIDDEN, "This key lacks the permission %s",
			permission_name((enum permission)permission));
		return;
	}
	if (body_parse(call) && idempotency_read(call))
		call->route->handle(call);
}

bool api_call_pg_ok(struct api_call *call, const struct pg_result *result)
{
	if (pg_status(result) == PG_OK)
		return true;
	api_reply_pg(call, result);
	return false;
}

bool api_call_pg_found(struct api_call *call, const struct pg_result *result, const char *what)
{
	if (!api_call_pg_ok(call, result))
		return false;
	if (pg_rows(result) > 0)
		return true;
	api_reply_not_found(call, what);
	return false;
}

bool api_call_path_id(struct api_call *call, int param, const char *what, int32_t *ret_id)
{
	if (path_id(call->params[param], ret_id))
		return true;
	api_reply_not_found(call, what);
	return false;
}

bool api_call_path_opaque(struct api_call *call, int param, const char *prefix, const char *what)
{
	if (id_is(prefix, call->params[param]))
		return true;
	api_reply_not_found(call, what);
	return false;
}

bool api_call_body_is_empty(struct api_call *call)
{
	struct body_reader reader;
	struct field_errors errors;

	field_errors_init(&errors, call->pool);
	body_reader_init(&reader, call->body, "", call->pool, &errors);
	body_reader_end(&reader);
	if (errors.n == 0)
		return true;
	api_reply_invalid(call, &errors);
	return false;
}

const char *api_call_actor(const struct api_call *call)
{
	return call->caller.is_operator ? "operator" : call->caller.key_id;
}
