/* SQL of incoming messages and of media. */
#include "services/gateway/gateway_store_inbound.h"

#include "common/model/event_type.h"
#include "services/gateway/gateway_store.h"

#define MEDIA_QUERY_TIMEOUT_MS 30000 /* of bytes on their way */

/* SQL keeps its own lines. */
/* clang-format off */

static const struct pg_stmt inbound_stmt = {
	.name = "gateway_inbound",
	.sql = "WITH inbound AS MATERIALIZED ("
	       " SELECT u.*"
	       " FROM unnest($1::text[], $2::text[], $3::text[], $4::int4[],"
	       " $5::int8[], $6::int4[], $7::int4[], $8::int4[], $9::text[],"
	       " $10::text[], $11::text[], $12::text[], $13::timestamptz[]) WITH"
	       " ORDINALITY AS u(id, wa, phone, session_id, epoch, tenant_id,"
	       " partition, type, body, filename, media_url, media_sha256, at,"
	       " place)), " GATEWAY_SQL_HELD(
		       "inbound") ", fresh AS MATERIALIZED ("
				  " SELECT DISTINCT ON (i.session_id, i.wa) i.*,"
				  " coalesce(nullif(i.tenant_id, 0), v.tenant_id, "
				  "d.default_tenant_id) AS"
				  " whose"
				  " FROM inbound i"
				  " JOIN held h ON h.id = i.session_id AND h.epoch = i.epoch"
				  " CROSS JOIN deployment d"
				  " LEFT JOIN conversations v ON v.session_id = i.session_id"
				  " AND v.phone = i.phone"
				  " WHERE NOT EXISTS (SELECT FROM messages m WHERE m.wa_message_id "
				  "= i.wa"
				  " AND m.session_id = i.session_id AND m.direction = 1)"
				  " ORDER BY i.session_id, i.wa, i.place"
				  "), contact AS MATERIALIZED ("
				  " SELECT n.whose, n.phone, contact_of_number(n.whose, n.phone) "
				  "AS id"
				  " FROM (SELECT DISTINCT f.whose,"
				  " f.phone FROM fresh f WHERE f.whose IS NOT NULL ORDER BY "
				  "f.whose,"
				  " f.phone) n"
				  "), kept AS ("
				  " INSERT INTO messages (id, tenant_id, contact_id, session_id,"
				  " partition, direction, type, status, open, created_at, "
				  "wa_message_id,"
				  " phone, body, filename, media_url, media_sha256)"
				  " SELECT f.id, f.whose, c.id, f.session_id, f.partition::int2, 1,"
				  " f.type::int2, 10, false, now(), f.wa, f.phone, f.body, "
				  "f.filename,"
				  " f.media_url, f.media_sha256"
				  " FROM fresh f"
				  " JOIN contact c ON c.whose = f.whose AND c.phone = f.phone"
				  " ORDER BY f.place"
				  " ON CONFLICT (wa_message_id, session_id, direction) DO NOTHING"
				  " RETURNING id, tenant_id, contact_id, session_id"
				  "), happened AS ("
				  " SELECT k.tenant_id, k.contact_id, k.id AS message_id,"
				  " $14::int2 AS type, f.at, NULL::text AS data"
				  " FROM kept k"
				  " JOIN fresh f ON f.id = k.id), " GATEWAY_SQL_TOLD
				  " SELECT 0 AS kind, h.id AS session_id, 0 AS partition, (SELECT "
				  "count(*)"
				  " FROM kept k"
				  " WHERE k.session_id = h.id) AS number, 0 AS attempts, 0 AS "
				  "webhook_id,"
				  " NULL::timestamptz AS created_at, NULL::text AS message_id,"
				  " NULL::text AS phone"
				  " FROM held h"
				  " WHERE EXISTS (SELECT"
				  " FROM inbound i"
				  " WHERE i.session_id = h.id AND i.epoch = h.epoch)"
				  " UNION ALL"
				  " SELECT 2, t.tenant_id, t.contact_id, t.sequence, t.type::int4,"
				  " t.webhook_id, t.created_at, t.message_id, NULL"
				  " FROM told t",
};

static const struct pg_stmt wanted_stmt = {
	.name = "gateway_media_wanted",
	.sql = "SELECT m.id, m.media_url"
	       " FROM messages m"
	       " WHERE m.media_wanted AND m.session_id = ANY($1::int4[])"
	       " AND m.id <> ALL($2::text[])"
	       " ORDER BY m.session_id, m.id"
	       " LIMIT $3::int4",
};

static const struct pg_stmt media_of_message_stmt = {
	.name = "gateway_media_of_message",
	.sql = "WITH wanting AS MATERIALIZED ("
	       " SELECT m.id"
	       " FROM messages m"
	       " WHERE m.id = $1::text AND m.media_wanted"
	       " FOR NO KEY UPDATE"
	       "), kept AS ("
	       " INSERT INTO media (sha256, content_type, size_bytes, bytes)"
	       " SELECT $2::text, $3::text, octet_length($4::bytea), $4::bytea"
	       " FROM wanting w"
	       " JOIN messages m ON m.id = w.id"
	       " WHERE NOT m.erased"
	       " ON CONFLICT (sha256) DO NOTHING)"
	       " UPDATE messages m"
	       " SET media_wanted = false, media_sha256 = CASE WHEN m.erased THEN NULL"
	       " ELSE $2::text END"
	       " FROM wanting w"
	       " WHERE m.id = w.id",
};

static const struct pg_stmt media_stmt = {
	.name = "gateway_media",
	.sql = "INSERT INTO media (sha256, content_type, size_bytes, bytes)"
	       " VALUES ($1::text, $2::text, octet_length($3::bytea), $3::bytea)"
	       " ON CONFLICT (sha256) DO NOTHING",
};

static const struct pg_stmt media_failed_stmt = {
	.name = "gateway_media_failed",
	.sql = "WITH old AS MATERIALIZED ("
	       " SELECT m.id, m.tenant_id, m.contact_id, m.session_id, m.partition,"
	       " m.phone, m.queue_seq, m.attempts, m.erased, m.status"
	       " FROM messages m"
	       " WHERE m.id = $1::text AND m.media_wanted"
	       " FOR NO KEY UPDATE"
	       "), moved AS ("
	       " UPDATE messages m"
	       " SET media_wanted = false,"
	       " open = CASE WHEN o.status IN (1, 2) THEN false ELSE m.open END,"
	       " status = CASE WHEN o.status IN (1, 2) THEN 7 ELSE m.status END,"
	       " due_at = CASE WHEN o.status IN (1, 2) THEN NULL ELSE m.due_at END,"
	       " next_attempt_at = CASE WHEN o.status IN (1, 2) THEN NULL"
	       " ELSE m.next_attempt_at END,"
	       " failed_at = CASE WHEN o.status IN (1, 2) THEN now()"
	       " ELSE m.failed_at END,"
	       " error_code = CASE WHEN o.status IN (1, 2) THEN $3::text"
	       " ELSE m.error_code END,"
	       " error = CASE WHEN o.status IN (1, 2) THEN $2::text ELSE m.error END"
	       " FROM old o"
	       " WHERE m.id = o.id"
	       "), happened AS ("
	       " SELECT o.tenant_id, o.contact_id, o.id AS message_id,"
	       " $4::int2 AS type, now() AS at,"
	       " jsonb_build_object('error', $2::text, 'error_code',"
	       " $3::text)::text AS data"
	       " FROM old o"
	       " WHERE o.status IN (1, 2) AND NOT o.erased), " GATEWAY_SQL_TOLD
	       " SELECT 1 AS kind, o.session_id, o.partition::int4 AS partition,"
	       " coalesce(o.queue_seq, 0) AS number, o.attempts::int4 AS attempts,"
	       " 0 AS webhook_id, NULL::timestamptz AS created_at, o.id AS message_id,"
	       " o.phone"
	       " FROM old o"
	       " WHERE o.status IN (1, 2)"
	       " UNION ALL"
	       " SELECT 2, t.tenant_id, t.contact_id, t.sequence, t.type::int4,"
	       " t.webhook_id, t.created_at, t.message_id, NULL"
	       " FROM told t",
};

/* clang-format on */

void gateway_store_inbound(struct pg_conn *conn, const struct gateway_inbound *inbound, int n,
	pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct strview *texts[7];
	int64_t *numbers[6];
	for (size_t i = 0; i < array_len(texts); i++)
		texts[i] = pool_array(pool, (size_t)n, sizeof(struct strview));
	for (size_t i = 0; i < array_len(numbers); i++)
		numbers[i] = pool_array(pool, (size_t)n, sizeof(int64_t));
	for (int i = 0; i < n; i++) {
		texts[0][i] = inbound[i].message_id;
		texts[1][i] = inbound[i].wa_message_id;
		texts[2][i] = inbound[i].phone;
		texts[3][i] = inbound[i].body;
		texts[4][i] = inbound[i].filename;
		texts[5][i] = inbound[i].media_url;
		texts[6][i] = inbound[i].media_sha256;
		numbers[0][i] = inbound[i].session_id;
		numbers[1][i] = inbound[i].session_epoch;
		numbers[2][i] = inbound[i].tenant_id;
		numbers[3][i] = inbound[i].partition;
		numbers[4][i] = inbound[i].type;
		numbers[5][i] = inbound[i].at_ms;
	}
	struct pg_params *params = pg_params_new(pool);
	for (int i = 0; i < 3; i++)
		pg_param_text_array(params, texts[i], n);
	pg_param_int4_array(params, numbers[0], n);
	pg_param_int8_array(params, numbers[1], n);
	for (int i = 2; i < 5; i++)
		pg_param_int4_array(params, numbers[i], n);
	for (int i = 3; i < 7; i++)
		pg_param_text_array(params, texts[i], n);
	pg_param_time_array(params, numbers[5], n);
	pg_param_int2(params, EVENT_MESSAGE_RECEIVED);
	pg_conn_query(conn, &inbound_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void gateway_store_media_wanted(struct pg_conn *conn, const int64_t *session_ids, int n_sessions,
	const struct strview *known, int n_known, int limit, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4_array(params, session_ids, n_sessions);
	pg_param_text_array(params, known, n_known);
	pg_param_int4(params, limit);
	pg_conn_query(conn, &wanted_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void gateway_store_media(struct pg_conn *conn, struct strview message_id, struct strview sha256,
	struct strview content_type, struct strview bytes, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	bool for_message = !sv_is_null(message_id);
	if (for_message)
		pg_param_text(params, message_id);
	pg_param_text(params, sha256);
	pg_param_text(params, content_type);
	pg_param_bytes(params, bytes);
	pg_conn_query(conn, for_message ? &media_of_message_stmt : &media_stmt, params,
		MEDIA_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void gateway_store_media_failed(struct pg_conn *conn, struct strview message_id,
	struct strview error, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_text(params, message_id);
	pg_param_text(params, error);
	pg_param_text(params, SV_LIT(ERROR_MEDIA_FAILED));
	pg_param_int2(params, EVENT_MESSAGE_FAILED);
	pg_conn_query(conn, &media_failed_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}
