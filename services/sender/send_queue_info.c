/* Figures of the queue, its slow housekeeping, and its invariants. */
#include "common/base/attr.h"
#include "common/base/check.h"
#include "services/sender/send_queue.h"
#include "services/sender/send_queue_internal.h"

int send_queue_messages(const struct send_queue *queue)
{
	return queue->n_messages;
}

int send_queue_conversations(const struct send_queue *queue, int partition)
{
	return partition < 0 ? (int)queue->map.n : queue->partitions[partition].n_conversations;
}

int send_queue_in_state(const struct send_queue *queue, enum conversation_state state)
{
	return queue->n_in_state[state];
}

int send_queue_tried(const struct send_queue *queue, int partition)
{
	return queue->partitions[partition].n_tried;
}

int32_t send_queue_next_session(const struct send_queue *queue, size_t *place)
{
	const struct lane *lane = int_map_next(&queue->lanes, place);
	return lane != NULL ? lane->session_id : 0;
}

void send_queue_prune(struct send_queue *queue, int64_t now_ms)
{
	struct lane *gone[64]; /* the rest next time */
	size_t n = 0;
	size_t place = 0;
	struct lane *lane;
	while ((lane = int_map_next(&queue->lanes, &place)) != NULL) {
		lane_prune(lane, now_ms);
		if (lane->n_conversations == 0 && !lane->is_runnable &&
			!timer_node_is_set(&lane->timer) && n < array_len(gone)) {
			gone[n++] = lane;
		}
	}
	for (size_t i = 0; i < n; i++) {
		int_map_remove(&queue->lanes, gone[i]->session_id);
		lane_free(&gone[i]);
	}
}

static void check_messages(const struct conversation *c)
{
	int n = 0;
	const struct queued_message *last = NULL;
	bool has_tried = c->tried == NULL;
	for (const struct queued_message *m = c->first; m != NULL; m = m->next) {
		ASSERT(last == NULL || last->queue_seq < m->queue_seq);
		has_tried = has_tried || m == c->tried;
		last = m;
		n++;
	}
	ASSERT(n == c->n_messages && last == c->last && has_tried);
}

static void check_conversation(const struct send_queue *queue, const struct conversation *c)
{
	enum conversation_state state = c->state;
	bool has_timer = state == CONVERSATION_WAITING || state == CONVERSATION_HELD ||
			 state == CONVERSATION_READY || state == CONVERSATION_DISPATCHED;
	check_messages(c);
	ASSERT(!c->is_dropped);
	ASSERT(timer_node_is_set(&c->timer) == has_timer);
	ASSERT((c->tried != NULL) == (state == CONVERSATION_DISPATCHED));
	ASSERT(c->first != NULL || state == CONVERSATION_IDLE || state == CONVERSATION_PACING ||
		state == CONVERSATION_REREADING);
	ASSERT(c->first == NULL || state != CONVERSATION_IDLE);
	ASSERT(state != CONVERSATION_IDLE || !c->more_in_store);
	ASSERT(c->is_listed || (state != CONVERSATION_READY && state != CONVERSATION_IDLE));
	ASSERT(c->is_listed || state != CONVERSATION_REREADING || c->pins > 0);
	ASSERT(c->pins > 0 || state != CONVERSATION_PACING);
	ASSERT((c->line != NULL) == (state == CONVERSATION_READY));
	ASSERT(conversation_map_find(&queue->map, c->session_id, sv_from(c->phone)) == c);
}

static void check_lanes(const struct send_queue *queue)
{
	size_t place = 0;
	const struct lane *lane;
	int n_messages = 0;
	int n_busy = 0;
	int n_ready = 0;
	int n_tried = 0;
	int n_asked = 0;
	while ((lane = int_map_next(&queue->lanes, &place)) != NULL) {
		n_messages += lane->n_messages;
		n_busy += lane->n_messages > 0;
		n_ready += lane->n_ready;
		n_tried += lane->n_tried;
		n_asked += lane->n_asked;
		/* Whoever waits is called some day. */
		ASSERT(lane->n_ready == 0 || lane->is_runnable || timer_node_is_set(&lane->timer) ||
			!lane_has_candidate(lane));
	}
	ASSERT(n_messages == queue->n_messages && n_busy == queue->n_busy_lanes);
	ASSERT(n_ready == queue->n_in_state[CONVERSATION_READY]);
	ASSERT(n_asked == queue->n_in_state[CONVERSATION_PACING]);
	ASSERT(n_tried == queue->n_in_state[CONVERSATION_PACING] +
				  queue->n_in_state[CONVERSATION_DISPATCHED]);
}

void send_queue_check(const struct send_queue *queue)
{
	int n_in_state[CONVERSATION_STATES] = {0};
	size_t n_conversations = 0;
	int n_messages = 0;
	for (int p = 0; p < OUTBOUND_PARTITIONS; p++) {
		const struct conversation *c;
		int n_tried = 0;
		TAILQ_FOREACH(c, &queue->partitions[p].conversations, in_partition)
		{
			check_conversation(queue, c);
			n_in_state[c->state]++;
			n_messages += c->n_messages;
			n_conversations++;
			n_tried += c->state == CONVERSATION_PACING ||
				   c->state == CONVERSATION_DISPATCHED;
		}
		ASSERT(n_tried == queue->partitions[p].n_tried);
	}
	for (int state = 0; state < CONVERSATION_STATES; state++) {
		ASSERT(n_in_state[state] == queue->n_in_state[state]);
	}
	ASSERT(n_conversations == queue->map.n && n_messages == queue->n_messages);
	check_lanes(queue);
}
