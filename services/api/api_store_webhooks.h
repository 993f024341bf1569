/* Webhooks, their secrets, and the log of what they were sent. */
#ifndef WA_API_STORE_WEBHOOKS_H
#define WA_API_STORE_WEBHOOKS_H

#include <stdbool.h>

#include "services/api/api_store.h"

struct store_webhook {
	struct strview public_id;
	int32_t tenant_id;
	struct strview url;
	int event_mask;
	bool active;
	struct strview description; /* SV_NULL */
	int64_t created_at;
	int64_t updated_at;
	int64_t disabled_at; /* times: PG_TIME_NULL for none */
	struct strview disabled_reason;
	int64_t failing_since;
};

/* How many the tenant has. */
void store_webhook_count(struct api_store *store, int32_t tenant_id, pg_done_fn fn, void *ctx);
/* With its first secret, sealed. Two statements. */
void store_webhook_add(
	struct store_tx *tx, const struct store_webhook *webhook, struct strview sealed_secret);
/* Newest first; after: SV_NULL, or the last public id of the page before. */
void store_webhook_list(struct api_store *store, int32_t tenant_id, struct strview after, int limit,
	pg_done_fn fn, void *ctx);
void store_webhook_get(struct api_store *store, int32_t tenant_id, struct strview public_id,
	pg_done_fn fn, void *ctx);

/* Which members a change is about. `active` true also takes back that we disabled it. */
struct store_webhook_set {
	bool url;
	bool events;
	bool active;
	bool description;
};
void store_webhook_change(struct store_tx *tx, const struct store_webhook *webhook,
	const struct store_webhook_set *set);
/* A new secret, sealed; those before it end after overlap_ms, or earlier if they were to. Three
 * statements. */
void store_webhook_rotate_secret(struct store_tx *tx, const struct store_webhook *webhook,
	struct strview sealed_secret, int64_t overlap_ms);
void store_webhook_delete(struct store_tx *tx, int32_t tenant_id, struct strview public_id);

/* One row: the number of an event that is to be made. */
void store_event_sequence(struct api_store *store, pg_done_fn fn, void *ctx);
/* An event of type `test` that this endpoint alone is owed. One row, or none when there is no such
   webhook: its created_at and the webhook's inner id. */
void store_webhook_test(
	struct store_tx *tx, int32_t tenant_id, struct strview public_id, int64_t sequence);

/* Texts are copied into pool. */
struct store_webhook store_webhook_at(const struct pg_result *result, int row, struct pool *pool);

struct store_delivery {
	int32_t webhook_id; /* the inner one */
	int64_t sequence;
	int event_type;
	int status; /* 0 pending, 1 delivered, 2 out of attempts, 3 endpoint gone */
	int attempts;
	int64_t created_at;
	int64_t next_attempt_at;
	int64_t last_attempt_at;
	int64_t http_status; /* of the last attempt; PG_INT_NULL without an answer; the same below
			      */
	int64_t duration_ms;
	struct strview error;
};
/* What the endpoint is or was owed, newest first; after: 0, or the last sequence of the page
 * before. */
void store_delivery_list(struct api_store *store, int32_t tenant_id, struct strview public_id,
	int64_t after, int limit, pg_done_fn fn, void *ctx);
struct store_delivery store_delivery_at(const struct pg_result *result, int row, struct pool *pool);

struct store_delivery_attempt {
	int64_t sequence;
	int64_t at;
	int64_t http_status;
	int64_t duration_ms;
	struct strview error;
};
/* The failed attempts of these deliveries, oldest first. */
void store_delivery_attempts(struct api_store *store, int32_t webhook_id, const int64_t *sequences,
	int n_sequences, pg_done_fn fn, void *ctx);
struct store_delivery_attempt store_delivery_attempt_at(
	const struct pg_result *result, int row, struct pool *pool);

#endif
