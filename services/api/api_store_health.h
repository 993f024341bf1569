/* What Postgres tells of the whole system's health. */
#ifndef WA_API_STORE_HEALTH_H
#define WA_API_STORE_HEALTH_H

#include "services/api/api_store.h"

/* One row for each live session: its id, engine, state, whether a gateway holds its lease, whether
   it is a shared one; and in each row how many partition and event leases there are and how many
   are held. One row with session 0 when there is none. */
void store_health(struct api_store *store, int64_t timeout_ms, pg_done_fn fn, void *ctx);

struct store_health_session {
	int32_t id; /* 0: there is none */
	struct strview state;
	bool is_led;
};
struct store_health_leases {
	int64_t partitions;
	int64_t partitions_held;
	int64_t events;
	int64_t events_held;
};
struct store_health_session store_health_session_at(const struct pg_result *result, int row);
struct store_health_leases store_health_leases_at(const struct pg_result *result);

#endif
