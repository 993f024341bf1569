/* GET /media/{sha256}, by a key or by a signed link. */
#include <string.h>

#include "services/api/api_reply.h"
#include "services/api/api_store_media.h"
#include "services/api/handlers.h"

/* What a sender of media says that it is must not become a header of ours as it stands. */
static const char *content_type_checked(struct api_call *call, struct strview type)
{
	size_t slashes = 0;

	for (size_t i = 0; i < type.len; i++) {
		char c = type.ptr[i];
		bool is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			       (c >= '0' && c <= '9') ||
			       (c != '\0' && strchr("!#$&^_.+-/", c) != NULL);
		if (!is_fine)
			return "application/octet-stream";
		slashes += c == '/';
	}
	if (slashes != 1 || type.len > 127)
		return "application/octet-stream";
	return pool_sv_cstr(call->pool, type);
}

static void on_media(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_found(call, result, "Media"))
		return;
	struct store_media media = store_media_at(result);
	api_reply_header(call, "Content-Disposition", SV_LIT("attachment"));
	api_reply_header(call, "X-Content-Type-Options", SV_LIT("nosniff"));
	api_reply_header(call, "Content-Security-Policy", SV_LIT("default-src 'none'; sandbox"));
	api_reply_header(call, "Referrer-Policy", SV_LIT("no-referrer"));
	api_reply_header(call, "Cache-Control", SV_LIT("private, no-store"));
	api_reply_raw(call, 200, content_type_checked(call, media.content_type), media.bytes);
}

static bool is_hash(struct strview text)
{
	if (text.len != (size_t)2 * SHA256_SIZE)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
			return false;
	}
	return true;
}

void handle_media_get(struct api_call *call)
{
	if (is_hash(call->params[0]))
		store_media_get(
			call->api->store, call->caller.tenant_id, call->params[0], on_media, call);
	else
		api_reply_not_found(call, "Media");
}
