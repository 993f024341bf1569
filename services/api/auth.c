/* Reads credentials and finds out whose they are. */
#include "services/api/auth.h"

#include "common/base/clock.h"
#include "services/api/api_key.h"
#include "services/api/api_reply.h"
#include "services/api/key_cache.h"
#include "services/api/key_use.h"
#include "services/api/link_caller.h"
#include "services/api/local_caller.h"

static const char key_not_found[] = "API key not found";

/* What stands after "Bearer "; SV_NULL without one. */
static struct strview bearer_token(const struct api_call *call)
{
	struct strview header = http_request_header(call->http, "Authorization");
	struct strview scheme;

	if (sv_is_null(header) || !sv_split(&header, ' ', &scheme) ||
		!sv_ieq_cstr(scheme, "Bearer") || sv_is_null(header))
		return SV_NULL;
	return sv_trim(header);
}

static bool has_header(const struct api_call *call, const char *name)
{
	return !sv_is_null(http_request_header(call->http, name));
}

static bool is_local_operator(const struct api_call *call)
{
	static const char *const foreign[] = {"Origin", "Forwarded", "Via", "X-Real-IP",
		"X-Client-IP", "X-Original-For", "X-Original-Host", "X-Original-URL",
		"True-Client-IP", "CF-Connecting-IP"};
	struct local_caller caller = {
		.development = call->api->development,
		.peer_is_loopback = http_request_peer_is_loopback(call->http),
		.is_http10 = http_request_is_http10(call->http),
		.has_foreign_header = http_request_has_header_like(call->http, "X-Forwarded"),
		.host = http_request_header(call->http, "Host"),
		.content_type = http_request_header(call->http, "Content-Type"),
	};

	for (size_t i = 0; i < array_len(foreign); i++)
		caller.has_foreign_header |= has_header(call, foreign[i]);
	return local_caller_is_trusted(&caller);
}

static bool is_admin_token(const struct api_call *call, struct strview token)
{
	uint8_t given[SHA256_SIZE], wanted[SHA256_SIZE];

	if (call->api->admin_token.len == 0 || sv_is_null(token))
		return false;
	/* Hashes, so that not even the length is told by the time that it takes. */
	sha256(token, given);
	sha256(call->api->admin_token, wanted);
	return bytes_equal_const_time(given, wanted, SHA256_SIZE);
}

static void auth_operator(struct api_call *call)
{
	/* Who sends credentials is taken at their word: wrong ones are no reason to do without. */
	bool has_credentials = has_header(call, "Authorization") || has_header(call, "X-API-Key");
	bool is_operator = has_credentials ? is_admin_token(call, bearer_token(call))
					   : is_local_operator(call);

	if (!is_operator) {
		api_reply_problem(call, PROBLEM_UNAUTHORIZED,
			"This call is the operator's: Authorization: Bearer with the admin token");
		return;
	}
	call->caller.is_operator = true;
	api_call_authenticated(call);
}

static void on_key(struct api_call *call, enum key_lookup lookup)
{
	switch (lookup) {
	case KEY_GOOD:
		key_use_note(call->api->key_use, call->caller.key_id);
		api_call_authenticated(call);
		return;
	case KEY_UNKNOWN:
		api_reply_problem(call, PROBLEM_UNAUTHORIZED, "%s", key_not_found);
		return;
	case KEY_UNAVAILABLE:
		api_reply_retry(call, PROBLEM_DATABASE_UNAVAILABLE, 1,
			"The database cannot be reached at the moment; nothing was changed");
		return;
	}
}

static void auth_tenant(struct api_call *call)
{
	struct strview key = http_request_header(call->http, "X-API-Key");
	uint8_t hash[SHA256_SIZE];

	if (sv_is_null(key))
		key = bearer_token(call);
	if (sv_is_null(key) || !api_key_is(key)) {
		api_reply_problem(call, PROBLEM_UNAUTHORIZED, "%s", key_not_found);
		return;
	}
	api_key_hash(key, hash);
	key_cache_look_up(call->api->keys, hash, call, on_key);
}

void auth_begin(struct api_call *call)
{
	switch (call->route->auth) {
	case ROUTE_OPEN:
		api_call_authenticated(call);
		return;
	case ROUTE_TENANT:
		auth_tenant(call);
		return;
	case ROUTE_OPERATOR:
		auth_operator(call);
		return;
	case ROUTE_LINK:
		if (!link_caller_begin(call))
			auth_tenant(call);
		return;
	}
}
