/* Answers. The only writer of HTTP answers and of problem documents; each function ends its call,
 * which is gone afterwards. */
#ifndef WA_API_API_REPLY_H
#define WA_API_API_REPLY_H

#include "common/base/json.h"
#include "common/base/strview.h"
#include "services/api/api_call.h"
#include "services/api/problem.h"

/* Before one of the others. */
void api_reply_header(struct api_call *call, const char *name, struct strview value);

void api_reply_raw(
	struct api_call *call, int status, const char *content_type, struct strview body);
void api_reply_json(struct api_call *call, int status, struct strview body);
void api_reply_value(struct api_call *call, int status, struct json *value); /* steals value */
void api_reply_empty(struct api_call *call);                                 /* 204 */

void api_reply_problem(struct api_call *call, enum problem problem, const char *fmt, ...)
	PRINTF_AT(3, 4);
/* The same with a Retry-After in seconds. */
void api_reply_retry(
	struct api_call *call, enum problem problem, int retry_after_s, const char *detail);
/* 422 with all the errors. */
void api_reply_invalid(struct api_call *call, const struct field_errors *errors);
/* 422 with one error. */
void api_reply_invalid_field(struct api_call *call, const char *field, const char *message);
/* 400: a cursor that we did not make for this list. */
void api_reply_bad_cursor(struct api_call *call, const struct field_errors *errors);
/* 404 «<what> not found», e.g. "Contact". */
void api_reply_not_found(struct api_call *call, const char *what);
/* What a failed query means to the caller: 503, or 500. */
void api_reply_pg(struct api_call *call, const struct pg_result *result);

/* The body of an answer that the HTTP server itself must give; see struct http_server_options. */
void api_format_error(void *ctx, struct http_request *http, int status, const char *detail,
	struct strview *ret_body, const char **ret_content_type);

#endif
