/* GET /messages, GET /messages/{message_id}, POST /messages/{message_id}/cancel, GET
 * /conversations/{contact_id}/messages. */
#include "common/base/clock.h"
#include "common/io/marked_step.h"
#include "common/model/stream_codec.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_contacts.h"
#include "services/api/api_store_messages.h"
#include "services/api/handlers.h"
#include "services/api/held.h"
#include "services/api/list_reply.h"
#include "services/api/message_view.h"
#include "services/api/outbound_publish.h"

#define HELD_TIMEOUT_MS 500

static struct media_viewer viewer_of(const struct api_call *call)
{
	return (struct media_viewer){
		.links = call->api->media_links,
		.tenant_id = call->caller.tenant_id,
		.now_wall_ms = clock_wall_ms(),
	};
}

/* --- one message --- */

static void reply_message(
	struct api_call *call, const struct store_message *message, struct json *held)
{
	struct media_viewer viewer = viewer_of(call);
	struct json *view = message_view(message, &viewer);
	json_set(view, "held", held != NULL ? held : json_new_null());
	api_reply_value(call, 200, view);
}

static void on_held(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct api_call *call = ctx;
	const struct store_message *message = call->state;
	struct held held;

	/* Without Redis nothing is known of what holds it; the message is shown all the same. */
	if (status == REDIS_OK && held_parse(redis_reply_string(reply), &held))
		reply_message(call, message, held_view(&held));
	else
		reply_message(call, message, NULL);
}

/* What holds the head of a conversation stands in Redis. */
static void ask_held(struct api_call *call, const struct store_message *message)
{
	char *key = pool_printf(call->pool, STREAM_HELD_PREFIX "%.*s", SV_ARG(message->id));
	struct strview argv[] = {SV_LIT("GET"), sv_from(key)};
	redis_conn_command(call->api->redis, 2, argv, HELD_TIMEOUT_MS, on_held, call);
}

static void on_got(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct held held;

	if (!api_call_pg_found(call, result, "Message"))
		return;
	struct store_message *message = pool_new_in(call->pool, struct store_message);
	*message = store_message_at(result, 0, call->pool);
	call->state = message;
	if (held_of_message(message, clock_wall_ms(), &held))
		reply_message(call, message, held_view(&held));
	else if (message->status == MESSAGE_QUEUED)
		ask_held(call, message);
	else
		reply_message(call, message, NULL);
}

void handle_message_get(struct api_call *call)
{
	if (api_call_path_opaque(call, 0, "msg", "Message"))
		store_message_get(
			call->api->store, call->caller.tenant_id, call->params[0], on_got, call);
}

/* --- cancelling --- */

static void on_after_cancel(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	const bool *cancelled = call->state;

	if (!api_call_pg_found(call, result, "Message"))
		return;
	struct store_message message = store_message_at(result, 0, call->pool);
	if (*cancelled)
		reply_message(call, &message, NULL);
	else if (message.status == MESSAGE_QUEUED)
		api_reply_problem(call, PROBLEM_CONFLICT,
			"The message can no longer be cancelled: an earlier attempt may have "
			"arrived");
	else
		api_reply_problem(call, PROBLEM_CONFLICT,
			"The message can no longer be cancelled: it is %s",
			message_status_name(message.status));
}

static void tell_sender(struct api_call *call, const struct store_cancelled *cancelled)
{
	const struct outcome_entry entry = {
		.message_id = call->params[0],
		.session_id = cancelled->session_id,
		.phone = cancelled->phone,
		.queue_seq = cancelled->queue_seq,
		.kind = OUTCOME_FINAL,
	};

	if (cancelled->happened && cancelled->queue_seq != 0)
		outbound_publish_cancelled(call->api->streams, cancelled->partition, &entry);
}

static void on_cancel(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	bool *cancelled = pool_new_in(call->pool, bool);

	if (!api_call_pg_found(call, result, "Message"))
		return;
	struct store_cancelled row = store_cancelled_at(result);
	MARKED_STEP("api_cancel_committed", row.phone);
	*cancelled = row.happened;
	call->state = cancelled;
	tell_sender(call, &row);
	store_message_get(
		call->api->store, call->caller.tenant_id, call->params[0], on_after_cancel, call);
}

void handle_message_cancel(struct api_call *call)
{
	if (api_call_path_opaque(call, 0, "msg", "Message") && api_call_body_is_empty(call))
		store_message_cancel(
			call->api->store, call->caller.tenant_id, call->params[0], on_cancel, call);
}

/* --- lists --- */

struct message_list {
	struct store_message_filter filter;
	struct list_page page;
	bool oldest_first; /* within the page */
};

static void on_list(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	const struct message_list *list = call->state;

	if (!api_call_pg_ok(call, result))
		return;
	int n = pg_rows(result) < list->page.limit ? pg_rows(result) : list->page.limit;
	struct media_viewer viewer = viewer_of(call);
	struct json *views = json_new_array();
	for (int i = 0; i < n; i++) {
		int row = list->oldest_first ? n - 1 - i : i;
		struct store_message message = store_message_at(result, row, call->pool);
		json_push(views, message_view(&message, &viewer));
	}
	if (pg_rows(result) > n)
		list_link(call, pg_text(result, n - 1, 0));
	api_reply_value(call, 200, views);
}

static void run_list(struct api_call *call, struct message_list *list)
{
	call->state = list;
	list->filter.tenant_id = call->caller.tenant_id;
	list->filter.after = list->page.after;
	list->filter.limit = list->page.limit + 1;
	store_message_list(call->api->store, &list->filter, on_list, call);
}

static void read_status(struct api_call *call, struct field_errors *errors, int *ret_status)
{
	struct strview text = SV_NULL;
	enum message_status status;

	if (!query_text(http_request_query(call->http), "status", call->pool, errors, &text) ||
		sv_is_null(text))
		return;
	if (message_status_parse(text, &status) == 0)
		*ret_status = (int)status;
	else
		field_errors_add(errors, "status",
			"must be one of scheduled, queued, sending, sent, delivered, read, failed,"
			" cancelled, expired, received");
}

void handle_message_list(struct api_call *call)
{
	struct message_list *list = pool_new_in(call->pool, struct message_list);
	struct strview query = http_request_query(call->http);
	struct field_errors errors;
	int64_t contact_id = 0;

	field_errors_init(&errors, call->pool);
	list->filter.external_ref = SV_NULL;
	(void)query_text(query, "external_ref", call->pool, &errors, &list->filter.external_ref);
	(void)query_id(query, "contact_id", call->pool, &errors, &contact_id);
	read_status(call, &errors, &list->filter.status);
	if (!list_read(call, &errors, &list->page))
		return;
	if (contact_id > INT32_MAX) {
		api_reply_json(call, 200, SV_LIT("[]"));
		return;
	}
	list->filter.contact_id = (int32_t)contact_id;
	run_list(call, list);
}

static void on_contact(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (api_call_pg_found(call, result, "Contact"))
		run_list(call, call->state);
}

void handle_conversation(struct api_call *call)
{
	struct message_list *list = pool_new_in(call->pool, struct message_list);

	if (!api_call_path_id(call, 0, "Contact", &list->filter.contact_id) ||
		!list_read(call, NULL, &list->page))
		return;
	list->filter.external_ref = SV_NULL;
	list->oldest_first = true;
	call->state = list;
	store_contact_get(call->api->store, call->caller.tenant_id, list->filter.contact_id,
		on_contact, call);
}
