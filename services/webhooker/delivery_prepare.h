/*
 * Reads the events of deliveries that may go next, all that wait in one statement, checks that they
 * are still owed and that nothing earlier of their contact is owed that memory does not know of,
 * and renders them. One statement is under way at a time.
 */
#ifndef WA_WEBHOOKER_DELIVERY_PREPARE_H
#define WA_WEBHOOKER_DELIVERY_PREPARE_H

#include "services/webhooker/delivery_hands.h"
#include "services/webhooker/delivery_queue.h"
#include "services/webhooker/delivery_trial.h"
#include "services/webhooker/webhooker_store.h"

struct delivery_prepare;

struct delivery_prepare_options {
	struct webhooker_store *store;
	struct delivery_queue *queue;
	struct delivery_hands *hands;
	struct delivery_trial *trial;
	const struct media_links *links;                   /* borrowed */
	int64_t (*look_back_ms)(void *ctx, int partition); /* see open_sweep.h */
	void (*on_change)(void *ctx);                      /* there may be something to start */
	void *ctx;
};

struct delivery_prepare *delivery_prepare_new(const struct delivery_prepare_options *options);
void delivery_prepare_free(struct delivery_prepare **prepare);
/* Claim what may go and read it, unless a statement is under way. */
void delivery_prepare_run(struct delivery_prepare *prepare, int64_t now_ms);
int64_t delivery_prepare_stale_count(
	const struct delivery_prepare *prepare); /* found to be owed no more */

#endif
