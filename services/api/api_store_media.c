/* SQL of media files. */
#include "services/api/api_store_media.h"

static const struct pg_stmt media_get = {"api_media_get",
	"SELECT d.content_type, d.bytes FROM media d WHERE d.sha256 = $2::text AND EXISTS ("
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
	return (struct store_media){pg_text(result, 0, 0), pg_bytes(result, 0, 1)};
}
