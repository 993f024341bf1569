/* Media files. */
#ifndef WA_API_STORE_MEDIA_H
#define WA_API_STORE_MEDIA_H

#include "services/api/api_store.h"

/* The file, if a message of the tenant has it; at most one row. */
void store_media_get(struct api_store *store, int32_t tenant_id, struct strview sha256,
	pg_done_fn fn, void *ctx);
struct store_media {
	struct strview content_type; /* views into the result */
	struct strview bytes;
};
struct store_media store_media_at(const struct pg_result *result);

#endif
