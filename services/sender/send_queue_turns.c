/* What goes next, and what time brings. */
#include <stdio.h>

#include "common/base/check.h"
#include "services/sender/send_queue.h"
#include "services/sender/send_queue_internal.h"

#define LOOK_AGAIN_MS     5000 /* a dispatch to a session that no gateway has */
#define TELL_AGAIN_MIN_MS 1000

struct conversation *send_queue_next(struct send_queue *queue, int64_t now_ms)
{
	struct lane *lane;
	queue_free_idle(queue);
	while ((lane = TAILQ_FIRST(&queue->runnable)) != NULL) {
		struct conversation *c =
			lane_may_call(lane, now_ms) ? lane_call(lane, now_ms) : NULL;
		TAILQ_REMOVE(&queue->runnable, lane, in_runnable);
		if (c != NULL) {
			TAILQ_INSERT_TAIL(
				&queue->runnable, lane, in_runnable); /* the other sessions first */
			return c;
		}
		lane->is_runnable = false;
		if (lane->closed_until_ms > now_ms) {
			timer_heap_set(&queue->lane_timers, &lane->timer, lane->closed_until_ms);
		}
	}
	return NULL;
}

void send_queue_dispatched(
	struct send_queue *queue, struct conversation *conversation, int64_t now_ms)
{
	ASSERT(conversation->first != NULL && !conversation->is_listed);
	queue_set_dispatched(queue, conversation, conversation->first, now_ms);
}

void send_queue_asked(struct send_queue *queue, struct conversation *conversation)
{
	ASSERT(!conversation->is_listed);
	queue_set_state(queue, conversation, CONVERSATION_PACING);
	conversation->pins++;
}

static bool may_go(const struct conversation *c, int64_t now_ms)
{
	return c->first != NULL && !c->first->claimed && c->first->due_ms <= now_ms;
}

bool send_queue_allowed(struct send_queue *queue, struct conversation *conversation, int64_t now_ms)
{
	bool is_here = !conversation->is_dropped;
	bool goes = is_here && may_go(conversation, now_ms);
	if (is_here && !goes) {
		queue_settle(queue, conversation, now_ms); /* what was heard meanwhile */
	}
	queue_unpin(queue, conversation);
	return goes;
}

static void tell_held(struct send_queue *queue, struct conversation *c, enum held_reason reason,
	int64_t until_ms, int64_t now_ms)
{
	if (queue->options.on_held != NULL && until_ms - now_ms >= queue->options.tell_after_ms) {
		queue->options.on_held(queue->options.ctx, c, reason, until_ms);
	}
}

void send_queue_denied(struct send_queue *queue, struct conversation *c, enum held_reason reason,
	int64_t wait_ms, int64_t now_ms)
{
	int64_t until_ms = now_ms + (wait_ms > 0 ? wait_ms : 1);
	bool is_here = !c->is_dropped;
	if (is_here && !may_go(c, now_ms)) {
		queue_settle(queue, c, now_ms);
	} else if (is_here && reason == HELD_RECIPIENT_PACE) {
		queue_set_until(queue, c, CONVERSATION_HELD, until_ms);
		tell_held(queue, c, reason, until_ms, now_ms);
	} else if (is_here) {
		if (reason == HELD_TENANT_PACE) {
			lane_close_line(c->lane, c->first->tenant_id, until_ms);
		} else if (reason != HELD_NOT) {
			queue_close_lane(queue, c->lane, until_ms, reason);
		}
		queue_set_ready(queue, c, true, now_ms);
	}
	queue_unpin(queue, c);
}

void send_queue_put_back(struct send_queue *queue, struct conversation *conversation,
	int64_t wait_ms, int64_t now_ms)
{
	if (wait_ms > 0) {
		queue_set_until(queue, conversation, CONVERSATION_WAITING, now_ms + wait_ms);
	} else {
		queue_set_ready(queue, conversation, true, now_ms);
	}
}

void send_queue_close_lane(struct send_queue *queue, int32_t session_id, int64_t wait_ms,
	enum held_reason reason, int64_t now_ms)
{
	queue_close_lane(queue, queue_lane(queue, session_id), now_ms + wait_ms, reason);
}

void send_queue_open_lane(struct send_queue *queue, int32_t session_id, int64_t now_ms)
{
	struct lane *lane = int_map_find(&queue->lanes, session_id);
	if (lane != NULL && lane->closed_until_ms > now_ms) {
		queue_open_lane(queue, lane);
	}
}

void send_queue_set_lane(struct send_queue *queue, int32_t session_id, bool is_alive,
	int64_t pace_interval_ms, int max_asked)
{
	struct lane *lane = int_map_find(&queue->lanes, session_id);
	if (lane != NULL) {
		lane->is_alive = is_alive;
		lane->pace_interval_ms = pace_interval_ms;
		lane->max_asked = max_asked;
		queue_touch_lane(queue, lane);
	}
}

bool conversation_is_dropped(const struct conversation *conversation)
{
	return conversation->is_dropped;
}

int32_t conversation_session(const struct conversation *conversation)
{
	return conversation->session_id;
}

int conversation_partition(const struct conversation *conversation)
{
	return conversation->partition;
}

struct strview conversation_phone(const struct conversation *conversation)
{
	return sv_from(conversation->phone);
}

const struct queued_message *conversation_first(const struct conversation *conversation)
{
	return conversation->first;
}

void conversation_told(struct conversation *conversation)
{
	ASSERT(conversation->first != NULL);
	conversation->is_held_told = true;
	(void)snprintf(conversation->told_id, sizeof(conversation->told_id), "%s",
		conversation->first->id);
}

bool conversation_untell(struct conversation *conversation)
{
	bool was_told = conversation->is_held_told && conversation->first != NULL &&
			sv_eq_cstr(sv_from(conversation->told_id), conversation->first->id);
	conversation->is_held_told = false;
	return was_told;
}

/* It stands in its lane for a while: say why, and look again when that should be over. With many in
   the lane each is looked at more rarely, so that all of them together stay cheap. */
static void on_ready_timer(struct send_queue *queue, struct conversation *c, int64_t now_ms)
{
	int64_t until_ms = 0;
	enum held_reason reason = lane_why(c->lane, c, now_ms, &until_ms);
	bool is_paced = reason != HELD_NOT && reason != HELD_SESSION_NOT_READY;
	int64_t least_ms = is_paced ? TELL_AGAIN_MIN_MS / 10 + c->lane->n_ready / 10
				    : TELL_AGAIN_MIN_MS + c->lane->n_ready;
	int64_t again_ms = until_ms - now_ms > least_ms ? until_ms - now_ms : least_ms;
	if (reason != HELD_NOT && queue->options.on_held != NULL) {
		queue->options.on_held(
			queue->options.ctx, c, reason, is_paced ? until_ms : now_ms + again_ms);
	}
	timer_heap_set(&queue->conversation_timers, &c->timer, now_ms + again_ms);
}

static void on_dispatch_timer(struct send_queue *queue, struct conversation *c, int64_t now_ms)
{
	if (c->lane->is_alive) {
		if (!c->tried->claimed) {
			lane_shrink(c->lane,
				now_ms); /* the gateway is behind: adding more does not help it */
		}
		queue_set_doubtful(queue, c);
		return;
	}
	timer_heap_set(&queue->conversation_timers, &c->timer, now_ms + LOOK_AGAIN_MS);
	if (!c->tried->claimed) {
		tell_held(queue, c, HELD_SESSION_NOT_READY, now_ms + LOOK_AGAIN_MS, now_ms);
	}
}

static void on_timer(struct send_queue *queue, struct conversation *c, int64_t now_ms)
{
	switch (c->state) {
	case CONVERSATION_WAITING:
	case CONVERSATION_HELD:
		queue_settle(queue, c, now_ms);
		return;
	case CONVERSATION_READY:
		on_ready_timer(queue, c, now_ms);
		return;
	case CONVERSATION_DISPATCHED:
		on_dispatch_timer(queue, c, now_ms);
		return;
	case CONVERSATION_IDLE:
	case CONVERSATION_PACING:
	case CONVERSATION_REREADING:
		break;
	}
	WRONG("a timer in a state without one");
}

bool send_queue_run_timers(struct send_queue *queue, int64_t now_ms, int most)
{
	struct timer_node *node;
	queue_free_idle(queue);
	while ((node = timer_heap_peek(&queue->lane_timers)) != NULL && node->at_ms <= now_ms) {
		struct lane *lane = container_of(node, struct lane, timer);
		timer_heap_clear(&queue->lane_timers, node);
		queue_touch_lane(queue, lane);
	}
	for (int i = 0; i < most; i++) {
		node = timer_heap_peek(&queue->conversation_timers);
		if (node == NULL || node->at_ms > now_ms) {
			return true;
		}
		on_timer(queue, container_of(node, struct conversation, timer), now_ms);
	}
	return false;
}

int64_t send_queue_next_timer_ms(const struct send_queue *queue)
{
	const struct timer_node *lane = timer_heap_peek(&queue->lane_timers);
	const struct timer_node *conversation = timer_heap_peek(&queue->conversation_timers);
	int64_t at_ms = lane != NULL ? lane->at_ms : INT64_MAX;
	return conversation != NULL && conversation->at_ms < at_ms ? conversation->at_ms : at_ms;
}
