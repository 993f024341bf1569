/* An array in order, and a table over it. */
#include "services/gateway/claim_batch.h"

#include <string.h>

#include "common/base/mem.h"

void claim_batch_init(struct claim_batch *batch)
{
	memset(batch, 0, sizeof(*batch));
	batch->by_message = keyed_new();
}

void claim_batch_deinit(struct claim_batch *batch)
{
	claim_batch_clear(batch);
	keyed_free(&batch->by_message);
}

struct claim_item *claim_batch_find(
	const struct claim_batch *batch, int32_t session_id, struct strview message_id)
{
	struct keyed_node *node = keyed_find(batch->by_message, session_id, message_id);
	return node != NULL ? container_of(node, struct claim_item, node) : NULL;
}

void claim_batch_add(struct claim_batch *batch, struct claim_item *item)
{
	if (batch->n == CLAIM_BATCH_MAX ||
		claim_batch_find(batch, item->node.scope, item->node.key) != NULL) {
		claim_item_free(&item);
		return;
	}
	batch->items[batch->n++] = item;
	keyed_insert(batch->by_message, &item->node, item->node.scope, item->node.key);
}

struct claim_item *claim_batch_pop_last(struct claim_batch *batch)
{
	if (batch->n == 0)
		return NULL;
	struct claim_item *item = batch->items[--batch->n];
	keyed_remove(batch->by_message, &item->node);
	return item;
}

void claim_batch_clear(struct claim_batch *batch)
{
	struct claim_item *item;
	while ((item = claim_batch_pop_last(batch)) != NULL)
		claim_item_free(&item);
}

static void remove_at(struct claim_batch *batch, int index)
{
	struct claim_item *item = batch->items[index];
	keyed_remove(batch->by_message, &item->node);
	claim_item_free(&item);
}

void claim_batch_forget(struct claim_batch *batch, int32_t session_id, struct strview message_id)
{
	struct claim_item *item =
		batch->n > 0 ? claim_batch_find(batch, session_id, message_id) : NULL;
	if (item == NULL)
		return;
	item->is_answered = true;
	(void)claim_batch_keep_unanswered(batch);
}

int claim_batch_keep_unanswered(struct claim_batch *batch)
{
	int n = 0;
	for (int i = 0; i < batch->n; i++) {
		if (batch->items[i]->is_answered || batch->items[i]->is_dropped)
			remove_at(batch, i);
		else
			batch->items[n++] = batch->items[i];
	}
	batch->n = n;
	return n;
}

void claim_batch_drop_session(struct claim_batch *batch, int32_t session_id)
{
	for (int i = 0; i < batch->n; i++) {
		if (batch->items[i]->node.scope == session_id)
			batch->items[i]->is_dropped = true;
	}
}

bool claim_batch_has_session(const struct claim_batch *batch, int32_t session_id)
{
	for (int i = 0; i < batch->n; i++) {
		if (batch->items[i]->node.scope == session_id)
			return true;
	}
	return false;
}

struct claim_entry *claim_batch_entries(const struct claim_batch *batch)
{
	struct claim_entry *entries = mem_array((size_t)batch->n, sizeof(*entries));
	for (int i = 0; i < batch->n; i++) {
		const struct claim_item *item = batch->items[i];
		entries[i] = (struct claim_entry){
			.message_id = item->node.key,
			.attempt = item->attempt,
			.partition = item->partition,
			.partition_epoch = item->partition_epoch,
			.session_id = item->node.scope,
			.session_epoch = item->session_epoch,
		};
	}
	return entries;
}
