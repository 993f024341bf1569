/* /set-aside: what could not be done without killing its worker, or not be understood; the operator
 * looks at it and puts it back. */
#include "common/model/stream_codec.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_audit.h"
#include "services/api/api_store_set_aside.h"
#include "services/api/handlers.h"
#include "services/api/list_reply.h"

static struct json *set_aside_view(const struct store_set_aside *work)
{
	struct json *view = json_new_object();
	json_set_sv(view, "id", work->id);
	json_set_sv(view, "kind", work->kind);
	json_set_sv(view, "stream", work->stream);
	json_set_sv(view, "message_id", work->message_id);
	json_set(view, "tenant_id",
		work->tenant_id == 0 ? json_new_null() : json_new_int(work->tenant_id));
	json_set_sv(view, "reason", work->reason);
	json_set_time(view, "created_at", work->created_at);
	json_set_time(view, "retried_at", work->retried_at);
	return view;
}

static struct json *list_item(
	struct api_call *call, const struct pg_result *result, int row, struct strview *ret_position)
{
	struct store_set_aside work = store_set_aside_at(result, row, call->pool);

	*ret_position = work.id;
	return set_aside_view(&work);
}

static void on_list(void *ctx, const struct pg_result *result)
{
	list_answer(ctx, result, list_item);
}

void handle_set_aside_list(struct api_call *call)
{
	const struct list_page *page = list_begin(call, NULL);

	if (page == NULL)
		return;
	store_set_aside_list(call->api->store, page->after, page->limit + 1, on_list, call);
}

static void on_again(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_ok(call, result))
		return;
	struct store_set_aside work = store_set_aside_at(result, 0, call->pool);
	api_reply_value(call, 202, set_aside_view(&work));
}

static void on_put_back(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	const struct store_set_aside *work = call->state;

	if (!api_call_pg_ok(call, result))
		return;
	/* Entries are copies; a message's heads are found in Postgres by its partition's owner. */
	if (!sv_is_null(work->stream) && !sv_is_null(work->payload))
		stream_writer_add(
			call->api->streams, pool_sv_cstr(call->pool, work->stream), work->payload);
	store_set_aside_get(call->api->store, work->id, on_again, call);
}

/* The entry that is kept with it names it. */
static void reopen_delivery(
	struct api_call *call, struct store_tx *tx, const struct store_set_aside *work)
{
	struct event_entry entry;
	struct err err;

	if (event_entry_decode(work->payload, call->pool, &entry, &err) < 0 ||
		entry.webhook_ids.n != 1)
		return; /* it tells of nothing that could be owed */
	store_delivery_reopen(
		tx, (int32_t)entry.webhook_ids.items[0], entry.sequence, entry.created_at);
}

static void on_found(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct store_set_aside *work = pool_new_in(call->pool, struct store_set_aside);
	struct store_tx tx;

	if (!api_call_pg_found(call, result, "Set-aside work"))
		return;
	*work = store_set_aside_at(result, 0, call->pool);
	call->state = work;
	if (work->retried_at != PG_TIME_NULL) {
		api_reply_problem(call, PROBLEM_CONFLICT, "This was put back before");
		return;
	}
	store_tx_init(&tx, call->pool);
	if (sv_eq_cstr(work->kind, "message") && !sv_is_null(work->message_id))
		store_message_reopen(&tx, work->message_id);
	else if (sv_eq_cstr(work->kind, "delivery"))
		reopen_delivery(call, &tx, work);
	store_set_aside_retried(&tx, work->id);
	store_audit_add(&tx, call, "set_aside.retry", (int32_t)work->tenant_id,
		pool_sv_cstr(call->pool, work->id));
	store_run_all(call->api->store, &tx, on_put_back, call);
}

void handle_set_aside_retry(struct api_call *call)
{
	if (api_call_path_opaque(call, 0, "sa", "Set-aside work") && api_call_body_is_empty(call))
		store_set_aside_get(call->api->store, call->params[0], on_found, call);
}
