/* SQL of the Baileys engine. */
#include "services/gateway/baileys_store.h"

#define QUERY_TIMEOUT_MS 10000
#define MEDIA_TIMEOUT_MS 20000

/* SQL keeps its own lines. */
/* clang-format off */

static const struct pg_stmt read_stmt = {
	.name = "baileys_read",
	.sql = "SELECT k.name, k.sealed"
	       " FROM session_keys k"
	       " WHERE k.session_id = $1::int4 AND k.name = ANY($2::text[])",
};

#define HELD                                                                                       \
	"held AS MATERIALIZED ("                                                                   \
	" SELECT l.id"                                                                             \
	" FROM leases l"                                                                           \
	" WHERE l.kind = 'session' AND l.id = $1::int4 AND l.epoch = $2::int8"                     \
	" AND l.expires_at > clock_timestamp()"                                                    \
	" FOR KEY SHARE)"

static const struct pg_stmt commit_stmt = {
	.name = "baileys_commit",
	.sql = "WITH " HELD ", changed AS MATERIALIZED ("
	       " SELECT u.name, u.sealed"
	       " FROM unnest($3::text[], $4::bytea[]) AS u(name, sealed)"
	       " CROSS JOIN held"
	       "), gone AS ("
	       " DELETE FROM session_keys k"
	       " USING changed c"
	       " WHERE k.session_id = $1::int4 AND k.name = c.name AND c.sealed IS NULL"
	       "), kept AS ("
	       " INSERT INTO session_keys (session_id, name, sealed)"
	       " SELECT $1::int4, c.name, c.sealed"
	       " FROM changed c"
	       " WHERE c.sealed IS NOT NULL"
	       " ON CONFLICT (session_id, name) DO UPDATE SET sealed = EXCLUDED.sealed)"
	       " SELECT EXISTS (SELECT FROM held)",
};

static const struct pg_stmt wipe_stmt = {
	.name = "baileys_wipe",
	.sql = "WITH " HELD ", gone AS ("
	       " DELETE FROM session_keys k"
	       " USING held h"
	       " WHERE k.session_id = h.id)"
	       " SELECT EXISTS (SELECT FROM held)",
};

static const struct pg_stmt any_stmt = {
	.name = "baileys_any",
	.sql = "SELECT EXISTS (SELECT FROM sessions s"
	       " WHERE s.engine = 'baileys' AND s.deleted_at IS NULL)",
};

static const struct pg_stmt sweep_stmt = {
	.name = "baileys_sweep",
	.sql = "DELETE FROM session_keys k"
	       " USING sessions s"
	       " WHERE s.id = k.session_id AND s.deleted_at IS NOT NULL",
};

static const struct pg_stmt is_known_stmt = {
	.name = "baileys_is_known",
	.sql = "SELECT EXISTS ("
	       " SELECT FROM messages m"
	       " WHERE m.wa_message_id = $2::text AND m.session_id = $1::int4)"
	       " OR EXISTS ("
	       " SELECT FROM message_changes c"
	       " WHERE c.wa_message_id = $2::text AND c.session_id = $1::int4)"
	       " OR EXISTS ("
	       " SELECT FROM set_aside a"
	       " WHERE a.kind = 'inbound' AND a.session_id = $1::int4"
	       " AND a.wa_message_id = $2::text)",
};

static const struct pg_stmt sent_stmt = {
	.name = "baileys_sent",
	.sql = "SELECT m.phone, m.type::int4, m.body, m.caption, m.filename, m.media_sha256"
	       " FROM messages m"
	       " WHERE m.wa_message_id = $2::text AND m.session_id = $1::int4"
	       " AND m.direction = 0 AND NOT m.erased AND m.type BETWEEN 1 AND 5",
};

static const struct pg_stmt media_stmt = {
	.name = "baileys_media",
	.sql = "SELECT d.size_bytes, d.content_type,"
	       " substring(d.bytes FROM $2::int4 + 1 FOR $3::int4), d.object"
	       " FROM media d"
	       " WHERE d.sha256 = $1::text",
};

/* clang-format on */

static void put_context(struct strbuf *out, int32_t session_id, struct strview name)
{
	strbuf_printf(out, "session:%d:%.*s", session_id, SV_ARG(name));
}

struct strview baileys_store_seal(const struct secret_box *box, struct pool *pool,
	int32_t session_id, struct strview name, struct strview plain)
{
	struct strbuf context = STRBUF_INIT;
	struct strbuf sealed = STRBUF_INIT;
	put_context(&context, session_id, name);
	secret_box_seal(box, strbuf_view(&context), plain, &sealed);
	struct strview copy = pool_sv(pool, strbuf_view(&sealed));
	strbuf_deinit(&context);
	strbuf_deinit(&sealed);
	return copy;
}

int baileys_store_open(const struct secret_box *box, int32_t session_id, struct strview name,
	struct strview sealed, struct strbuf *out, struct err *err)
{
	struct strbuf context = STRBUF_INIT;
	put_context(&context, session_id, name);
	int status = secret_box_open(box, strbuf_view(&context), sealed, out, err);
	strbuf_deinit(&context);
	return status;
}

void baileys_store_read(struct pg_conn *conn, int32_t session_id, const struct strview *names,
	int n, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, session_id);
	pg_param_text_array(params, names, n);
	pg_conn_query(conn, &read_stmt, params, QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void baileys_store_commit(struct pg_conn *conn, int32_t session_id, int64_t epoch,
	const struct engine_key *keys, int n, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	struct strview *names = pool_array(pool, (size_t)n, sizeof(*names));
	struct strview *sealed = pool_array(pool, (size_t)n, sizeof(*sealed));
	for (int i = 0; i < n; i++) {
		names[i] = keys[i].name;
		sealed[i] = keys[i].sealed;
	}
	pg_param_int4(params, session_id);
	pg_param_int8(params, epoch);
	pg_param_text_array(params, names, n);
	pg_param_bytes_array(params, sealed, n);
	pg_conn_query(conn, &commit_stmt, params, QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void baileys_store_wipe(
	struct pg_conn *conn, int32_t session_id, int64_t epoch, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, session_id);
	pg_param_int8(params, epoch);
	pg_conn_query(conn, &wipe_stmt, params, QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void baileys_store_any(struct pg_conn *conn, pg_done_fn fn, void *ctx)
{
	pg_conn_query(conn, &any_stmt, NULL, QUERY_TIMEOUT_MS, fn, ctx);
}

void baileys_store_sweep(struct pg_conn *conn, pg_done_fn fn, void *ctx)
{
	pg_conn_query(conn, &sweep_stmt, NULL, QUERY_TIMEOUT_MS, fn, ctx);
}

static void query_by_wa_id(struct pg_conn *conn, const struct pg_stmt *stmt, int32_t session_id,
	struct strview wa_message_id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, session_id);
	pg_param_text(params, wa_message_id);
	pg_conn_query(conn, stmt, params, QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void baileys_store_is_known(struct pg_conn *conn, int32_t session_id, struct strview wa_message_id,
	pg_done_fn fn, void *ctx)
{
	query_by_wa_id(conn, &is_known_stmt, session_id, wa_message_id, fn, ctx);
}

void baileys_store_sent(struct pg_conn *conn, int32_t session_id, struct strview wa_message_id,
	pg_done_fn fn, void *ctx)
{
	query_by_wa_id(conn, &sent_stmt, session_id, wa_message_id, fn, ctx);
}

void baileys_store_sent_row(const struct pg_result *result, struct baileys_sent *ret_sent)
{
	*ret_sent = (struct baileys_sent){
		.phone = pg_text(result, 0, 0),
		.type = (enum message_type)pg_int(result, 0, 1),
		.body = pg_text(result, 0, 2),
		.caption = pg_text(result, 0, 3),
		.filename = pg_text(result, 0, 4),
		.media_sha256 = pg_text(result, 0, 5),
	};
}

void baileys_store_media(struct pg_conn *conn, struct strview sha256, int64_t offset, int64_t size,
	pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_text(params, sha256);
	pg_param_int4(params, (int32_t)offset);
	pg_param_int4(params, (int32_t)size);
	pg_conn_query(conn, &media_stmt, params, MEDIA_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}
