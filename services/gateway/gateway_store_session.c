/* SQL of sessions. */
#include "services/gateway/gateway_store_session.h"

#include "common/model/event_type.h"
#include "services/gateway/gateway_store.h"

/* SQL keeps its own lines. */
/* clang-format off */

static const struct pg_stmt session_stmt = {
	.name = "gateway_session",
	.sql = "SELECT s.engine, s.name, s.state, coalesce(s.tenant_id, 0),"
	       " s.deleted_at IS NOT NULL"
	       " FROM sessions s"
	       " WHERE s.id = $1::int4",
};

/* The index of open messages begins with the partition: one probe for each. */
static const struct pg_stmt settle_stmt = {
	.name = "gateway_settle",
	.sql = "WITH held AS MATERIALIZED ("
	       " SELECT l.id"
	       " FROM leases l"
	       " WHERE l.kind = 'session' AND l.id = $1::int4 AND l.epoch = $2::int8"
	       " AND l.expires_at > clock_timestamp()"
	       " FOR KEY SHARE"
	       "), left_over AS MATERIALIZED ("
	       " SELECT m.id, m.session_epoch <> $3::int8 AS died"
	       " FROM messages m"
	       " WHERE EXISTS (SELECT FROM held) AND m.open"
	       " AND m.partition = ANY (ARRAY(SELECT generate_series(0, 31)::int2))"
	       " AND m.session_id = $1::int4 AND m.direction = 0 AND m.status = 3"
	       " AND NOT m.outcome_unknown AND m.session_epoch < $2::int8"
	       " ORDER BY m.id"
	       " LIMIT $5::int4"
	       " FOR NO KEY UPDATE OF m)"
	       " UPDATE messages m"
	       " SET outcome_unknown = true, ever_unknown = true, alone = false,"
	       " deaths = (m.deaths + x.died::int4)::int2,"
	       " deaths_alone = (m.deaths_alone + (x.died AND m.alone)::int4)::int2,"
	       " next_attempt_at = now() + $4::int8 * interval '1 ms'"
	       " FROM left_over x"
	       " WHERE m.id = x.id"
	       " RETURNING m.id, m.phone, m.partition, m.queue_seq, m.attempts,"
	       " m.deaths, m.deaths_alone",
};

#define NEEDS_SOMEBODY "'logged_out', 'replaced', 'banned', 'failed'"

/* $6 and $7: the types of the two events. That it needs somebody is told even when it was not
 * connected any more. */
static const struct pg_stmt state_stmt = {
	.name = "gateway_session_state",
	.sql = "WITH held AS MATERIALIZED ("
	       " SELECT l.id"
	       " FROM leases l"
	       " WHERE l.kind = 'session' AND l.id = $1::int4 AND l.epoch = $2::int8"
	       " AND l.expires_at > clock_timestamp()"
	       " FOR KEY SHARE"
	       "), old AS MATERIALIZED ("
	       " SELECT s.id, s.state, s.reason, s.tenant_id"
	       " FROM sessions s"
	       " JOIN held h ON h.id = s.id"
	       " FOR NO KEY UPDATE OF s"
	       "), moved AS ("
	       " UPDATE sessions s"
	       " SET state = $3::text, reason = $4::text,"
	       " phone_number = coalesce($5::text, s.phone_number),"
	       " since = CASE WHEN o.state = $3::text THEN s.since ELSE now() END"
	       " FROM old o"
	       " WHERE s.id = o.id AND (s.state, s.reason, s.phone_number) IS DISTINCT"
	       " FROM ($3::text, $4::text, coalesce($5::text, s.phone_number))"
	       "), shown AS ("
	       " DELETE FROM session_pairing p"
	       " USING held h"
	       " WHERE p.session_id = h.id AND $3::text = 'connected'"
	       "), change AS ("
	       " SELECT o.id, o.tenant_id,"
	       " CASE WHEN $3::text = 'connected' THEN $6::int2"
	       " ELSE $7::int2 END AS type"
	       " FROM old o"
	       " WHERE (o.state = 'connected') <> ($3::text = 'connected')"
	       " OR ($3::text IN (" NEEDS_SOMEBODY ") AND o.state NOT IN (" NEEDS_SOMEBODY "))"
	       "), listener AS ("
	       " SELECT c.tenant_id AS id"
	       " FROM change c"
	       " WHERE c.tenant_id IS NOT NULL UNION"
	       " SELECT d.default_tenant_id"
	       " FROM change c"
	       " CROSS JOIN deployment d"
	       " WHERE c.tenant_id IS NULL AND d.default_tenant_id IS NOT NULL UNION"
	       " SELECT w.tenant_id"
	       " FROM change c"
	       " JOIN webhooks w ON w.active AND w.disabled_at IS NULL"
	       " AND w.deleted_at IS NULL AND (w.event_mask & (1 << c.type)) <> 0"
	       " WHERE c.tenant_id IS NULL"
	       " AND NOT EXISTS (SELECT FROM sessions own WHERE"
	       " own.tenant_id = w.tenant_id AND own.deleted_at IS NULL)"
	       "), happened AS ("
	       " SELECT l.id AS tenant_id, NULL::int4 AS contact_id,"
	       " NULL::text AS message_id, c.type, now() AS at,"
	       " jsonb_build_object('session_id', c.id, 'reason', $4::text)::text AS"
	       " data"
	       " FROM change c"
	       " CROSS JOIN listener l), " GATEWAY_SQL_TOLD
	       " SELECT 2 AS kind, t.tenant_id, t.contact_id, t.sequence,"
	       " t.type::int4, t.webhook_id, t.created_at, t.message_id"
	       " FROM told t",
};

static const struct pg_stmt pairing_wanted_stmt = {
	.name = "gateway_pairing_wanted",
	.sql = "WITH asked AS MATERIALIZED ("
	       " SELECT p.session_id, p.wanted"
	       " FROM session_pairing p"
	       " WHERE p.session_id = ANY($1::int4[]) AND p.wanted IS NOT NULL"
	       " FOR NO KEY UPDATE)"
	       " UPDATE session_pairing p"
	       " SET wanted = NULL"
	       " FROM asked a"
	       " WHERE p.session_id = a.session_id"
	       " RETURNING p.session_id, a.wanted",
};

#define CODE_HELD                                                                                  \
	"WITH held AS MATERIALIZED ("                                                              \
	" SELECT l.id"                                                                             \
	" FROM leases l"                                                                           \
	" WHERE l.kind = 'session' AND l.id = $1::int4 AND l.epoch = $2::int8"                     \
	" AND l.expires_at > clock_timestamp()"                                                    \
	" FOR KEY SHARE)"

static const struct pg_stmt qr_stmt = {
	.name = "gateway_pairing_qr",
	.sql = CODE_HELD " INSERT INTO session_pairing AS p (session_id, qr, qr_until)"
	       " SELECT h.id, $3::text, $4::timestamptz"
	       " FROM held h"
	       " ON CONFLICT (session_id) DO UPDATE"
	       " SET qr = EXCLUDED.qr, qr_until = EXCLUDED.qr_until",
};

static const struct pg_stmt code_stmt = {
	.name = "gateway_pairing_code",
	.sql = CODE_HELD " INSERT INTO session_pairing AS p (session_id, code, code_until, code_phone)"
	       " SELECT h.id, $3::text, $4::timestamptz, $5::text"
	       " FROM held h"
	       " ON CONFLICT (session_id) DO UPDATE"
	       " SET code = EXCLUDED.code, code_until = EXCLUDED.code_until,"
	       " code_phone = EXCLUDED.code_phone",
};

/* clang-format on */

void gateway_store_session(struct pg_conn *conn, int32_t session_id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, session_id);
	pg_conn_query(conn, &session_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void gateway_store_session_row(const struct pg_result *result, struct gateway_session_row *ret_row)
{
	*ret_row = (struct gateway_session_row){
		.engine = pg_text(result, 0, 0),
		.name = pg_text(result, 0, 1),
		.state = pg_text(result, 0, 2),
		.tenant_id = (int32_t)pg_int(result, 0, 3),
		.is_deleted = pg_bool(result, 0, 4),
	};
}

void gateway_store_settle(struct pg_conn *conn, int32_t session_id, int64_t epoch,
	int64_t survived_epoch, int64_t delay_ms, int limit, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, session_id);
	pg_param_int8(params, epoch);
	pg_param_int8(params, survived_epoch);
	pg_param_int8(params, delay_ms);
	pg_param_int4(params, limit);
	pg_conn_query(conn, &settle_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void gateway_store_settled(
	const struct pg_result *result, int row, struct gateway_settled *ret_settled)
{
	*ret_settled = (struct gateway_settled){
		.message_id = pg_text(result, row, 0),
		.phone = pg_text(result, row, 1),
		.partition = (int)pg_int(result, row, 2),
		.queue_seq = pg_int(result, row, 3),
		.attempts = (int)pg_int(result, row, 4),
		.deaths = (int)pg_int(result, row, 5),
		.deaths_alone = (int)pg_int(result, row, 6),
	};
}

void gateway_store_session_state(struct pg_conn *conn, int32_t session_id, int64_t epoch,
	enum session_state state, struct strview reason, struct strview phone_number, pg_done_fn fn,
	void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, session_id);
	pg_param_int8(params, epoch);
	pg_param_text(params, sv_from(session_state_name(state)));
	pg_param_text(params, reason);
	pg_param_text(params, phone_number);
	pg_param_int2(params, EVENT_SESSION_CONNECTED);
	pg_param_int2(params, EVENT_SESSION_DISCONNECTED);
	pg_conn_query(conn, &state_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void gateway_store_pairing_wanted(
	struct pg_conn *conn, const int64_t *session_ids, int n, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4_array(params, session_ids, n);
	pg_conn_query(conn, &pairing_wanted_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void gateway_store_pairing_code(struct pg_conn *conn, int32_t session_id, int64_t epoch,
	const struct engine_code *code, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	bool is_scan = code->kind == ENGINE_CODE_SCAN;
	pg_param_int4(params, session_id);
	pg_param_int8(params, epoch);
	pg_param_text(params, code->text);
	pg_param_time(params, code->until_ms);
	if (!is_scan)
		pg_param_text(params, code->phone);
	pg_conn_query(
		conn, is_scan ? &qr_stmt : &code_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}
