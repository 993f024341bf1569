/* Is a message, which was not or cannot be written, one that was accepted before? */
#include "services/api/accept_answer.h"
#include "services/api/accept_item.h"

static void on_explained(void *ctx, const struct pg_result *result)
{
	struct accept_item *item = ctx;

	if (pg_status(result) != PG_OK) {
		/* Out of a batch: the next one finds the same, and asks again. */
		item->unknown |= item->is_resolved;
		if (item->is_resolved)
			accept_item_make_ready(item);
		else
			accept_item_unavailable(item);
		return;
	}
	struct store_explanation explanation = store_accept_explanation(result);
	if (!accept_answer_is_known(&explanation)) {
		item->otherwise(item);
		return;
	}
	accept_item_leave(item);
	accept_answer_explained(item, &explanation);
}

void accept_item_explain(struct accept_item *item, void (*otherwise)(struct accept_item *item))
{
	accept_item_set_state(item, ACCEPT_EXPLAINING);
	item->otherwise = otherwise;
	metric_add(item->accept->explained, 1);
	store_accept_explain(item->call->api->store, &item->row, on_explained, item);
}

void accept_item_unless_repeated(
	struct accept_item *item, void (*otherwise)(struct accept_item *item))
{
	if (item->unknown || item->row.once || !sv_is_null(item->row.key))
		accept_item_explain(item, otherwise);
	else
		otherwise(item);
}
