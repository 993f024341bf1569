/* SQL of tenants. */
#include "services/api/api_store_tenants.h"

#define TENANT_COLUMNS                                                                             \
	"id, name, description, sandbox, backlog_cap, rate_per_min, created_at, updated_at"

static const struct pg_stmt next_id = {
	"api_next_id", "SELECT nextval(pg_get_serial_sequence($1::text, 'id'))"};

static const struct pg_stmt tenant_insert = {"api_tenant_insert",
	"INSERT INTO tenants (" TENANT_COLUMNS ") VALUES ($1::int4, $2::text, $3::text, $4::bool,"
	" $5::int4, $6::int4, $7::timestamptz, $7::timestamptz)"};

static const struct pg_stmt tenant_list = {"api_tenant_list",
	"SELECT " TENANT_COLUMNS
	" FROM tenants WHERE id < coalesce(nullif($1::int4, 0), 2147483647 + 1::int8)"
	" ORDER BY id DESC LIMIT $2::int4"};

static const struct pg_stmt tenant_get = {
	"api_tenant_get", "SELECT " TENANT_COLUMNS " FROM tenants WHERE id = $1::int4"};

static const struct pg_stmt tenant_change = {"api_tenant_change",
	"UPDATE tenants SET name = CASE WHEN $7::bool THEN $2::text ELSE name END,"
	" description = CASE WHEN $8::bool THEN $3::text ELSE description END,"
	" backlog_cap = CASE WHEN $9::bool THEN $4::int4 ELSE backlog_cap END,"
	" rate_per_min = CASE WHEN $10::bool THEN $5::int4 ELSE rate_per_min END,"
	" updated_at = $6::timestamptz WHERE id = $1::int4"};

static void param_int_or_null(struct pg_params *params, int64_t number)
{
	if (number == PG_INT_NULL)
		pg_param_null(params);
	else
		pg_param_int4(params, (int32_t)number);
}

void store_next_id(struct api_store *store, const char *kind, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_text(params, sv_from(kind));
	store_run(store, &next_id, params, fn, ctx);
	pool_free(&pool);
}

void store_tenant_add(struct store_tx *tx, const struct store_tenant *tenant)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_int4(params, tenant->id);
	pg_param_text(params, tenant->name);
	pg_param_text(params, tenant->description);
	pg_param_bool(params, tenant->sandbox);
	param_int_or_null(params, tenant->backlog_cap);
	param_int_or_null(params, tenant->rate_per_min);
	pg_param_time(params, tenant->created_at);
	store_tx_add(tx, &tenant_insert, params);
}

void store_tenant_list(struct api_store *store, int32_t after, int limit, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, after);
	pg_param_int4(params, limit);
	store_run(store, &tenant_list, params, fn, ctx);
	pool_free(&pool);
}

void store_tenant_get(struct api_store *store, int32_t id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, id);
	store_run(store, &tenant_get, params, fn, ctx);
	pool_free(&pool);
}

void store_tenant_change(
	struct store_tx *tx, const struct store_tenant *tenant, const struct store_tenant_set *set)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_int4(params, tenant->id);
	pg_param_text(params, tenant->name);
	pg_param_text(params, tenant->description);
	param_int_or_null(params, tenant->backlog_cap);
	param_int_or_null(params, tenant->rate_per_min);
	pg_param_time(params, tenant->updated_at);
	pg_param_bool(params, set->name);
	pg_param_bool(params, set->description);
	pg_param_bool(params, set->backlog_cap);
	pg_param_bool(params, set->rate_per_min);
	store_tx_add(tx, &tenant_change, params);
}

static int64_t int_or_null(const struct pg_result *result, int row, int col)
{
	return pg_is_null(result, row, col) ? PG_INT_NULL : pg_int(result, row, col);
}

struct store_tenant store_tenant_at(const struct pg_result *result, int row, struct pool *pool)
{
	return (struct store_tenant){
		.id = (int32_t)pg_int(result, row, 0),
		.name = pool_sv(pool, pg_text(result, row, 1)),
		.description = pool_sv(pool, pg_text(result, row, 2)),
		.sandbox = pg_bool(result, row, 3),
		.backlog_cap = int_or_null(result, row, 4),
		.rate_per_min = int_or_null(result, row, 5),
		.created_at = pg_time(result, row, 6),
		.updated_at = pg_time(result, row, 7),
	};
}
