/* SQL of stored answers. */
#include "services/api/api_store_idempotency.h"

static const struct pg_stmt idempotent_insert = {"api_idempotent_insert",
	"INSERT INTO idempotency_keys (tenant_id, key, fingerprint, status, response, contact_id)"
	" VALUES ($1::int4, $2::text, $3::bytea, $4::int2, $5::text, nullif($6::int4, 0))"};

static const struct pg_stmt idempotent_find = {"api_idempotent_find",
	"SELECT fingerprint, status, response FROM idempotency_keys"
	" WHERE tenant_id = $1::int4 AND key = $2::text"};

void store_idempotent_add(
	struct store_tx *tx, int32_t tenant_id, const struct store_idempotent *row)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_int4(params, tenant_id);
	pg_param_text(params, row->key);
	pg_param_bytes(params, row->fingerprint);
	pg_param_int2(params, (int16_t)row->status);
	pg_param_text(params, row->response);
	pg_param_int4(params, row->contact_id);
	store_tx_add(tx, &idempotent_insert, params);
}

void store_idempotent_find(
	struct api_store *store, int32_t tenant_id, struct strview key, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_text(params, key);
	store_run(store, &idempotent_find, params, fn, ctx);
	pool_free(&pool);
}

struct store_idempotent store_idempotent_row(const struct pg_result *result, int row)
{
	return (struct store_idempotent){
		.fingerprint = pg_bytes(result, row, 0),
		.status = (int)pg_int(result, row, 1),
		.response = pg_text(result, row, 2),
	};
}
