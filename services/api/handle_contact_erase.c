/* DELETE /contacts/{contact_id}: erasure. */
#include "services/api/api_reply.h"
#include "services/api/api_store_audit.h"
#include "services/api/api_store_erasure.h"
#include "services/api/handlers.h"
#include "services/api/wind_down.h"

#define WAIT_MS 4000

/* Before that the contact itself is gone already; what is left are messages, a thousand at a time,
 * and those in flight. */
static void on_wound_down(void *ctx, bool finished)
{
	struct api_call *call = ctx;
	if (finished)
		api_reply_empty(call);
	else
		api_reply_json(call, 202, SV_LIT("{\"status\":\"erasing\"}"));
}

static void go_on(struct api_call *call)
{
	const int32_t *contact_id = call->state;
	wind_down_run(
		call->api->wind_down, WIND_DOWN_CONTACT, *contact_id, WAIT_MS, on_wound_down, call);
}

static void on_begun(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	if (api_call_pg_ok(call, result))
		go_on(call);
}

static void begin(struct api_call *call)
{
	const int32_t *contact_id = call->state;
	struct store_tx tx;

	store_tx_init(&tx, call->pool);
	store_erasure_begin(&tx, call->caller.tenant_id, *contact_id);
	store_audit_add(&tx, call, "contact.erase", call->caller.tenant_id,
		pool_printf(call->pool, "%d", *contact_id));
	store_run_all(call->api->store, &tx, on_begun, call);
}

static void on_found(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_found(call, result, "Contact"))
		return;
	struct store_erasure erasure = store_erasure_at(result);
	if (!erasure.is_begun)
		begin(call);
	else if (erasure.is_going_on)
		go_on(call);
	else
		api_reply_empty(call);
}

void handle_contact_erase(struct api_call *call)
{
	int32_t *contact_id = pool_new_in(call->pool, int32_t);

	if (!api_call_path_id(call, 0, "Contact", contact_id))
		return;
	call->state = contact_id;
	store_erasure_find(call->api->store, call->caller.tenant_id, *contact_id, on_found, call);
}
