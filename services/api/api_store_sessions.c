/* SQL of sessions. */
#include "services/api/api_store_sessions.h"

/* Which sessions tenant $1 sees: its own, and the shared one that it uses. */
#define SESSION_SEEN                                                                               \
	"d.only_row AND t.id = $1::int4 AND s.deleted_at IS NULL AND (s.tenant_id = t.id"          \
	" OR s.id ="                                                                               \
	" CASE WHEN t.sandbox THEN d.sandbox_session_id ELSE d.default_session_id END)"

#define SESSION_SELECT                                                                             \
	"SELECT s.id, s.tenant_id IS NULL, s.engine, s.name, s.state, s.reason, s.phone_number,"   \
	" s.since, s.created_at, s.rate_per_min, s.burst, s.recipient_interval_ms,"                \
	" s.recipient_burst FROM sessions s, deployment d, tenants t"                              \
	" WHERE " SESSION_SEEN

static const struct pg_stmt session_count = {"api_session_count",
	"SELECT count(*) FROM sessions WHERE tenant_id = $1::int4 AND deleted_at IS NULL"};

static const struct pg_stmt session_insert = {"api_session_insert",
	"INSERT INTO sessions (id, tenant_id, engine, name, rate_per_min, burst,"
	" recipient_interval_ms, recipient_burst, since, created_at) VALUES ($1::int4, $2::int4,"
	" $3::text, $4::text, $5::int4, $6::int4, $7::int4, $8::int4, $9::timestamptz,"
	" $9::timestamptz)"};

static const struct pg_stmt lease_insert = {
	"api_session_lease_insert", "INSERT INTO leases (kind, id) VALUES ('session', $1::int4)"};

static const struct pg_stmt session_list = {"api_session_list",
	SESSION_SELECT " AND s.id < coalesce(nullif($2::int4, 0), 2147483647 + 1::int8)"
		       " ORDER BY s.id DESC LIMIT $3::int4"};

static const struct pg_stmt session_get = {
	"api_session_get", SESSION_SELECT " AND s.id = $2::int4"};

static const struct pg_stmt pairing_get = {"api_pairing_get",
	"SELECT s.tenant_id IS NULL, s.engine, s.state,"
	" CASE WHEN p.qr_until > now() THEN p.qr END, p.qr_until,"
	" CASE WHEN p.code_until > now() THEN p.code END, p.code_phone, p.code_until"
	" FROM deployment d, tenants t, sessions s"
	" LEFT JOIN session_pairing p ON p.session_id = s.id"
	" WHERE " SESSION_SEEN " AND s.id = $2::int4"};

/* A code to type that was asked for before is another phone's, or is asked for anew. */
static const struct pg_stmt pairing_ask = {"api_pairing_ask",
	"INSERT INTO session_pairing AS p (session_id, wanted) VALUES ($1::int4, $2::text)"
	" ON CONFLICT (session_id) DO UPDATE SET wanted = EXCLUDED.wanted, code = NULL"};

/* What is accepted for a session is committed before it can end; see api_store_accept.c. */
static const struct pg_stmt end_lock = {
	"api_session_end_lock", "SELECT pg_advisory_xact_lock(3, 0)"};

static const struct pg_stmt session_delete = {"api_session_delete",
	"UPDATE sessions SET deleted_at = now(), state = 'logged_out', reason = 'deleted',"
	" since = now() WHERE id = $2::int4 AND tenant_id = $1::int4 AND deleted_at IS NULL"};

static const struct pg_stmt lease_delete = {"api_session_lease_delete",
	"DELETE FROM leases l WHERE l.kind = 'session' AND l.id = $1::int4"
	" AND EXISTS (SELECT FROM sessions s WHERE s.id = l.id AND s.deleted_at IS NOT NULL)"};

/* In a partition each, as the index of open messages has it. Who is `sending` may have arrived. */
static const struct pg_stmt session_unwind = {"api_session_unwind",
	"WITH pick AS MATERIALIZED (SELECT m.id FROM messages m WHERE m.open"
	" AND m.session_id = $1::int4"
	" AND m.partition = ANY(ARRAY(SELECT g::int2 FROM generate_series(0, 31) AS g))"
	" LIMIT $2::int4"
	"), gone AS MATERIALIZED (SELECT m.id, m.tenant_id, m.contact_id, m.erased,"
	" m.status = 3 AS unknown FROM messages m JOIN pick ON pick.id = m.id WHERE m.open"
	" ORDER BY m.id FOR NO KEY UPDATE OF m"
	"), told AS MATERIALIZED (SELECT g.*,"
	" CASE WHEN g.unknown THEN 'outcome_unknown' ELSE 'rejected' END AS code,"
	" CASE WHEN g.unknown THEN 'its session was deleted while it was being sent; it may have"
	" arrived' ELSE 'its session was deleted' END AS error FROM gone g"
	"), ended AS (UPDATE messages m SET status = 7, open = false, due_at = NULL,"
	" next_attempt_at = NULL, media_wanted = false, failed_at = now(), error_code = t.code,"
	" error = t.error FROM told t WHERE m.id = t.id"
	"), events AS (SELECT e.* FROM (SELECT array_agg(t.tenant_id ORDER BY t.id) AS tenants,"
	" array_agg(t.contact_id ORDER BY t.id) AS contacts, array_agg(t.id ORDER BY t.id) AS ids,"
	" array_agg(8::int2 ORDER BY t.id) AS types, array_agg(now() ORDER BY t.id) AS times,"
	" array_agg(jsonb_build_object('error', t.error, 'error_code', t.code)::text ORDER BY t.id)"
	" AS data FROM told t WHERE NOT t.erased) a CROSS JOIN LATERAL emit_events("
	"a.tenants, a.contacts, a.ids, a.types, a.times, a.data) AS e)"
	" SELECT count(*) + 0 * (SELECT count(*) FROM events) FROM gone"};

/* What its sandbox held for it: nobody is left to take that. */
static const struct pg_stmt session_empty = {"api_session_empty",
	"WITH heard AS (UPDATE sandbox.ledger l SET pending = false"
	" WHERE l.pending AND l.session_id = $1::int4)"
	" DELETE FROM sandbox.inbound i WHERE i.session_id = $1::int4"};

static const struct pg_stmt session_unfinished = {"api_session_unfinished",
	"SELECT s.id FROM sessions s WHERE s.deleted_at > now() - interval '7 days' AND (EXISTS ("
	"SELECT FROM messages m WHERE m.open AND m.session_id = s.id"
	" AND m.partition = ANY(ARRAY(SELECT g::int2 FROM generate_series(0, 31) AS g)))"
	" OR EXISTS (SELECT FROM sandbox.inbound i WHERE i.session_id = s.id)"
	" OR EXISTS (SELECT FROM sandbox.ledger l WHERE l.pending AND l.session_id = s.id))"
	" ORDER BY s.id LIMIT 1"};

static void param_int_or_null(struct pg_params *params, int64_t number)
{
	if (number == PG_INT_NULL)
		pg_param_null(params);
	else
		pg_param_int4(params, (int32_t)number);
}

void store_session_count(struct api_store *store, int32_t tenant_id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	store_run(store, &session_count, params, fn, ctx);
	pool_free(&pool);
}

void store_session_add(struct store_tx *tx, int32_t tenant_id, const struct store_session *session)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_int4(params, session->id);
	pg_param_int4(params, tenant_id);
	pg_param_text(params, session->engine);
	pg_param_text(params, session->name);
	param_int_or_null(params, session->rate_per_min);
	param_int_or_null(params, session->burst);
	param_int_or_null(params, session->recipient_interval_ms);
	param_int_or_null(params, session->recipient_burst);
	pg_param_time(params, session->created_at);
	store_tx_add(tx, &session_insert, params);
	params = pg_params_new(tx->pool);
	pg_param_int4(params, session->id);
	store_tx_add(tx, &lease_insert, params);
}

void store_session_list(struct api_store *store, int32_t tenant_id, int32_t after, int limit,
	pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_int4(params, after);
	pg_param_int4(params, limit);
	store_run(store, &session_list, params, fn, ctx);
	pool_free(&pool);
}

void store_session_get(
	struct api_store *store, int32_t tenant_id, int32_t id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_int4(params, id);
	store_run(store, &session_get, params, fn, ctx);
	pool_free(&pool);
}

static int64_t int_or_null(const struct pg_result *result, int row, int col)
{
	return pg_is_null(result, row, col) ? PG_INT_NULL : pg_int(result, row, col);
}

struct store_session store_session_at(const struct pg_result *result, int row, struct pool *pool)
{
	return (struct store_session){
		.id = (int32_t)pg_int(result, row, 0),
		.is_shared = pg_bool(result, row, 1),
		.engine = pool_sv(pool, pg_text(result, row, 2)),
		.name = pool_sv(pool, pg_text(result, row, 3)),
		.state = pool_sv(pool, pg_text(result, row, 4)),
		.reason = pool_sv(pool, pg_text(result, row, 5)),
		.phone_number = pool_sv(pool, pg_text(result, row, 6)),
		.since = pg_time(result, row, 7),
		.created_at = pg_time(result, row, 8),
		.rate_per_min = int_or_null(result, row, 9),
		.burst = int_or_null(result, row, 10),
		.recipient_interval_ms = int_or_null(result, row, 11),
		.recipient_burst = int_or_null(result, row, 12),
	};
}

void store_pairing_get(
	struct api_store *store, int32_t tenant_id, int32_t id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_int4(params, id);
	store_run(store, &pairing_get, params, fn, ctx);
	pool_free(&pool);
}

struct store_pairing store_pairing_at(const struct pg_result *result)
{
	return (struct store_pairing){
		.is_shared = pg_bool(result, 0, 0),
		.engine = pg_text(result, 0, 1),
		.state = pg_text(result, 0, 2),
		.qr = pg_text(result, 0, 3),
		.qr_until = pg_time(result, 0, 4),
		.code = pg_text(result, 0, 5),
		.code_phone = pg_text(result, 0, 6),
		.code_until = pg_time(result, 0, 7),
	};
}

void store_pairing_ask(
	struct api_store *store, int32_t id, struct strview phone, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, id);
	pg_param_text(params, phone);
	store_run(store, &pairing_ask, params, fn, ctx);
	pool_free(&pool);
}

void store_session_delete(struct store_tx *tx, int32_t tenant_id, int32_t id)
{
	struct pg_params *params = pg_params_new(tx->pool);
	store_tx_add(tx, &end_lock, NULL);
	pg_param_int4(params, tenant_id);
	pg_param_int4(params, id);
	store_tx_add(tx, &session_delete, params);
	params = pg_params_new(tx->pool);
	pg_param_int4(params, id);
	store_tx_add(tx, &lease_delete, params);
}

void store_session_unwind(struct api_store *store, int32_t id, int limit, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, id);
	pg_param_int4(params, limit);
	store_run(store, &session_unwind, params, fn, ctx);
	pool_free(&pool);
}

void store_session_empty(struct api_store *store, int32_t id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, id);
	store_run(store, &session_empty, params, fn, ctx);
	pool_free(&pool);
}

void store_session_unfinished(struct api_store *store, pg_done_fn fn, void *ctx)
{
	store_run(store, &session_unfinished, NULL, fn, ctx);
}
