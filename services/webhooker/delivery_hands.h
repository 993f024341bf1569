/*
 * What this process has in hand, told to Redis before it is worked on: so that whoever takes a
 * partition over knows what its last owner died with, and how often that has happened. Redis may
 * lose it at any moment: then counting begins anew.
 *
 * hands.<partition>: a hash of "<webhook>:<sequence>" → 1 when it was tried alone, else 0.
 * deaths.<partition>: the same names → deaths, and 65,536 for each that happened while alone.
 */
#ifndef WA_WEBHOOKER_DELIVERY_HANDS_H
#define WA_WEBHOOKER_DELIVERY_HANDS_H

#include "common/io/redis_conn.h"
#include "services/webhooker/delivery.h"

struct delivery_hands;

struct delivery_hands_options {
	struct loop *loop;
	struct redis_conn *redis; /* borrowed */
	/* What was asked about a partition is known, or Redis has not told within a second. */
	void (*on_asked)(void *ctx, int partition);
	void *ctx;
};

struct delivery_hands *delivery_hands_new(const struct delivery_hands_options *options);
void delivery_hands_free(struct delivery_hands **hands);

/* A partition was gained: what its last owner had in hand counts as a death of each. */
void delivery_hands_ask(struct delivery_hands *hands, int partition);
void delivery_hands_drop(struct delivery_hands *hands, int partition); /* it is lost again */

/* Kept until the next flush; which must come before anything of it is done. */
void delivery_hands_take(struct delivery_hands *hands, const struct delivery *delivery);
/* It ended, or waits again, or was lost with its partition: this process did not die of it. */
void delivery_hands_give_back(struct delivery_hands *hands, const struct delivery *delivery);
void delivery_hands_flush(struct delivery_hands *hands);
/* Tell that it is tried alone from now on; fn when Redis knows. */
void delivery_hands_take_alone(
	struct delivery_hands *hands, const struct delivery *delivery, redis_done_fn fn, void *ctx);
void delivery_hands_forget(struct delivery_hands *hands, const void *ctx); /* fn does not come */

/* 0 and 0 for nearly all. */
void delivery_hands_deaths(const struct delivery_hands *hands, int32_t webhook_id, int64_t sequence,
	int *ret_deaths, int *ret_deaths_alone);
/* An attempt of it has ended and this process lives: its deaths are forgotten. */
void delivery_hands_clear(struct delivery_hands *hands, int32_t webhook_id, int64_t sequence);

#endif
