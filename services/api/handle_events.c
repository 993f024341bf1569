/* GET /events: the log, oldest first, for whom webhooks did not reach. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/model/permission.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_events.h"
#include "services/api/handlers.h"
#include "services/api/list_reply.h"

struct event_list {
	struct list_page page;
	struct event_cursor place; /* after what was shown so far */
};

static struct event_reader reader_of(const struct api_call *call)
{
	return (struct event_reader){
		.links = call->api->media_links,
		.may_read_media = (call->caller.permissions & PERMISSION_MESSAGES_READ) != 0,
		.now_wall_ms = clock_wall_ms(),
	};
}

/* One that cannot be rendered is our bug; it must not hide those after it. */
static void append_event(
	const struct event_row *row, const struct event_reader *reader, struct strbuf *out)
{
	struct err err;
	size_t before = out->len;

	if (out->len > 1)
		strbuf_append_char(out, ',');
	if (event_render(row, reader, out, &err) == 0)
		return;
	out->len = before;
	log_error("event_render_fail", log_int("sequence", row->sequence), log_err(&err));
}

static void on_list(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct event_list *list = call->state;
	char position[EVENT_CURSOR_SIZE];
	struct strbuf text = STRBUF_INIT;

	if (!api_call_pg_ok(call, result))
		return;
	struct event_reader reader = reader_of(call);
	strbuf_append_char(&text, '[');
	for (int i = 0; i < pg_rows(result); i++) {
		struct event_row row = store_event_at(result, i, &list->place);
		append_event(&row, &reader, &text);
	}
	strbuf_append_char(&text, ']');
	/* Always a next page: that is where a poller goes on. */
	event_cursor_format(&list->place, position);
	list_link(call, sv_from(position));
	api_reply_json(call, 200, strbuf_view(&text));
	strbuf_deinit(&text);
}

void handle_event_list(struct api_call *call)
{
	struct event_list *list = pool_new_in(call->pool, struct event_list);

	if (!list_read(call, NULL, &list->page))
		return;
	if (!sv_is_null(list->page.after))
		(void)event_cursor_parse(list->page.after, &list->place); /* we signed it */
	call->state = list;
	store_event_list(call->api->store, call->caller.tenant_id, &list->place, list->page.limit,
		on_list, call);
}
