/* Two lists and a table. */
#include "services/gateway/claim_queue.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"

TAILQ_HEAD(claim_items, claim_item);

struct claim_queue {
	struct claim_items ordinary;
	struct claim_items suspects;
	int n_suspects;
	struct keyed *by_message;
};

static struct claim_item *item_new(
	struct strview message_id, struct strview phone, const char *entry_id)
{
	size_t id_size = strlen(entry_id) + 1;
	struct claim_item *item = mem_zalloc(sizeof(*item) + message_id.len + phone.len + id_size);
	char *at = (char *)(item + 1);
	memcpy(at, entry_id, id_size);
	item->entry_id = at;
	at += id_size;
	memcpy(at, message_id.ptr, message_id.len);
	item->node.key = sv_make(at, message_id.len);
	at += message_id.len;
	memcpy(at, phone.ptr, phone.len);
	item->phone = sv_make(at, phone.len);
	return item;
}

struct claim_item *claim_item_new(int32_t session_id, int64_t session_epoch,
	const struct dispatch_entry *entry, const char *entry_id)
{
	struct claim_item *item = item_new(entry->message_id, entry->phone, entry_id);
	item->node.scope = session_id;
	item->session_epoch = session_epoch;
	item->attempt = (int)entry->attempt;
	item->partition = (int)entry->partition;
	item->partition_epoch = entry->partition_epoch;
	item->queue_seq = entry->queue_seq;
	return item;
}

struct claim_item *claim_item_copy(const struct claim_item *item)
{
	struct claim_item *copy = item_new(item->node.key, item->phone, item->entry_id);
	copy->node.scope = item->node.scope;
	copy->session_epoch = item->session_epoch;
	copy->attempt = item->attempt;
	copy->partition = item->partition;
	copy->partition_epoch = item->partition_epoch;
	copy->queue_seq = item->queue_seq;
	return copy;
}

void claim_item_free(struct claim_item **item)
{
	mem_free(*item);
	*item = NULL;
}

struct claim_queue *claim_queue_new(void)
{
	struct claim_queue *queue = mem_new(struct claim_queue);
	TAILQ_INIT(&queue->ordinary);
	TAILQ_INIT(&queue->suspects);
	queue->by_message = keyed_new();
	return queue;
}

static struct claim_items *list_of(struct claim_queue *queue, bool suspect)
{
	return suspect ? &queue->suspects : &queue->ordinary;
}

static void queue_remove(struct claim_queue *queue, struct claim_item *item)
{
	TAILQ_REMOVE(list_of(queue, item->is_suspect), item, link);
	keyed_remove(queue->by_message, &item->node);
	queue->n_suspects -= item->is_suspect;
}

void claim_queue_free(struct claim_queue **queue)
{
	if (*queue == NULL)
		return;
	for (int suspect = 0; suspect <= 1; suspect++) {
		struct claim_item *item;
		while ((item = claim_queue_pop(*queue, suspect)) != NULL)
			claim_item_free(&item);
	}
	keyed_free(&(*queue)->by_message);
	mem_free(*queue);
	*queue = NULL;
}

static struct claim_item *find_same(const struct claim_queue *queue, const struct claim_item *item)
{
	struct keyed_node *node = keyed_find(queue->by_message, item->node.scope, item->node.key);
	return node != NULL ? container_of(node, struct claim_item, node) : NULL;
}

struct claim_item *claim_queue_push(struct claim_queue *queue, struct claim_item *item)
{
	struct claim_item *same = find_same(queue, item);
	if (same != NULL) {
		queue_remove(queue, same);
		item->is_suspect = item->is_suspect || same->is_suspect;
	}
	TAILQ_INSERT_TAIL(list_of(queue, item->is_suspect), item, link);
	keyed_insert(queue->by_message, &item->node, item->node.scope, item->node.key);
	queue->n_suspects += item->is_suspect;
	return same;
}

void claim_queue_push_front(struct claim_queue *queue, struct claim_item *item)
{
	if (find_same(queue, item) != NULL) {
		claim_item_free(&item);
		return;
	}
	TAILQ_INSERT_HEAD(list_of(queue, item->is_suspect), item, link);
	keyed_insert(queue->by_message, &item->node, item->node.scope, item->node.key);
	queue->n_suspects += item->is_suspect;
}

struct claim_item *claim_queue_pop(struct claim_queue *queue, bool suspect)
{
	struct claim_item *item = TAILQ_FIRST(list_of(queue, suspect));
	if (item != NULL)
		queue_remove(queue, item);
	return item;
}

int claim_queue_ordinary(const struct claim_queue *queue)
{
	return keyed_count(queue->by_message) - queue->n_suspects;
}

int claim_queue_suspects(const struct claim_queue *queue)
{
	return queue->n_suspects;
}

void claim_queue_drop_session(struct claim_queue *queue, int32_t session_id)
{
	for (int suspect = 0; suspect <= 1; suspect++) {
		struct claim_item *next;
		for (struct claim_item *item = TAILQ_FIRST(list_of(queue, suspect)); item != NULL;
			item = next) {
			next = TAILQ_NEXT(item, link);
			if (item->node.scope != session_id)
				continue;
			queue_remove(queue, item);
			claim_item_free(&item);
		}
	}
}
