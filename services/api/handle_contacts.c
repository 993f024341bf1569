/* GET /contacts, GET /contacts/{contact_id}. */
#include "common/model/phone.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_contacts.h"
#include "services/api/contact_view.h"
#include "services/api/handlers.h"
#include "services/api/list_reply.h"

static void on_list(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	const struct list_page *page = call->state;

	if (!api_call_pg_ok(call, result))
		return;
	struct json *list = json_new_array();
	int n = pg_rows(result);
	for (int i = 0; i < n && i < page->limit; i++) {
		struct store_contact contact = store_contact_at(result, i, call->pool);
		json_push(list, contact_view(&contact));
		if (i == page->limit - 1 && n > page->limit)
			list_link_id(call, contact.id);
	}
	api_reply_value(call, 200, list);
}

/* ?phone=: at most one contact has the number. */
static void list_by_phone(struct api_call *call, struct strview phone)
{
	char number[PHONE_SIZE];
	struct err err;

	if (phone_parse(phone, number, &err) != 0) {
		api_reply_invalid_field(call, "phone", err.text);
		return;
	}
	struct strview numbers[] = {sv_from(number)};
	store_contact_of_numbers(
		call->api->store, call->caller.tenant_id, numbers, 1, on_list, call);
}

void handle_contact_list(struct api_call *call)
{
	struct list_page *page = pool_new_in(call->pool, struct list_page);
	struct field_errors errors;
	struct strview phone = SV_NULL;

	field_errors_init(&errors, call->pool);
	(void)query_text(http_request_query(call->http), "phone", call->pool, &errors, &phone);
	if (!list_read(call, &errors, page))
		return;
	call->state = page;
	if (sv_is_null(phone))
		store_contact_list(call->api->store, call->caller.tenant_id,
			(int32_t)list_position_id(page), page->limit + 1, on_list, call);
	else
		list_by_phone(call, phone);
}

static void on_got(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_ok(call, result))
		return;
	if (pg_rows(result) == 0) {
		api_reply_not_found(call, "Contact");
		return;
	}
	struct store_contact contact = store_contact_at(result, 0, call->pool);
	api_reply_value(call, 200, contact_view(&contact));
}

void handle_contact_get(struct api_call *call)
{
	int32_t id;
	if (api_call_path_id(call, 0, "Contact", &id))
		store_contact_get(call->api->store, call->caller.tenant_id, id, on_got, call);
}
