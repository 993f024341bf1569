/* SQL of webhooks. */
#include "services/api/api_store_webhooks.h"

#define WEBHOOK_COLUMNS                                                                            \
	"public_id, tenant_id, url, event_mask, active, description, created_at, updated_at,"      \
	" disabled_at, disabled_reason, failing_since"

#define WEBHOOK_IS "public_id = $2::text AND tenant_id = $1::int4 AND deleted_at IS NULL"

static const struct pg_stmt webhook_count = {"api_webhook_count",
	"SELECT count(*) FROM webhooks WHERE tenant_id = $1::int4 AND deleted_at IS NULL"};

static const struct pg_stmt webhook_insert = {"api_webhook_insert",
	"INSERT INTO webhooks"
	" (public_id, tenant_id, url, event_mask, active, description, created_at, updated_at)"
	" VALUES ($1::text, $2::int4, $3::text, $4::int4, $5::bool, $6::text, $7::timestamptz,"
	" $7::timestamptz)"};

static const struct pg_stmt secret_insert = {"api_webhook_secret_insert",
	"INSERT INTO webhook_secrets (webhook_id, sealed)"
	" SELECT id, $2::bytea FROM webhooks WHERE public_id = $1::text"};

static const struct pg_stmt secrets_end = {"api_webhook_secrets_end",
	"UPDATE webhook_secrets s"
	" SET expires_at = least(s.expires_at, now() + $3::int8 * interval '1 ms')"
	" FROM webhooks w WHERE s.webhook_id = w.id AND w.tenant_id = $1::int4"
	" AND w.public_id = $2::text AND (s.expires_at IS NULL OR s.expires_at > now())"};

static const struct pg_stmt webhook_touch = {
	"api_webhook_touch", "UPDATE webhooks SET updated_at = $3::timestamptz WHERE " WEBHOOK_IS};

static const struct pg_stmt webhook_list = {"api_webhook_list",
	"SELECT " WEBHOOK_COLUMNS " FROM webhooks WHERE tenant_id = $1::int4"
	" AND deleted_at IS NULL AND public_id < coalesce($2::text, '~') COLLATE \"C\""
	" ORDER BY public_id DESC LIMIT $3::int4"};

static const struct pg_stmt webhook_get = {
	"api_webhook_get", "SELECT " WEBHOOK_COLUMNS " FROM webhooks WHERE " WEBHOOK_IS};

static const struct pg_stmt webhook_change = {"api_webhook_change",
	"UPDATE webhooks SET url = CASE WHEN $8::bool THEN $3::text ELSE url END,"
	" event_mask = CASE WHEN $9::bool THEN $4::int4 ELSE event_mask END,"
	" active = CASE WHEN $10::bool THEN $5::bool ELSE active END,"
	" description = CASE WHEN $11::bool THEN $6::text ELSE description END,"
	" disabled_at = CASE WHEN $10::bool AND $5::bool THEN NULL ELSE disabled_at END,"
	" disabled_reason = CASE WHEN $10::bool AND $5::bool THEN NULL ELSE disabled_reason END,"
	" failing_since = CASE WHEN $10::bool AND $5::bool AND disabled_at IS NOT NULL THEN NULL"
	" ELSE failing_since END,"
	" updated_at = $7::timestamptz WHERE " WEBHOOK_IS};

static const struct pg_stmt webhook_delete = {"api_webhook_delete",
	"UPDATE webhooks SET active = false, deleted_at = now(), updated_at = now()"
	" WHERE " WEBHOOK_IS};

static const struct pg_stmt event_sequence = {"api_event_sequence", "SELECT nextval('event_seq')"};

static const struct pg_stmt webhook_test = {"api_webhook_test",
	"WITH w AS (SELECT id, tenant_id FROM webhooks WHERE " WEBHOOK_IS "), e AS ("
	"INSERT INTO events (created_at, sequence, tenant_id, type, at)"
	" SELECT clock_timestamp(), $3::int8, w.tenant_id, 11, clock_timestamp() FROM w"
	" RETURNING created_at"
	") INSERT INTO deliveries (created_at, webhook_id, sequence, tenant_id, partition, "
	"event_type)"
	" SELECT e.created_at, w.id, $3::int8, w.tenant_id, event_partition(NULL), 11 FROM e, w"
	" RETURNING created_at, webhook_id"};

static const struct pg_stmt delivery_list = {"api_delivery_list",
	"SELECT d.webhook_id, d.sequence, d.event_type, d.status, d.attempts, d.created_at,"
	" d.next_attempt_at, d.last_attempt_at, d.http_status, d.duration_ms, d.error"
	" FROM deliveries d WHERE d.webhook_id ="
	" (SELECT id FROM webhooks WHERE public_id = $2::text AND tenant_id = $1::int4)"
	" AND d.sequence < coalesce(nullif($3::int8, 0), 9223372036854775807)"
	" ORDER BY d.sequence DESC LIMIT $4::int4"};

static const struct pg_stmt delivery_attempts = {"api_delivery_attempts",
	"SELECT sequence, at, http_status, duration_ms, error FROM delivery_attempts"
	" WHERE webhook_id = $1::int4 AND sequence = ANY($2::int8[]) ORDER BY sequence, at"};

void store_webhook_count(struct api_store *store, int32_t tenant_id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	store_run(store, &webhook_count, params, fn, ctx);
	pool_free(&pool);
}

void store_webhook_add(
	struct store_tx *tx, const struct store_webhook *webhook, struct strview sealed_secret)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_text(params, webhook->public_id);
	pg_param_int4(params, webhook->tenant_id);
	pg_param_text(params, webhook->url);
	pg_param_int4(params, webhook->event_mask);
	pg_param_bool(params, webhook->active);
	pg_param_text(params, webhook->description);
	pg_param_time(params, webhook->created_at);
	store_tx_add(tx, &webhook_insert, params);
	params = pg_params_new(tx->pool);
	pg_param_text(params, webhook->public_id);
	pg_param_bytes(params, sealed_secret);
	store_tx_add(tx, &secret_insert, params);
}

void store_webhook_list(struct api_store *store, int32_t tenant_id, struct strview after, int limit,
	pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_text(params, after);
	pg_param_int4(params, limit);
	store_run(store, &webhook_list, params, fn, ctx);
	pool_free(&pool);
}

static struct pg_params *webhook_params(
	struct pool *pool, int32_t tenant_id, struct strview public_id)
{
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_text(params, public_id);
	return params;
}

void store_webhook_get(struct api_store *store, int32_t tenant_id, struct strview public_id,
	pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	store_run(store, &webhook_get, webhook_params(pool, tenant_id, public_id), fn, ctx);
	pool_free(&pool);
}

void store_webhook_change(struct store_tx *tx, const struct store_webhook *webhook,
	const struct store_webhook_set *set)
{
	struct pg_params *params = webhook_params(tx->pool, webhook->tenant_id, webhook->public_id);
	pg_param_text(params, webhook->url);
	pg_param_int4(params, webhook->event_mask);
	pg_param_bool(params, webhook->active);
	pg_param_text(params, webhook->description);
	pg_param_time(params, webhook->updated_at);
	pg_param_bool(params, set->url);
	pg_param_bool(params, set->events);
	pg_param_bool(params, set->active);
	pg_param_bool(params, set->description);
	store_tx_add(tx, &webhook_change, params);
}

void store_webhook_rotate_secret(struct store_tx *tx, const struct store_webhook *webhook,
	struct strview sealed_secret, int64_t overlap_ms)
{
	/* The row of the webhook first: two rotations go one after the other. */
	struct pg_params *params = webhook_params(tx->pool, webhook->tenant_id, webhook->public_id);
	pg_param_time(params, webhook->updated_at);
	store_tx_add(tx, &webhook_touch, params);
	params = webhook_params(tx->pool, webhook->tenant_id, webhook->public_id);
	pg_param_int8(params, overlap_ms);
	store_tx_add(tx, &secrets_end, params);
	params = pg_params_new(tx->pool);
	pg_param_text(params, webhook->public_id);
	pg_param_bytes(params, sealed_secret);
	store_tx_add(tx, &secret_insert, params);
}

void store_webhook_delete(struct store_tx *tx, int32_t tenant_id, struct strview public_id)
{
	store_tx_add(tx, &webhook_delete, webhook_params(tx->pool, tenant_id, public_id));
}

void store_event_sequence(struct api_store *store, pg_done_fn fn, void *ctx)
{
	store_run(store, &event_sequence, NULL, fn, ctx);
}

void store_webhook_test(
	struct store_tx *tx, int32_t tenant_id, struct strview public_id, int64_t sequence)
{
	struct pg_params *params = webhook_params(tx->pool, tenant_id, public_id);
	pg_param_int8(params, sequence);
	store_tx_add(tx, &webhook_test, params);
}

struct store_webhook store_webhook_at(const struct pg_result *result, int row, struct pool *pool)
{
	return (struct store_webhook){
		.public_id = pool_sv(pool, pg_text(result, row, 0)),
		.tenant_id = (int32_t)pg_int(result, row, 1),
		.url = pool_sv(pool, pg_text(result, row, 2)),
		.event_mask = (int)pg_int(result, row, 3),
		.active = pg_bool(result, row, 4),
		.description = pool_sv(pool, pg_text(result, row, 5)),
		.created_at = pg_time(result, row, 6),
		.updated_at = pg_time(result, row, 7),
		.disabled_at = pg_time(result, row, 8),
		.disabled_reason = pool_sv(pool, pg_text(result, row, 9)),
		.failing_since = pg_time(result, row, 10),
	};
}

void store_delivery_list(struct api_store *store, int32_t tenant_id, struct strview public_id,
	int64_t after, int limit, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = webhook_params(pool, tenant_id, public_id);
	pg_param_int8(params, after);
	pg_param_int4(params, limit);
	store_run(store, &delivery_list, params, fn, ctx);
	pool_free(&pool);
}

static int64_t int_or_null(const struct pg_result *result, int row, int col)
{
	return pg_is_null(result, row, col) ? PG_INT_NULL : pg_int(result, row, col);
}

struct store_delivery store_delivery_at(const struct pg_result *result, int row, struct pool *pool)
{
	return (struct store_delivery){
		.webhook_id = (int32_t)pg_int(result, row, 0),
		.sequence = pg_int(result, row, 1),
		.event_type = (int)pg_int(result, row, 2),
		.status = (int)pg_int(result, row, 3),
		.attempts = (int)pg_int(result, row, 4),
		.created_at = pg_time(result, row, 5),
		.next_attempt_at = pg_time(result, row, 6),
		.last_attempt_at = pg_time(result, row, 7),
		.http_status = int_or_null(result, row, 8),
		.duration_ms = int_or_null(result, row, 9),
		.error = pool_sv(pool, pg_text(result, row, 10)),
	};
}

void store_delivery_attempts(struct api_store *store, int32_t webhook_id, const int64_t *sequences,
	int n_sequences, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, webhook_id);
	pg_param_int8_array(params, sequences, n_sequences);
	store_run(store, &delivery_attempts, params, fn, ctx);
	pool_free(&pool);
}

struct store_delivery_attempt store_delivery_attempt_at(
	const struct pg_result *result, int row, struct pool *pool)
{
	return (struct store_delivery_attempt){
		.sequence = pg_int(result, row, 0),
		.at = pg_time(result, row, 1),
		.http_status = int_or_null(result, row, 2),
		.duration_ms = int_or_null(result, row, 3),
		.error = pool_sv(pool, pg_text(result, row, 4)),
	};
}
