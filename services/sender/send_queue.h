/*
 * All conversations of the partitions that this process owns, and what may be dispatched next.
 * Pure: time comes as a parameter, nothing is read or written; the callers talk to Redis and
 * Postgres.
 *
 * Only a conversation's first message (lowest queue_seq) is ever a candidate, and one is tried at a
 * time. Postgres decides what the first is: the gateway's claim refuses a wrong one, and whatever
 * looks doubtful here is reread. So everything that is heard (entries, outcomes, rows) may come
 * late, twice, in any order or not at all.
 *
 * Memory is bounded: what does not fit stays in Postgres and is remembered as "more there", of a
 * conversation or a partition. States are drawn in docs/state/send_queue.dot. Times are monotonic
 * ms, "in_ms" counts from now.
 */
#ifndef WA_SENDER_SEND_QUEUE_H
#define WA_SENDER_SEND_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/strview.h"
#include "common/model/stream_codec.h"
#include "services/sender/lane.h"

struct send_queue;

struct send_queue_options {
	int max_messages;             /* in memory */
	int max_per_conversation;     /* of those */
	int max_window;               /* tried at once on a session */
	int64_t dispatch_deadline_ms; /* without an outcome by then, Postgres is asked */
	int64_t tell_after_ms;        /* what waits in a lane for so long is told to be held */
	/* A conversation's first message waits for a limit or for its session, until about
	   until_ms. */
	void (*on_held)(void *ctx, struct conversation *conversation, enum held_reason reason,
		int64_t until_ms);
	void *ctx;
};

struct conversation_key {
	int partition;
	int32_t session_id;
	struct strview phone;
};

/* A message as an entry or a row tells it. */
struct send_message {
	struct strview id;
	int64_t queue_seq;
	int64_t due_in_ms; /* 0: now */
	int32_t tenant_id;
	int attempts;
	bool claimed; /* rows only: in flight at a gateway */
};

struct send_outcome {
	struct strview message_id;
	enum outcome_kind kind;
	int attempts;
	int64_t next_in_ms;
};

struct send_queue *send_queue_new(const struct send_queue_options *options);
void send_queue_free(struct send_queue **queue); /* no conversation may be pinned */

/* An accepted message. False when it was left in Postgres (no room; it is found again) or was
   known. */
bool send_queue_add(struct send_queue *queue, const struct conversation_key *key,
	const struct send_message *message, int64_t now_ms);
/* How an attempt ended. False when nothing of it was known. */
bool send_queue_outcome(struct send_queue *queue, const struct conversation_key *key,
	const struct send_outcome *outcome, int64_t now_ms);
/* A message has come to its end in Postgres by our own hand (it expired). */
void send_queue_ended(struct send_queue *queue, const struct conversation_key *key,
	struct strview message_id, int64_t now_ms);
/* A partition went to another: forget all of it. */
void send_queue_drop_partition(struct send_queue *queue, int partition);

/*
 * Candidates, in fair order over sessions and tenants; NULL when there is none now. The caller then
 * must at once do one of: send_queue_dispatched(), send_queue_asked(), send_queue_put_back().
 */
struct conversation *send_queue_next(struct send_queue *queue, int64_t now_ms);
void send_queue_dispatched(
	struct send_queue *queue, struct conversation *conversation, int64_t now_ms);
/* The limiters are asked: the conversation is pinned until one of the two calls below. */
void send_queue_asked(struct send_queue *queue, struct conversation *conversation);
/* They allow it: true when it is still there to be dispatched, and the caller must do so or put it
   back; false: it is gone. */
bool send_queue_allowed(
	struct send_queue *queue, struct conversation *conversation, int64_t now_ms);
/* They said wait (or HELD_NOT: nothing was heard, it goes back to its place). */
void send_queue_denied(struct send_queue *queue, struct conversation *conversation,
	enum held_reason reason, int64_t wait_ms, int64_t now_ms);
/* It cannot be done now, without anybody's fault: try again in wait_ms; 0: when its lane, which the
   caller has closed, opens. */
void send_queue_put_back(struct send_queue *queue, struct conversation *conversation,
	int64_t wait_ms, int64_t now_ms);
/* A session waits as a whole, or no longer does. */
void send_queue_close_lane(struct send_queue *queue, int32_t session_id, int64_t wait_ms,
	enum held_reason reason, int64_t now_ms);
void send_queue_open_lane(struct send_queue *queue, int32_t session_id, int64_t now_ms);
/* What the sessions' rows say: is there a gateway that has it, how far apart its messages are (0:
   no limit), and how many may be asked for at once. */
void send_queue_set_lane(struct send_queue *queue, int32_t session_id, bool is_alive,
	int64_t pace_interval_ms, int max_asked);

/* What is looked at from outside, while it is a candidate or pinned. */
bool conversation_is_dropped(const struct conversation *conversation); /* its partition has gone */
int32_t conversation_session(const struct conversation *conversation);
int conversation_partition(const struct conversation *conversation);
struct strview conversation_phone(const struct conversation *conversation);
const struct queued_message *conversation_first(
	const struct conversation *conversation); /* NULL when there is none */
/* Note that its first message is shown as held; and whether it was: then the notice should go. */
void conversation_told(struct conversation *conversation);
bool conversation_untell(struct conversation *conversation);

/* Let time pass: at most `most` timers. Returns false when there are more that are due. */
bool send_queue_run_timers(struct send_queue *queue, int64_t now_ms, int most);
int64_t send_queue_next_timer_ms(const struct send_queue *queue); /* INT64_MAX when there is none */
/* Nothing that was dispatched is believed to have arrived: reread it all (of a partition, or of all
   with -1). */
void send_queue_doubt(struct send_queue *queue, int partition);

/*
 * Reading Postgres. Between begin and end of a read, what it tells is weighed against what was
 * heard meanwhile.
 */
int64_t send_queue_read_begin(struct send_queue *queue); /* the read's stamp */
void send_queue_read_end(struct send_queue *queue);
/* A conversation's first n open messages by queue_seq; whole: there are no others. False when there
   was no room for it. */
bool send_queue_merge(struct send_queue *queue, const struct conversation_key *key,
	const struct send_message *messages, int n, bool whole, int64_t read_stamp, int64_t now_ms);
/* A conversation that must be reread, pinned until send_queue_reread_end(); NULL when there is
   none. Taken after the begin of the read that will tell of it. */
struct conversation *send_queue_reread_next(struct send_queue *queue);
/* After its rows were merged, or the read failed: then it is still in doubt and comes again. */
void send_queue_reread_end(struct send_queue *queue, struct conversation *conversation);
/* A scan over a whole partition that began with this stamp has ended: what it did not meet is
   reread. */
void send_queue_scan_end(struct send_queue *queue, int partition, int64_t scan_stamp);
/* Was something of the partition left in Postgres for lack of room since this was last asked? */
bool send_queue_take_missed(struct send_queue *queue, int partition);
void send_queue_set_missed(struct send_queue *queue, int partition);
bool send_queue_has_room(const struct send_queue *queue); /* worth reading what was missed */

/* Once a minute or so: frees what has not been used for long. */
void send_queue_prune(struct send_queue *queue, int64_t now_ms);

/* Figures. */
int send_queue_messages(const struct send_queue *queue);
int send_queue_conversations(const struct send_queue *queue, int partition); /* -1: all */
int send_queue_in_state(const struct send_queue *queue, enum conversation_state state);
int send_queue_tried(const struct send_queue *queue, int partition); /* PACING or DISPATCHED */
bool send_queue_has_rereads(const struct send_queue *queue);
/* Walk the sessions in use: *place from 0; 0 at the end. */
int32_t send_queue_next_session(const struct send_queue *queue, size_t *place);
/* Every invariant, for tests: aborts when one is broken. O(everything). */
void send_queue_check(const struct send_queue *queue);

#endif
