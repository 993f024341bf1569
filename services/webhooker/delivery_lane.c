/* Order within a contact's events towards an endpoint. */
#include "services/webhooker/delivery_lane.h"

#include "common/base/check.h"

void delivery_lane_insert(struct delivery_lane *lane, struct delivery *delivery)
{
	struct delivery *before = TAILQ_LAST(&lane->deliveries, delivery_list);

	while (before != NULL && before->sequence > delivery->sequence)
		before = TAILQ_PREV(before, delivery_list, in_lane);
	if (before == NULL)
		TAILQ_INSERT_HEAD(&lane->deliveries, delivery, in_lane);
	else
		TAILQ_INSERT_AFTER(&lane->deliveries, before, delivery, in_lane);
}

void delivery_lane_remove(struct delivery_lane *lane, struct delivery *delivery)
{
	if (delivery_lane_is_busy_with(delivery))
		lane->n_busy--;
	ASSERT(lane->n_busy >= 0);
	TAILQ_REMOVE(&lane->deliveries, delivery, in_lane);
}

bool delivery_lane_is_busy_with(const struct delivery *delivery)
{
	return delivery_is_claimed(delivery) && !delivery->is_loose && !delivery->is_settled;
}

struct delivery *delivery_lane_current(const struct delivery_lane *lane)
{
	struct delivery *delivery;

	if (lane->n_busy > 0)
		return NULL;
	TAILQ_FOREACH(delivery, &lane->deliveries, in_lane)
	{
		if (!delivery->is_loose && !delivery->is_settled)
			return delivery;
	}
	return NULL;
}

bool delivery_lane_lets_go(const struct delivery *delivery)
{
	const struct delivery *before = TAILQ_PREV(delivery, delivery_list, in_lane);

	if (delivery->is_loose)
		return true;
	while (before != NULL && (before->is_loose || before->is_settled))
		before = TAILQ_PREV(before, delivery_list, in_lane);
	return before == NULL;
}

/* Has the endpoint taken anything since before this one was first refused? */
static bool has_taken_others(const struct delivery *delivery, const struct breaker *breaker)
{
	return !breaker->is_failing || breaker->failing_since_ms > delivery->first_failed_ms;
}

void delivery_lane_hold_again(struct delivery_lane *lane, const struct delivery *delivery,
	const struct breaker *breaker, void (*fn)(void *ctx, struct delivery *held), void *ctx)
{
	struct delivery *before;

	TAILQ_FOREACH(before, &lane->deliveries, in_lane)
	{
		if (before == delivery)
			return;
		if (!before->is_loose || before->is_settled || has_taken_others(before, breaker))
			continue;
		before->is_loose = false;
		before->is_compared = true;
		if (delivery_is_claimed(before))
			lane->n_busy++;
		else
			fn(ctx, before);
	}
}

/* Is there one behind it that could be tried at once? */
static bool next_is_ready(const struct delivery *delivery, int64_t now_ms)
{
	const struct delivery *next = TAILQ_NEXT(delivery, in_lane);

	while (next != NULL && (next->is_loose || next->is_settled))
		next = TAILQ_NEXT(next, in_lane);
	return next != NULL && next->due_ms <= now_ms;
}

enum hold_end delivery_lane_end_hold(
	const struct delivery *delivery, const struct breaker *breaker, int64_t now_ms)
{
	if (has_taken_others(delivery, breaker)) {
		bool was_before = delivery->is_held_here && breaker->has_recovered &&
				  delivery->held_here_ms < breaker->recovered_ms;
		return was_before || delivery->is_old_news ? HOLD_ENDS_TRY : HOLD_ENDS_LOOSE;
	}
	/* What another process saw, or what was compared, waits for its own time. */
	if (!delivery->is_held_here || delivery->is_compared || !next_is_ready(delivery, now_ms))
		return HOLD_GOES_ON;
	return now_ms - delivery->held_here_ms <= HOLD_COMPARE_MS ? HOLD_ENDS_LOOSE : HOLD_ENDS_TRY;
}
