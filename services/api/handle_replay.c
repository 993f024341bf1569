/* POST /webhooks/{webhook_id}/replay: owing an endpoint events once more. */
#include "common/base/strbuf.h"
#include "common/model/event_type.h"
#include "common/model/id.h"
#include "common/model/partition.h"
#include "common/model/stream_codec.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_audit.h"
#include "services/api/api_store_replay.h"
#include "services/api/api_store_webhooks.h"
#include "services/api/body_reader.h"
#include "services/api/handlers.h"

#define REPLAY_MAX 10000
/* More than these find their way without an entry: the webhooker's sweep reads them. */
#define PUBLISH_MAX 1000

/* --- reading --- */

static void read_event_id(struct body_reader *reader, struct store_replay *replay)
{
	const struct body_text_rule rule = {BODY_OPTIONAL, ID_SIZE, false, true};
	struct strview text;

	if (body_text(reader, "event_id", &rule, &text) &&
		id_parse_event(text, &replay->sequence) != 0)
		body_reader_fail(reader, "event_id", "is no event's id");
}

static void read_events(struct body_reader *reader, struct store_replay *replay)
{
	const struct json *list;
	enum event_type type;

	if (!body_array(reader, "events", BODY_OPTIONAL, EVENT_TYPE_LAST, &list))
		return;
	for (size_t i = 0; i < json_array_len(list); i++) {
		const struct json *item = json_array_get(list, i);
		if (json_type(item) == JSON_STRING &&
			event_type_parse(json_string(item), &type) == 0)
			replay->event_mask |= 1 << (int)type;
		else
			body_reader_fail(reader, pool_printf(reader->pool, "events[%zu]", i),
				"is no event; see /docs for their names");
	}
}

/* The ends that a delivery can have come to; their numbers stand in Postgres. */
static void read_status(struct body_reader *reader, struct store_replay *replay)
{
	static const char *const names[] = {"delivered", "failed", "gone"};
	const struct body_text_rule rule = {BODY_OPTIONAL, 20, false, true};
	struct strview text;

	if (!body_text(reader, "status", &rule, &text))
		return;
	for (int i = 0; i < (int)array_len(names); i++) {
		if (sv_eq_cstr(text, names[i]))
			replay->status = i + 1;
	}
	if (replay->status == PG_INT_NULL)
		body_reader_fail(reader, "status", "must be one of delivered, failed, gone");
}

/* False: the call was answered. */
static bool replay_read(struct api_call *call, struct store_replay *replay)
{
	struct body_reader reader;
	struct field_errors errors;

	field_errors_init(&errors, call->pool);
	body_reader_init(&reader, call->body, "", call->pool, &errors);
	read_event_id(&reader, replay);
	(void)body_time(&reader, "from", &replay->from);
	(void)body_time(&reader, "to", &replay->to);
	read_events(&reader, replay);
	read_status(&reader, replay);
	body_reader_end(&reader);
	/* Everything there ever was is hardly what an empty body means. */
	if (errors.n == 0 && replay->sequence == PG_INT_NULL && replay->from == PG_TIME_NULL &&
		replay->to == PG_TIME_NULL && replay->event_mask == 0 &&
		replay->status == PG_INT_NULL)
		field_errors_add(&errors, "event_id", "is required, or from, to, events or status");
	if (errors.n == 0)
		return true;
	api_reply_invalid(call, &errors);
	return false;
}

/* --- doing --- */

/* The webhooker's sweep would find them too, only later. */
static void publish(struct api_call *call, const struct pg_result *result)
{
	char stream[STREAM_NAME_SIZE];
	int n = pg_rows(result) < PUBLISH_MAX ? pg_rows(result) : PUBLISH_MAX;

	for (int i = 0; i < n; i++) {
		struct strbuf payload = STRBUF_INIT;
		struct store_replayed replayed = store_replayed_at(result, i);
		int64_t webhook_id = replayed.webhook_id;
		struct event_entry entry = {
			.sequence = replayed.sequence,
			.created_at = replayed.created_at,
			.tenant_id = call->caller.tenant_id,
			.contact_id = replayed.contact_id,
			.message_id = replayed.message_id,
			.type = (enum event_type)replayed.event_type,
			.webhook_ids = {&webhook_id, 1},
		};
		stream_name_events(partition_of_contact(replayed.contact_id), stream);
		event_entry_encode(&entry, &payload);
		stream_writer_add(call->api->streams, stream, strbuf_view(&payload));
		strbuf_deinit(&payload);
	}
}

static void on_replayed(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_ok(call, result))
		return;
	if (pg_rows(result) > REPLAY_MAX) {
		api_reply_invalid_field(call, "from",
			pool_printf(call->pool,
				"more than %d events fit, nothing was replayed; take a shorter "
				"range",
				REPLAY_MAX));
		return;
	}
	publish(call, result);
	struct json *view = json_new_object();
	json_set_int(view, "replayed", pg_rows(result));
	api_reply_value(call, 202, view);
}

static void on_webhook(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct store_tx tx;

	if (!api_call_pg_found(call, result, "Webhook"))
		return;
	struct store_webhook webhook = store_webhook_at(result, 0, call->pool);
	if (webhook.disabled_at != PG_TIME_NULL) { /* what it is owed is closed at once */
		api_reply_problem(call, PROBLEM_CONFLICT,
			"The endpoint is disabled; PATCH it with active: true first");
		return;
	}
	store_tx_init(&tx, call->pool);
	store_audit_add(&tx, call, "webhook.replay", call->caller.tenant_id,
		pool_sv_cstr(call->pool, call->params[0]));
	store_replay_add(&tx, call->state);
	store_run_all(call->api->store, &tx, on_replayed, call);
}

void handle_webhook_replay(struct api_call *call)
{
	struct store_replay *replay = pool_new_in(call->pool, struct store_replay);

	if (!api_call_path_opaque(call, 0, "wh", "Webhook"))
		return;
	*replay = (struct store_replay){
		.tenant_id = call->caller.tenant_id,
		.webhook_id = call->params[0],
		.sequence = PG_INT_NULL,
		.from = PG_TIME_NULL,
		.to = PG_TIME_NULL,
		.status = PG_INT_NULL,
		.max = REPLAY_MAX,
	};
	if (!replay_read(call, replay))
		return;
	call->state = replay;
	store_webhook_get(
		call->api->store, call->caller.tenant_id, call->params[0], on_webhook, call);
}
