/* API keys. */
#ifndef WA_API_STORE_KEYS_H
#define WA_API_STORE_KEYS_H

#include "services/api/api_call.h"
#include "services/api/api_store.h"

/* The key with this hash, unless it is revoked or expired, with its tenant and sessions. */
void store_key_find(
	struct api_store *store, const uint8_t hash[SHA256_SIZE], pg_done_fn fn, void *ctx);
/* False when there was none. ret_expires_at is Unix ms, INT64_MAX for never. */
bool store_key_row(
	const struct pg_result *result, struct caller *ret_caller, int64_t *ret_expires_at);

/* These keys were used just now. */
void store_keys_used(
	struct api_store *store, const struct strview *ids, int n_ids, pg_done_fn fn, void *ctx);

struct store_key {
	struct strview id;
	int32_t tenant_id;
	struct strview name;
	int permissions; /* as asked for, not expanded */
	bool strict;
	struct strview hash; /* for inserting only */
	struct strview hint;
	int64_t created_at;
	int64_t expires_at; /* times: PG_TIME_NULL for none */
	int64_t revoked_at;
	int64_t last_used_at;
	struct strview replaced_by; /* SV_NULL */
};

/* Fails on constraint api_keys_tenant_id_fkey when there is no such tenant. */
void store_key_add(struct store_tx *tx, const struct store_key *key);
/* Newest first; after: SV_NULL or the last id of the page before. */
void store_key_list(struct api_store *store, int32_t tenant_id, struct strview after, int limit,
	pg_done_fn fn, void *ctx);
void store_key_get(
	struct api_store *store, int32_t tenant_id, struct strview id, pg_done_fn fn, void *ctx);
/* Of a result of one of these; texts are copied into pool. */
struct store_key store_key_at(const struct pg_result *result, int row, struct pool *pool);
/* End the old key at overlap_ms from now, unless it ends before, and name the one that replaced it.
 */
void store_key_replace(struct store_tx *tx, int32_t tenant_id, struct strview id,
	struct strview replaced_by, int64_t overlap_ms);
/* Revokes it unless it is; idempotent. */
void store_key_revoke(struct store_tx *tx, int32_t tenant_id, struct strview id);

#endif
