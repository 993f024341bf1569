/* SQL of media files in an object store. */
#include "services/gateway/gateway_store_media.h"

#include "services/gateway/gateway_store.h"

/* clang-format off */

static const struct pg_stmt begin_stmt = {
	.name = "gateway_media_begin",
	.sql = "WITH here AS MATERIALIZED ("
	       " SELECT EXISTS (SELECT FROM media d WHERE d.sha256 = $2::text) AS yes"
	       "), loose AS ("
	       " INSERT INTO media_loose AS l (object)"
	       " SELECT $1::text"
	       " FROM here h"
	       " WHERE NOT h.yes"
	       " ON CONFLICT (object) DO UPDATE"
	       " SET created_at = now()"
	       " WHERE NOT l.doomed"
	       " RETURNING l.object)"
	       " SELECT h.yes, EXISTS (SELECT FROM loose)"
	       " FROM here h",
};

/* What another transaction has kept meanwhile is not seen yet: then the answer is "begin anew", and that finds it. */
static const struct pg_stmt end_stmt = {
	.name = "gateway_media_end",
	.sql = "WITH wanting AS MATERIALIZED ("
	       " SELECT m.id, m.erased"
	       " FROM messages m"
	       " WHERE m.id = $2::text AND m.media_wanted"
	       " FOR NO KEY UPDATE"
	       "), wanted AS MATERIALIZED ("
	       " SELECT $2::text IS NULL"
	       " OR EXISTS (SELECT FROM wanting w WHERE NOT w.erased) AS yes"
	       "), mine AS MATERIALIZED ("
	       " SELECT l.object"
	       " FROM media_loose l"
	       " WHERE l.object = $1::text AND NOT l.doomed"
	       " FOR UPDATE"
	       "), kept AS ("
	       " INSERT INTO media (sha256, content_type, size_bytes, object)"
	       " SELECT $3::text, $4::text, $5::int8, x.object"
	       " FROM mine x"
	       " JOIN wanted w ON w.yes"
	       " ON CONFLICT (sha256) DO NOTHING"
	       " RETURNING object"
	       "), taken AS ("
	       " DELETE FROM media_loose l"
	       " USING kept k"
	       " WHERE l.object = k.object"
	       "), here AS MATERIALIZED ("
	       " SELECT EXISTS (SELECT FROM kept)"
	       " OR EXISTS (SELECT FROM media d WHERE d.sha256 = $3::text) AS yes"
	       "), told AS ("
	       " UPDATE messages m"
	       " SET media_wanted = false,"
	       " media_sha256 = CASE WHEN w.erased THEN NULL ELSE $3::text END"
	       " FROM wanting w, here h"
	       " WHERE m.id = w.id AND (w.erased OR h.yes))"
	       " SELECT h.yes OR NOT w.yes"
	       " FROM here h, wanted w",
};

/* clang-format on */

void gateway_store_media_begin(
	struct pg_conn *conn, const struct gateway_media_object *object, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_text(params, object->object);
	pg_param_text(params, object->sha256);
	pg_conn_query(conn, &begin_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

enum gateway_media_begun gateway_store_media_begun(const struct pg_result *result)
{
	if (pg_bool(result, 0, 0))
		return GATEWAY_MEDIA_IS_HERE;
	return pg_bool(result, 0, 1) ? GATEWAY_MEDIA_BEGUN : GATEWAY_MEDIA_DOOMED;
}

void gateway_store_media_end(
	struct pg_conn *conn, const struct gateway_media_object *object, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_text(params, object->object);
	pg_param_text(params, object->message_id);
	pg_param_text(params, object->sha256);
	pg_param_text(params, object->content_type);
	pg_param_int8(params, object->size_bytes);
	pg_conn_query(conn, &end_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

bool gateway_store_media_ended(const struct pg_result *result)
{
	return pg_bool(result, 0, 0);
}
