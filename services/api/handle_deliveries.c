/* GET /webhooks/{webhook_id}/deliveries: what the endpoint was owed, with each attempt. */
#include <inttypes.h>

#include "common/model/event_type.h"
#include "common/model/id.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_webhooks.h"
#include "services/api/handlers.h"
#include "services/api/list_reply.h"

struct delivery_list {
	struct list_page page;
	int n; /* at most LIST_MAX_LIMIT, what is shown */
	struct store_delivery rows[LIST_MAX_LIMIT];
};

static const char *status_name(int status)
{
	static const char *const names[] = {"pending", "delivered", "failed", "gone"};
	return status >= 0 && (size_t)status < array_len(names) ? names[status] : "unknown";
}

static void set_int_or_null(struct json *object, const char *name, int64_t number)
{
	json_set(object, name, number == PG_INT_NULL ? json_new_null() : json_new_int(number));
}

static struct json *attempt_view(
	int64_t at, int64_t http_status, struct strview error, int64_t duration_ms)
{
	struct json *view = json_new_object();
	json_set_time(view, "at", at);
	set_int_or_null(view, "http_status", http_status);
	json_set_sv(view, "error", error);
	set_int_or_null(view, "duration_ms", duration_ms);
	return view;
}

/* Failed attempts have rows of their own; the one that succeeded stands in its delivery's. */
static struct json *attempts_view(struct api_call *call, const struct store_delivery *delivery,
	const struct pg_result *result)
{
	struct json *list = json_new_array();
	for (int i = 0; i < pg_rows(result); i++) {
		struct store_delivery_attempt attempt =
			store_delivery_attempt_at(result, i, call->pool);
		if (attempt.sequence == delivery->sequence)
			json_push(list, attempt_view(attempt.at, attempt.http_status, attempt.error,
						attempt.duration_ms));
	}
	if (delivery->status == 1)
		json_push(list, attempt_view(delivery->last_attempt_at, delivery->http_status,
					SV_NULL, delivery->duration_ms));
	return list;
}

static struct json *delivery_view(struct api_call *call, const struct store_delivery *delivery,
	const struct pg_result *result)
{
	struct json *view = json_new_object();
	char event_id[ID_SIZE];

	id_of_event(delivery->sequence, event_id);
	json_set_cstr(view, "delivery_id",
		pool_printf(call->pool, "dlv_%016" PRIx64 "%08x", (uint64_t)delivery->sequence,
			(unsigned)delivery->webhook_id));
	json_set_cstr(view, "event_id", event_id);
	json_set_cstr(view, "event", event_type_name((enum event_type)delivery->event_type));
	json_set_cstr(view, "status", status_name(delivery->status));
	json_set(view, "attempts", attempts_view(call, delivery, result));
	set_int_or_null(view, "http_status", delivery->http_status);
	json_set_sv(view, "error", delivery->error);
	json_set_time(view, "next_attempt_at", delivery->next_attempt_at);
	json_set_time(view, "created_at", delivery->created_at);
	return view;
}

static void on_attempts(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	const struct delivery_list *list = call->state;

	if (!api_call_pg_ok(call, result))
		return;
	struct json *views = json_new_array();
	for (int i = 0; i < list->n; i++)
		json_push(views, delivery_view(call, &list->rows[i], result));
	api_reply_value(call, 200, views);
}

static void on_deliveries(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct delivery_list *list = call->state;
	int64_t sequences[LIST_MAX_LIMIT];

	if (!api_call_pg_ok(call, result))
		return;
	for (int i = 0; i < pg_rows(result) && i < list->page.limit; i++) {
		list->rows[i] = store_delivery_at(result, i, call->pool);
		sequences[i] = list->rows[i].sequence;
		list->n++;
	}
	if (list->n == 0) {
		api_reply_json(call, 200, SV_LIT("[]"));
		return;
	}
	if (pg_rows(result) > list->n)
		list_link_id(call, sequences[list->n - 1]);
	store_delivery_attempts(
		call->api->store, list->rows[0].webhook_id, sequences, list->n, on_attempts, call);
}

static void on_webhook(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	const struct delivery_list *list = call->state;

	if (api_call_pg_found(call, result, "Webhook"))
		store_delivery_list(call->api->store, call->caller.tenant_id, call->params[0],
			list_position_id(&list->page), list->page.limit + 1, on_deliveries, call);
}

void handle_delivery_list(struct api_call *call)
{
	struct delivery_list *list = pool_new_in(call->pool, struct delivery_list);

	if (!api_call_path_opaque(call, 0, "wh", "Webhook") || !list_read(call, NULL, &list->page))
		return;
	call->state = list;
	store_webhook_get(
		call->api->store, call->caller.tenant_id, call->params[0], on_webhook, call);
}
