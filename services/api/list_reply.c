/* Pages of lists. */
#include "services/api/list_reply.h"

#include "services/api/api_reply.h"

/* The paths of nested lists hold their parent's id, so that a cursor cannot be taken to a sibling.
 */
static struct strview list_name(struct api_call *call)
{
	return sv_from(pool_printf(call->pool, "%d %.*s", call->caller.tenant_id,
		SV_ARG(http_request_path(call->http))));
}

bool list_read(struct api_call *call, struct field_errors *errors, struct list_page *ret_page)
{
	struct field_errors own;

	if (errors == NULL) {
		field_errors_init(&own, call->pool);
		errors = &own;
	}
	(void)list_page_read(http_request_query(call->http), &call->api->cursor_key,
		list_name(call), call->pool, errors, ret_page);
	if (errors->n == 0)
		return true;
	if (ret_page->bad_cursor && errors->n == 1)
		api_reply_bad_cursor(call, errors);
	else
		api_reply_invalid(call, errors);
	return false;
}

const struct list_page *list_begin(struct api_call *call, struct field_errors *errors)
{
	struct list_page *page = pool_new_in(call->pool, struct list_page);

	call->state = page;
	return list_read(call, errors, page) ? page : NULL;
}

void list_answer(struct api_call *call, const struct pg_result *result, list_item_fn item)
{
	const struct list_page *page = call->state;
	struct strview last = SV_NULL;

	if (!api_call_pg_ok(call, result))
		return;
	struct json *list = json_new_array();
	for (int i = 0; i < pg_rows(result) && i < page->limit; i++)
		json_push(list, item(call, result, i, &last));
	if (pg_rows(result) > page->limit)
		list_link(call, last);
	api_reply_value(call, 200, list);
}

int64_t list_position_id(const struct list_page *page)
{
	int64_t id = 0;
	if (!sv_is_null(page->after))
		(void)sv_to_i64(page->after, &id);
	return id;
}

void list_link(struct api_call *call, struct strview position)
{
	api_reply_header(call, "Link",
		list_page_link(http_request_path(call->http), http_request_query(call->http),
			&call->api->cursor_key, list_name(call), position, call->pool));
}

struct strview list_id(struct api_call *call, int64_t id)
{
	return sv_from(pool_printf(call->pool, "%lld", (long long)id));
}

void list_link_id(struct api_call *call, int64_t position)
{
	list_link(call, list_id(call, position));
}
