/* What the files of message_accept.h share: a message on its way into the table, and the queues and
 * batches that it passes. */
#ifndef WA_API_ACCEPT_ITEM_H
#define WA_API_ACCEPT_ITEM_H

#include "common/daemon/metrics.h"
#include "common/io/loop.h"
#include "common/io/pg_conn.h"
#include "common/model/id.h"
#include "services/api/api_call.h"
#include "services/api/api_store_accept.h"
#include "services/api/contact_cache.h"
#include "services/api/message_request.h"

/* Each state waits for one thing. */
enum accept_state {
	ACCEPT_UNRESOLVED, /* in the queue of those whose contact or session must be looked up */
	ACCEPT_RESOLVING,  /* that query is in flight, or the making of a contact */
	ACCEPT_READY,      /* in the queue for the next batch */
	ACCEPT_IN_FLIGHT,  /* in a batch */
	ACCEPT_EXPLAINING, /* the batch did not write it: asking why */
};

/* Lies in its call's pool and ends with it. */
struct accept_item {
	struct accept_item *next; /* in its queue */
	struct message_accept *accept;
	struct api_call *call;
	const struct message_request *request;
	enum accept_state state;
	struct store_accept row; /* what is to be written */
	char id[ID_SIZE];
	char wa_message_id[WA_MESSAGE_ID_SIZE];
	char phone[PHONE_SIZE];
	int64_t deadline_ms; /* monotonic */
	int64_t queue_seq;   /* when written */
	bool written;        /* by the batch that has just come back */
	bool named_session;  /* the caller chose the session */
	bool is_resolved;    /* contact, session and partition are known */
	bool unknown;        /* an earlier batch may have written it */
	bool alone;          /* its batch was refused: try it without the others */
	int failures;        /* of batches with it, retryable ones */
	int resolves;
	/* While EXPLAINING: how it goes on if it was not accepted before. */
	void (*otherwise)(struct accept_item *item);
};

struct accept_queue {
	struct accept_item *head;
	struct accept_item *tail;
	int n;
};

void accept_queue_push(struct accept_queue *queue, struct accept_item *item);
struct accept_item *accept_queue_pop(struct accept_queue *queue); /* NULL when empty */

void accept_item_set_state(struct accept_item *item, enum accept_state state);

#define ACCEPT_FLIGHTS 2 /* statements at once, each on a connection of its own */

struct flight {
	struct message_accept *accept;
	struct pg_conn *conn;
	int n_items; /* 0: none in flight */
	struct accept_item *items[STORE_ACCEPT_MAX];
};

struct message_accept {
	struct api *api;
	int64_t timeout_ms;
	struct loop_turn *turn;
	struct loop_timer *expire_timer;
	struct contact_cache *contacts;
	struct accept_queue unresolved;
	struct accept_queue ready;
	int n_waiting; /* items not yet answered */
	int64_t waiting_bytes;
	int n_resolving;
	struct accept_item *resolving[STORE_ACCEPT_MAX];
	struct flight flights[ACCEPT_FLIGHTS];
	struct metric *batches;
	struct metric *accepted;
	struct metric *explained;
};

/* --- message_accept.c --- */
/* It is about to be answered: it waits no longer. */
void accept_item_leave(struct accept_item *item);
/* Answer that Postgres is away. */
void accept_item_unavailable(struct accept_item *item);
/* Contact and session are known: into the queue for the next batch. */
void accept_item_make_ready(struct accept_item *item);
/* Into the queue of those that must be looked up. */
void accept_item_resolve_later(struct accept_item *item);

/* --- accept_explain.c --- */
/* Ask whether it was accepted before: then that is the answer, else go on with `otherwise`. */
void accept_item_explain(struct accept_item *item, void (*otherwise)(struct accept_item *item));
/* The same, asking only if it may have been: before it is refused, or a contact made for it. The
   answer to a call that is repeated must not depend on what has changed since. */
void accept_item_unless_repeated(
	struct accept_item *item, void (*otherwise)(struct accept_item *item));

/* --- accept_resolve.c --- */
/* Look up those that wait for it, unless a question is in flight. */
void accept_resolve_next(struct message_accept *accept);

/* --- accept_flight.c --- */
/* Start as many batches as are worth it. */
void accept_flights_start(struct message_accept *accept);

#endif
