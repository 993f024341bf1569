/* The conversations' states, and what is heard of them from streams. */
#include "services/sender/send_queue.h"

#include <stdio.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "services/sender/send_queue_internal.h"

#define NEXT_IN_MAX_MS (24 * 3600 * INT64_C(1000)) /* what an entry may ask us to wait */
#define HOLD_MIN_MS    100

struct send_queue *send_queue_new(const struct send_queue_options *options)
{
	struct send_queue *queue = mem_new(struct send_queue);
	queue->options = *options;
	conversation_map_init(&queue->map);
	int_map_init(&queue->lanes);
	timer_heap_init(&queue->conversation_timers);
	timer_heap_init(&queue->lane_timers);
	TAILQ_INIT(&queue->runnable);
	TAILQ_INIT(&queue->rereads);
	TAILQ_INIT(&queue->idle);
	for (int p = 0; p < OUTBOUND_PARTITIONS; p++) {
		TAILQ_INIT(&queue->partitions[p].conversations);
	}
	return queue;
}

static void lane_detach(struct send_queue *queue, struct lane *lane)
{
	timer_heap_clear(&queue->lane_timers, &lane->timer);
	if (lane->is_runnable) {
		TAILQ_REMOVE(&queue->runnable, lane, in_runnable);
		lane->is_runnable = false;
	}
}

void send_queue_free(struct send_queue **queue)
{
	struct send_queue *q = *queue;
	if (q == NULL) {
		return;
	}
	for (int p = 0; p < OUTBOUND_PARTITIONS; p++) {
		send_queue_drop_partition(q, p);
	}
	size_t place = 0;
	struct lane *lane;
	while ((lane = int_map_next(&q->lanes, &place)) != NULL) {
		lane_detach(q, lane);
		lane_free(&lane);
	}
	int_map_deinit(&q->lanes);
	conversation_map_deinit(&q->map);
	timer_heap_deinit(&q->conversation_timers);
	timer_heap_deinit(&q->lane_timers);
	mem_free(q);
	*queue = NULL;
}

/* Lanes. */

struct lane *queue_lane(struct send_queue *queue, int32_t session_id)
{
	struct lane *lane = int_map_find(&queue->lanes, session_id);
	if (lane == NULL) {
		lane = lane_new(session_id, queue->options.max_window);
		int_map_put(&queue->lanes, session_id, lane);
	}
	return lane;
}

void queue_touch_lane(struct send_queue *queue, struct lane *lane)
{
	if (!lane->is_runnable && lane_has_candidate(lane) && !timer_node_is_set(&lane->timer)) {
		TAILQ_INSERT_TAIL(&queue->runnable, lane, in_runnable);
		lane->is_runnable = true;
	}
}

void queue_close_lane(
	struct send_queue *queue, struct lane *lane, int64_t until_ms, enum held_reason reason)
{
	lane_close(lane, until_ms, reason);
	timer_heap_set(&queue->lane_timers, &lane->timer, until_ms);
}

void queue_open_lane(struct send_queue *queue, struct lane *lane)
{
	lane->closed_until_ms = 0;
	timer_heap_clear(&queue->lane_timers, &lane->timer);
	queue_touch_lane(queue, lane);
}

/* States. */

static void unlist(struct send_queue *queue, struct conversation *c)
{
	if (!c->is_listed) {
		return;
	}
	if (c->state == CONVERSATION_READY) {
		lane_remove(c->lane, c);
		return;
	}
	TAILQ_REMOVE(c->state == CONVERSATION_IDLE ? &queue->idle : &queue->rereads, c, in_list);
	c->is_listed = false;
}

static bool is_tried(enum conversation_state state)
{
	return state == CONVERSATION_PACING || state == CONVERSATION_DISPATCHED;
}

static void count_state(struct send_queue *queue, struct conversation *c, int more)
{
	queue->n_in_state[c->state] += more;
	if (is_tried(c->state)) {
		c->lane->n_tried += more;
		c->lane->n_asked += c->state == CONVERSATION_PACING ? more : 0;
		queue->partitions[c->partition].n_tried += more;
		queue_touch_lane(queue, c->lane);
	}
}

static void leave_state(struct send_queue *queue, struct conversation *c)
{
	timer_heap_clear(&queue->conversation_timers, &c->timer);
	unlist(queue, c);
	count_state(queue, c, -1);
	c->tried = NULL;
}

void queue_set_state(
	struct send_queue *queue, struct conversation *c, enum conversation_state state)
{
	ASSERT(conversation_may_move(c->state, state));
	leave_state(queue, c);
	c->state = state;
	count_state(queue, c, 1);
	if (state == CONVERSATION_IDLE || state == CONVERSATION_REREADING) {
		TAILQ_INSERT_TAIL(
			state == CONVERSATION_IDLE ? &queue->idle : &queue->rereads, c, in_list);
		c->is_listed = true;
	}
}

void queue_set_until(struct send_queue *queue, struct conversation *c,
	enum conversation_state state, int64_t until_ms)
{
	ASSERT(state == CONVERSATION_WAITING || state == CONVERSATION_HELD);
	queue_set_state(queue, c, state);
	timer_heap_set(&queue->conversation_timers, &c->timer, until_ms);
}

void queue_set_ready(
	struct send_queue *queue, struct conversation *c, bool at_front, int64_t now_ms)
{
	struct lane *lane = c->lane;
	queue_set_state(queue, c, CONVERSATION_READY);
	lane_push(lane, c, at_front);
	if (!at_front) {
		c->ready_since_ms = now_ms;
	}
	int64_t tell_ms = c->ready_since_ms + queue->options.tell_after_ms;
	timer_heap_set(&queue->conversation_timers, &c->timer, tell_ms > now_ms ? tell_ms : now_ms);
	if (lane->reason == HELD_TENANT_PACE && c->line->closed_until_ms <= now_ms) {
		queue_open_lane(queue, lane); /* it was closed for other tenants' sake */
	}
	queue_touch_lane(queue, lane);
}

void queue_set_dispatched(struct send_queue *queue, struct conversation *c,
	struct queued_message *tried, int64_t now_ms)
{
	queue_set_state(queue, c, CONVERSATION_DISPATCHED);
	c->tried = tried;
	timer_heap_set(&queue->conversation_timers, &c->timer,
		now_ms + queue->options.dispatch_deadline_ms);
}

void queue_set_doubtful(struct send_queue *queue, struct conversation *c)
{
	queue_set_state(queue, c, CONVERSATION_REREADING);
	c->doubt_stamp = ++queue->stamp;
}

static struct queued_message *find_claimed(const struct conversation *c)
{
	struct queued_message *m = c->first;
	while (m != NULL && !m->claimed) {
		m = m->next;
	}
	return m;
}

void queue_settle(struct send_queue *queue, struct conversation *c, int64_t now_ms)
{
	struct queued_message *claimed = find_claimed(c);
	if (c->first == NULL) {
		if (c->more_in_store) {
			queue_set_doubtful(queue, c);
		} else {
			queue_set_state(queue, c, CONVERSATION_IDLE);
		}
	} else if (claimed != NULL) {
		queue_set_dispatched(queue, c, claimed, now_ms);
	} else if (c->first->due_ms > now_ms) {
		queue_set_until(queue, c, CONVERSATION_WAITING, c->first->due_ms);
	} else {
		queue_set_ready(queue, c, false, now_ms);
	}
}

/* Conversations come and go. */

/* Half of memory is for whoever comes first; the other half is shared evenly by the sessions, so
   that one with a huge backlog leaves room for the others. */
static bool has_room_for_conversation(const struct send_queue *queue, const struct lane *lane)
{
	int half = queue->options.max_messages / 2;
	if (queue->n_messages < half) {
		return true;
	}
	int lanes = queue->n_busy_lanes + (lane->n_messages == 0 ? 1 : 0);
	return queue->n_messages < queue->options.max_messages && lane->n_messages < half / lanes;
}

bool queue_has_room_in(const struct send_queue *queue, const struct conversation *c)
{
	return c->n_messages == 0 || (c->n_messages < queue->options.max_per_conversation &&
					     queue->n_messages < queue->options.max_messages / 2);
}

struct conversation *queue_find_or_make(
	struct send_queue *queue, const struct conversation_key *key)
{
	struct conversation *c = conversation_map_find(&queue->map, key->session_id, key->phone);
	if (c != NULL) {
		return c;
	}
	struct queue_partition *partition = &queue->partitions[key->partition];
	struct lane *lane = queue_lane(queue, key->session_id);
	if (!has_room_for_conversation(queue, lane)) {
		partition->missed = true;
		return NULL;
	}
	c = conversation_new(key->partition, key->session_id, key->phone);
	c->lane = lane;
	c->born_stamp = queue->stamp;
	lane->n_conversations++;
	conversation_map_put(&queue->map, c);
	TAILQ_INSERT_TAIL(&partition->conversations, c, in_partition);
	partition->n_conversations++;
	c->state = CONVERSATION_IDLE;
	queue->n_in_state[CONVERSATION_IDLE]++;
	TAILQ_INSERT_TAIL(&queue->idle, c, in_list);
	c->is_listed = true;
	return c;
}

void queue_forget(struct send_queue *queue, struct conversation *c)
{
	leave_state(queue, c);
	while (c->first != NULL) {
		queue_remove(queue, c, c->first);
	}
	conversation_map_remove(&queue->map, c);
	TAILQ_REMOVE(&queue->partitions[c->partition].conversations, c, in_partition);
	queue->partitions[c->partition].n_conversations--;
	c->lane->n_conversations--;
	c->lane = NULL;
	c->is_dropped = true;
	if (c->pins == 0) {
		conversation_free(&c);
	}
}

void queue_unpin(struct send_queue *queue, struct conversation *c)
{
	(void)queue;
	ASSERT(c->pins > 0);
	c->pins--;
	if (c->is_dropped && c->pins == 0) {
		conversation_free(&c);
	}
}

void queue_free_idle(struct send_queue *queue)
{
	struct conversation *c = queue->reads > 0 ? NULL : TAILQ_FIRST(&queue->idle);
	while (c != NULL) {
		struct conversation *next = TAILQ_NEXT(c, in_list);
		if (c->pins == 0) {
			queue_forget(queue, c);
		}
		c = next;
	}
}

void send_queue_drop_partition(struct send_queue *queue, int partition)
{
	struct queue_partition *p = &queue->partitions[partition];
	while (!TAILQ_EMPTY(&p->conversations)) {
		queue_forget(queue, TAILQ_FIRST(&p->conversations));
	}
	p->missed = false;
}

/* Messages come and go. */

static void count_message(struct send_queue *queue, struct lane *lane, int more)
{
	queue->n_busy_lanes -= lane->n_messages > 0;
	lane->n_messages += more;
	queue->n_messages += more;
	queue->n_busy_lanes += lane->n_messages > 0;
}

static int64_t clamp_ms(int64_t ms, int64_t min_ms)
{
	return ms < min_ms ? min_ms : ms > NEXT_IN_MAX_MS ? NEXT_IN_MAX_MS : ms;
}

bool queue_insert(struct send_queue *queue, struct conversation *c,
	const struct send_message *message, int64_t stamp, int64_t now_ms)
{
	struct queued_message *m = mem_new(struct queued_message);
	ASSERT(message->id.len < sizeof(m->id));
	(void)snprintf(m->id, sizeof(m->id), "%.*s", SV_ARG(message->id));
	m->queue_seq = message->queue_seq;
	m->due_ms = now_ms + clamp_ms(message->due_in_ms, 0);
	m->tenant_id = message->tenant_id;
	m->attempts = message->attempts;
	m->claimed = message->claimed;
	m->stamp = stamp;
	if (!conversation_insert(c, m)) {
		return false;
	}
	count_message(queue, c->lane, 1);
	return true;
}

void queue_remove(struct send_queue *queue, struct conversation *c, struct queued_message *message)
{
	conversation_remove(c, message);
	count_message(queue, c->lane, -1);
}

/* Make room for a message, or see that it stays in Postgres. */
static bool make_room(struct send_queue *queue, struct conversation *c, int64_t queue_seq)
{
	bool is_behind = c->last == NULL || queue_seq > c->last->queue_seq;
	if (c->more_in_store && is_behind) {
		c->left_stamp = queue->stamp; /* others are between */
		return false;
	}
	if (queue_has_room_in(queue, c)) {
		return true;
	}
	c->more_in_store = true;
	c->left_stamp = queue->stamp;
	if (is_behind || c->last == c->tried) {
		return false;
	}
	if (c->n_messages > 1) {
		queue_remove(queue, c, c->last);
	}
	return true;
}

bool send_queue_add(struct send_queue *queue, const struct conversation_key *key,
	const struct send_message *message, int64_t now_ms)
{
	queue->stamp++;
	struct conversation *c = queue_find_or_make(queue, key);
	if (c == NULL ||
		(message->queue_seq == c->done_seq && sv_eq_cstr(message->id, c->done_id))) {
		return false; /* no room, or an entry that comes again */
	}
	struct queued_message *first = c->first;
	if (!make_room(queue, c, message->queue_seq) ||
		!queue_insert(queue, c, message, queue->stamp, now_ms)) {
		return false;
	}
	bool may_settle = c->state == CONVERSATION_IDLE || c->state == CONVERSATION_WAITING ||
			  c->state == CONVERSATION_READY;
	if (c->first != first && may_settle) {
		queue_settle(queue, c, now_ms);
	}
	return true;
}

/* Outcomes. */

static void note_claim(struct send_queue *queue, struct conversation *c)
{
	c->refusals = 0;
	lane_grow(c->lane);
	if (c->lane->closed_until_ms == 0) {
		queue_open_lane(queue, c->lane);
	}
}

static void end_message(struct send_queue *queue, struct conversation *c, struct queued_message *m,
	bool was_claimed, int64_t now_ms)
{
	bool was_tried = c->tried == m;
	bool was_next = c->first == m && c->state != CONVERSATION_DISPATCHED;
	c->done_stamp = ++queue->stamp;
	c->done_seq = m->queue_seq;
	(void)snprintf(c->done_id, sizeof(c->done_id), "%s", m->id);
	queue_remove(queue, c, m);
	if (was_tried && was_claimed) {
		note_claim(queue, c);
	}
	if (c->state != CONVERSATION_PACING && c->state != CONVERSATION_REREADING &&
		(was_tried || was_next)) {
		queue_settle(queue, c, now_ms);
	}
}

/* It was tried and shall be tried again. Old news about an attempt before the present one changes
   nothing. */
static void put_off_message(struct send_queue *queue, struct conversation *c,
	struct queued_message *m, const struct send_outcome *outcome, int64_t now_ms)
{
	bool was_tried = c->tried == m;
	if (outcome->attempts < m->attempts ||
		(outcome->attempts == m->attempts && !(was_tried && m->claimed))) {
		return;
	}
	m->attempts = outcome->attempts;
	m->claimed = false;
	m->due_ms = now_ms + clamp_ms(outcome->next_in_ms, 0);
	m->stamp = ++queue->stamp;
	if (was_tried) {
		note_claim(queue, c);
	}
	bool is_next = c->first == m &&
		       (c->state == CONVERSATION_WAITING || c->state == CONVERSATION_READY ||
			       c->state == CONVERSATION_HELD);
	if (was_tried || is_next) {
		queue_settle(queue, c, now_ms);
	}
}

static void hold_message(struct send_queue *queue, struct conversation *c, enum held_reason reason,
	int64_t next_in_ms, int64_t now_ms)
{
	int64_t until_ms = now_ms + clamp_ms(next_in_ms, HOLD_MIN_MS);
	c->refusals = 0;
	c->tried->stamp = ++queue->stamp;
	queue_set_until(queue, c, CONVERSATION_HELD, until_ms);
	if (reason == HELD_SESSION_NOT_READY && lane_not_ready(c->lane)) {
		queue_close_lane(queue, c->lane, until_ms, reason);
	}
	if (queue->options.on_held != NULL && until_ms - now_ms >= queue->options.tell_after_ms) {
		queue->options.on_held(queue->options.ctx, c, reason, until_ms);
	}
}

bool send_queue_outcome(struct send_queue *queue, const struct conversation_key *key,
	const struct send_outcome *outcome, int64_t now_ms)
{
	struct conversation *c = conversation_map_find(&queue->map, key->session_id, key->phone);
	struct queued_message *m = c != NULL ? conversation_find(c, outcome->message_id) : NULL;
	if (m == NULL) {
		return false;
	}
	switch (outcome->kind) {
	case OUTCOME_SENT:
	case OUTCOME_FINAL:
		end_message(queue, c, m, true, now_ms);
		return true;
	case OUTCOME_RETRY:
	case OUTCOME_UNKNOWN:
		put_off_message(queue, c, m, outcome, now_ms);
		return true;
	case OUTCOME_REFUSED:
		if (c->tried == m) {
			c->refusals++;
			queue_set_doubtful(queue, c);
		}
		return true;
	case OUTCOME_NOT_READY:
	case OUTCOME_NO_MEDIA:
		if (c->tried == m) {
			hold_message(queue, c,
				outcome->kind == OUTCOME_NO_MEDIA ? HELD_NO_MEDIA
								  : HELD_SESSION_NOT_READY,
				outcome->next_in_ms, now_ms);
		}
		return true;
	}
	WRONG("no such outcome");
}

void send_queue_ended(struct send_queue *queue, const struct conversation_key *key,
	struct strview message_id, int64_t now_ms)
{
	struct conversation *c = conversation_map_find(&queue->map, key->session_id, key->phone);
	struct queued_message *m = c != NULL ? conversation_find(c, message_id) : NULL;
	if (m != NULL) {
		end_message(queue, c, m, false, now_ms);
	}
}

void send_queue_doubt(struct send_queue *queue, int partition)
{
	for (int p = 0; p < OUTBOUND_PARTITIONS; p++) {
		struct conversation *c;
		if (partition >= 0 && p != partition) {
			continue;
		}
		TAILQ_FOREACH(c, &queue->partitions[p].conversations, in_partition)
		{
			if (c->state == CONVERSATION_DISPATCHED) {
				queue_set_doubtful(queue, c);
			}
		}
	}
}
