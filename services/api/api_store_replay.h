/* Owing an endpoint events once more. */
#ifndef WA_API_STORE_REPLAY_H
#define WA_API_STORE_REPLAY_H

#include "services/api/api_store.h"

/* Which events: all that every member lets through. */
struct store_replay {
	int32_t tenant_id;
	struct strview webhook_id; /* the public one */
	int64_t sequence;          /* PG_INT_NULL: any */
	int64_t from, to;          /* of created_at, `to` not included; PG_TIME_NULL: no bound */
	int event_mask; /* 0: what the endpoint was owed, and what it subscribes to now */
	int64_t status; /* of its delivery; PG_INT_NULL: any end, and events it was never owed */
	int max;        /* more than that: nothing is changed */
};

/*
 * What is owed already is left alone. Rows, lowest sequence first, one more than `max` when there
 * are too many: see store_replayed_at().
 */
void store_replay_add(struct store_tx *tx, const struct store_replay *replay);

struct store_replayed {
	int64_t sequence;
	int64_t created_at;
	int32_t contact_id; /* 0: none */
	struct strview message_id;
	int event_type;
	int32_t webhook_id; /* the inner one */
};
struct store_replayed store_replayed_at(const struct pg_result *result, int row);

#endif
