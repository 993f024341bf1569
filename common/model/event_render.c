/* Events as customers see them. */
#include "common/model/event_render.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/attr.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/model/id.h"

struct render {
	const struct event_row *row;
	const struct event_reader *reader;
	struct json *data; /* NULL: none */
	struct strbuf *out;
	bool is_first; /* no member has been written yet */
};

/* --- members of "data" --- */

static void key(struct render *render, const char *name)
{
	if (!render->is_first)
		strbuf_append_char(render->out, ',');
	render->is_first = false;
	json_escape(sv_from(name), render->out);
	strbuf_append_char(render->out, ':');
}

static void member_text(struct render *render, const char *name, struct strview text)
{
	key(render, name);
	if (sv_is_null(text))
		strbuf_append_cstr(render->out, "null");
	else
		json_escape(text, render->out);
}

static void member_int(struct render *render, const char *name, int64_t number)
{
	key(render, name);
	strbuf_printf(render->out, "%" PRId64, number);
}

static void member_time(struct render *render, const char *name)
{
	char text[CLOCK_RFC3339_SIZE];

	clock_format(render->row->at_wall_ms, text);
	member_text(render, name, sv_from(text));
}

/* As it stands in events.data; null when it does not. */
static void member_data(struct render *render, const char *name)
{
	const struct json *value = render->data == NULL ? NULL : json_object_get(render->data, name);

	key(render, name);
	if (value == NULL)
		strbuf_append_cstr(render->out, "null");
	else
		json_format(value, render->out);
}

static void member_data_or(struct render *render, const char *name, struct strview otherwise)
{
	if (render->data != NULL && json_object_get(render->data, name) != NULL)
		member_data(render, name);
	else
		member_text(render, name, otherwise);
}

static void members_of_message(struct render *render)
{
	member_text(render, "message_id", render->row->message_id);
	if (render->row->contact_id == 0)
		member_text(render, "contact_id", SV_NULL);
	else
		member_int(render, "contact_id", render->row->contact_id);
}

/* --- one function an event type --- */

static struct strview words_of(const struct event_row *row)
{
	if (row->is_erased)
		return SV_LIT("");
	if (!sv_is_null(row->body))
		return row->body;
	return sv_is_null(row->caption) ? SV_LIT("") : row->caption;
}

static void member_media(struct render *render)
{
	const struct event_row *row = render->row;
	const struct event_reader *reader = render->reader;
	struct strbuf url = STRBUF_INIT;

	if (row->is_erased || sv_is_null(row->media_sha256)) {
		member_text(render, "media_url", SV_NULL);
		return;
	}
	if (reader->may_read_media)
		media_link_format(reader->links, row->tenant_id, row->media_sha256, reader->now_wall_ms, &url);
	else
		media_link_format_plain(reader->links, row->media_sha256, &url);
	member_text(render, "media_url", strbuf_view(&url));
	strbuf_deinit(&url);
}

static void render_received(struct render *render)
{
	const struct event_row *row = render->row;

	members_of_message(render);
	member_text(render, "phone_number", sv_is_null(row->phone) ? SV_LIT("") : row->phone);
	member_text(render, "message_type", sv_from(message_type_name(row->has_message ? row->message_type : MESSAGE_OTHER)));
	member_text(render, "message_body", words_of(row));
	if (!row->is_erased && !sv_is_null(row->caption))
		member_text(render, "caption", row->caption);
	if (!row->is_erased && !sv_is_null(row->filename))
		member_text(render, "filename", row->filename);
	if (!sv_is_null(row->reply_to))
		member_text(render, "reply_to", row->reply_to);
	if (!row->is_erased && !sv_is_null(row->detail)) {
		key(render, "detail");
		strbuf_append_sv(render->out, row->detail);
	}
	member_media(render);
	if (row->has_message)
		member_int(render, "session_id", row->session_id);
	member_time(render, "received_at");
}

static void render_edited(struct render *render)
{
	members_of_message(render);
	member_text(render, "message_body", words_of(render->row));
	member_time(render, "edited_at");
}

static void render_reaction(struct render *render)
{
	members_of_message(render);
	member_time(render, "reacted_at");
}

static void render_deleted(struct render *render)
{
	members_of_message(render);
	member_time(render, "deleted_at");
}

static void render_step(struct render *render, const char *status, const char *time_name)
{
	members_of_message(render);
	member_text(render, "external_ref", render->row->external_ref);
	member_text(render, "status", sv_from(status));
	member_time(render, time_name);
}

static void render_sent(struct render *render)
{
	render_step(render, "sent", "sent_at");
}

static void render_delivered(struct render *render)
{
	render_step(render, "delivered", "delivered_at");
}

static void render_read(struct render *render)
{
	render_step(render, "read", "read_at");
}

static void render_failed(struct render *render)
{
	render_step(render, "failed", "failed_at");
	member_data_or(render, "error", sv_is_null(render->row->error) ? SV_LIT("the message failed") : render->row->error);
	member_data_or(render, "error_code", render->row->error_code);
}

static void render_session(struct render *render)
{
	member_data(render, "session_id");
	member_data(render, "reason");
}

static void render_nothing(struct render *render)
{
	(void)render;
}

static void (*const renderers[EVENT_TYPE_LAST + 1])(struct render *render) = {
	[EVENT_MESSAGE_RECEIVED] = render_received,
	[EVENT_MESSAGE_REACTION] = render_reaction,
	[EVENT_MESSAGE_EDITED] = render_edited,
	[EVENT_MESSAGE_DELETED] = render_deleted,
	[EVENT_MESSAGE_SENT] = render_sent,
	[EVENT_MESSAGE_DELIVERED] = render_delivered,
	[EVENT_MESSAGE_READ] = render_read,
	[EVENT_MESSAGE_FAILED] = render_failed,
	[EVENT_SESSION_CONNECTED] = render_session,
	[EVENT_SESSION_DISCONNECTED] = render_session,
	[EVENT_TEST] = render_nothing,
};

/* --- the whole --- */

/* Members that the renderers write themselves; what else stands in events.data is passed on as it is. */
static const char *const own_members[] = {
	"message_id", "contact_id", "phone_number", "message_type", "message_body", "caption", "filename", "media_url",
	"reply_to", "detail", "session_id", "received_at", "edited_at", "reacted_at", "deleted_at", "external_ref", "status", "sent_at",
	"delivered_at", "read_at", "failed_at", "error", "error_code", "reason",
};

static int pass_on(void *ctx, const char *name, struct json *value)
{
	struct render *render = ctx;

	if (render->row->type != EVENT_TEST) {
		for (size_t i = 0; i < array_len(own_members); i++) {
			if (strcmp(name, own_members[i]) == 0)
				return 0;
		}
	}
	key(render, name);
	json_format(value, render->out);
	return 0;
}

static void render_envelope(const struct event_row *row, struct strbuf *out)
{
	char id[ID_SIZE];
	char created_at[CLOCK_RFC3339_SIZE];

	id_of_event(row->sequence, id);
	clock_format(row->created_at_wall_ms, created_at);
	strbuf_printf(out,
		"{\"id\":\"%s\",\"event\":\"%s\",\"created_at\":\"%s\",\"tenant_id\":%d,\"sequence\":%" PRId64 ",\"data\":{", id,
		event_type_name(row->type), created_at, row->tenant_id, row->sequence);
}

int event_render(const struct event_row *row, const struct event_reader *reader, struct strbuf *out, struct err *err)
{
	struct render render = {.row = row, .reader = reader, .out = out, .is_first = true};

	if ((int)row->type < 1 || (int)row->type > EVENT_TYPE_LAST)
		return err_set(err, "event type %d is not known", (int)row->type);
	if (!sv_is_null(row->data)) {
		render.data = json_parse(row->data, err);
		if (render.data == NULL)
			return err_prefix(err, "the event's data");
		if (json_type(render.data) != JSON_OBJECT) {
			json_free(&render.data);
			return err_set(err, "the event's data is no object");
		}
	}
	render_envelope(row, out);
	renderers[row->type](&render);
	if (render.data != NULL)
		(void)json_object_each(render.data, pass_on, &render);
	strbuf_append_cstr(out, "}}");
	json_free(&render.data);
	return 0;
}
