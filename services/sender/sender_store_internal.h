/* What the files of the store share: one call that is under way. */
#ifndef WA_SENDER_SENDER_STORE_INTERNAL_H
#define WA_SENDER_SENDER_STORE_INTERNAL_H

#include <sys/queue.h>

#include "services/sender/sender_store.h"

#define STORE_DEADLINE_MS 10000

TAILQ_HEAD(store_call_list, store_call);

struct sender_store {
	struct pg_pool *pool;
	struct store_call_list calls;
	int n_calls;
};

union store_callback {
	store_messages_fn on_messages;
	store_limits_fn on_limits;
	store_expired_fn on_expired;
	store_wait_fn on_wait;
	store_done_fn on_done;
};

struct store_call {
	TAILQ_ENTRY(store_call) in_store;
	struct sender_store *store;
	struct pool *pool; /* of the call: parameters, then rows */
	union store_callback fn;
	void *ctx;
};

struct store_call *store_call_new(struct sender_store *store, union store_callback fn, void *ctx);
void store_call_free(struct store_call **call);
/* Run it; on_done gets the call as ctx and must end with store_call_free(). */
void store_call_run(struct store_call *call, const struct pg_stmt *stmt,
	const struct pg_params *params, pg_done_fn on_done);
/* Turn the rows of columns (partition, session_id, phone, id, tenant_id, queue_seq, attempts,
   claimed, due_in_ms) into structs and give them to the caller. */
void store_give_messages(void *call, const struct pg_result *result);

#endif
