/* A message on its way into the table; shared by the files of message_accept.h. */
#ifndef WA_API_ACCEPT_ITEM_H
#define WA_API_ACCEPT_ITEM_H

#include "common/model/id.h"
#include "services/api/api_call.h"
#include "services/api/api_store_accept.h"
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
	bool unknown;        /* an earlier batch may have written it */
	bool alone;          /* its batch was refused: try it without the others */
	int failures;        /* of batches with it, retryable ones */
	int resolves;
};

struct accept_queue {
	struct accept_item *head;
	struct accept_item *tail;
	int n;
};

void accept_queue_push(struct accept_queue *queue, struct accept_item *item);
struct accept_item *accept_queue_pop(struct accept_queue *queue); /* NULL when empty */

void accept_item_set_state(struct accept_item *item, enum accept_state state);

#endif
