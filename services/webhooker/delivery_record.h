/*
 * Writes the ends of attempts to Postgres: all that wait in one statement, one statement under way
 * at a time. What the statement did not change (the lease was lost, the row was closed or its state
 * is not what memory says) is forgotten and reread.
 */
#ifndef WA_WEBHOOKER_DELIVERY_RECORD_H
#define WA_WEBHOOKER_DELIVERY_RECORD_H

#include "services/webhooker/delivery_hands.h"
#include "services/webhooker/delivery_queue.h"
#include "services/webhooker/webhooker_store.h"

struct delivery_record;

struct delivery_record_options {
	struct loop *loop;
	struct webhooker_store *store;
	struct delivery_queue *queue;
	struct delivery_hands *hands;
	void (*on_change)(void *ctx); /* deliveries have ended, or may be tried again */
	void *ctx;
};

struct delivery_record *delivery_record_new(const struct delivery_record_options *options);
void delivery_record_free(struct delivery_record **record);
/* delivery is RECORDING; end's views are copied. */
void delivery_record_add(struct delivery_record *record, const struct delivery *delivery,
	const struct store_end *end);
bool delivery_record_is_idle(const struct delivery_record *record); /* everything is written */
int64_t delivery_record_refused_count(
	const struct delivery_record *record); /* ends that changed nothing */

#endif
