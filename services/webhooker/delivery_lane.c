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
	TAILQ_FOREACH(delivery, &lane->deliveries, in_lane) {
		if (!delivery->is_loose && !delivery->is_settled)
			return delivery;
	}
	return NULL;
}

/* Has the endpoint taken anything since before this one was first refused? */
static bool has_taken_others(const struct delivery *delivery, const struct breaker *breaker)
{
	return !breaker->is_failing || breaker->failing_since_ms > delivery->first_failed_ms;
}

void delivery_lane_hold_again(struct delivery_lane *lane, const struct delivery *delivery, const struct breaker *breaker,
	int64_t hold_until_ms, void (*fn)(void *ctx, struct delivery *held), void *ctx)
{
	struct delivery *before;

	TAILQ_FOREACH(before, &lane->deliveries, in_lane) {
		if (before == delivery)
			return;
		if (!before->is_loose || before->is_settled || has_taken_others(before, breaker))
			continue;
		before->is_loose = false;
		before->hold_until_ms = hold_until_ms;
		if (delivery_is_claimed(before))
			lane->n_busy++;
		else
			fn(ctx, before);
	}
}

enum hold_end delivery_lane_end_hold(const struct delivery *delivery, const struct breaker *breaker)
{
	/* After a start nothing is sent ahead of what waits for an endpoint that takes nothing. */
	if (!has_taken_others(delivery, breaker))
		return delivery->is_held_here ? HOLD_ENDS_LOOSE : HOLD_GOES_ON;
	if (delivery->is_held_here && breaker->has_recovered && delivery->held_here_ms < breaker->recovered_ms)
		return HOLD_ENDS_TRY;
	return HOLD_ENDS_LOOSE;
}
