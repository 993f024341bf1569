/* The audit log: who did what. Rows are part of the transaction that does it. */
#ifndef WA_API_STORE_AUDIT_H
#define WA_API_STORE_AUDIT_H

#include "services/api/api_call.h"
#include "services/api/api_store.h"

/* action: "tenant.create"; tenant_id 0: none; target: an id, or NULL. Never secrets or bodies. */
void store_audit_add(struct store_tx *tx, const struct api_call *call, const char *action,
	int32_t tenant_id, const char *target);

#endif
