/* Tenants. */
#ifndef WA_API_STORE_TENANTS_H
#define WA_API_STORE_TENANTS_H

#include "services/api/api_store.h"

struct store_tenant {
	int32_t id;
	struct strview name;
	struct strview description; /* SV_NULL */
	bool sandbox;
	int64_t backlog_cap;  /* PG_INT_NULL: the deployment's */
	int64_t rate_per_min; /* the same */
	int64_t created_at;
	int64_t updated_at;
};

/* One row, one column: an id that nobody else gets. kind: "tenants", "contacts" or "sessions". */
void store_next_id(struct api_store *store, const char *kind, pg_done_fn fn, void *ctx);
void store_tenant_add(struct store_tx *tx, const struct store_tenant *tenant);
/* Newest first; after: 0, or the last id of the page before. */
void store_tenant_list(struct api_store *store, int32_t after, int limit, pg_done_fn fn, void *ctx);
void store_tenant_get(struct api_store *store, int32_t id, pg_done_fn fn, void *ctx);
/* Which members a change is about. */
struct store_tenant_set {
	bool name;
	bool description;
	bool backlog_cap;
	bool rate_per_min;
};
/* Changes nothing when there is no such tenant. */
void store_tenant_change(
	struct store_tx *tx, const struct store_tenant *tenant, const struct store_tenant_set *set);
struct store_tenant store_tenant_at(const struct pg_result *result, int row, struct pool *pool);

#endif
