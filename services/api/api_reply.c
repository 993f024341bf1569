/* Writes answers, counts and logs them. */
#include "services/api/api_reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/strbuf.h"
#include "common/model/id.h"
#include "services/api/request_stats.h"

static const char problem_type[] = "application/problem+json";

static void reply_log(const struct api_call *call, int status, double duration_ms)
{
	/* 503 is no fault of ours, and comes in thousands: request_stats.c sums them up. */
	enum log_level level = status >= 500 && status != 503 ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG;
	log_at(level, "request_answer",
		log_text("operation", call->route != NULL ? call->route->operation : "none"),
		log_text("method", http_method_name(http_request_method(call->http))),
		log_int("status", status), log_real("duration_ms", duration_ms),
		log_int("tenant", call->caller.tenant_id), log_text("key", call->caller.key_id),
		log_sv("request_id", call->request_id));
}

void api_reply_header(struct api_call *call, const char *name, struct strview value)
{
	http_reply_header(call->http, name, value);
}

void api_reply_raw(struct api_call *call, int status, const char *content_type, struct strview body)
{
	double duration_ms = (double)(clock_mono_us() - call->started_us) / 1000;

	api_reply_header(call, "X-Request-Id", call->request_id);
	request_stats_note(call->api->stats, call->route, status, duration_ms);
	reply_log(call, status, duration_ms);
	http_reply(call->http, status, content_type, body);
}

void api_reply_json(struct api_call *call, int status, struct strview body)
{
	api_reply_header(call, "Cache-Control", SV_LIT("no-store"));
	api_reply_header(call, "X-Content-Type-Options", SV_LIT("nosniff"));
	api_reply_raw(call, status, status < 400 ? "application/json" : problem_type, body);
}

void api_reply_value(struct api_call *call, int status, struct json *value)
{
	struct strbuf text = STRBUF_INIT;
	json_format(value, &text);
	json_free(&value);
	api_reply_json(call, status, strbuf_view(&text));
	strbuf_deinit(&text);
}

void api_reply_empty(struct api_call *call)
{
	api_reply_raw(call, 204, NULL, SV_LIT(""));
}

static void reply_problem(struct api_call *call, enum problem problem, const char *detail,
	const struct field_errors *errors)
{
	struct strbuf text = STRBUF_INIT;
	struct problem_text parts = {
		.detail = detail,
		.instance = http_request_path(call->http),
		.request_id = call->request_id,
		.errors = errors,
	};

	if (problem == PROBLEM_UNAUTHORIZED)
		api_reply_header(
			call, "WWW-Authenticate", SV_LIT("Bearer realm=\"whatsapp-agent\""));
	problem_format(problem, &parts, &text);
	api_reply_json(call, problem_status(problem), strbuf_view(&text));
	strbuf_deinit(&text);
}

void api_reply_problem(struct api_call *call, enum problem problem, const char *fmt, ...)
{
	char detail[512];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	reply_problem(call, problem, detail, NULL);
}

void api_reply_retry(
	struct api_call *call, enum problem problem, int retry_after_s, const char *detail)
{
	char seconds[16];
	(void)snprintf(seconds, sizeof(seconds), "%d", retry_after_s);
	api_reply_header(call, "Retry-After", sv_from(seconds));
	reply_problem(call, problem, detail, NULL);
}

void api_reply_invalid(struct api_call *call, const struct field_errors *errors)
{
	const char *detail =
		errors->n == 1
			? pool_printf(call->pool, "%s %s", errors->items[0].field,
				  errors->items[0].message)
			: pool_printf(call->pool, "%d fields are wrong, see errors", errors->n);
	reply_problem(call, PROBLEM_VALIDATION, detail, errors);
}

void api_reply_invalid_field(struct api_call *call, const char *field, const char *message)
{
	struct field_errors errors;
	field_errors_init(&errors, call->pool);
	field_errors_add(&errors, field, "%s", message);
	api_reply_invalid(call, &errors);
}

void api_reply_bad_cursor(struct api_call *call, const struct field_errors *errors)
{
	reply_problem(call, PROBLEM_BAD_CURSOR,
		"Cursors come from the Link header of the page before", errors);
}

void api_reply_not_found(struct api_call *call, const char *what)
{
	api_reply_problem(call, PROBLEM_NOT_FOUND, "%s not found", what);
}

void api_reply_pg(struct api_call *call, const struct pg_result *result)
{
	if (pg_status(result) == PG_UNKNOWN && call->route->method != HTTP_GET) {
		api_reply_retry(call, PROBLEM_OUTCOME_UNKNOWN, 1,
			"The database did not answer in time; this may or may not have been done. "
			"Repeat it with the same Idempotency-Key to be told which");
	} else if (pg_is_retryable(result) || pg_status(result) == PG_UNKNOWN) {
		api_reply_retry(call, PROBLEM_DATABASE_UNAVAILABLE, 1,
			"The database cannot be reached at the moment; nothing was changed");
	} else {
		log_error("query_fail", log_text("sqlstate", pg_sqlstate(result)),
			log_err(pg_err(result)), log_sv("request_id", call->request_id));
		api_reply_problem(call, PROBLEM_INTERNAL,
			"Something went wrong on our side; it has been noted under this "
			"request_id");
	}
}

void api_format_error(void *ctx, struct http_request *http, int status, const char *detail,
	struct strview *ret_body, const char **ret_content_type)
{
	struct api *api = ctx;
	char request_id[ID_SIZE];
	struct strbuf text = STRBUF_INIT;

	id_new("req", clock_wall_ms(), request_id);
	struct problem_text parts = {
		.detail = detail, .instance = SV_NULL, .request_id = sv_from(request_id)};
	problem_format(problem_of_status(status), &parts, &text);
	http_reply_header(http, "X-Request-Id", sv_from(request_id));
	request_stats_note(api->stats, NULL, status, 0);
	*ret_body = pool_sv(http_request_pool(http), strbuf_view(&text));
	*ret_content_type = problem_type;
	strbuf_deinit(&text);
}
