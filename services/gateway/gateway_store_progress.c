/* SQL of receipts and of attempts' ends. */
#include "services/gateway/gateway_store_progress.h"

#include "services/gateway/gateway_store.h"

/* SQL keeps its own lines. */
/* clang-format off */

#define EVENT_ROWS                                                                                 \
	" SELECT 2, t.tenant_id, t.contact_id, t.sequence, t.type::int4, t.webhook_id,"            \
	" t.created_at, t.message_id, NULL"                                                        \
	" FROM told t"

/*
 * `old` holds each row as it is under its lock, taken in the order of ids. Reading implies
 * delivery, delivery implies sending: what is missing is written with the same time, so that a
 * message's events come in order. A final state stays (`moves`), except that a receipt proves wrong
 * an `outcome_unknown`; cancelled and expired rows only note the times.
 */
static const struct pg_stmt progress_stmt = {
	.name = "gateway_progress",
	.sql = "WITH fact AS MATERIALIZED ("
	       " SELECT u.session_id, u.epoch, u.wa, u.sent, u.delivered, u.read"
	       " FROM unnest($1::int4[], $2::int8[], $3::text[], $4::timestamptz[],"
	       " $5::timestamptz[], $6::timestamptz[]) AS u(session_id, epoch, wa,"
	       " sent, delivered, read)), " GATEWAY_SQL_HELD(
		       "fact") ", old AS MATERIALIZED ("
			       " SELECT m.id, m.tenant_id, m.contact_id, m.session_id, m.partition,"
			       " m.phone, m.queue_seq, m.attempts, m.open, m.erased, m.status,"
			       " m.sent_at, m.delivered_at, m.read_at, f.sent, f.delivered, f.read,"
			       " (m.status IN (2, 3, 4, 5, 6) OR m.status = 7"
			       " AND m.error_code = 'outcome_unknown'"
			       " AND (f.delivered IS NOT NULL OR f.read IS NOT NULL)) AS moves"
			       " FROM fact f"
			       " JOIN held h ON h.id = f.session_id AND h.epoch = f.epoch"
			       " JOIN messages m ON m.wa_message_id = f.wa"
			       " AND m.session_id = f.session_id AND m.direction = 0"
			       " ORDER BY m.id"
			       " FOR NO KEY UPDATE OF m"
			       "), new AS MATERIALIZED ("
			       " SELECT o.*, CASE WHEN o.sent_at IS NULL THEN coalesce(o.sent,"
			       " o.delivered, o.read) END AS new_sent,"
			       " CASE WHEN o.delivered_at IS NULL THEN coalesce(o.delivered, "
			       "o.read)"
			       " END AS new_delivered,"
			       " CASE WHEN o.read_at IS NULL THEN o.read END AS new_read"
			       " FROM old o"
			       " WHERE o.moves OR o.status IN (8, 9)"
			       "), moved AS ("
			       " UPDATE messages m"
			       " SET sent_at = coalesce(n.sent_at, n.new_sent),"
			       " delivered_at = coalesce(n.delivered_at, n.new_delivered),"
			       " read_at = coalesce(n.read_at, n.new_read),"
			       " status = CASE WHEN n.moves THEN"
			       " greatest(CASE WHEN n.status BETWEEN 4 AND 6 THEN n.status ELSE 4 "
			       "END,"
			       " CASE WHEN n.read IS NOT NULL THEN 6 WHEN n.delivered IS NOT NULL "
			       "THEN"
			       " 5 ELSE 4 END)::int2 ELSE n.status END,"
			       " error = CASE WHEN n.moves THEN NULL ELSE m.error END,"
			       " error_code = CASE WHEN n.moves THEN NULL ELSE m.error_code END,"
			       " open = false, outcome_unknown = false, alone = false,"
			       " next_attempt_at = NULL"
			       " FROM new n"
			       " WHERE m.id = n.id AND (n.new_sent IS NOT NULL"
			       " OR n.new_delivered IS NOT NULL OR n.new_read IS NOT NULL OR "
			       "n.open)"
			       "), happened AS ("
			       " SELECT n.tenant_id, n.contact_id, n.id AS message_id, e.type, "
			       "e.at,"
			       " NULL::text AS data"
			       " FROM new n"
			       " CROSS JOIN LATERAL (VALUES (5::int2, n.new_sent),"
			       " (6::int2, n.new_delivered), (7::int2, n.new_read)) AS e(type, at)"
			       " WHERE n.moves AND NOT n.erased AND e.at IS NOT "
			       "NULL), " GATEWAY_SQL_TOLD " SELECT 0 AS kind, h.id AS session_id, "
							  "0 AS partition, (SELECT count(*)"
			       " FROM old o"
			       " WHERE o.session_id = h.id) AS number, 0 AS attempts, 0 AS "
			       "webhook_id,"
			       " NULL::timestamptz AS created_at, NULL::text AS message_id,"
			       " NULL::text AS phone"
			       " FROM held h"
			       " WHERE EXISTS (SELECT"
			       " FROM fact f"
			       " WHERE f.session_id = h.id AND f.epoch = h.epoch)"
			       " UNION ALL"
			       " SELECT 1, n.session_id, n.partition::int4, n.queue_seq,"
			       " n.attempts::int4, 0, NULL, n.id, n.phone"
			       " FROM new n"
			       " WHERE n.open OR $7::bool"
			       " UNION ALL" EVENT_ROWS,
};

/*
 * The end of an attempt may be told twice in one batch (a message that may no longer be sent, dispatched
 * twice after a loss): the first one counts, and only it has an event.
 */
static const struct pg_stmt moves_stmt = {
	.name = "gateway_moves",
	.sql = "WITH move AS MATERIALIZED ("
	       " SELECT DISTINCT ON (u.id, u.session_id, u.epoch, u.attempts, u.was_unknown) u.*"
	       " FROM unnest($1::text[], $2::int4[], $3::int8[], $4::int4[],"
	       " $5::bool[], $6::int4[], $7::int8[], $8::text[], $9::text[],"
	       " $10::text[]) WITH ORDINALITY AS u(id, session_id, epoch, attempts,"
	       " was_unknown, new_status, delay_ms, code, text, set_aside_id, place)"
	       " ORDER BY u.id, u.session_id, u.epoch, u.attempts, u.was_unknown,"
	       " u.place), " GATEWAY_SQL_HELD(
		       "move") ", old AS MATERIALIZED ("
			       " SELECT m.id, m.tenant_id, m.contact_id, m.session_id, m.partition,"
			       " m.phone, m.queue_seq, m.attempts, m.erased,"
			       " v.new_status::int2 AS new_status, v.delay_ms, v.code, v.text,"
			       " v.set_aside_id"
			       " FROM move v"
			       " JOIN held h ON h.id = v.session_id AND h.epoch = v.epoch"
			       " JOIN messages m ON m.id = v.id"
			       " WHERE m.direction = 0 AND m.status = 3"
			       " AND m.attempts = v.attempts AND m.session_id = v.session_id"
			       " AND m.outcome_unknown = v.was_unknown"
			       " AND (v.was_unknown OR m.session_epoch = v.epoch)"
			       " ORDER BY m.id"
			       " FOR NO KEY UPDATE OF m"
			       "), moved AS ("
			       " UPDATE messages m"
			       " SET status = o.new_status, open = o.new_status <> 7,"
			       " outcome_unknown = o.new_status = 3, ever_unknown = m.ever_unknown"
			       " OR o.new_status = 3, alone = false,"
			       " next_attempt_at = CASE WHEN o.new_status <> 7 THEN now() + "
			       "o.delay_ms"
			       " * interval '1 ms' END,"
			       " failed_at = CASE WHEN o.new_status = 7 THEN now() END,"
			       " error_code = nullif(o.code, ''), error = nullif(o.text, '')"
			       " FROM old o"
			       " WHERE m.id = o.id"
			       "), kept AS ("
			       " INSERT INTO set_aside (id, kind, message_id, tenant_id, reason)"
			       " SELECT o.set_aside_id, 'message', o.id, o.tenant_id, o.text"
			       " FROM old o"
			       " WHERE o.set_aside_id IS NOT NULL"
			       " ON CONFLICT (id) DO NOTHING"
			       "), happened AS ("
			       " SELECT o.tenant_id, o.contact_id, o.id AS message_id,"
			       " 8::int2 AS type, now() AS at,"
			       " jsonb_build_object('error', o.text, 'error_code', o.code)::text AS"
			       " data"
			       " FROM old o"
			       " WHERE o.new_status = 7 AND NOT o.erased), " GATEWAY_SQL_TOLD
			       " SELECT 0 AS kind, h.id AS session_id, 0 AS partition,"
			       " 0::int8 AS number, 0 AS attempts, 0 AS webhook_id,"
			       " NULL::timestamptz AS created_at, NULL::text AS message_id,"
			       " NULL::text AS phone"
			       " FROM held h"
			       " WHERE EXISTS (SELECT"
			       " FROM move v"
			       " WHERE v.session_id = h.id AND v.epoch = h.epoch)"
			       " UNION ALL"
			       " SELECT 1, o.session_id, o.partition::int4, o.queue_seq,"
			       " o.attempts::int4, 0, NULL, o.id, o.phone"
			       " FROM old o"
			       " UNION ALL" EVENT_ROWS,
};

/* clang-format on */

enum gateway_row_kind gateway_store_row_kind(const struct pg_result *result, int row)
{
	return (enum gateway_row_kind)pg_int(result, row, 0);
}

void gateway_store_held_row(
	const struct pg_result *result, int row, struct gateway_held_row *ret_row)
{
	*ret_row = (struct gateway_held_row){
		.session_id = (int32_t)pg_int(result, row, 1),
		.number = pg_int(result, row, 3),
	};
}

void gateway_store_message_row(
	const struct pg_result *result, int row, struct gateway_message_row *ret_row)
{
	*ret_row = (struct gateway_message_row){
		.session_id = (int32_t)pg_int(result, row, 1),
		.partition = (int)pg_int(result, row, 2),
		.queue_seq = pg_int(result, row, 3),
		.attempts = (int)pg_int(result, row, 4),
		.message_id = pg_text(result, row, 7),
		.phone = pg_text(result, row, 8),
	};
}

void gateway_store_event_row(
	const struct pg_result *result, int row, struct gateway_event_row *ret_row)
{
	*ret_row = (struct gateway_event_row){
		.tenant_id = (int32_t)pg_int(result, row, 1),
		.contact_id = (int32_t)pg_int(result, row, 2),
		.sequence = pg_int(result, row, 3),
		.type = (int)pg_int(result, row, 4),
		.webhook_id = (int32_t)pg_int(result, row, 5),
		.created_at_ms = pg_time(result, row, 6),
		.message_id = pg_text(result, row, 7),
	};
}

void gateway_store_progress(struct pg_conn *conn, const struct progress_fact *const *facts, int n,
	bool again, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct strview *was = pool_array(pool, (size_t)n, sizeof(*was));
	int64_t *sessions = pool_array(pool, (size_t)n, sizeof(*sessions));
	int64_t *epochs = pool_array(pool, (size_t)n, sizeof(*epochs));
	int64_t *at[PROGRESS_LEVELS];
	for (int level = 0; level < PROGRESS_LEVELS; level++)
		at[level] = pool_array(pool, (size_t)n, sizeof(int64_t));
	for (int i = 0; i < n; i++) {
		sessions[i] = facts[i]->node.scope;
		epochs[i] = facts[i]->session_epoch;
		was[i] = facts[i]->node.key;
		for (int level = 0; level < PROGRESS_LEVELS; level++)
			at[level][i] = facts[i]->at[level];
	}
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4_array(params, sessions, n);
	pg_param_int8_array(params, epochs, n);
	pg_param_text_array(params, was, n);
	for (int level = 0; level < PROGRESS_LEVELS; level++)
		pg_param_time_array(params, at[level], n);
	pg_param_bool(params, again);
	pg_conn_query(conn, &progress_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

static void param_moves(
	struct pg_params *params, struct pool *pool, const struct gateway_move *moves, int n)
{
	struct strview *texts[4];
	int64_t *numbers[5];
	bool *was_unknown = pool_array(pool, (size_t)n, sizeof(*was_unknown));
	for (size_t i = 0; i < array_len(texts); i++)
		texts[i] = pool_array(pool, (size_t)n, sizeof(struct strview));
	for (size_t i = 0; i < array_len(numbers); i++)
		numbers[i] = pool_array(pool, (size_t)n, sizeof(int64_t));
	for (int i = 0; i < n; i++) {
		texts[0][i] = moves[i].message_id;
		texts[1][i] = sv_from(moves[i].move->code);
		texts[2][i] = sv_from(moves[i].move->error);
		texts[3][i] = sv_from(moves[i].set_aside_id);
		numbers[0][i] = moves[i].session_id;
		numbers[1][i] = moves[i].session_epoch;
		numbers[2][i] = moves[i].attempts;
		numbers[3][i] = moves[i].move->status;
		numbers[4][i] = moves[i].move->delay_ms;
		was_unknown[i] = moves[i].was_unknown;
	}
	pg_param_text_array(params, texts[0], n);
	pg_param_int4_array(params, numbers[0], n);
	pg_param_int8_array(params, numbers[1], n);
	pg_param_int4_array(params, numbers[2], n);
	pg_param_bool_array(params, was_unknown, n);
	pg_param_int4_array(params, numbers[3], n);
	pg_param_int8_array(params, numbers[4], n);
	pg_param_text_array(params, texts[1], n);
	pg_param_text_array(params, texts[2], n);
	pg_param_text_array(params, texts[3], n);
}

void gateway_store_moves(
	struct pg_conn *conn, const struct gateway_move *moves, int n, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	param_moves(params, pool, moves, n);
	pg_conn_query(conn, &moves_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}
