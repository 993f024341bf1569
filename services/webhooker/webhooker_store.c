/* The store's connections, endpoints and odds and ends. */
#include "services/webhooker/webhooker_store.h"

#include "common/base/mem.h"
#include "services/webhooker/webhooker_store_internal.h"

/* clang-format off */

static const struct pg_stmt endpoints_stmt = {"store_endpoints",
	"SELECT w.id, w.public_id, w.url, w.active, w.disabled_at IS NOT NULL,"
	" w.deleted_at IS NOT NULL, w.failing_since IS NOT NULL,"
	" (extract(epoch FROM now() - w.failing_since) * 1000)::int8, s.sealed"
	" FROM webhooks w LEFT JOIN webhook_secrets s"
	"  ON s.webhook_id = w.id AND (s.expires_at IS NULL OR s.expires_at > now())"
	" WHERE w.id = ANY($1::int4[]) ORDER BY w.id, s.created_at DESC, s.id DESC"};

/* Several rows: locked in one order, so that two webhookers never wait for each other. */
static const struct pg_stmt failing_stmt = {"store_failing",
	"WITH changed AS (SELECT w.id, i.is_failing, i.ago_ms FROM webhooks w"
	"  JOIN unnest($1::int4[], $2::bool[], $3::int8[]) AS i(id, is_failing, ago_ms) ON i.id = w.id"
	"  WHERE i.is_failing = (w.failing_since IS NULL) ORDER BY w.id FOR NO KEY UPDATE OF w)"
	" UPDATE webhooks w"
	"  SET failing_since = CASE WHEN c.is_failing THEN now() - c.ago_ms * interval '1 ms' END"
	"  FROM changed c WHERE w.id = c.id AND c.is_failing = (w.failing_since IS NULL)"};

static const struct pg_stmt disable_stmt = {"store_disable",
	"UPDATE webhooks SET disabled_at = now(), disabled_reason = $2::text"
	" WHERE id = $1::int4 AND disabled_at IS NULL AND deleted_at IS NULL"
	" AND ($3::int8 = 0 OR failing_since <= now() - $3::int8 * interval '1 ms')"};

static const struct pg_stmt close_stmt = {"store_close",
	"WITH owed AS (SELECT d.webhook_id, d.sequence, d.created_at FROM deliveries d"
	"  WHERE d.open AND d.partition = ANY($2::int2[]) AND d.webhook_id = $1::int4"
	"  AND NOT EXISTS (SELECT 1 FROM webhooks w"
	"   WHERE w.id = $1::int4 AND w.deleted_at IS NULL AND w.disabled_at IS NULL)"
	"  ORDER BY d.sequence LIMIT $3::int4)"
	" UPDATE deliveries d SET open = false, status = 3, next_attempt_at = NULL,"
	"  error = coalesce(d.error, 'the endpoint was deleted or disabled')"
	" FROM owed o WHERE d.webhook_id = o.webhook_id AND d.sequence = o.sequence"
	"  AND d.created_at = o.created_at AND " STORE_STILL_OPEN("d")};

static const struct pg_stmt set_aside_stmt = {"store_set_aside",
	"INSERT INTO set_aside (id, kind, stream, payload, reason)"
	" VALUES ($1::text, 'event', $2::text, $3::bytea, $4::text) ON CONFLICT (id) DO NOTHING"};

static const struct pg_stmt days_stmt = {"store_days", "SELECT keep_day_partitions($1::int4)"};

static const struct pg_stmt forget_stmt = {"store_forget",
	"DELETE FROM idempotency_keys k USING (SELECT tenant_id, key FROM idempotency_keys"
	"  WHERE created_at < now() - $1::int4 * interval '1 hour'"
	"  ORDER BY created_at LIMIT $2::int4) AS old"
	" WHERE k.tenant_id = old.tenant_id AND k.key = old.key"};

/* clang-format on */

static void on_conn_change(void *ctx, bool up, const struct err *err)
{
	struct store_link *link = ctx;
	struct webhooker_store *store = link->store;

	bool is_up = webhooker_store_is_up(store);
	if (is_up != store->was_up || !up)
		store->on_change(store->ctx, is_up, err);
	store->was_up = is_up;
}

struct webhooker_store *webhooker_store_new(struct loop *loop, const char *url,
	const char *app_name, const char *owner, pg_change_fn on_change, void *ctx)
{
	struct webhooker_store *store = mem_new(struct webhooker_store);
	struct pg_conn_options options = {.url = url, .app_name = app_name, .plan_once = true};

	store->owner = owner;
	store->on_change = on_change;
	store->ctx = ctx;
	store->pool = pool_new();
	for (int i = 0; i < STORE_CONNS; i++) {
		store->links[i].store = store;
		store->links[i].conn =
			pg_conn_new(loop, &options, on_conn_change, &store->links[i]);
	}
	return store;
}

void webhooker_store_free(struct webhooker_store **store)
{
	if (*store == NULL)
		return;
	for (int i = 0; i < STORE_CONNS; i++)
		pg_conn_free(&(*store)->links[i].conn);
	pool_free(&(*store)->pool);
	mem_free(*store);
	*store = NULL;
}

bool webhooker_store_is_up(const struct webhooker_store *store)
{
	for (int i = 0; i < STORE_CONNS; i++) {
		if (store->links[i].conn == NULL || !pg_conn_is_up(store->links[i].conn))
			return false;
	}
	return true;
}

struct pg_params *store_params(struct webhooker_store *store)
{
	pool_reset(store->pool);
	store->params = pg_params_new(store->pool);
	return store->params;
}

void *store_array(struct webhooker_store *store, int n, size_t element_bytes)
{
	return pool_array(store->pool, (size_t)n, element_bytes);
}

void store_run(struct webhooker_store *store, enum store_conn conn, const struct pg_stmt *stmt,
	pg_done_fn fn, void *ctx)
{
	pg_conn_query(store->links[conn].conn, stmt, store->params, STORE_DEADLINE_MS, fn, ctx);
	store->params = NULL;
}

/* --- endpoints --- */

void store_endpoints(struct webhooker_store *store, const int64_t *webhook_ids, int n_ids,
	pg_done_fn fn, void *ctx)
{
	pg_param_int4_array(store_params(store), webhook_ids, n_ids);
	store_run(store, STORE_READ, &endpoints_stmt, fn, ctx);
}

void store_endpoint_row(const struct pg_result *result, int row, struct store_endpoint *ret_row)
{
	*ret_row = (struct store_endpoint){
		.webhook_id = (int32_t)pg_int(result, row, 0),
		.public_id = pg_text(result, row, 1),
		.url = pg_text(result, row, 2),
		.is_active = pg_bool(result, row, 3),
		.is_disabled = pg_bool(result, row, 4),
		.is_deleted = pg_bool(result, row, 5),
		.is_failing = pg_bool(result, row, 6),
		.failing_for_ms = pg_int(result, row, 7),
		.sealed = pg_bytes(result, row, 8),
	};
}

void store_endpoints_failing(struct webhooker_store *store, const int64_t *webhook_ids,
	const bool *are_failing, const int64_t *ago_ms, int n, pg_done_fn fn, void *ctx)
{
	struct pg_params *params = store_params(store);

	pg_param_int4_array(params, webhook_ids, n);
	pg_param_bool_array(params, are_failing, n);
	pg_param_int8_array(params, ago_ms, n);
	store_run(store, STORE_WRITE, &failing_stmt, fn, ctx);
}

void store_endpoint_disable(struct webhooker_store *store, int32_t webhook_id, const char *reason,
	int64_t failing_ms, pg_done_fn fn, void *ctx)
{
	struct pg_params *params = store_params(store);

	pg_param_int4(params, webhook_id);
	pg_param_text(params, sv_from(reason));
	pg_param_int8(params, failing_ms);
	store_run(store, STORE_WRITE, &disable_stmt, fn, ctx);
}

void store_endpoint_close(struct webhooker_store *store, int32_t webhook_id,
	const int64_t *partitions, int n_partitions, int limit, pg_done_fn fn, void *ctx)
{
	struct pg_params *params = store_params(store);

	pg_param_int4(params, webhook_id);
	pg_param_int2_array(params, partitions, n_partitions);
	pg_param_int4(params, limit);
	store_run(store, STORE_SWEEP, &close_stmt, fn, ctx);
}

/* --- the rest --- */

void store_set_aside(struct webhooker_store *store, const char *id, const char *stream,
	struct strview payload, const char *reason, pg_done_fn fn, void *ctx)
{
	struct pg_params *params = store_params(store);

	pg_param_text(params, sv_from(id));
	pg_param_text(params, sv_from(stream));
	pg_param_bytes(params, payload);
	pg_param_text(params, sv_from(reason));
	store_run(store, STORE_SWEEP, &set_aside_stmt, fn, ctx);
}

void store_keep_day_partitions(
	struct webhooker_store *store, int keep_days, pg_done_fn fn, void *ctx)
{
	pg_param_int4(store_params(store), keep_days);
	store_run(store, STORE_SWEEP, &days_stmt, fn, ctx);
}

void store_forget_keys(
	struct webhooker_store *store, int hours, int limit, pg_done_fn fn, void *ctx)
{
	struct pg_params *params = store_params(store);

	pg_param_int4(params, hours);
	pg_param_int4(params, limit);
	store_run(store, STORE_SWEEP, &forget_stmt, fn, ctx);
}
