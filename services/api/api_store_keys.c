/* SQL of API keys. */
#include "services/api/api_store_keys.h"

#include <stdio.h>

#include "common/model/permission.h"

#define KEY_COLUMNS                                                                                \
	"id, tenant_id, name, permissions, strict, hint, created_at, expires_at, revoked_at,"      \
	" last_used_at, replaced_by"

/* A tenant's own sessions come first, oldest first; then the one that it shares with others. */
static const struct pg_stmt key_find = {"api_key_find",
	"SELECT k.tenant_id, k.id, k.permissions, k.strict, k.expires_at, t.sandbox, t.backlog_cap,"
	" ARRAY(SELECT s.id::text FROM sessions s, deployment d WHERE d.only_row AND s.deleted_at "
	"IS NULL"
	" AND (s.tenant_id = t.id OR s.id ="
	" CASE WHEN t.sandbox THEN d.sandbox_session_id ELSE d.default_session_id END)"
	" AND (s.engine = 'sandbox' OR NOT t.sandbox)"
	" ORDER BY s.tenant_id IS NULL, s.id LIMIT 8)"
	" FROM api_keys k JOIN tenants t ON t.id = k.tenant_id"
	" WHERE k.hash = $1::bytea AND k.revoked_at IS NULL"
	" AND (k.expires_at IS NULL OR k.expires_at > now())"};

static const struct pg_stmt keys_used = {"api_keys_used",
	"UPDATE api_keys SET last_used_at = now() WHERE id = ANY($1::text[])"
	" AND (last_used_at IS NULL OR last_used_at < now() - interval '50 seconds')"};

static const struct pg_stmt key_insert = {"api_key_insert",
	"INSERT INTO api_keys"
	" (id, tenant_id, name, permissions, strict, hash, hint, created_at, expires_at)"
	" VALUES ($1::text, $2::int4, $3::text, $4::int4, $5::bool, $6::bytea, $7::text,"
	" $8::timestamptz, $9::timestamptz)"};

static const struct pg_stmt key_list = {"api_key_list",
	"SELECT " KEY_COLUMNS " FROM api_keys"
	" WHERE tenant_id = $1::int4 AND id < coalesce($2::text, '~') COLLATE \"C\""
	" ORDER BY id DESC LIMIT $3::int4"};

static const struct pg_stmt key_get = {"api_key_get",
	"SELECT " KEY_COLUMNS " FROM api_keys WHERE tenant_id = $1::int4 AND id = $2::text"};

static const struct pg_stmt key_replace = {"api_key_replace",
	"UPDATE api_keys SET replaced_by = $3::text, expires_at = least(expires_at,"
	" now() + $4::int8 * interval '1 ms') WHERE tenant_id = $1::int4 AND id = $2::text"};

static const struct pg_stmt key_revoke = {"api_key_revoke",
	"UPDATE api_keys SET revoked_at = now()"
	" WHERE tenant_id = $1::int4 AND id = $2::text AND revoked_at IS NULL"};

void store_key_find(
	struct api_store *store, const uint8_t hash[SHA256_SIZE], pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_bytes(params, sv_make(hash, SHA256_SIZE));
	store_run(store, &key_find, params, fn, ctx);
	pool_free(&pool);
}

static void read_sessions(const struct pg_result *result, struct caller *ret_caller)
{
	struct pool *pool = pool_new();
	struct strview *ids;
	int n = pg_text_array(result, 0, 7, pool, &ids);

	ret_caller->n_sessions = 0;
	for (int i = 0; i < n && i < CALLER_MAX_SESSIONS; i++) {
		int64_t id = 0;
		(void)sv_to_i64(ids[i], &id);
		ret_caller->sessions[ret_caller->n_sessions++] = (int32_t)id;
	}
	pool_free(&pool);
}

bool store_key_row(
	const struct pg_result *result, struct caller *ret_caller, int64_t *ret_expires_at)
{
	if (pg_rows(result) == 0)
		return false;
	*ret_caller = (struct caller){
		.tenant_id = (int32_t)pg_int(result, 0, 0),
		.permissions = permission_expand((int)pg_int(result, 0, 2), pg_bool(result, 0, 3)),
		.sandbox = pg_bool(result, 0, 5),
		.backlog_cap = pg_is_null(result, 0, 6) ? -1 : pg_int(result, 0, 6),
	};
	(void)snprintf(ret_caller->key_id, sizeof(ret_caller->key_id), "%.*s",
		SV_ARG(pg_text(result, 0, 1)));
	int64_t expires_at = pg_time(result, 0, 4);
	*ret_expires_at = expires_at == PG_TIME_NULL ? INT64_MAX : expires_at;
	read_sessions(result, ret_caller);
	return true;
}

void store_keys_used(
	struct api_store *store, const struct strview *ids, int n_ids, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_text_array(params, ids, n_ids);
	store_run(store, &keys_used, params, fn, ctx);
	pool_free(&pool);
}

void store_key_add(struct store_tx *tx, const struct store_key *key)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_text(params, key->id);
	pg_param_int4(params, key->tenant_id);
	pg_param_text(params, key->name);
	pg_param_int4(params, key->permissions);
	pg_param_bool(params, key->strict);
	pg_param_bytes(params, key->hash);
	pg_param_text(params, key->hint);
	pg_param_time(params, key->created_at);
	pg_param_time(params, key->expires_at);
	store_tx_add(tx, &key_insert, params);
}

void store_key_list(struct api_store *store, int32_t tenant_id, struct strview after, int limit,
	pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_text(params, after);
	pg_param_int4(params, limit);
	store_run(store, &key_list, params, fn, ctx);
	pool_free(&pool);
}

void store_key_get(
	struct api_store *store, int32_t tenant_id, struct strview id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_text(params, id);
	store_run(store, &key_get, params, fn, ctx);
	pool_free(&pool);
}

struct store_key store_key_at(const struct pg_result *result, int row, struct pool *pool)
{
	return (struct store_key){
		.id = pool_sv(pool, pg_text(result, row, 0)),
		.tenant_id = (int32_t)pg_int(result, row, 1),
		.name = pool_sv(pool, pg_text(result, row, 2)),
		.permissions = (int)pg_int(result, row, 3),
		.strict = pg_bool(result, row, 4),
		.hint = pool_sv(pool, pg_text(result, row, 5)),
		.created_at = pg_time(result, row, 6),
		.expires_at = pg_time(result, row, 7),
		.revoked_at = pg_time(result, row, 8),
		.last_used_at = pg_time(result, row, 9),
		.replaced_by = pool_sv(pool, pg_text(result, row, 10)),
	};
}

void store_key_replace(struct store_tx *tx, int32_t tenant_id, struct strview id,
	struct strview replaced_by, int64_t overlap_ms)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_int4(params, tenant_id);
	pg_param_text(params, id);
	pg_param_text(params, replaced_by);
	pg_param_int8(params, overlap_ms);
	store_tx_add(tx, &key_replace, params);
}

void store_key_revoke(struct store_tx *tx, int32_t tenant_id, struct strview id)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_int4(params, tenant_id);
	pg_param_text(params, id);
	store_tx_add(tx, &key_revoke, params);
}
