/* SQL of the event log. */
#include "services/api/api_store_events.h"

static const struct pg_stmt event_list = {"api_event_list",
	"SELECT e.xid, e.sequence, e.created_at, e.at, e.tenant_id, e.contact_id, e.type,"
	" e.message_id, e.data, m.type, m.session_id, m.erased, m.phone,"
	" CASE WHEN e.type = 3 THEN coalesce(m.edited_body, m.body) ELSE m.body END, m.caption,"
	" m.media_sha256, m.filename, m.external_ref, m.error, m.error_code, m.detail::text,"
	" CASE WHEN e.type = 1 AND m.reply_to IS NOT NULL THEN " API_SQL_REPLY_TO " END"
	" FROM events e LEFT JOIN messages m ON m.id = e.message_id"
	" WHERE e.tenant_id = $1::int4 AND (e.xid, e.sequence) > ($2::int8, $3::int8)"
	" AND e.xid < pg_snapshot_xmin(pg_current_snapshot())::text::int8"
	" ORDER BY e.xid, e.sequence LIMIT $4::int4"};

void store_event_list(struct api_store *store, int32_t tenant_id, const struct event_cursor *after,
	int limit, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_int8(params, after->xid);
	pg_param_int8(params, after->sequence);
	pg_param_int4(params, limit);
	store_run(store, &event_list, params, fn, ctx);
	pool_free(&pool);
}

struct event_row store_event_at(
	const struct pg_result *result, int row, struct event_cursor *ret_place)
{
	*ret_place = (struct event_cursor){pg_int(result, row, 0), pg_int(result, row, 1)};
	return (struct event_row){
		.sequence = pg_int(result, row, 1),
		.created_at_wall_ms = pg_time(result, row, 2),
		.at_wall_ms = pg_time(result, row, 3),
		.tenant_id = (int32_t)pg_int(result, row, 4),
		.contact_id = (int32_t)pg_int(result, row, 5),
		.type = (enum event_type)pg_int(result, row, 6),
		.message_id = pg_text(result, row, 7),
		.data = pg_text(result, row, 8),
		.has_message = !pg_is_null(result, row, 9),
		.message_type = (enum message_type)pg_int(result, row, 9),
		.session_id = (int32_t)pg_int(result, row, 10),
		.is_erased = !pg_is_null(result, row, 11) && pg_bool(result, row, 11),
		.phone = pg_text(result, row, 12),
		.body = pg_text(result, row, 13),
		.caption = pg_text(result, row, 14),
		.media_sha256 = pg_text(result, row, 15),
		.filename = pg_text(result, row, 16),
		.external_ref = pg_text(result, row, 17),
		.error = pg_text(result, row, 18),
		.error_code = pg_text(result, row, 19),
		.detail = pg_text(result, row, 20),
		.reply_to = pg_text(result, row, 21),
	};
}
