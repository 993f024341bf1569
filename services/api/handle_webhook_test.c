/* POST /webhooks/{webhook_id}/test: an event that one endpoint alone is owed. */
#include "common/base/strbuf.h"
#include "common/model/event_type.h"
#include "common/model/id.h"
#include "common/model/partition.h"
#include "common/model/stream_codec.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_webhooks.h"
#include "services/api/handlers.h"
#include "services/api/idempotency.h"

/* The webhooker's sweep would find it too, only later. */
static void publish_test(struct api_call *call, const struct pg_result *result)
{
	char stream[STREAM_NAME_SIZE];
	struct strbuf payload = STRBUF_INIT;
	int64_t webhook_id = pg_int(result, 0, 1);
	const int64_t *sequence = call->state;
	struct event_entry entry = {
		.sequence = *sequence,
		.created_at = pg_time(result, 0, 0),
		.tenant_id = call->caller.tenant_id,
		.message_id = SV_LIT(""),
		.type = EVENT_TEST,
		.webhook_ids = {&webhook_id, 1},
	};

	stream_name_events(partition_of_contact(0), stream);
	event_entry_encode(&entry, &payload);
	stream_writer_add(call->api->streams, stream, strbuf_view(&payload));
	strbuf_deinit(&payload);
}

static struct json *test_view(int64_t sequence)
{
	struct json *view = json_new_object();
	char id[ID_SIZE];

	id_of_event(sequence, id);
	json_set_cstr(view, "event_id", id);
	return view;
}

static void on_tested(struct api_call *call, const struct pg_result *result)
{
	const int64_t *sequence = call->state;

	if (!api_call_pg_ok(call, result))
		return;
	if (pg_rows(result) == 0) { /* deleted a moment ago */
		api_reply_not_found(call, "Webhook");
		return;
	}
	publish_test(call, result);
	api_reply_value(call, 202, test_view(*sequence));
}

static void on_test_sequence(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	int64_t *sequence = pool_new_in(call->pool, int64_t);
	struct strbuf text = STRBUF_INIT;
	struct store_tx tx;

	if (!api_call_pg_ok(call, result))
		return;
	*sequence = pg_int(result, 0, 0);
	call->state = sequence;
	store_tx_init(&tx, call->pool);
	store_webhook_test(&tx, call->caller.tenant_id, call->params[0], *sequence);
	struct json *view = test_view(*sequence);
	json_format(view, &text);
	json_free(&view);
	struct idempotent_answer answer = {.status = 202, .body = strbuf_view(&text)};
	idempotency_commit(call, &tx, &answer, on_tested);
	strbuf_deinit(&text);
}

static void on_to_test(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_found(call, result, "Webhook"))
		return;
	struct store_webhook webhook = store_webhook_at(result, 0, call->pool);
	if (webhook.disabled_at != PG_TIME_NULL) /* what it is owed is closed at once */
		api_reply_problem(call, PROBLEM_CONFLICT,
			"The endpoint is disabled; PATCH it with active: true first");
	else
		store_event_sequence(call->api->store, on_test_sequence, call);
}

static void webhook_test(struct api_call *call)
{
	if (api_call_path_opaque(call, 0, "wh", "Webhook"))
		store_webhook_get(call->api->store, call->caller.tenant_id, call->params[0],
			on_to_test, call);
}

void handle_webhook_test(struct api_call *call)
{
	if (api_call_body_is_empty(call))
		idempotency_look_up(call, webhook_test);
}
