/* One delivery's way through the queue: scheduled, claimed, prepared, started, finished, recorded.
 */
#include "common/base/attr.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "services/webhooker/delivery_queue_internal.h"

/* What goes on holding its lane is looked at again after this. */
#define HOLD_LOOK_MS 5000

/* --- its time --- */

void queue_schedule(struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms)
{
	if (!queue->is_open[delivery->partition] || delivery->place != DELIVERY_NOWHERE)
		return;
	if (delivery->due_ms <= now_ms) {
		timer_heap_clear(&queue->timers, &delivery->timer);
		delivery_slots_offer(&queue->slots, delivery, now_ms);
		return;
	}
	int64_t at_ms = delivery->due_ms;
	if (delivery->has_failed && !delivery->is_loose && delivery->hold_until_ms < at_ms)
		at_ms = delivery->hold_until_ms;
	timer_heap_set(&queue->timers, &delivery->timer, at_ms);
}

void queue_unschedule(struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms)
{
	timer_heap_clear(&queue->timers, &delivery->timer);
	if (delivery->lane->scheduled == delivery)
		delivery->lane->scheduled = NULL;
	if (delivery_is_claimed(delivery) || delivery->place != DELIVERY_NOWHERE)
		delivery_slots_withdraw(&queue->slots, delivery, now_ms);
}

void queue_look_at_lane(struct delivery_queue *queue, struct delivery_lane *lane, int64_t now_ms)
{
	struct delivery *current = delivery_lane_current(lane);

	if (current != NULL &&
		(!queue->is_open[current->partition] || current->state != DELIVERY_WAITING))
		current = NULL;
	if (lane->scheduled == current)
		return;
	if (lane->scheduled != NULL)
		queue_unschedule(queue, lane->scheduled, now_ms);
	lane->scheduled = current;
	if (current != NULL)
		queue_schedule(queue, current, now_ms);
}

static void let_loose(struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms)
{
	delivery->is_loose = true;
	delivery->lane->scheduled = NULL;
	queue_schedule(queue, delivery, now_ms);
	queue_look_at_lane(queue, delivery->lane, now_ms);
}

static void end_hold(struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms)
{
	enum hold_end end = HOLD_GOES_ON;

	if (delivery->outlet->state == OUTLET_OPEN)
		end = delivery_lane_end_hold(delivery, &delivery->outlet->breaker, now_ms);
	switch (end) {
	case HOLD_ENDS_LOOSE:
		let_loose(queue, delivery, now_ms);
		break;
	case HOLD_ENDS_TRY:
		delivery->due_ms = now_ms;
		queue_schedule(queue, delivery, now_ms);
		break;
	case HOLD_GOES_ON:
		delivery->hold_until_ms = now_ms + HOLD_LOOK_MS;
		queue_schedule(queue, delivery, now_ms);
		break;
	}
}

static void on_timer(struct delivery_queue *queue, struct timer_node *timer, int64_t now_ms)
{
	timer_heap_clear(&queue->timers, timer);
	if (timer->kind == TIMER_OUTLET) {
		delivery_slots_look(
			&queue->slots, container_of(timer, struct outlet, timer), now_ms);
		return;
	}
	struct delivery *delivery = container_of(timer, struct delivery, timer);
	if (delivery->due_ms <= now_ms)
		queue_schedule(queue, delivery, now_ms);
	else
		end_hold(queue, delivery, now_ms);
}

int64_t delivery_queue_tick(struct delivery_queue *queue, int64_t now_ms)
{
	struct timer_node *timer;

	while ((timer = timer_heap_peek(&queue->timers)) != NULL && timer->at_ms <= now_ms)
		on_timer(queue, timer, now_ms);
	return timer == NULL ? -1 : timer->at_ms - now_ms;
}

/* --- claimed --- */

struct delivery *delivery_queue_claim(struct delivery_queue *queue, int64_t now_ms)
{
	struct delivery *delivery = delivery_slots_claim(&queue->slots, now_ms);

	if (delivery == NULL)
		return NULL;
	delivery->claim = ++queue->last_claim;
	queue->n_busy[delivery->partition]++;
	if (delivery->lane->scheduled == delivery)
		delivery->lane->scheduled = NULL;
	delivery->lane->n_busy += delivery_lane_is_busy_with(delivery);
	return delivery;
}

struct delivery *delivery_queue_find(
	struct delivery_queue *queue, int32_t webhook_id, int64_t sequence, uint64_t claim)
{
	struct delivery *delivery = queue_find(queue, webhook_id, sequence);

	return delivery != NULL && delivery->claim == claim && delivery_is_claimed(delivery)
		       ? delivery
		       : NULL;
}

bool delivery_queue_knows(const struct delivery_queue *queue, int32_t webhook_id, int64_t sequence)
{
	return queue_find(queue, webhook_id, sequence) != NULL;
}

void queue_wait_again(struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms)
{
	if (delivery->outlet->state == OUTLET_GONE ||
		!delivery_shard_keeps(delivery->shard, delivery->sequence)) {
		delivery_queue_remove(queue, delivery, now_ms);
		return;
	}
	delivery->lane->n_busy -= delivery_lane_is_busy_with(delivery);
	queue_note_unclaimed(queue, delivery);
	strbuf_deinit(&delivery->body);
	mem_free(delivery->fault);
	delivery->fault = NULL;
	delivery_set_state(delivery, DELIVERY_WAITING);
	if (delivery->is_loose)
		queue_schedule(queue, delivery, now_ms);
	queue_look_at_lane(queue, delivery->lane, now_ms);
}

static void return_prepared(struct delivery_queue *queue, struct outlet *outlet, int64_t now_ms)
{
	struct delivery *delivery;

	while ((delivery = TAILQ_FIRST(&outlet->prepared)) != NULL) {
		delivery_slots_withdraw(&queue->slots, delivery, now_ms);
		queue_wait_again(queue, delivery, now_ms);
	}
}

/* Has something happened since it was claimed, so that it must not go now? */
static bool should_return(const struct delivery_queue *queue, const struct delivery *delivery)
{
	return !queue->is_open[delivery->partition] || !delivery_lane_lets_go(delivery) ||
	       (breaker_is_tripped(&delivery->outlet->breaker) && !delivery->is_probe);
}

void delivery_queue_prepared(
	struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms)
{
	ASSERT(delivery->state == DELIVERY_PREPARING);
	if (should_return(queue, delivery)) {
		delivery_slots_withdraw(&queue->slots, delivery, now_ms);
		queue_wait_again(queue, delivery, now_ms);
		return;
	}
	delivery_slots_prepared(&queue->slots, delivery, now_ms);
}

void delivery_queue_put_back(struct delivery_queue *queue, struct delivery *delivery,
	const struct delivery_facts *facts, int64_t wait_ms, int64_t now_ms)
{
	ASSERT(delivery->state == DELIVERY_PREPARING);
	delivery_slots_withdraw(&queue->slots, delivery, now_ms);
	delivery->due_ms = now_ms + wait_ms;
	if (facts != NULL) {
		delivery->attempts = facts->attempts;
		delivery->due_ms = now_ms + (facts->due_in_ms > 0 ? facts->due_in_ms : 0);
		if (facts->attempts > 0 && !delivery->has_failed) {
			delivery->has_failed = true;
			delivery->first_failed_ms = now_ms - facts->tried_ago_ms;
			delivery->hold_until_ms =
				delivery->first_failed_ms + queue->options.hold_ms;
			delivery->is_old_news = facts->tried_for_ms < queue->options.hold_ms;
		}
	}
	queue_wait_again(queue, delivery, now_ms);
}

struct delivery *delivery_queue_start(struct delivery_queue *queue, int64_t now_ms)
{
	return delivery_slots_start(&queue->slots, now_ms);
}

/* --- ended --- */

struct moment {
	struct delivery_queue *queue;
	int64_t now_ms;
};

static void on_held_again(void *ctx, struct delivery *held)
{
	const struct moment *moment = ctx;

	/* Only its lane may start it from now on. */
	queue_unschedule(moment->queue, held, moment->now_ms);
}

static void note_failure(struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms)
{
	if (!delivery->has_failed)
		delivery->first_failed_ms = delivery->started_ms;
	delivery->has_failed = true;
	delivery->is_held_here = true;
	delivery->is_old_news = false;
	delivery->is_compared = false;
	delivery->held_here_ms = delivery->started_ms;
	delivery->hold_until_ms = delivery->first_failed_ms + queue->options.hold_ms;
	if (!delivery->is_loose)
		delivery_lane_hold_again(delivery->lane, delivery, &delivery->outlet->breaker,
			on_held_again, &(struct moment){queue, now_ms});
}

static void note_success(struct delivery *delivery)
{
	delivery->lane->n_busy -= delivery_lane_is_busy_with(delivery);
	delivery->is_settled = true;
}

static struct delivery_news judge(struct delivery_queue *queue, struct delivery *delivery,
	const struct delivery_result *result, int64_t now_ms)
{
	struct breaker *breaker = &delivery->outlet->breaker;
	struct delivery_news news = {
		.end = delivery_end_of(result->verdict, delivery->attempts,
			&queue->options.schedule, result->retry_after_ms),
	};

	delivery->outlet->last_duration_ms = now_ms - delivery->started_ms;
	if (result->verdict == VERDICT_OK)
		news.has_recovered = breaker_succeed(breaker, now_ms);
	else if (result->is_charged)
		news.has_tripped = breaker_fail(
			breaker, &queue->options.schedule, delivery->started_ms, now_ms);
	news.failing_for_ms = breaker->is_failing ? now_ms - breaker->failing_since_ms : -1;
	return news;
}

struct delivery_news delivery_queue_finish(struct delivery_queue *queue, struct delivery *delivery,
	const struct delivery_result *result, int64_t now_ms)
{
	ASSERT(delivery->state == DELIVERY_SENDING);
	delivery_slots_withdraw(&queue->slots, delivery, now_ms);
	delivery_set_state(delivery, DELIVERY_RECORDING);
	delivery->attempts++;
	struct delivery_news news = judge(queue, delivery, result, now_ms);
	delivery->is_final = news.end.status != DELIVERY_PENDING;
	delivery->due_ms = now_ms + news.end.wait_ms;
	if (result->verdict == VERDICT_OK)
		note_success(delivery);
	else
		note_failure(queue, delivery, now_ms);
	if (result->verdict == VERDICT_GIVE_UP && delivery->outlet->state == OUTLET_OPEN)
		delivery->outlet->state = OUTLET_PAUSED; /* until its row says what it is */
	if (news.has_tripped || result->verdict == VERDICT_GIVE_UP)
		return_prepared(queue, delivery->outlet, now_ms);
	delivery_slots_look(&queue->slots, delivery->outlet, now_ms);
	queue_look_at_lane(queue, delivery->lane, now_ms);
	return news;
}

void delivery_queue_recorded(
	struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms)
{
	ASSERT(delivery->state == DELIVERY_RECORDING);
	if (delivery->is_final)
		delivery_queue_remove(queue, delivery, now_ms);
	else
		queue_wait_again(queue, delivery, now_ms);
}
