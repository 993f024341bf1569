/* What the files of the send queue share: send_queue.c (what is heard), send_queue_turns.c (what
   goes next), send_queue_read.c (what Postgres says). */
#ifndef WA_SENDER_SEND_QUEUE_INTERNAL_H
#define WA_SENDER_SEND_QUEUE_INTERNAL_H

#include "common/model/partition.h"
#include "services/sender/conversation_map.h"
#include "services/sender/send_queue.h"

struct queue_partition {
	struct conversation_list conversations;
	int n_conversations;
	int n_tried;
	bool missed;
};

struct send_queue {
	struct send_queue_options options;
	struct conversation_map map;
	struct int_map lanes;
	struct lane_list runnable; /* lanes that may have a candidate, next one first */
	struct timer_heap conversation_timers;
	struct timer_heap lane_timers;
	struct conversation_list rereads;
	struct conversation_list idle; /* freed as soon as no read is under way */
	struct queue_partition partitions[OUTBOUND_PARTITIONS];
	int n_in_state[CONVERSATION_STATES];
	int n_messages;
	int n_busy_lanes; /* with messages */
	int reads;        /* under way */
	int64_t stamp;    /* counts what happens */
};

/* The one place where a conversation's state changes: asserts the move, takes it out of the lists,
   timers and counts of the old state and puts it into those of the new one. READY, WAITING, HELD
   and DISPATCHED have functions of their own. */
void queue_set_state(
	struct send_queue *queue, struct conversation *c, enum conversation_state state);
void queue_set_ready(
	struct send_queue *queue, struct conversation *c, bool at_front, int64_t now_ms);
void queue_set_until(struct send_queue *queue, struct conversation *c,
	enum conversation_state state, int64_t until_ms);
void queue_set_dispatched(struct send_queue *queue, struct conversation *c,
	struct queued_message *tried, int64_t now_ms);
void queue_set_doubtful(struct send_queue *queue, struct conversation *c);
/* Choose the state from what is known of the messages. */
void queue_settle(struct send_queue *queue, struct conversation *c, int64_t now_ms);

/* NULL when there is no room for one more. */
struct conversation *queue_find_or_make(
	struct send_queue *queue, const struct conversation_key *key);
void queue_forget(struct send_queue *queue,
	struct conversation *c); /* frees it, now or when it is unpinned */
void queue_unpin(struct send_queue *queue, struct conversation *c);
void queue_free_idle(struct send_queue *queue);
/* May one more message of it be held in memory? */
bool queue_has_room_in(const struct send_queue *queue, const struct conversation *c);
/* False when it is known. stamp: when it was heard of. */
bool queue_insert(struct send_queue *queue, struct conversation *c,
	const struct send_message *message, int64_t stamp, int64_t now_ms);
void queue_remove(struct send_queue *queue, struct conversation *c, struct queued_message *message);

struct lane *queue_lane(struct send_queue *queue, int32_t session_id); /* made when there is none */
void queue_touch_lane(
	struct send_queue *queue, struct lane *lane); /* it may have a candidate now */
void queue_close_lane(
	struct send_queue *queue, struct lane *lane, int64_t until_ms, enum held_reason reason);
void queue_open_lane(struct send_queue *queue, struct lane *lane);

#endif
