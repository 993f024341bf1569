/* SQL of what was set aside. */
#include "services/api/api_store_set_aside.h"

#define SET_ASIDE_COLUMNS                                                                          \
	"id, kind, stream, message_id, tenant_id, reason, created_at, retried_at, payload"

static const struct pg_stmt set_aside_list = {"api_set_aside_list",
	"SELECT " SET_ASIDE_COLUMNS " FROM set_aside"
	" WHERE id < coalesce($1::text, '~') COLLATE \"C\" ORDER BY id DESC LIMIT $2::int4"};

static const struct pg_stmt set_aside_get = {
	"api_set_aside_get", "SELECT " SET_ASIDE_COLUMNS " FROM set_aside WHERE id = $1::text"};

static const struct pg_stmt message_reopen = {"api_message_reopen",
	"UPDATE messages SET status = 3, open = true, outcome_unknown = true, ever_unknown = true,"
	" deaths = 0, deaths_alone = 0, alone = false, next_attempt_at = now(), failed_at = NULL,"
	" error = NULL, error_code = NULL"
	" WHERE id = $1::text AND status = 7 AND error_code = 'set_aside' AND NOT erased"};

static const struct pg_stmt delivery_reopen = {"api_delivery_reopen",
	"UPDATE deliveries SET status = 0, open = true, next_attempt_at = NULL, error = NULL"
	" WHERE webhook_id = $1::int4 AND sequence = $2::int8 AND created_at >= $3::timestamptz"
	" AND created_at < $3::timestamptz + interval '1 ms' AND NOT open AND status = 2"};

static const struct pg_stmt set_aside_retried = {
	"api_set_aside_retried", "UPDATE set_aside SET retried_at = now() WHERE id = $1::text"};

void store_set_aside_list(
	struct api_store *store, struct strview after, int limit, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_text(params, after);
	pg_param_int4(params, limit);
	store_run(store, &set_aside_list, params, fn, ctx);
	pool_free(&pool);
}

void store_set_aside_get(struct api_store *store, struct strview id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_text(params, id);
	store_run(store, &set_aside_get, params, fn, ctx);
	pool_free(&pool);
}

struct store_set_aside store_set_aside_at(
	const struct pg_result *result, int row, struct pool *pool)
{
	return (struct store_set_aside){
		.id = pool_sv(pool, pg_text(result, row, 0)),
		.kind = pool_sv(pool, pg_text(result, row, 1)),
		.stream = pool_sv(pool, pg_text(result, row, 2)),
		.message_id = pool_sv(pool, pg_text(result, row, 3)),
		.tenant_id = pg_int(result, row, 4),
		.reason = pool_sv(pool, pg_text(result, row, 5)),
		.created_at = pg_time(result, row, 6),
		.retried_at = pg_time(result, row, 7),
		.payload = pool_sv(pool, pg_bytes(result, row, 8)),
	};
}

void store_delivery_reopen(
	struct store_tx *tx, int32_t webhook_id, int64_t sequence, int64_t created_at)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_int4(params, webhook_id);
	pg_param_int8(params, sequence);
	pg_param_time(params, created_at);
	store_tx_add(tx, &delivery_reopen, params);
}

void store_message_reopen(struct store_tx *tx, struct strview message_id)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_text(params, message_id);
	store_tx_add(tx, &message_reopen, params);
}

void store_set_aside_retried(struct store_tx *tx, struct strview id)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_text(params, id);
	store_tx_add(tx, &set_aside_retried, params);
}
