/* SQL of the audit log. */
#include "services/api/api_store_audit.h"

static const struct pg_stmt audit_insert = {"api_audit_insert",
	"INSERT INTO audit (actor, action, tenant_id, target, request_id, peer)"
	" VALUES ($1::text, $2::text, nullif($3::int4, 0), $4::text, $5::text, $6::text)"};

void store_audit_add(struct store_tx *tx, const struct api_call *call, const char *action,
	int32_t tenant_id, const char *target)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_text(params, sv_from(api_call_actor(call)));
	pg_param_text(params, sv_from(action));
	pg_param_int4(params, tenant_id);
	pg_param_text(params, sv_from(target));
	pg_param_text(params, call->request_id);
	pg_param_text(params, sv_from(http_request_peer(call->http)));
	store_tx_add(tx, &audit_insert, params);
}
