/* SQL of the sandbox's ledger. */
#include "services/gateway/sandbox_store.h"

/* Less than the gateway waits for an acknowledgement: a late answer would be a stale one. */
#define QUERY_TIMEOUT_MS 4000

/* SQL keeps its own lines. */
/* clang-format off */

static const struct pg_stmt take_stmt = {
	.name = "sandbox_take",
	.sql = "INSERT INTO sandbox.ledger AS l (session_id, wa_message_id, tenant_id,"
	       " phone, message_id, type, body, caption, media_sha256, pending)"
	       " SELECT u.session_id, u.wa, u.tenant_id, u.phone, u.message_id,"
	       " u.type::int2, u.body, u.caption, u.media, u.first"
	       " FROM unnest($1::int4[], $2::text[], $3::int4[], $4::text[],"
	       " $5::text[], $6::int4[], $7::text[], $8::text[], $9::text[],"
	       " $10::bool[]) AS u(session_id, wa, tenant_id, phone, message_id, type,"
	       " body, caption, media, first)"
	       " ON CONFLICT (session_id, wa_message_id) DO UPDATE"
	       " SET copies = l.copies + 1, pending = l.receipt_level < 2"
	       " AND EXCLUDED.wa_message_id = ANY($11::text[])"
	       " RETURNING session_id, wa_message_id, copies",
};

static const struct pg_stmt try_stmt = {
	.name = "sandbox_try",
	.sql = "INSERT INTO sandbox.tries AS t (session_id, wa_message_id, tries)"
	       " SELECT u.session_id, u.wa, 1"
	       " FROM unnest($1::int4[], $2::text[]) AS u(session_id, wa)"
	       " ON CONFLICT (session_id, wa_message_id) DO UPDATE"
	       " SET tries = t.tries + 1"
	       " RETURNING session_id, wa_message_id, tries",
};

/* It may be lost in a crash of the server: then the receipts are offered once more. */
static const struct pg_stmt acknowledge_stmt = {
	.name = "sandbox_acknowledge",
	.sql = "WITH cheap AS MATERIALIZED"
	       " (SELECT set_config('synchronous_commit', 'off', true))"
	       " UPDATE sandbox.ledger l"
	       " SET receipt_level = greatest(l.receipt_level, u.level)::int2,"
	       " pending = u.level < 2,"
	       " delivered_at = coalesce(l.delivered_at, clock_timestamp()),"
	       " read_at = CASE WHEN u.level = 2 THEN coalesce(l.read_at,"
	       " clock_timestamp()) END"
	       " FROM unnest($1::int4[], $2::text[], $3::int4[]) AS u(session_id, wa,"
	       " level), cheap"
	       " WHERE l.session_id = u.session_id AND l.wa_message_id = u.wa"
	       " AND l.receipt_level < u.level",
};

static const struct pg_stmt pending_stmt = {
	.name = "sandbox_pending",
	.sql = "SELECT l.wa_message_id, l.arrival, l.received_at, l.receipt_level"
	       " FROM sandbox.ledger l"
	       " WHERE l.pending AND l.session_id = $1::int4 AND l.arrival > $2::int8"
	       " ORDER BY l.arrival"
	       " LIMIT $3::int4",
};

static const struct pg_stmt inbound_stmt = {
	.name = "sandbox_inbound",
	.sql = "SELECT i.id, i.session_id, i.tenant_id, i.phone, i.wa_message_id,"
	       " i.type, i.body, i.media_url, i.created_at"
	       " FROM sandbox.inbound i"
	       " WHERE i.session_id = ANY($1::int4[])"
	       " ORDER BY i.id"
	       " LIMIT $2::int4",
};

static const struct pg_stmt forget_inbound_stmt = {
	.name = "sandbox_forget_inbound",
	.sql = "DELETE"
	       " FROM sandbox.inbound i"
	       " WHERE i.id = ANY($1::int8[])",
};

/* clang-format on */

void sandbox_store_take(
	struct pg_conn *conn, const struct sandbox_copy *copies, int n, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct strview *texts[7];
	int64_t *numbers[3];
	bool *first = pool_array(pool, (size_t)n, sizeof(*first));
	int n_again = 0;
	for (size_t i = 0; i < array_len(texts); i++)
		texts[i] = pool_array(pool, (size_t)n, sizeof(struct strview));
	for (size_t i = 0; i < array_len(numbers); i++)
		numbers[i] = pool_array(pool, (size_t)n, sizeof(int64_t));
	for (int i = 0; i < n; i++) {
		numbers[0][i] = copies[i].session_id;
		numbers[1][i] = copies[i].tenant_id;
		numbers[2][i] = copies[i].type;
		texts[0][i] = copies[i].wa_message_id;
		texts[1][i] = copies[i].phone;
		texts[2][i] = copies[i].message_id;
		texts[3][i] = copies[i].body;
		texts[4][i] = copies[i].caption;
		texts[5][i] = copies[i].media_sha256;
		first[i] = copies[i].has_receipts_first;
		if (copies[i].has_receipts_again)
			texts[6][n_again++] = copies[i].wa_message_id;
	}
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4_array(params, numbers[0], n);
	pg_param_text_array(params, texts[0], n);
	pg_param_int4_array(params, numbers[1], n);
	pg_param_text_array(params, texts[1], n);
	pg_param_text_array(params, texts[2], n);
	pg_param_int4_array(params, numbers[2], n);
	pg_param_text_array(params, texts[3], n);
	pg_param_text_array(params, texts[4], n);
	pg_param_text_array(params, texts[5], n);
	pg_param_bool_array(params, first, n);
	pg_param_text_array(params, texts[6], n_again);
	pg_conn_query(conn, &take_stmt, params, QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void sandbox_store_taken(const struct pg_result *result, int row, struct sandbox_taken *ret_taken)
{
	*ret_taken = (struct sandbox_taken){
		.session_id = (int32_t)pg_int(result, row, 0),
		.wa_message_id = pg_text(result, row, 1),
		.copies = pg_int(result, row, 2),
	};
}

void sandbox_store_try(struct pg_conn *conn, const int64_t *session_ids,
	const struct strview *wa_message_ids, int n, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4_array(params, session_ids, n);
	pg_param_text_array(params, wa_message_ids, n);
	pg_conn_query(conn, &try_stmt, params, QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void sandbox_store_acknowledge(struct pg_conn *conn, const int64_t *session_ids,
	const struct strview *wa_message_ids, const int64_t *levels, int n, pg_done_fn fn,
	void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4_array(params, session_ids, n);
	pg_param_text_array(params, wa_message_ids, n);
	pg_param_int4_array(params, levels, n);
	pg_conn_query(conn, &acknowledge_stmt, params, QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void sandbox_store_pending(struct pg_conn *conn, int32_t session_id, int64_t after_arrival,
	int limit, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, session_id);
	pg_param_int8(params, after_arrival);
	pg_param_int4(params, limit);
	pg_conn_query(conn, &pending_stmt, params, QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void sandbox_store_pending_row(
	const struct pg_result *result, int row, struct sandbox_pending *ret_pending)
{
	*ret_pending = (struct sandbox_pending){
		.wa_message_id = pg_text(result, row, 0),
		.arrival = pg_int(result, row, 1),
		.received_at_ms = pg_time(result, row, 2),
		.receipt_level = (int)pg_int(result, row, 3),
	};
}

void sandbox_store_inbound(struct pg_conn *conn, const int64_t *session_ids, int n, int limit,
	pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4_array(params, session_ids, n);
	pg_param_int4(params, limit);
	pg_conn_query(conn, &inbound_stmt, params, QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void sandbox_store_inbound_row(
	const struct pg_result *result, int row, struct sandbox_inbound *ret_inbound)
{
	*ret_inbound = (struct sandbox_inbound){
		.id = pg_int(result, row, 0),
		.session_id = (int32_t)pg_int(result, row, 1),
		.tenant_id = (int32_t)pg_int(result, row, 2),
		.phone = pg_text(result, row, 3),
		.wa_message_id = pg_text(result, row, 4),
		.type = (enum message_type)pg_int(result, row, 5),
		.body = pg_text(result, row, 6),
		.media_url = pg_text(result, row, 7),
		.created_at_ms = pg_time(result, row, 8),
	};
}

void sandbox_store_forget_inbound(
	struct pg_conn *conn, const int64_t *ids, int n, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int8_array(params, ids, n);
	pg_conn_query(conn, &forget_inbound_stmt, params, QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}
