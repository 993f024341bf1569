/* Work that was set aside. */
#ifndef WA_API_STORE_SET_ASIDE_H
#define WA_API_STORE_SET_ASIDE_H

#include "services/api/api_store.h"

struct store_set_aside {
	struct strview id;
	struct strview kind;
	struct strview stream;     /* SV_NULL: not an entry of a stream */
	struct strview message_id; /* SV_NULL */
	int64_t tenant_id;         /* 0: none */
	struct strview reason;
	int64_t created_at;
	int64_t retried_at;
	struct strview payload; /* of an entry */
};

/* Newest first; after: SV_NULL, or the last id of the page before. */
void store_set_aside_list(
	struct api_store *store, struct strview after, int limit, pg_done_fn fn, void *ctx);
void store_set_aside_get(struct api_store *store, struct strview id, pg_done_fn fn, void *ctx);
/* Texts and payload are copied into pool. */
struct store_set_aside store_set_aside_at(
	const struct pg_result *result, int row, struct pool *pool);

/* Open the message again, as one whose last attempt's end is not known: it is resent with the same
   WhatsApp id. Nothing happens unless it failed because it was set aside. */
void store_message_reopen(struct store_tx *tx, struct strview message_id);
/* Owe a delivery to its endpoint again. Nothing happens unless it is closed as out of attempts. */
void store_delivery_reopen(
	struct store_tx *tx, int32_t webhook_id, int64_t sequence, int64_t created_at);
void store_set_aside_retried(struct store_tx *tx, struct strview id);

#endif
