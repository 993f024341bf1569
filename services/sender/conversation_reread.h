/* Asks Postgres about the conversations that the queue is in doubt of, many with one query. */
#ifndef WA_SENDER_CONVERSATION_REREAD_H
#define WA_SENDER_CONVERSATION_REREAD_H

#include "common/io/loop.h"
#include "services/sender/send_queue.h"
#include "services/sender/sender_store.h"

struct conversation_reread;

/* on_change: the queue may have candidates. store and queue are borrowed. */
struct conversation_reread *conversation_reread_new(struct loop *loop, struct sender_store *store,
	struct send_queue *queue, loop_fn on_change, void *ctx);
void conversation_reread_free(struct conversation_reread **reread); /* unpins what it asks for */
/* Ask for what the queue doubts now, unless enough is asked for already. */
void conversation_reread_run(struct conversation_reread *reread);
void conversation_reread_wake(struct conversation_reread *reread); /* Postgres is back */

#endif
