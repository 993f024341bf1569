/* The bound of memory. */
#include "services/webhooker/delivery_shard.h"

#include "common/base/check.h"

bool delivery_shard_is_full(const struct delivery_shard *shard, bool has_room)
{
	return shard->n_deliveries >= (has_room ? DELIVERY_SHARD_MAX : DELIVERY_SHARD_MIN);
}

static void leave_beyond(struct delivery_shard *shard, int64_t mark)
{
	if (!shard->has_more || mark < shard->mark)
		shard->mark = mark;
	shard->has_more = true;
	shard->missed_some = true;
}

enum shard_answer delivery_shard_ask(struct delivery_shard *shard, int64_t sequence, bool has_room)
{
	if (shard->has_more && sequence > shard->mark) {
		shard->missed_some = true;
		return SHARD_LEAVES;
	}
	if (delivery_shard_is_full(shard, has_room) && sequence > shard->top) {
		leave_beyond(shard, shard->top);
		return SHARD_LEAVES;
	}
	return shard->n_deliveries >= DELIVERY_SHARD_HARD ? SHARD_LOWERS : SHARD_TAKES;
}

void delivery_shard_insert(struct delivery_shard *shard, struct delivery *delivery)
{
	TAILQ_INSERT_TAIL(&shard->deliveries, delivery, in_shard);
	shard->n_deliveries++;
	if (delivery->sequence > shard->top)
		shard->top = delivery->sequence;
}

void delivery_shard_remove(struct delivery_shard *shard, struct delivery *delivery)
{
	TAILQ_REMOVE(&shard->deliveries, delivery, in_shard);
	shard->n_deliveries--;
	ASSERT(shard->n_deliveries >= 0);
}

void delivery_shard_lower(struct delivery_shard *shard, int64_t mark)
{
	leave_beyond(shard, mark);
}

bool delivery_shard_keeps(const struct delivery_shard *shard, int64_t sequence)
{
	return !shard->has_more || sequence <= shard->mark;
}

bool delivery_shard_should_refill(const struct delivery_shard *shard, bool has_room)
{
	int max = has_room ? DELIVERY_SHARD_MAX : DELIVERY_SHARD_MIN;

	return shard->has_more && !shard->is_refilling && !shard->wants_refill &&
	       shard->n_deliveries <= max / 2;
}

void delivery_shard_begin_refill(struct delivery_shard *shard, uint64_t refill)
{
	ASSERT(!shard->is_refilling);
	shard->is_refilling = true;
	shard->refill = refill;
	shard->refill_after = shard->mark;
	shard->missed_some = false;
}

bool delivery_shard_accepts_page(struct delivery_shard *shard, uint64_t refill)
{
	if (!shard->is_refilling || shard->refill != refill)
		return false;
	if (shard->mark != shard->refill_after)
		shard->is_refilling = false;
	return shard->is_refilling;
}

void delivery_shard_end_refill(struct delivery_shard *shard, int64_t last_sequence, bool is_last)
{
	ASSERT(shard->is_refilling);
	shard->is_refilling = false;
	if (last_sequence > shard->mark)
		shard->mark = last_sequence;
	if (shard->top < shard->mark)
		shard->top = shard->mark;
	if (is_last && !shard->missed_some)
		shard->has_more = false;
}
