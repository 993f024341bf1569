/* WhatsApp sessions. */
#ifndef WA_API_STORE_SESSIONS_H
#define WA_API_STORE_SESSIONS_H

#include <stdbool.h>

#include "services/api/api_store.h"

struct store_session {
	int32_t id;
	bool is_shared; /* the deployment's, not the tenant's own */
	struct strview engine;
	struct strview name; /* SV_NULL */
	struct strview state;
	struct strview reason;
	struct strview phone_number;
	int64_t since;
	int64_t created_at;
	int64_t rate_per_min; /* pacing: PG_INT_NULL for the deployment's */
	int64_t burst;
	int64_t recipient_interval_ms;
	int64_t recipient_burst;
};

/* How many the tenant has of its own. */
void store_session_count(struct api_store *store, int32_t tenant_id, pg_done_fn fn, void *ctx);
/* With its lease, for a gateway to take. Two statements. */
void store_session_add(struct store_tx *tx, int32_t tenant_id, const struct store_session *session);
/* The tenant's own and the shared one that it uses, newest first; after: 0, or the last id of the
 * page before. */
void store_session_list(struct api_store *store, int32_t tenant_id, int32_t after, int limit,
	pg_done_fn fn, void *ctx);
void store_session_get(
	struct api_store *store, int32_t tenant_id, int32_t id, pg_done_fn fn, void *ctx);
/* Texts are copied into pool. */
struct store_session store_session_at(const struct pg_result *result, int row, struct pool *pool);

struct store_pairing {
	bool is_shared;
	struct strview engine;
	struct strview state;
	struct strview qr; /* SV_NULL: none that is good now */
	int64_t qr_until;
	struct strview code; /* the same */
	struct strview code_phone;
	int64_t code_until;
};

/* How a session's pairing stands: one row or none. Views into the result. */
void store_pairing_get(
	struct api_store *store, int32_t tenant_id, int32_t id, pg_done_fn fn, void *ctx);
struct store_pairing store_pairing_at(const struct pg_result *result);
/* Ask its gateway for a code: digits of the phone it is to be typed on, or "" for one to scan. */
void store_pairing_ask(
	struct api_store *store, int32_t id, struct strview phone, pg_done_fn fn, void *ctx);

/* Nobody runs it any more, and nothing more is accepted for it. Three statements. */
void store_session_delete(struct store_tx *tx, int32_t tenant_id, int32_t id);
/* Fail up to `limit` open messages of a deleted session, with their events. One row: how many they
 * were. */
void store_session_unwind(struct api_store *store, int32_t id, int limit, pg_done_fn fn, void *ctx);
/* Drop what a deleted session's sandbox still holds for it: incoming messages and receipts. */
void store_session_empty(struct api_store *store, int32_t id, pg_done_fn fn, void *ctx);
/* One deleted session that still has open messages or a sandbox that is not empty; at most one row.
 */
void store_session_unfinished(struct api_store *store, pg_done_fn fn, void *ctx);

#endif
