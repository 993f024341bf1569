/*
 * Erasing a person: begun in one transaction, after which the contact is gone for everybody; then
 * finished step by step, because there may be many messages. contacts.erasing is true in between,
 * so that it is finished even if this process dies.
 */
#ifndef WA_API_STORE_ERASURE_H
#define WA_API_STORE_ERASURE_H

#include <stdbool.h>

#include "services/api/api_store.h"

/* One row, also for an erased contact: is it erased, is that going on. None: no such contact. */
void store_erasure_find(
	struct api_store *store, int32_t tenant_id, int32_t contact_id, pg_done_fn fn, void *ctx);
struct store_erasure {
	bool is_begun;
	bool is_going_on;
};
struct store_erasure store_erasure_at(const struct pg_result *result);

/* Names, email, metadata, numbers, stored answers. Four statements. */
void store_erasure_begin(struct store_tx *tx, int32_t tenant_id, int32_t contact_id);

/*
 * Up to `limit` messages: cancel what is certain not to have left, close what may have, blank all
 * of it, here and in the sandbox's ledger. Those whose attempt is in flight are left for later:
 * they need their text until the attempt ends.
 */
void store_erasure_step(
	struct api_store *store, int32_t contact_id, int limit, pg_done_fn fn, void *ctx);
struct store_erasure_step {
	int64_t n_blanked;
	int n_media;
	struct strview *media; /* hashes that those messages had; in pool */
};
struct store_erasure_step store_erasure_step_at(const struct pg_result *result, struct pool *pool);
/* Delete those files that no message has any more. */
void store_media_drop(struct api_store *store, const struct strview *hashes, int n_hashes,
	pg_done_fn fn, void *ctx);
/* Note the end, if nothing is left. One row: is it so. */
void store_erasure_finish(struct api_store *store, int32_t contact_id, pg_done_fn fn, void *ctx);
/* One contact whose erasure is going on; at most one row: its id. */
void store_erasure_unfinished(struct api_store *store, pg_done_fn fn, void *ctx);

#endif
