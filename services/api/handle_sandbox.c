/* POST /sandbox/inbound plays a customer who writes; GET /sandbox/outbox shows what a customer's
 * phone received. */
#include "common/model/id.h"
#include "common/model/message.h"
#include "common/model/phone.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_sandbox.h"
#include "services/api/body_reader.h"
#include "services/api/handlers.h"
#include "services/api/idempotency.h"
#include "services/api/list_page.h"
#include "services/api/message_request.h"

/* An array without pages: a test's phone, not an archive. */
#define OUTBOX_MAX 10000

struct new_inbound {
	struct store_inbound row;
	char phone[PHONE_SIZE];
	char wa_message_id[WA_MESSAGE_ID_SIZE];
};

static struct json *inbound_view(const struct new_inbound *inbound)
{
	struct json *view = json_new_object();
	json_set_cstr(view, "wa_message_id", inbound->wa_message_id);
	json_set_int(view, "session_id", inbound->row.session_id);
	return view;
}

/* False: the call was answered. */
static bool inbound_read(struct api_call *call, struct new_inbound *ret_inbound)
{
	static const struct body_text_rule from_rule = {BODY_REQUIRED, 64, true, false};
	static const struct body_text_rule body_rule = {
		BODY_OPTIONAL, MESSAGE_MAX_BODY_BYTES, true, false};
	static const struct body_text_rule url_rule = {BODY_OPTIONAL, URL_MAX_BYTES, false, true};
	struct store_inbound *row = &ret_inbound->row;
	struct body_reader reader;
	struct field_errors errors;
	struct strview from;
	struct err err;

	row->body = row->media_url = SV_NULL;
	field_errors_init(&errors, call->pool);
	body_reader_init(&reader, call->body, "", call->pool, &errors);
	if (body_text(&reader, "from", &from_rule, &from) &&
		phone_parse(from, ret_inbound->phone, &err) != 0)
		body_reader_fail(&reader, "from", "%s", err.text);
	(void)body_text(&reader, "body", &body_rule, &row->body);
	if (body_text(&reader, "media_url", &url_rule, &row->media_url) &&
		url_guard_check_url(call->api->guard, row->media_url, &err) != 0)
		body_reader_fail(&reader, "media_url", "cannot be used: %s", err.text);
	if (row->body.len == 0 && !body_has(&reader, "media_url"))
		body_reader_fail(&reader, "body", "is required, or media_url");
	body_reader_end(&reader);
	if (errors.n == 0)
		return true;
	api_reply_invalid(call, &errors);
	return false;
}

static void on_inbound(struct api_call *call, const struct pg_result *result)
{
	if (api_call_pg_ok(call, result))
		api_reply_value(call, 202, inbound_view(call->state));
}

static void on_session(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct new_inbound *inbound = call->state;
	struct strbuf text = STRBUF_INIT;
	struct store_tx tx;

	if (!api_call_pg_ok(call, result))
		return;
	if (pg_rows(result) == 0) {
		api_reply_problem(call, PROBLEM_CONFLICT,
			"This tenant has no sandbox session; make one with POST /sessions");
		return;
	}
	inbound->row.session_id = (int32_t)pg_int(result, 0, 0);
	store_tx_init(&tx, call->pool);
	store_inbound_add(&tx, &inbound->row);
	struct json *view = inbound_view(inbound);
	json_format(view, &text);
	json_free(&view);
	struct idempotent_answer answer = {.status = 202, .body = strbuf_view(&text)};
	idempotency_commit(call, &tx, &answer, on_inbound);
	strbuf_deinit(&text);
}

static void inbound_make(struct api_call *call)
{
	struct new_inbound *inbound = pool_new_in(call->pool, struct new_inbound);

	if (!inbound_read(call, inbound))
		return;
	id_new_wa_message(inbound->wa_message_id);
	inbound->row.tenant_id = call->caller.tenant_id;
	inbound->row.phone = sv_from(inbound->phone);
	inbound->row.wa_message_id = sv_from(inbound->wa_message_id);
	inbound->row.type = sv_is_null(inbound->row.media_url) ? MESSAGE_TEXT : MESSAGE_IMAGE;
	call->state = inbound;
	store_sandbox_session(call->api->store, call->caller.tenant_id, on_session, call);
}

void handle_sandbox_inbound(struct api_call *call)
{
	idempotency_look_up(call, inbound_make);
}

static void on_outbox(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_ok(call, result))
		return;
	struct json *list = json_new_array();
	for (int i = 0; i < pg_rows(result); i++) {
		struct store_shown shown = store_shown_at(result, i);
		struct json *item = json_new_object();
		json_set_sv(item, "message_id", shown.message_id);
		json_set_sv(item, "wa_message_id", shown.wa_message_id);
		json_set_cstr(
			item, "message_type", message_type_name((enum message_type)shown.type));
		json_set_sv(item, "message_body", shown.body);
		json_set_sv(item, "caption", shown.caption);
		json_set_sv(item, "media_sha256", shown.media_sha256);
		json_set_time(item, "received_at", shown.received_at);
		json_set_int(item, "copies", shown.copies);
		json_push(list, item);
	}
	api_reply_value(call, 200, list);
}

void handle_sandbox_outbox(struct api_call *call)
{
	struct strview text = SV_NULL;
	struct field_errors errors;
	char phone[PHONE_SIZE];
	struct err err;

	field_errors_init(&errors, call->pool);
	if (query_text(http_request_query(call->http), "phone", call->pool, &errors, &text)) {
		if (sv_is_null(text))
			field_errors_add(&errors, "phone", "is required");
		else if (phone_parse(text, phone, &err) != 0)
			field_errors_add(&errors, "phone", "%s", err.text);
	}
	if (errors.n > 0)
		api_reply_invalid(call, &errors);
	else
		store_outbox(call->api->store, call->caller.tenant_id, sv_from(phone), OUTBOX_MAX,
			on_outbox, call);
}
