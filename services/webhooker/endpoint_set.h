/*
 * The endpoints that something is owed to: read when they are first met, reread every
 * ENDPOINT_REREAD_MS, forgotten when they were idle for a while. Tells the queue what it may send,
 * and writes back since when an endpoint has been failing.
 */
#ifndef WA_WEBHOOKER_ENDPOINT_SET_H
#define WA_WEBHOOKER_ENDPOINT_SET_H

#include "services/webhooker/delivery_queue.h"
#include "services/webhooker/endpoint.h"

#define ENDPOINT_REREAD_MS 3000
#define ENDPOINT_IDLE_MS   600000
#define ENDPOINT_FAILING_MS                                                                        \
	(INT64_C(5) * 24 * 3600 * 1000) /* one that fails everything for so long is disabled */

struct endpoint_set;

struct endpoint_set_options {
	struct loop *loop;
	struct webhooker_store *store;
	struct delivery_queue *queue;
	const struct secret_box *box;
	/* An endpoint's state has changed; GONE: what it is owed is to be closed. */
	void (*on_change)(void *ctx, int32_t webhook_id, enum outlet_state state);
	void *ctx;
};

struct endpoint_set *endpoint_set_new(const struct endpoint_set_options *options);
void endpoint_set_free(struct endpoint_set **set);
/* Something is owed to it: have it read, if it is not known. */
void endpoint_set_want(struct endpoint_set *set, int32_t webhook_id);
struct endpoint *endpoint_set_find(
	struct endpoint_set *set, int32_t webhook_id); /* NULL: not known */
/* A POST that began ago_ms before ended. failing_for_ms: how long the endpoint has failed
 * everything, -1: it does not. */
void endpoint_set_note(
	struct endpoint_set *set, int32_t webhook_id, int64_t failing_for_ms, int64_t ago_ms);
/* It said that it is gone. */
void endpoint_set_gone(struct endpoint_set *set, int32_t webhook_id);

#endif
