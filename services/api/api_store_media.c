/* SQL of media files. */
#include "services/api/api_store_media.h"

static const struct pg_stmt media_get = {"api_media_get",
	"SELECT d.content_type, d.bytes, d.object, d.size_bytes FROM media d WHERE d.sha256 = "
	"$2::text AND EXISTS ("
	"SELECT FROM messages m WHERE m.media_sha256 = d.sha256 AND m.tenant_id = $1::int4)"};

void store_media_get(
	struct api_store *store, int32_t tenant_id, struct strview sha256, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_text(params, sha256);
	store_run(store, &media_get, params, fn, ctx);
	pool_free(&pool);
}

struct store_media store_media_at(const struct pg_result *result)
{
	return (struct store_media){
		.content_type = pg_text(result, 0, 0),
		.bytes = pg_bytes(result, 0, 1),
		.object = pg_text(result, 0, 2),
		.size_bytes = pg_int(result, 0, 3),
	};
}

/* Putting one ends long before that: WA_MEDIA_TIMEOUT is 10 minutes at most. */
#define LOOSE_FOR "interval '15 minutes'"

static const struct pg_stmt media_doomed = {"api_media_doomed",
	"WITH late AS (UPDATE media_loose SET doomed = true"
	" WHERE NOT doomed AND created_at < now() - " LOOSE_FOR ")"
	" SELECT object FROM media_loose WHERE doomed ORDER BY object LIMIT $1::int4"};

static const struct pg_stmt media_deleted = {
	"api_media_deleted", "DELETE FROM media_loose WHERE object = $1::text AND doomed"};

void store_media_doomed(struct api_store *store, int limit, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, limit);
	store_run(store, &media_doomed, params, fn, ctx);
	pool_free(&pool);
}

void store_media_deleted(struct api_store *store, struct strview object, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_text(params, object);
	store_run(store, &media_deleted, params, fn, ctx);
	pool_free(&pool);
}
