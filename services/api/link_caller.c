/* Reads signed links. */
#include "services/api/link_caller.h"

#include "common/base/clock.h"
#include "common/model/media_link.h"
#include "services/api/api_reply.h"

/* SV_NULL when absent; what cannot be decoded is no part of a link of ours, but was meant as one.
 */
static struct strview query_part(const struct api_call *call, const char *name)
{
	struct strview value;

	if (http_query_get(http_request_query(call->http), name, call->pool, &value) != 0)
		return SV_LIT("");
	return value;
}

static struct media_link link_of(const struct api_call *call)
{
	return (struct media_link){
		.sha256 = call->params[0],
		.tenant = query_part(call, "tenant"),
		.expires = query_part(call, "expires"),
		.signature = query_part(call, "signature"),
	};
}

static bool has_a_part(const struct media_link *link)
{
	return !sv_is_null(link->tenant) || !sv_is_null(link->expires) ||
	       !sv_is_null(link->signature);
}

static void reply_expired(struct api_call *call, int64_t expired_wall_ms)
{
	char at[CLOCK_RFC3339_SIZE];

	clock_format(expired_wall_ms, at);
	api_reply_problem(call, PROBLEM_LINK_EXPIRED,
		"This link expired at %s; GET /api/v1/messages/{message_id} shows a fresh one", at);
}

bool link_caller_begin(struct api_call *call)
{
	struct media_link link = link_of(call);
	struct media_link_facts facts;

	if (!has_a_part(&link))
		return false;
	switch (media_link_judge(call->api->media_links, &link, clock_wall_ms(), &facts)) {
	case MEDIA_LINK_GOOD:
		call->caller.tenant_id = facts.tenant_id;
		call->caller.permissions = call->route->permission;
		api_call_authenticated(call);
		break;
	case MEDIA_LINK_EXPIRED:
		reply_expired(call, facts.expires_wall_ms);
		break;
	case MEDIA_LINK_FORGED:
		api_reply_problem(call, PROBLEM_LINK_INVALID,
			"This link is not as it was made: its signature does not fit, or a part of "
			"it is missing");
		break;
	}
	return true;
}
