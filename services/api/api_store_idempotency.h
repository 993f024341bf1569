/* Stored answers of calls with an Idempotency-Key. */
#ifndef WA_API_STORE_IDEMPOTENCY_H
#define WA_API_STORE_IDEMPOTENCY_H

#include "services/api/api_store.h"

struct store_idempotent {
	struct strview key;
	struct strview fingerprint; /* SHA256_SIZE bytes */
	int status;
	struct strview response; /* JSON; SV_NULL: the key belongs to a message */
	int32_t contact_id;      /* whose data response holds; 0: nobody's */
};

/* tenant_id 0: the operator's. A second row of the same key violates idempotency_keys_pkey. */
void store_idempotent_add(
	struct store_tx *tx, int32_t tenant_id, const struct store_idempotent *row);
/* At most one row. */
void store_idempotent_find(
	struct api_store *store, int32_t tenant_id, struct strview key, pg_done_fn fn, void *ctx);
struct store_idempotent store_idempotent_row(const struct pg_result *result, int row);

#endif
