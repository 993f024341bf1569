/*
 * All SQL of the webhooker. Each function runs one statement and calls fn once, never before it
 * returns; the result is read with the getters that stand below the function. Three connections:
 * what is read to be sent, what is written, what is swept; so that none waits for another.
 */
#ifndef WA_WEBHOOKER_WEBHOOKER_STORE_H
#define WA_WEBHOOKER_WEBHOOKER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/strview.h"
#include "common/io/pg_conn.h"
#include "common/model/event_render.h"
#include "services/webhooker/delivery.h"

#define STORE_DEADLINE_MS 10000

struct webhooker_store;

/* url and owner are borrowed. on_change: whether all connections are up has changed. */
struct webhooker_store *webhooker_store_new(struct loop *loop, const char *url,
	const char *app_name, const char *owner, pg_change_fn on_change, void *ctx);
void webhooker_store_free(
	struct webhooker_store **store); /* what is under way ends without its callback */
bool webhooker_store_is_up(const struct webhooker_store *store);

/* --- events that are about to be sent --- */

struct store_key {
	int32_t webhook_id;
	int64_t sequence;
	int64_t created_at_wall_ms;
	int32_t contact_id;
	int64_t look_back_ms; /* how far back earlier deliveries may be that memory does not know */
};
void store_prepare(struct webhooker_store *store, const struct store_key *keys, int n_keys,
	pg_done_fn fn, void *ctx);
struct store_prepared { /* one a row, in any order; views live as long as the result */
	int index;      /* of its key */
	bool exists;    /* the delivery's row; then: */
	bool is_open;
	int attempts;
	int64_t due_in_ms;
	int64_t tried_ago_ms;
	int64_t tried_for_ms;
	bool has_event; /* then: */
	struct event_row event;
	struct strview earlier; /* sequences of the contact's earlier open deliveries to that
				   endpoint: "12,15"; SV_NULL: none */
};
void store_prepared_row(const struct pg_result *result, int row, struct store_prepared *ret_row);

/* --- ends of attempts --- */

struct store_end {
	int32_t webhook_id;
	int64_t sequence;
	int64_t created_at_wall_ms;
	int partition;
	int64_t epoch; /* of the lease under which it was sent */
	int attempts;  /* made before this one: as the row must say */
	enum delivery_status status;
	int64_t wait_ms; /* DELIVERY_PENDING: until the next attempt */
	int64_t ago_ms;  /* since the attempt began */
	int duration_ms;
	int http_status;         /* 0: no answer */
	struct strview error;    /* SV_NULL: it succeeded */
	struct strview response; /* of one that failed; SV_NULL: none */
};
/* The rows that it gives were changed: open still, with that number of attempts, and the lease
 * still ours. Repeating is harmless. */
void store_record(struct webhooker_store *store, const struct store_end *ends, int n_ends,
	pg_done_fn fn, void *ctx);
int store_recorded_index(const struct pg_result *result, int row);

/* --- open deliveries --- */

/* A page of a partition's, by endpoint and sequence, behind (after_webhook_id, after_sequence); at
 * least min_age_ms old. */
void store_sweep(struct webhooker_store *store, int partition, int32_t after_webhook_id,
	int64_t after_sequence, int64_t min_age_ms, int limit, pg_done_fn fn, void *ctx);
/* A page of one endpoint's in one partition, by sequence. */
void store_refill(struct webhooker_store *store, int32_t webhook_id, int partition,
	int64_t after_sequence, int limit, pg_done_fn fn, void *ctx);
void store_open_row(
	const struct pg_result *result, int row, struct delivery_facts *ret_facts); /* of both */

/* --- endpoints --- */

/* Rows by endpoint, one for each live secret, newest first, or one without a secret. */
void store_endpoints(struct webhooker_store *store, const int64_t *webhook_ids, int n_ids,
	pg_done_fn fn, void *ctx);
struct store_endpoint {
	int32_t webhook_id;
	struct strview public_id;
	struct strview url;
	bool is_active;
	bool is_disabled;
	bool is_deleted;
	bool is_failing;
	int64_t failing_for_ms;
	struct strview sealed; /* SV_NULL: no secret */
};
void store_endpoint_row(const struct pg_result *result, int row, struct store_endpoint *ret_row);
/* Begin (ago_ms before now, unless it has begun already) or end their failing. */
void store_endpoints_failing(struct webhooker_store *store, const int64_t *webhook_ids,
	const bool *are_failing, const int64_t *ago_ms, int n, pg_done_fn fn, void *ctx);
/* Unless it has failed everything for less than failing_ms (0: whatever its row says).
 * pg_affected() tells whether. */
void store_endpoint_disable(struct webhooker_store *store, int32_t webhook_id, const char *reason,
	int64_t failing_ms, pg_done_fn fn, void *ctx);
/* Close up to `limit` open deliveries in these partitions to an endpoint that is deleted or
 * disabled; pg_affected() tells how many. */
void store_endpoint_close(struct webhooker_store *store, int32_t webhook_id,
	const int64_t *partitions, int n_partitions, int limit, pg_done_fn fn, void *ctx);

/* --- the rest --- */

void store_set_aside(struct webhooker_store *store, const char *id, const char *stream,
	struct strview payload, const char *reason, pg_done_fn fn, void *ctx);
struct store_aside_delivery {
	const struct delivery *delivery;
	int64_t epoch; /* of its partition's lease */
	const char *id;
	const char *stream;
	const char *reason;
	struct strview payload;
};
/* Closes it, as out of attempts, and keeps it in set_aside; unless it is closed or the lease is
 * another's. */
void store_set_aside_delivery(struct webhooker_store *store,
	const struct store_aside_delivery *aside, pg_done_fn fn, void *ctx);
void store_keep_day_partitions(
	struct webhooker_store *store, int keep_days, pg_done_fn fn, void *ctx);
/* Delete idempotency keys that are older than hours, at most `limit`; pg_affected(). */
void store_forget_keys(
	struct webhooker_store *store, int hours, int limit, pg_done_fn fn, void *ctx);

#endif
