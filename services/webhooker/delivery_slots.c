/* Sharing the slots. */
#include "services/webhooker/delivery_slots.h"

#include "common/base/check.h"

void delivery_slots_init(struct delivery_slots *slots, int per_endpoint, int total,
	struct timer_heap *timers, int timer_kind)
{
	/* No endpoint by itself may fill the process. */
	if (per_endpoint > total / 2)
		per_endpoint = total / 2;
	ASSERT(per_endpoint >= 1);
	*slots = (struct delivery_slots){
		.per_endpoint = per_endpoint,
		.total = total,
		.timers = timers,
		.timer_kind = timer_kind,
	};
	TAILQ_INIT(&slots->fresh);
	TAILQ_INIT(&slots->trouble);
	TAILQ_INIT(&slots->prepared);
}

static bool is_slow(const struct outlet *outlet, int64_t now_ms)
{
	const struct delivery *oldest = TAILQ_FIRST(&outlet->sending);

	return outlet->last_duration_ms > SLOW_ENDPOINT_MS ||
	       (oldest != NULL && now_ms - oldest->started_ms > SLOW_ENDPOINT_MS);
}

/* --- which outlets stand in which list --- */

static void leave_lists(struct delivery_slots *slots, struct outlet *outlet)
{
	if (outlet->is_in_fresh)
		TAILQ_REMOVE(&slots->fresh, outlet, in_fresh);
	if (outlet->is_in_trouble)
		TAILQ_REMOVE(&slots->trouble, outlet, in_trouble);
	if (outlet->is_in_prepared)
		TAILQ_REMOVE(&slots->prepared, outlet, in_prepared);
	outlet->is_in_fresh = outlet->is_in_trouble = outlet->is_in_prepared = false;
}

static void join_fresh(struct delivery_slots *slots, struct outlet *outlet)
{
	TAILQ_INSERT_TAIL(&slots->fresh, outlet, in_fresh);
	outlet->is_in_fresh = true;
}

static void join_trouble(struct delivery_slots *slots, struct outlet *outlet)
{
	TAILQ_INSERT_TAIL(&slots->trouble, outlet, in_trouble);
	outlet->is_in_trouble = true;
}

static bool retry_may_go(const struct delivery_slots *slots, const struct outlet *outlet)
{
	return !TAILQ_EMPTY(&outlet->retry) &&
	       outlet->n_claimed_retries < (slots->per_endpoint + 1) / 2;
}

static void look_tripped(struct delivery_slots *slots, struct outlet *outlet, int64_t now_ms)
{
	timer_heap_clear(slots->timers, &outlet->timer);
	if (outlet->n_claimed > 0)
		return;
	if (!TAILQ_EMPTY(&outlet->retry) ||
		(!TAILQ_EMPTY(&outlet->fresh) && now_ms >= outlet->breaker.probe_ms)) {
		join_trouble(slots, outlet);
	} else if (!TAILQ_EMPTY(&outlet->fresh)) {
		outlet->timer.kind = slots->timer_kind;
		timer_heap_set(slots->timers, &outlet->timer, outlet->breaker.probe_ms);
	}
}

static void look_taking(struct delivery_slots *slots, struct outlet *outlet, int64_t now_ms)
{
	bool has_fresh = !TAILQ_EMPTY(&outlet->fresh);
	bool slow = is_slow(outlet, now_ms);

	timer_heap_clear(slots->timers, &outlet->timer);
	/* What is slow needs nothing prepared ahead. */
	if (outlet->n_claimed >= (slow ? 1 : SLOTS_PREPARED_FACTOR) * slots->per_endpoint)
		return;
	if (has_fresh && !slow)
		join_fresh(slots, outlet);
	if ((has_fresh && slow) || retry_may_go(slots, outlet))
		join_trouble(slots, outlet);
}

void delivery_slots_look(struct delivery_slots *slots, struct outlet *outlet, int64_t now_ms)
{
	leave_lists(slots, outlet);
	if (outlet->state != OUTLET_OPEN) {
		timer_heap_clear(slots->timers, &outlet->timer);
		return;
	}
	if (!TAILQ_EMPTY(&outlet->prepared) && outlet->n_sending < slots->per_endpoint) {
		TAILQ_INSERT_TAIL(&slots->prepared, outlet, in_prepared);
		outlet->is_in_prepared = true;
	}
	if (breaker_is_tripped(&outlet->breaker))
		look_tripped(slots, outlet, now_ms);
	else
		look_taking(slots, outlet, now_ms);
}

void delivery_slots_forget(struct delivery_slots *slots, struct outlet *outlet)
{
	ASSERT(outlet->n_claimed == 0 && TAILQ_EMPTY(&outlet->fresh) &&
		TAILQ_EMPTY(&outlet->retry));
	leave_lists(slots, outlet);
	timer_heap_clear(slots->timers, &outlet->timer);
}

/* --- a delivery's place --- */

static struct delivery_list *list_of(struct outlet *outlet, enum delivery_place place)
{
	switch (place) {
	case DELIVERY_IN_FRESH:
		return &outlet->fresh;
	case DELIVERY_IN_RETRY:
		return &outlet->retry;
	case DELIVERY_IN_PREPARED:
		return &outlet->prepared;
	case DELIVERY_IN_SENDING:
		return &outlet->sending;
	case DELIVERY_NOWHERE:
		break;
	}
	WRONG("a delivery in no list");
}

static void leave_place(struct delivery *delivery)
{
	if (delivery->place != DELIVERY_NOWHERE)
		TAILQ_REMOVE(list_of(delivery->outlet, delivery->place), delivery, in_place);
	delivery->place = DELIVERY_NOWHERE;
}

static void join_place(struct delivery *delivery, enum delivery_place place)
{
	leave_place(delivery);
	delivery->place = place;
	TAILQ_INSERT_TAIL(list_of(delivery->outlet, place), delivery, in_place);
}

void delivery_slots_offer(struct delivery_slots *slots, struct delivery *delivery, int64_t now_ms)
{
	ASSERT(delivery->state == DELIVERY_WAITING && delivery->place == DELIVERY_NOWHERE);
	join_place(delivery, delivery->attempts == 0 ? DELIVERY_IN_FRESH : DELIVERY_IN_RETRY);
	/* An outlet that stands where it should keeps its turn. */
	if (delivery->attempts == 0 ? !delivery->outlet->is_in_fresh
				    : !delivery->outlet->is_in_trouble)
		delivery_slots_look(slots, delivery->outlet, now_ms);
}

static bool holds_slot(const struct delivery *delivery)
{
	return delivery_is_claimed(delivery) && delivery->state != DELIVERY_RECORDING;
}

void delivery_slots_withdraw(
	struct delivery_slots *slots, struct delivery *delivery, int64_t now_ms)
{
	struct outlet *outlet = delivery->outlet;

	if (holds_slot(delivery)) {
		slots->n_claimed--;
		slots->n_claimed_trouble -= delivery->is_trouble;
		outlet->n_claimed--;
		outlet->n_claimed_retries -= delivery->attempts > 0;
		if (delivery->state == DELIVERY_SENDING) {
			slots->n_sending--;
			outlet->n_sending--;
		}
	}
	leave_place(delivery);
	delivery_slots_look(slots, outlet, now_ms);
}

/* --- taking --- */

static void take_slot(struct delivery_slots *slots, struct delivery *delivery, bool is_trouble)
{
	struct outlet *outlet = delivery->outlet;

	delivery->is_trouble = is_trouble;
	delivery->is_probe = breaker_is_tripped(&outlet->breaker);
	slots->n_claimed++;
	slots->n_claimed_trouble += is_trouble;
	outlet->n_claimed++;
	outlet->n_claimed_retries += delivery->attempts > 0;
	leave_place(delivery);
	delivery_set_state(delivery, DELIVERY_PREPARING);
}

static struct delivery *claim_trouble(struct delivery_slots *slots, int64_t now_ms)
{
	struct outlet *outlet = TAILQ_FIRST(&slots->trouble);

	if (outlet == NULL || slots->n_claimed_trouble >= slots->total / 2)
		return NULL;
	struct delivery *delivery = retry_may_go(slots, outlet) ? TAILQ_FIRST(&outlet->retry)
								: TAILQ_FIRST(&outlet->fresh);
	ASSERT(delivery != NULL);
	take_slot(slots, delivery, true);
	delivery_slots_look(slots, outlet, now_ms);
	return delivery;
}

static struct delivery *claim_fresh(struct delivery_slots *slots, int64_t now_ms)
{
	struct outlet *outlet;

	while ((outlet = TAILQ_FIRST(&slots->fresh)) != NULL) {
		if (is_slow(outlet, now_ms)) {
			delivery_slots_look(slots, outlet, now_ms);
			continue;
		}
		struct delivery *delivery = TAILQ_FIRST(&outlet->fresh);
		ASSERT(delivery != NULL);
		take_slot(slots, delivery, false);
		delivery_slots_look(slots, outlet, now_ms);
		return delivery;
	}
	return NULL;
}

struct delivery *delivery_slots_claim(struct delivery_slots *slots, int64_t now_ms)
{
	if (slots->n_claimed >= SLOTS_PREPARED_FACTOR * slots->total)
		return NULL;
	slots->trouble_is_next = !slots->trouble_is_next;
	struct delivery *delivery =
		slots->trouble_is_next ? claim_trouble(slots, now_ms) : claim_fresh(slots, now_ms);
	if (delivery == NULL)
		delivery = slots->trouble_is_next ? claim_fresh(slots, now_ms)
						  : claim_trouble(slots, now_ms);
	return delivery;
}

void delivery_slots_prepared(
	struct delivery_slots *slots, struct delivery *delivery, int64_t now_ms)
{
	delivery_set_state(delivery, DELIVERY_PREPARED);
	join_place(delivery, DELIVERY_IN_PREPARED);
	if (!delivery->outlet->is_in_prepared)
		delivery_slots_look(slots, delivery->outlet, now_ms);
}

struct delivery *delivery_slots_start(struct delivery_slots *slots, int64_t now_ms)
{
	struct outlet *outlet = TAILQ_FIRST(&slots->prepared);

	if (outlet == NULL || slots->n_sending >= slots->total)
		return NULL;
	struct delivery *delivery = TAILQ_FIRST(&outlet->prepared);
	ASSERT(delivery != NULL);
	delivery_set_state(delivery, DELIVERY_SENDING);
	delivery->started_ms = now_ms;
	join_place(delivery, DELIVERY_IN_SENDING);
	slots->n_sending++;
	outlet->n_sending++;
	delivery_slots_look(slots, outlet, now_ms);
	return delivery;
}
