/*
 * The limiters: GCRA on Redis's clock, shared by all senders. One script call decides about many
 * messages, each as a whole: all of its limits allow it and are charged, or none is. When Redis
 * fails nothing is allowed. Keys: pace.s.<session>, pace.r.<session>.<phone>, pace.t.<tenant>; the
 * value is the theoretical arrival time in us.
 */
#ifndef WA_SENDER_PACING_H
#define WA_SENDER_PACING_H

#include "common/io/redis_conn.h"
#include "services/sender/pace_limits.h"
#include "services/sender/send_queue.h"

struct pacing;

struct pacing_events {
	/* reason HELD_NOT and wait_ms 0: allowed; HELD_NOT and wait_ms > 0: Redis did not say.
	   First those that are allowed, in the order in which they were asked for, then the others,
	   last one first (so that they can be put back in front). */
	void (*on_answer)(void *ctx, struct conversation *conversation, enum held_reason reason,
		int64_t wait_ms);
	void (*on_answers_end)(void *ctx);
};

struct pacing *pacing_new(struct redis_conn *redis, const struct pacing_events *events,
	void *ctx); /* redis: borrowed */
/* What is not answered yet is told as not said. */
void pacing_free(struct pacing **pacing);
/* Ask for the first message of a conversation, which is pinned by the caller; with the next
   pacing_flush(). */
void pacing_ask(
	struct pacing *pacing, struct conversation *conversation, const struct pace_limits *limits);
void pacing_flush(struct pacing *pacing);

#endif
