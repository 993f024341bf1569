/* The sandbox's phones, as the api plays them: see deploy/sql, schema sandbox. */
#ifndef WA_API_STORE_SANDBOX_H
#define WA_API_STORE_SANDBOX_H

#include "services/api/api_store.h"

/* One row: the sandbox session that this tenant's messages go through; none when it has none. */
void store_sandbox_session(struct api_store *store, int32_t tenant_id, pg_done_fn fn, void *ctx);

struct store_inbound {
	int32_t session_id;
	int32_t tenant_id;
	struct strview phone;
	struct strview wa_message_id;
	int type;
	struct strview body;      /* SV_NULL */
	struct strview media_url; /* SV_NULL */
};
void store_inbound_add(struct store_tx *tx, const struct store_inbound *inbound);

/* What the phone shows of this tenant's, oldest first, at most `limit` of the newest. */
void store_outbox(struct api_store *store, int32_t tenant_id, struct strview phone, int limit,
	pg_done_fn fn, void *ctx);
struct store_shown {
	struct strview message_id;
	struct strview wa_message_id;
	int type;
	struct strview body;
	struct strview caption;
	struct strview media_sha256;
	int64_t received_at;
	int64_t copies;
};
/* Views into the result. */
struct store_shown store_shown_at(const struct pg_result *result, int row);

#endif
