/* Media files. */
#ifndef WA_API_STORE_MEDIA_H
#define WA_API_STORE_MEDIA_H

#include "services/api/api_store.h"

/* The file, if a message of the tenant has it; at most one row. */
void store_media_get(struct api_store *store, int32_t tenant_id, struct strview sha256,
	pg_done_fn fn, void *ctx);
struct store_media {
	struct strview content_type; /* views into the result */
	struct strview bytes;        /* unless it lies in the object store, as: */
	struct strview object;       /* SV_NULL: it does not */
	int64_t size_bytes;
};
struct store_media store_media_at(const struct pg_result *result);

/* Objects that are to be deleted from the object store: those whose file is gone, and those that
 * somebody began to put a quarter of an hour ago and never finished. Rows: object. */
void store_media_doomed(struct api_store *store, int limit, pg_done_fn fn, void *ctx);
/* It was. */
void store_media_deleted(struct api_store *store, struct strview object, pg_done_fn fn, void *ctx);

#endif
