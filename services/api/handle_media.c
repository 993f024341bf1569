/* GET /media/{sha256}, by a key or by a signed link. */
#include <string.h>

#include "common/base/log.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_media.h"
#include "services/api/handlers.h"

/* Files that are on their way from the object store, or that their callers take slowly or not at
 * all, lie in memory meanwhile. */
#define MAX_HELD_BYTES (INT64_C(128) * 1024 * 1024)

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

/* False: it was answered. Links are for anybody, so nobody may fill the memory with them. A file
 * that is larger than all that room passes alone. */
static bool has_room(struct api_call *call, int64_t size_bytes)
{
	const struct api *api = call->api;
	int64_t held_bytes = http_server_unread_bytes(api->server) + api->fetching_bytes;

	if (held_bytes == 0 || held_bytes + size_bytes <= MAX_HELD_BYTES)
		return true;
	api_reply_retry(call, PROBLEM_OVERLOADED, 2,
		"Too many files are being fetched or read slowly at the moment");
	return false;
}

static void reply_file(struct api_call *call, const char *content_type, struct strview bytes)
{
	if (!has_room(call, (int64_t)bytes.len))
		return;
	api_reply_header(call, "Content-Disposition", SV_LIT("attachment"));
	api_reply_header(call, "X-Content-Type-Options", SV_LIT("nosniff"));
	api_reply_header(call, "Content-Security-Policy", SV_LIT("default-src 'none'; sandbox"));
	api_reply_header(call, "Referrer-Policy", SV_LIT("no-referrer"));
	api_reply_header(call, "Cache-Control", SV_LIT("private, no-store"));
	api_reply_raw(call, 200, content_type, bytes);
}

/* --- in the object store --- */

struct object_ask {
	const char *content_type;
	const char *object;
	int64_t size_bytes;
};

static void reply_unavailable(struct api_call *call)
{
	api_reply_retry(call, PROBLEM_MEDIA_UNAVAILABLE, 5,
		"The store of media files does not give it at the moment");
}

static void on_object(void *ctx, const struct object_answer *answer)
{
	struct api_call *call = ctx;
	const struct object_ask *ask = call->state;
	bool is_whole = (int64_t)answer->bytes.len == ask->size_bytes;

	call->api->fetching_bytes -= ask->size_bytes;
	if (answer->end == OBJECT_DONE && is_whole) {
		reply_file(call, ask->content_type, answer->bytes);
		return;
	}
	log_warn("media_get_failed", log_text("object", ask->object),
		log_int("bytes", (int64_t)answer->bytes.len), log_err(&answer->err));
	if (answer->end == OBJECT_ABSENT) /* erased meanwhile, or lost by the store */
		api_reply_not_found(call, "Media");
	else
		reply_unavailable(call);
}

static void ask_store(struct api_call *call, const struct store_media *media)
{
	struct object_store *objects = call->api->media_store.objects;
	struct object_ask *ask = pool_new_in(call->pool, struct object_ask);

	if (objects == NULL) {
		log_error("media_store_unnamed", log_sv("object", media->object));
		reply_unavailable(call);
		return;
	}
	if (!has_room(call, media->size_bytes))
		return;
	ask->content_type = content_type_checked(call, media->content_type);
	ask->object = pool_sv_cstr(call->pool, media->object);
	ask->size_bytes = media->size_bytes;
	call->state = ask;
	call->api->fetching_bytes += ask->size_bytes;
	(void)object_get(objects, ask->object, ask->size_bytes, on_object, call);
}

static void on_media(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_found(call, result, "Media"))
		return;
	struct store_media media = store_media_at(result);
	if (sv_is_null(media.object))
		reply_file(call, content_type_checked(call, media.content_type), media.bytes);
	else
		ask_store(call, &media);
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
	if (!is_hash(call->params[0]))
		api_reply_not_found(call, "Media");
	else if (has_room(call, 0)) /* how large it is, is not known yet */
		store_media_get(
			call->api->store, call->caller.tenant_id, call->params[0], on_media, call);
}
