/* Set-aside incoming messages as JSON. */
#include "services/gateway/inbound_aside.h"

#include "common/base/json.h"

void inbound_aside_format(const struct gateway_inbound *inbound, struct strbuf *out)
{
	struct json *value = json_new_object();
	json_set_int(value, "kind", inbound->kind);
	json_set_bool(value, "from_me", inbound->is_from_me);
	json_set_sv(value, "wa_message_id", inbound->wa_message_id);
	json_set_sv(value, "phone", inbound->phone);
	json_set_int(value, "tenant_id", inbound->tenant_id);
	json_set_int(value, "type", inbound->type);
	json_set_sv(value, "body", inbound->body);
	json_set_sv(value, "filename", inbound->filename);
	json_set_sv(value, "media_sha256", inbound->media_sha256);
	json_set_sv(value, "target", inbound->target_wa_id);
	json_set_sv(value, "reply_to", inbound->reply_to);
	json_set_sv(value, "detail", inbound->detail);
	json_set_int(value, "at_ms", inbound->at_ms);
	json_format(value, out);
	json_free(&value);
}

static struct strview text_of(const struct json *value, const char *name, struct pool *pool)
{
	const struct json *member = json_object_get(value, name);
	return json_type(member) == JSON_STRING ? pool_sv(pool, json_string(member)) : SV_NULL;
}

static int64_t number_of(const struct json *value, const char *name)
{
	const struct json *member = json_object_get(value, name);
	return json_type(member) == JSON_INT ? json_int(member) : -1;
}

int inbound_aside_parse(
	struct strview text, struct pool *pool, struct engine_inbound *ret_message, struct err *err)
{
	struct json *value = json_parse(text, err);
	if (value == NULL)
		return -1;
	int64_t kind = number_of(value, "kind");
	int64_t type = number_of(value, "type");
	const struct json *from_me = json_object_get(value, "from_me");
	struct engine_inbound message = {
		.kind = (enum engine_inbound_kind)kind,
		.is_from_me = json_type(from_me) == JSON_BOOL && json_bool(from_me),
		.wa_message_id = text_of(value, "wa_message_id", pool),
		.phone = text_of(value, "phone", pool),
		.tenant_id = (int32_t)number_of(value, "tenant_id"),
		.type = (enum message_type)type,
		.body = text_of(value, "body", pool),
		.filename = text_of(value, "filename", pool),
		.media_url = SV_NULL,
		.media_sha256 = text_of(value, "media_sha256", pool),
		.target_wa_id = text_of(value, "target", pool),
		.reply_to = text_of(value, "reply_to", pool),
		.detail = text_of(value, "detail", pool),
		.at_ms = number_of(value, "at_ms"),
		.token = ENGINE_NO_TOKEN,
	};
	json_free(&value);
	if (kind < ENGINE_INBOUND_MESSAGE || kind >= ENGINE_INBOUND_NOTHING ||
		type < MESSAGE_TEXT || type > MESSAGE_OTHER || message.tenant_id < 0 ||
		message.wa_message_id.len == 0 || message.at_ms < 0)
		return err_set(err, "it is no incoming message");
	*ret_message = message;
	return 0;
}
