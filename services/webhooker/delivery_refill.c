/* Where memory ends and Postgres begins: forgetting, and reading on. */
#include "common/base/attr.h"
#include "common/base/check.h"
#include "services/webhooker/delivery_queue_internal.h"

void queue_want_refill(struct delivery_queue *queue, struct delivery_shard *shard)
{
	if (!delivery_shard_should_refill(shard, queue_has_room(queue)))
		return;
	shard->wants_refill = true;
	TAILQ_INSERT_TAIL(&queue->refills, shard, in_refills);
}

void queue_evict(
	struct delivery_queue *queue, struct delivery_shard *shard, int64_t beyond, int64_t now_ms)
{
	struct delivery *delivery, *next;

	delivery_shard_lower(shard, beyond);
	for (delivery = TAILQ_FIRST(&shard->deliveries); delivery != NULL; delivery = next) {
		next = TAILQ_NEXT(delivery, in_shard);
		if (delivery->sequence > beyond && delivery->state != DELIVERY_SENDING &&
			delivery->state != DELIVERY_RECORDING)
			delivery_queue_remove(queue, delivery, now_ms);
	}
	queue_want_refill(queue, shard);
}

static struct delivery_shard *shard_find(
	const struct delivery_queue *queue, int32_t webhook_id, int partition)
{
	struct outlet *outlet = queue_outlet_find(queue, webhook_id);

	return outlet == NULL ? NULL : outlet->shards[partition];
}

void delivery_queue_resync(struct delivery_queue *queue, int32_t webhook_id, int partition,
	int64_t from_sequence, int64_t now_ms)
{
	struct delivery_shard *shard = shard_find(queue, webhook_id, partition);

	if (shard != NULL)
		queue_evict(queue, shard, from_sequence - 1, now_ms);
}

bool delivery_queue_next_refill(struct delivery_queue *queue, struct delivery_refill *ret_refill)
{
	struct delivery_shard *shard;

	while ((shard = TAILQ_FIRST(&queue->refills)) != NULL) {
		TAILQ_REMOVE(&queue->refills, shard, in_refills);
		shard->wants_refill = false;
		if (!delivery_shard_should_refill(shard, queue_has_room(queue)))
			continue;
		delivery_shard_begin_refill(shard, ++queue->last_refill);
		*ret_refill = (struct delivery_refill){
			.webhook_id = shard->webhook_id,
			.partition = shard->partition,
			.after = shard->mark,
			.number = queue->last_refill,
		};
		return true;
	}
	return false;
}

void delivery_queue_refill(struct delivery_queue *queue, const struct delivery_refill *refill,
	const struct delivery_facts *rows, int n_rows, bool is_last, int64_t now_ms)
{
	struct delivery_shard *shard = shard_find(queue, refill->webhook_id, refill->partition);
	int64_t last = refill->after;
	int i = 0;

	if (shard == NULL)
		return;
	if (!delivery_shard_accepts_page(shard, refill->number)) {
		queue_want_refill(queue, shard);
		return;
	}
	for (; i < n_rows && !delivery_shard_is_full(shard, queue_has_room(queue)); i++) {
		ASSERT(rows[i].sequence > last && rows[i].webhook_id == refill->webhook_id &&
			rows[i].partition == refill->partition);
		last = rows[i].sequence;
		if (queue_find(queue, rows[i].webhook_id, rows[i].sequence) == NULL)
			queue_insert(queue, &rows[i], now_ms);
	}
	delivery_shard_end_refill(shard, last, is_last && i == n_rows);
	queue_want_refill(queue, shard);
}
