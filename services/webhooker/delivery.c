/* The states of a delivery, and its schedule. */
#include "services/webhooker/delivery.h"

#include "common/base/check.h"

static const char *const state_names[] = {
	[DELIVERY_WAITING] = "waiting",
	[DELIVERY_PREPARING] = "preparing",
	[DELIVERY_PREPARED] = "prepared",
	[DELIVERY_SENDING] = "sending",
	[DELIVERY_RECORDING] = "recording",
};

const char *delivery_state_name(enum delivery_state state)
{
	ASSERT((size_t)state < array_len(state_names));
	return state_names[state];
}

static bool may_move(enum delivery_state from, enum delivery_state to)
{
	switch (from) {
	case DELIVERY_WAITING:
		return to == DELIVERY_PREPARING;
	case DELIVERY_PREPARING:
		return to == DELIVERY_PREPARED || to == DELIVERY_WAITING;
	case DELIVERY_PREPARED:
		return to == DELIVERY_SENDING || to == DELIVERY_WAITING;
	case DELIVERY_SENDING:
		return to == DELIVERY_RECORDING;
	case DELIVERY_RECORDING:
		return to == DELIVERY_WAITING;
	}
	WRONG("a delivery in no state");
}

void delivery_set_state(struct delivery *delivery, enum delivery_state state)
{
	ASSERT(may_move(delivery->state, state));
	delivery->state = state;
}

bool delivery_is_claimed(const struct delivery *delivery)
{
	return delivery->state != DELIVERY_WAITING;
}

struct delivery_end delivery_end_of(
	enum verdict verdict, int attempts, const struct schedule *schedule, int64_t retry_after_ms)
{
	if (verdict == VERDICT_OK)
		return (struct delivery_end){.status = DELIVERY_DELIVERED};
	if (verdict == VERDICT_GIVE_UP)
		return (struct delivery_end){.status = DELIVERY_ENDPOINT_GONE};
	int64_t wait_ms = schedule_delay_jittered_ms(schedule, attempts, DELIVERY_JITTER_PERCENT);
	if (wait_ms < 0)
		return (struct delivery_end){.status = DELIVERY_OUT_OF_ATTEMPTS};
	if (retry_after_ms > DELIVERY_RETRY_AFTER_MAX_MS)
		retry_after_ms = DELIVERY_RETRY_AFTER_MAX_MS;
	if (wait_ms < retry_after_ms)
		wait_ms = retry_after_ms;
	return (struct delivery_end){.status = DELIVERY_PENDING, .wait_ms = wait_ms};
}
