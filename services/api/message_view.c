/* What a caller sees of a message. */
#include "services/api/message_view.h"

static struct json *json_view(struct strview text)
{
	return sv_is_null(text) ? json_new_null() : json_parse(text, NULL);
}

static void set_times(struct json *view, const struct store_message *message)
{
	json_set_time(view, "created_at", message->created_at);
	json_set_time(view, "send_at", message->send_at);
	json_set_time(view, "valid_until", message->valid_until);
	json_set_time(view, "queued_at", message->queued_at);
	json_set_time(view, "sending_at", message->sending_at);
	json_set_time(view, "sent_at", message->sent_at);
	json_set_time(view, "delivered_at", message->delivered_at);
	json_set_time(view, "read_at", message->read_at);
	json_set_time(view, "failed_at", message->failed_at);
	json_set_time(view, "cancelled_at", message->cancelled_at);
	json_set_time(view, "expired_at", message->expired_at);
	json_set_time(view, "next_attempt_at", message->next_attempt_at);
	json_set_time(view, "edited_at", message->edited_at);
	json_set_time(view, "deleted_at", message->deleted_at);
}

/* Where what came in was fetched from is nobody's business but the gateway's: it may need a key,
 * and may be gone. */
static void set_media_url(
	struct json *view, const struct store_message *message, const struct media_viewer *viewer)
{
	struct strbuf url = STRBUF_INIT;

	if (message->direction == MESSAGE_OUTGOING && !sv_is_null(message->media_url)) {
		json_set_sv(view, "media_url", message->media_url);
	} else if (sv_is_null(message->media_sha256)) {
		json_set_sv(view, "media_url", SV_NULL);
	} else {
		media_link_format(viewer->links, viewer->tenant_id, message->media_sha256,
			viewer->now_wall_ms, &url);
		json_set_sv(view, "media_url", strbuf_view(&url));
	}
	strbuf_deinit(&url);
}

struct json *message_view(const struct store_message *message, const struct media_viewer *viewer)
{
	struct json *view = json_new_object();

	json_set_sv(view, "message_id", message->id);
	json_set_int(view, "contact_id", message->contact_id);
	json_set_sv(view, "phone_number", message->phone);
	json_set_cstr(view, "direction", message_direction_name(message->direction));
	json_set_cstr(view, "message_type", message_type_name(message->type));
	json_set_sv(view, "message_body", message->body);
	json_set_sv(view, "caption", message->caption);
	set_media_url(view, message, viewer);
	json_set_sv(view, "media_sha256", message->media_sha256);
	json_set_sv(view, "filename", message->filename);
	json_set_cstr(view, "status", message_status_name(message->status));
	json_set(view, "detail", json_view(message->detail));
	json_set_sv(view, "reply_to", message->reply_to);
	json_set_sv(view, "external_ref", message->external_ref);
	json_set(view, "metadata", json_view(message->metadata));
	json_set_sv(view, "error", message->error);
	json_set_sv(view, "error_code", message->error_code);
	json_set_int(view, "attempts", message->attempts);
	json_set_int(view, "session_id", message->session_id);
	set_times(view, message);
	return view;
}
