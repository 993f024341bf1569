/* GET /contacts, GET /contacts/{contact_id}. */
#include "common/model/phone.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_contacts.h"
#include "services/api/contact_view.h"
#include "services/api/handlers.h"
#include "services/api/list_reply.h"

static struct json *list_item(
	struct api_call *call, const struct pg_result *result, int row, struct strview *ret_position)
{
	struct store_contact contact = store_contact_at(result, row, call->pool);

	*ret_position = list_id(call, contact.id);
	return contact_view(&contact);
}

static void on_list(void *ctx, const struct pg_result *result)
{
	list_answer(ctx, result, list_item);
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
	struct field_errors errors;
	struct strview phone = SV_NULL;

	field_errors_init(&errors, call->pool);
	(void)query_text(http_request_query(call->http), "phone", call->pool, &errors, &phone);
	const struct list_page *page = list_begin(call, &errors);
	if (page == NULL)
		return;
	if (sv_is_null(phone))
		store_contact_list(call->api->store, call->caller.tenant_id,
			(int32_t)list_position_id(page), page->limit + 1, on_list, call);
	else
		list_by_phone(call, phone);
}

static void on_got(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_found(call, result, "Contact"))
		return;
	struct store_contact contact = store_contact_at(result, 0, call->pool);
	api_reply_value(call, 200, contact_view(&contact));
}

void handle_contact_get(struct api_call *call)
{
	int32_t id;
	if (api_call_path_id(call, 0, "Contact", &id))
		store_contact_get(call->api->store, call->caller.tenant_id, id, on_got, call);
}
