/*
 * Problem documents (RFC 9457). Every kind has a stable `type`, "/docs/errors#<code>", explained in
 * docs/errors.md. Pure.
 */
#ifndef WA_API_PROBLEM_H
#define WA_API_PROBLEM_H

#include "common/base/strbuf.h"
#include "common/base/strview.h"
#include "services/api/field_errors.h"

/* PROBLEM(name, code, status, title) */
#define PROBLEM_KINDS(PROBLEM)                                                                     \
	PROBLEM(MALFORMED, "malformed", 400, "Malformed request")                                  \
	PROBLEM(BAD_CURSOR, "bad_cursor", 400, "Bad cursor")                                       \
	PROBLEM(UNAUTHORIZED, "unauthorized", 401, "Not authenticated")                            \
	PROBLEM(FORBIDDEN, "forbidden", 403, "Permission missing")                                 \
	PROBLEM(LINK_INVALID, "link_invalid", 403, "Link not valid")                               \
	PROBLEM(NOT_FOUND, "not_found", 404, "Not found")                                          \
	PROBLEM(METHOD_NOT_ALLOWED, "method_not_allowed", 405, "Method not allowed")               \
	PROBLEM(REQUEST_TIMEOUT, "request_timeout", 408, "Request too slow")                       \
	PROBLEM(CONFLICT, "conflict", 409, "Conflict with the present state")                      \
	PROBLEM(IDEMPOTENCY_IN_FLIGHT, "idempotency_in_flight", 409, "First request not finished") \
	PROBLEM(LINK_EXPIRED, "link_expired", 410, "Link expired")                                 \
	PROBLEM(TOO_LARGE, "too_large", 413, "Request too large")                                  \
	PROBLEM(URI_TOO_LONG, "uri_too_long", 414, "URI too long")                                 \
	PROBLEM(UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", 415, "Unsupported media type")   \
	PROBLEM(VALIDATION, "validation", 422, "Invalid fields")                                   \
	PROBLEM(IDEMPOTENCY_MISMATCH, "idempotency_mismatch", 422, "Idempotency key reused")       \
	PROBLEM(BACKLOG_FULL, "backlog_full", 429, "Too many messages waiting")                    \
	PROBLEM(HEADERS_TOO_LARGE, "headers_too_large", 431, "Headers too large")                  \
	PROBLEM(INTERNAL, "internal", 500, "Internal error")                                       \
	PROBLEM(NOT_IMPLEMENTED, "not_implemented", 501, "Not implemented")                        \
	PROBLEM(OVERLOADED, "overloaded", 503, "Overloaded")                                       \
	PROBLEM(DATABASE_UNAVAILABLE, "database_unavailable", 503, "Database unavailable")         \
	PROBLEM(MEDIA_UNAVAILABLE, "media_unavailable", 503, "Media store unavailable")            \
	PROBLEM(OUTCOME_UNKNOWN, "outcome_unknown", 503, "Outcome unknown")                        \
	PROBLEM(HTTP_VERSION, "http_version", 505, "HTTP version not supported")

#define PROBLEM_ENUM(name, code, status, title) PROBLEM_##name,
enum problem { PROBLEM_KINDS(PROBLEM_ENUM) PROBLEM_COUNT };

const char *problem_code(enum problem problem);
int problem_status(enum problem problem);
const char *problem_title(enum problem problem);
/* The kind that stands for a status which the HTTP server itself gives. */
enum problem problem_of_status(int status);

struct problem_text {
	const char *detail;      /* a sentence for a person */
	struct strview instance; /* the request's path; SV_NULL: left out */
	struct strview request_id;
	const struct field_errors *errors; /* NULL or empty: left out */
};

/* Append the JSON document. */
void problem_format(enum problem problem, const struct problem_text *text, struct strbuf *out);

#endif
