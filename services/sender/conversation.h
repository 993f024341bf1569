/*
 * One conversation (session, phone) as the sender holds it: its open messages in order, and what is
 * being done about the first. Pure. Open to the files of the send queue (lane, send_queue,
 * send_queue_merge) only; others see it through send_queue.h.
 */
#ifndef WA_SENDER_CONVERSATION_H
#define WA_SENDER_CONVERSATION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/base/strview.h"
#include "common/model/id.h"
#include "common/model/phone.h"
#include "common/base/timer_heap.h"

/* Drawn in docs/state/send_queue.dot. */
enum conversation_state {
	CONVERSATION_IDLE,    /* nothing open is known of it */
	CONVERSATION_WAITING, /* its first message is due later: between attempts */
	CONVERSATION_READY, /* in its session's lane; a lane that is held back tells so by the timer
			     */
	CONVERSATION_PACING, /* the limiters were asked; they answer within their deadline */
	CONVERSATION_HELD,   /* a limit of its own, or its session was not ready: until the timer */
	CONVERSATION_DISPATCHED, /* `tried` is at the gateway; looked after when the timer fires */
	CONVERSATION_REREADING,  /* in doubt: Postgres is asked */
};
#define CONVERSATION_STATES (CONVERSATION_REREADING + 1)

struct queued_message {
	struct queued_message *next;
	int64_t queue_seq;
	int64_t due_ms; /* monotonic: not before */
	int64_t stamp;  /* the queue's stamp when it was last heard of, other than by reading
			   Postgres */
	int32_t tenant_id;
	int attempts;
	bool claimed; /* Postgres says: in flight at a gateway */
	char id[ID_SIZE];
};

TAILQ_HEAD(conversation_list, conversation);

struct conversation {
	struct timer_node timer;
	struct conversation *next_in_map;
	TAILQ_ENTRY(conversation) in_partition;
	TAILQ_ENTRY(conversation)
	in_list; /* READY: its tenant's; REREADING: of those to ask for; IDLE: of those to free */
	bool is_listed;
	bool is_dropped;    /* forgotten by the queue while somebody outside held it */
	bool is_held_told;  /* somebody was told that `told_id` is held */
	bool more_in_store; /* Postgres has open messages behind the last one here */
	enum conversation_state state;
	int pins;     /* held from outside: not to be freed */
	int refusals; /* of claims, in a row */
	int partition;
	int n_messages;
	struct lane *lane;
	struct tenant_line *line; /* READY: where it stands */
	uint64_t ticket;          /* READY: its place there */
	int64_t ready_since_ms;   /* READY: also over questions that were answered with a wait */
	struct queued_message *first; /* lowest queue_seq */
	struct queued_message *last;
	struct queued_message *tried; /* DISPATCHED: one of the above */
	int64_t born_stamp;
	int64_t doubt_stamp; /* REREADING: since when; only a read that began later settles it */
	int64_t seen_stamp;  /* when a scan of Postgres last met it */
	int64_t left_stamp;  /* when a message was last left in Postgres, unheld */
	int64_t done_stamp;  /* when done_id ended */
	int64_t done_seq;
	char done_id[ID_SIZE]; /* the last that ended: a read that began before must not bring it
				  back */
	char told_id[ID_SIZE];
	int32_t session_id;
	char phone[PHONE_SIZE];
};

struct conversation *conversation_new(int partition, int32_t session_id, struct strview phone);
void conversation_free(struct conversation **conversation);
const char *conversation_state_name(enum conversation_state state);
bool conversation_may_move(enum conversation_state from, enum conversation_state to);
struct queued_message *conversation_find(
	const struct conversation *conversation, struct strview message_id);
/* Put a message where its queue_seq belongs, takes ownership. False when its id or queue_seq is
   there already (it is freed). */
bool conversation_insert(struct conversation *conversation, struct queued_message *message);
/* Take out and free. */
void conversation_remove(struct conversation *conversation, struct queued_message *message);

#endif
