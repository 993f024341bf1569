/*
 * Reads the open conversations of whole partitions from Postgres, page by page: when one is gained
 * or doubted, when something was left there for lack of room, and each about every 8 s because an
 * entry may have been lost. Bounded: few pages at a time.
 */
#ifndef WA_SENDER_HEAD_SWEEP_H
#define WA_SENDER_HEAD_SWEEP_H

#include "common/io/loop.h"
#include "services/sender/send_queue.h"
#include "services/sender/sender_store.h"

struct head_sweep;

struct head_sweep_events {
	void (*on_scanned)(void *ctx, int partition); /* all of it was read once */
	void (*on_change)(void *ctx);                 /* the queue may have candidates */
};

/* store and queue are borrowed. */
struct head_sweep *head_sweep_new(struct loop *loop, struct sender_store *store,
	struct send_queue *queue, const struct head_sweep_events *events, void *ctx);
void head_sweep_free(struct head_sweep **sweep);
/* Read this partition soon, and from then on now and then. */
void head_sweep_want(struct head_sweep *sweep, int partition);
void head_sweep_drop(struct head_sweep *sweep, int partition); /* it is not ours any more */
void head_sweep_wake(struct head_sweep *sweep);                /* Postgres is back */
int64_t head_sweep_found(
	const struct head_sweep *sweep); /* conversations that only a sweep made known */

#endif
