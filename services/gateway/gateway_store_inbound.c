/* SQL of incoming messages and of media. */
#include "services/gateway/gateway_store_inbound.h"

#include "common/base/check.h"
#include "common/model/event_type.h"
#include "services/gateway/gateway_store.h"

#define MEDIA_QUERY_TIMEOUT_MS 30000 /* of bytes on their way */

/* SQL keeps its own lines. */
/* clang-format off */

/*
 * Keys that incoming messages moved, of sessions whose lease still fits; of several changes of one key
 * the last. first to fourth: parameters with sessions, epochs, names and sealed values.
 */
#define KEYS(first, second, third, fourth)                                                         \
	"moved_key AS ("                                                                           \
	" SELECT DISTINCT ON (u.session_id, u.name) u.session_id, u.name, u.sealed"                \
	" FROM unnest(" first "::int4[], " second "::int8[], " third "::text[], " fourth           \
	"::bytea[]) WITH ORDINALITY AS u(session_id, epoch, name, sealed, place)"                  \
	" JOIN held h ON h.id = u.session_id AND h.epoch = u.epoch"                                \
	" ORDER BY u.session_id, u.name, u.place DESC"                                             \
	"), key_gone AS ("                                                                         \
	" DELETE FROM session_keys k"                                                              \
	" USING moved_key c"                                                                       \
	" WHERE (k.session_id, k.name) = (c.session_id, c.name) AND c.sealed IS NULL"              \
	"), key_kept AS ("                                                                         \
	" INSERT INTO session_keys (session_id, name, sealed)"                                     \
	" SELECT c.session_id, c.name, c.sealed"                                                   \
	" FROM moved_key c"                                                                        \
	" WHERE c.sealed IS NOT NULL"                                                              \
	" ON CONFLICT (session_id, name) DO UPDATE SET sealed = EXCLUDED.sealed)"

#define EVENT_ROWS                                                                                 \
	" UNION ALL"                                                                               \
	" SELECT 2, t.tenant_id, t.contact_id, t.sequence, t.type::int4, t.webhook_id,"            \
	" t.created_at, t.message_id, NULL"                                                        \
	" FROM told t"

#define HELD_ROWS(count, source)                                                                   \
	" SELECT 0, h.id, 0, (SELECT count(*)"                                                     \
	" FROM " count " k"                                                                        \
	" WHERE k.session_id = h.id), 0, 0,"                                                       \
	" NULL::timestamptz, NULL::text, NULL::text"                                               \
	" FROM held h"                                                                             \
	" WHERE (h.id, h.epoch) IN (SELECT i.session_id, i.epoch FROM " source " i)"

static const struct pg_stmt inbound_stmt = {
	.name = "gateway_inbound",
	.sql = "WITH inbound AS ("
	       " SELECT u.*, CASE WHEN u.from_me THEN 0 ELSE 1 END::int2 AS direction"
	       " FROM unnest($1::text[], $2::text[], $3::text[], $4::int4[],"
	       " $5::int8[], $6::int4[], $7::int4[], $8::int4[], $9::text[],"
	       " $10::text[], $11::text[], $12::text[], $13::timestamptz[],"
	       " $15::bool[], $16::bool[], $17::text[], $18::text[]) WITH"
	       " ORDINALITY AS u(id, wa, phone, session_id, epoch, tenant_id,"
	       " partition, type, body, filename, media_url, media_sha256, at,"
	       " is_message, from_me, reply_to, detail, place)), " GATEWAY_SQL_HELD(
		       "inbound") ", " KEYS("$19", "$20", "$21", "$22") ", fresh AS ("
				  " SELECT DISTINCT ON (i.session_id, i.wa, i.direction) i.*,"
				  " coalesce(nullif(i.tenant_id, 0), v.tenant_id, "
				  "d.default_tenant_id) AS"
				  " whose"
				  " FROM inbound i"
				  " JOIN held h ON (h.id, h.epoch) = (i.session_id, i.epoch)"
				  " CROSS JOIN deployment d"
				  " LEFT JOIN conversations v ON (v.session_id, v.phone) ="
				  " (i.session_id, i.phone)"
				  " WHERE i.is_message AND NOT EXISTS (SELECT FROM messages m"
				  " WHERE m.wa_message_id = i.wa"
				  " AND m.session_id = i.session_id AND m.direction = i.direction)"
				  " ORDER BY i.session_id, i.wa, i.direction, i.place"
				  "), contact AS ("
				  " SELECT n.*, contact_of_number(n.whose, n.phone) AS id"
				  " FROM (SELECT DISTINCT f.whose, f.phone FROM fresh f"
				  " WHERE f.whose IS NOT NULL ORDER BY 1, 2) n"
				  "), kept AS ("
				  " INSERT INTO messages (id, tenant_id, contact_id, session_id,"
				  " partition, direction, type, status, open, created_at, "
				  "wa_message_id,"
				  " phone, body, filename, media_url, media_sha256, reply_to,"
				  " detail, sent_at)"
				  " SELECT f.id, f.whose, c.id, f.session_id, f.partition::int2,"
				  " f.direction, f.type::int2,"
				  " CASE WHEN f.from_me THEN 4 ELSE 10 END::int2, false, now(),"
				  " f.wa, f.phone, f.body, f.filename,"
				  " f.media_url, f.media_sha256, f.reply_to, f.detail::jsonb,"
				  " CASE WHEN f.from_me THEN f.at END"
				  " FROM fresh f"
				  " JOIN contact c ON (c.whose, c.phone) = (f.whose, f.phone)"
				  " ORDER BY f.place"
				  " ON CONFLICT (wa_message_id, session_id, direction) DO NOTHING"
				  " RETURNING id, tenant_id, contact_id, session_id"
				  "), happened AS ("
				  " SELECT k.tenant_id, k.contact_id, k.id AS message_id,"
				  " $14::int2 AS type, f.at, NULL::text AS data"
				  " FROM kept k"
				  " JOIN fresh f ON f.id = k.id"
				  " WHERE NOT f.from_me), " GATEWAY_SQL_TOLD
				  HELD_ROWS("kept", "inbound") EVENT_ROWS,
};

/* What is meant is of the same conversation; what is erased stays so. */
static const struct pg_stmt changes_stmt = {
	.name = "gateway_changes",
	.sql = "WITH change AS ("
	       " SELECT u.*"
	       " FROM unnest($1::int4[], $2::int8[], $3::text[], $4::text[], $5::bool[],"
	       " $6::int4[], $7::text[], $8::text[], $9::timestamptz[]) WITH ORDINALITY"
	       " AS u(session_id, epoch, wa, phone, from_me, kind, target, body, at,"
	       " place)), " GATEWAY_SQL_HELD("change") ", " KEYS("$10", "$11", "$12", "$13")
	       ", fresh AS ("
	       " SELECT DISTINCT ON (c.session_id, c.wa, c.from_me) c.*"
	       " FROM change c"
	       " JOIN held h ON (h.id, h.epoch) = (c.session_id, c.epoch)"
	       " WHERE NOT EXISTS (SELECT FROM message_changes x"
	       " WHERE (x.session_id, x.wa_message_id, x.from_me) ="
	       " (c.session_id, c.wa, c.from_me))"
	       " ORDER BY c.session_id, c.wa, c.from_me, c.place"
	       "), meant AS MATERIALIZED ("
	       " SELECT f.*, m.id AS message_id, m.contact_id, m.tenant_id,"
	       " coalesce(m.erased, false) AS erased"
	       " FROM fresh f"
	       " LEFT JOIN LATERAL (SELECT t.id, t.contact_id, t.tenant_id, t.erased"
	       " FROM messages t"
	       " WHERE t.wa_message_id = f.target AND t.session_id = f.session_id"
	       " AND (t.phone = f.phone OR t.erased)"
	       " AND (f.kind = 2 OR t.direction = CASE WHEN f.from_me THEN 0 ELSE 1 END)"
	       " LIMIT 1) m ON true"
	       "), kept AS ("
	       " INSERT INTO message_changes (session_id, wa_message_id, from_me, kind,"
	       " target_wa_id, message_id, contact_id, at)"
	       " SELECT x.session_id, x.wa, x.from_me, x.kind::int2, x.target,"
	       " x.message_id, x.contact_id, x.at"
	       " FROM meant x"
	       " ON CONFLICT DO NOTHING"
	       " RETURNING session_id, wa_message_id, from_me"
	       "), touched AS ("
	       " UPDATE messages m"
	       " SET edited_body = coalesce(x.body, m.edited_body),"
	       " edited_at = coalesce(x.edited_at, m.edited_at),"
	       " deleted_at = coalesce(x.deleted_at, m.deleted_at)"
	       " FROM (SELECT y.message_id,"
	       " (array_agg(y.body ORDER BY y.place DESC) FILTER (WHERE y.kind = 3))[1]"
	       " AS body,"
	       " max(y.at) FILTER (WHERE y.kind = 3) AS edited_at,"
	       " max(y.at) FILTER (WHERE y.kind = 4) AS deleted_at"
	       " FROM meant y"
	       " WHERE y.message_id IS NOT NULL AND NOT y.erased AND y.kind IN (3, 4)"
	       " GROUP BY y.message_id) x"
	       " WHERE m.id = x.message_id"
	       "), happened AS ("
	       " SELECT x.tenant_id, x.contact_id, x.message_id, x.kind::int2 AS type,"
	       " x.at, CASE WHEN x.kind = 2"
	       " THEN jsonb_build_object('emoji', coalesce(x.body, ''))::text END AS data"
	       " FROM meant x"
	       " JOIN kept k ON (k.session_id, k.wa_message_id, k.from_me) ="
	       " (x.session_id, x.wa, x.from_me)"
	       " WHERE x.message_id IS NOT NULL AND NOT x.erased AND NOT x.from_me"
	       "), " GATEWAY_SQL_TOLD HELD_ROWS("kept", "change") EVENT_ROWS,
};

/* Known by its WhatsApp id when it is offered again; what comes back refused can be put back again. */
static const struct pg_stmt aside_stmt = {
	.name = "gateway_inbound_aside",
	.sql = "WITH inbound AS ("
	       " SELECT $1::int4 AS session_id, $2::int8 AS epoch), " GATEWAY_SQL_HELD(
		       "inbound") ", " KEYS("$10", "$11", "$12", "$13") ", kept AS ("
				  " INSERT INTO set_aside AS a (id, kind, session_id, wa_message_id,"
				  " from_me, phone, tenant_id, payload, reason)"
				  " SELECT $3::text, 'inbound', h.id, $4::text, $5::bool, $6::text,"
				  " nullif($7::int4, 0), $8::bytea, $9::text"
				  " FROM held h"
				  " WHERE h.epoch = $2::int8"
				  " ON CONFLICT (session_id, wa_message_id, from_me) WHERE kind ="
				  " 'inbound'"
				  " DO UPDATE SET payload = EXCLUDED.payload, reason ="
				  " EXCLUDED.reason, retried_at = NULL"
				  " RETURNING session_id)" HELD_ROWS(
					  "(SELECT session_id FROM kept WHERE false)", "inbound"),
};

/* What has come to be kept needs no second try. */
static const struct pg_stmt put_back_stmt = {
	.name = "gateway_inbound_put_back",
	.sql = "WITH back AS MATERIALIZED ("
	       " SELECT a.id, a.session_id, a.payload,"
	       " EXISTS (SELECT FROM messages m WHERE m.wa_message_id = a.wa_message_id"
	       " AND m.session_id = a.session_id"
	       " AND m.direction = CASE WHEN a.from_me THEN 0 ELSE 1 END)"
	       " OR EXISTS (SELECT FROM message_changes c WHERE (c.session_id,"
	       " c.wa_message_id, c.from_me) = (a.session_id, a.wa_message_id, a.from_me))"
	       " AS is_kept"
	       " FROM set_aside a"
	       " WHERE a.kind = 'inbound' AND a.session_id = ANY($1::int4[])"
	       " AND a.retried_at IS NOT NULL AND a.payload IS NOT NULL"
	       " ORDER BY a.id"
	       " LIMIT $2::int4"
	       "), done AS ("
	       " UPDATE set_aside a"
	       " SET payload = NULL"
	       " FROM back b"
	       " WHERE a.id = b.id AND b.is_kept)"
	       " SELECT b.session_id, b.payload"
	       " FROM back b"
	       " WHERE NOT b.is_kept"
	       " ORDER BY b.id",
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

static void param_keys(
	struct pg_params *params, struct pool *pool, const struct gateway_inbound *inbound, int n)
{
	int n_keys = 0;
	for (int i = 0; i < n; i++)
		n_keys += inbound[i].n_keys;
	int64_t *sessions = pool_array(pool, (size_t)n_keys, sizeof(*sessions));
	int64_t *epochs = pool_array(pool, (size_t)n_keys, sizeof(*epochs));
	struct strview *names = pool_array(pool, (size_t)n_keys, sizeof(*names));
	struct strview *sealed = pool_array(pool, (size_t)n_keys, sizeof(*sealed));
	int at = 0;
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < inbound[i].n_keys; k++, at++) {
			sessions[at] = inbound[i].session_id;
			epochs[at] = inbound[i].session_epoch;
			names[at] = inbound[i].keys[k].name;
			sealed[at] = inbound[i].keys[k].sealed;
		}
	}
	pg_param_int4_array(params, sessions, n_keys);
	pg_param_int8_array(params, epochs, n_keys);
	pg_param_text_array(params, names, n_keys);
	pg_param_bytes_array(params, sealed, n_keys);
}

void gateway_store_inbound(struct pg_conn *conn, const struct gateway_inbound *inbound, int n,
	pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct strview *texts[9];
	int64_t *numbers[6];
	bool *flags[2];
	for (size_t i = 0; i < array_len(texts); i++)
		texts[i] = pool_array(pool, (size_t)n, sizeof(struct strview));
	for (size_t i = 0; i < array_len(numbers); i++)
		numbers[i] = pool_array(pool, (size_t)n, sizeof(int64_t));
	for (size_t i = 0; i < array_len(flags); i++)
		flags[i] = pool_array(pool, (size_t)n, sizeof(bool));
	for (int i = 0; i < n; i++) {
		texts[0][i] = inbound[i].message_id;
		texts[1][i] = inbound[i].wa_message_id;
		texts[2][i] = inbound[i].phone;
		texts[3][i] = inbound[i].body;
		texts[4][i] = inbound[i].filename;
		texts[5][i] = inbound[i].media_url;
		texts[6][i] = inbound[i].media_sha256;
		texts[7][i] = inbound[i].reply_to;
		texts[8][i] = inbound[i].detail;
		numbers[0][i] = inbound[i].session_id;
		numbers[1][i] = inbound[i].session_epoch;
		numbers[2][i] = inbound[i].tenant_id;
		numbers[3][i] = inbound[i].partition;
		numbers[4][i] = inbound[i].type;
		numbers[5][i] = inbound[i].at_ms;
		flags[0][i] = inbound[i].kind == ENGINE_INBOUND_MESSAGE;
		flags[1][i] = inbound[i].is_from_me;
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
	pg_param_bool_array(params, flags[0], n);
	pg_param_bool_array(params, flags[1], n);
	pg_param_text_array(params, texts[7], n);
	pg_param_text_array(params, texts[8], n);
	param_keys(params, pool, inbound, n);
	pg_conn_query(conn, &inbound_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

static enum event_type event_of(enum engine_inbound_kind kind)
{
	switch (kind) {
	case ENGINE_INBOUND_REACTION:
		return EVENT_MESSAGE_REACTION;
	case ENGINE_INBOUND_EDIT:
		return EVENT_MESSAGE_EDITED;
	case ENGINE_INBOUND_DELETE:
		return EVENT_MESSAGE_DELETED;
	case ENGINE_INBOUND_MESSAGE:
	case ENGINE_INBOUND_NOTHING:
		break;
	}
	WRONG("it changes no message");
}

void gateway_store_changes(struct pg_conn *conn, const struct gateway_inbound *changes, int n,
	pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct strview *texts[4];
	int64_t *numbers[4];
	bool *from_me = pool_array(pool, (size_t)n, sizeof(bool));
	for (size_t i = 0; i < array_len(texts); i++)
		texts[i] = pool_array(pool, (size_t)n, sizeof(struct strview));
	for (size_t i = 0; i < array_len(numbers); i++)
		numbers[i] = pool_array(pool, (size_t)n, sizeof(int64_t));
	for (int i = 0; i < n; i++) {
		numbers[0][i] = changes[i].session_id;
		numbers[1][i] = changes[i].session_epoch;
		texts[0][i] = changes[i].wa_message_id;
		texts[1][i] = changes[i].phone;
		from_me[i] = changes[i].is_from_me;
		numbers[2][i] = event_of(changes[i].kind);
		texts[2][i] = changes[i].target_wa_id;
		texts[3][i] = changes[i].body;
		numbers[3][i] = changes[i].at_ms;
	}
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4_array(params, numbers[0], n);
	pg_param_int8_array(params, numbers[1], n);
	pg_param_text_array(params, texts[0], n);
	pg_param_text_array(params, texts[1], n);
	pg_param_bool_array(params, from_me, n);
	pg_param_int4_array(params, numbers[2], n);
	pg_param_text_array(params, texts[2], n);
	pg_param_text_array(params, texts[3], n);
	pg_param_time_array(params, numbers[3], n);
	param_keys(params, pool, changes, n);
	pg_conn_query(conn, &changes_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void gateway_store_inbound_aside(struct pg_conn *conn, const struct gateway_inbound *inbound,
	const struct gateway_aside *aside, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, inbound->session_id);
	pg_param_int8(params, inbound->session_epoch);
	pg_param_text(params, sv_from(aside->id));
	pg_param_text(params, inbound->wa_message_id);
	pg_param_bool(params, inbound->is_from_me);
	pg_param_text(params, inbound->phone);
	pg_param_int4(params, inbound->tenant_id);
	pg_param_bytes(params, aside->sealed);
	pg_param_text(params, sv_from(aside->reason));
	param_keys(params, pool, inbound, 1);
	pg_conn_query(conn, &aside_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void gateway_store_inbound_put_back(struct pg_conn *conn, const int64_t *session_ids,
	int n_sessions, int limit, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4_array(params, session_ids, n_sessions);
	pg_param_int4(params, limit);
	pg_conn_query(conn, &put_back_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
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
