/*
 * Rereads open deliveries from Postgres: all of a partition that was gained, or whose entries were
 * lost, at full speed; all others slowly, one partition every SWEEP_EVERY_MS, in bounded pages; and
 * what the queue's memory had no room for, as it drains.
 */
#ifndef WA_WEBHOOKER_OPEN_SWEEP_H
#define WA_WEBHOOKER_OPEN_SWEEP_H

#include "services/webhooker/delivery_queue.h"
#include "services/webhooker/webhooker_store.h"

#define SWEEP_EVERY_MS   500
#define SWEEP_PAGE       1000
#define SWEEP_MIN_AGE_MS 1000  /* the slow sweep leaves what is younger to its entry */
#define SWEEP_SLACK_MS   60000 /* a transaction that writes events is never open for longer */

struct open_sweep;

struct open_sweep_options {
	struct loop *loop;
	struct webhooker_store *store;
	struct delivery_queue *queue;
	enum delivery_intake (*on_row)(void *ctx, const struct delivery_facts *facts);
	void (*on_loaded)(
		void *ctx, int partition); /* the first pass since it was added is complete */
	void (*on_refilled)(void *ctx);
	void *ctx;
};

struct open_sweep *open_sweep_new(const struct open_sweep_options *options);
void open_sweep_free(struct open_sweep **sweep);
void open_sweep_add(struct open_sweep *sweep, int partition);
void open_sweep_remove(struct open_sweep *sweep, int partition);
void open_sweep_reload(
	struct open_sweep *sweep, int partition); /* at full speed; nothing unless it was added */
void open_sweep_stop(struct open_sweep *sweep);   /* for good: the process is ending */
/* How far back there may be open deliveries of a loaded partition that the queue neither has nor
 * has left to Postgres. */
int64_t open_sweep_look_back_ms(const struct open_sweep *sweep, int partition, int64_t now_ms);
/* Fulfil the queue's wishes for refills, if there are any. */
void open_sweep_refill(struct open_sweep *sweep);
int64_t open_sweep_oldest_wall_ms(
	const struct open_sweep *sweep); /* of all that is open, as last seen; -1: nothing */

#endif
