/*
 * The limits of the sessions and tenants in use, read from Postgres every 3 s and at once when one
 * is not known yet. Tells the queue which sessions have a gateway, and opens the lanes that waited
 * for an answer.
 */
#ifndef WA_SENDER_LIMITS_CACHE_H
#define WA_SENDER_LIMITS_CACHE_H

#include "common/io/loop.h"
#include "services/sender/pace_limits.h"

struct limits_cache;

enum limits_answer {
	LIMITS_KNOWN,
	LIMITS_ASKED,      /* not known yet; the session's lane opens when it is */
	LIMITS_NO_SESSION, /* there is no such session (any more) */
};

/* on_change: lanes may have opened. All pointers are borrowed. */
struct limits_cache *limits_cache_new(struct loop *loop, struct sender_store *store,
	struct send_queue *queue, const struct pace_settings *settings, loop_fn on_change,
	void *ctx);
void limits_cache_free(struct limits_cache **cache);
enum limits_answer limits_cache_find(struct limits_cache *cache, int32_t session_id,
	int32_t tenant_id, struct pace_limits *ret_limits);

#endif
