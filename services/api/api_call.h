/*
 * One request on its way to its answer: matched, authenticated, its body parsed, then handed to its
 * route's handler, which ends it with one of the functions of api_reply.h. It lies in its request's
 * pool and is gone with the answer.
 */
#ifndef WA_API_API_CALL_H
#define WA_API_API_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/json.h"
#include "common/base/pool.h"
#include "common/io/http_server.h"
#include "common/io/pg_query.h"
#include "services/api/api.h"
#include "services/api/field_errors.h"
#include "services/api/route_match.h"

#define CALLER_MAX_SESSIONS 8
#define CALLER_KEY_ID_SIZE  40

/* Who calls: the operator, or a tenant by one of its keys. */
struct caller {
	bool is_operator;
	int32_t tenant_id;               /* 0 for the operator */
	char key_id[CALLER_KEY_ID_SIZE]; /* "" for the operator */
	int permissions;                 /* expanded */
	bool sandbox;
	int64_t backlog_cap; /* -1: the deployment's */
	/* Sessions that the tenant may send through, as of a few seconds ago; the first is what it
	   uses when it names none. There may be more than these. */
	int n_sessions;
	int32_t sessions[CALLER_MAX_SESSIONS];
};

/* An Idempotency-Key and what it was used with. */
struct idempotency {
	struct strview key; /* SV_NULL: none was given */
	uint8_t fingerprint[SHA256_SIZE];
};

struct api_call {
	struct api *api;
	struct http_request *http;
	struct pool *pool;         /* the request's */
	const struct route *route; /* NULL when nothing fitted */
	struct strview params[ROUTE_MAX_PARAMS];
	struct strview request_id;
	struct caller caller;
	struct json *body; /* an object; NULL when the route takes none */
	struct idempotency idempotency;
	int64_t started_us;
	struct api_call *next; /* in a list of calls that wait for the same thing */
	void *state;           /* the handler's */
};

/* The http_request_fn of the server; ctx is the struct api. */
void api_call_begin(void *ctx, struct http_request *http);
/* What auth.h does when it knows who calls. */
void api_call_authenticated(struct api_call *call);

/* Did the query succeed? When not, the call has been answered (503 or 500) and is gone. */
bool api_call_pg_ok(struct api_call *call, const struct pg_result *result) MUST_CHECK;
/* And did it find anything? When not, the call has been answered (404) and is gone. `what` as in
 * api_reply_not_found(). */
bool api_call_pg_found(
	struct api_call *call, const struct pg_result *result, const char *what) MUST_CHECK;
/* The path parameter as an id below 2^31. False: it has been answered with 404 and is gone. `what`
 * as in api_reply_not_found(). */
bool api_call_path_id(
	struct api_call *call, int param, const char *what, int32_t *ret_id) MUST_CHECK;
/* The path parameter as an opaque id of this prefix; the same. */
bool api_call_path_opaque(
	struct api_call *call, int param, const char *prefix, const char *what) MUST_CHECK;
/* For calls that take no fields. False: the body has some; it has been answered and is gone. */
bool api_call_body_is_empty(struct api_call *call) MUST_CHECK;
/* "operator" or the key's id, for the audit log. */
const char *api_call_actor(const struct api_call *call);

#endif
