/*
 * What callers send: the first byte chooses a reader (bodies of messages and contacts, query
 * strings, cursors, API keys), the rest is what it reads. A body that is refused names at least one
 * field; what is accepted keeps the limits that Postgres relies on.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/json.h"
#include "services/api/api_key.h"
#include "services/api/contact_request.h"
#include "services/api/event_cursor.h"
#include "services/api/held.h"
#include "services/api/list_page.h"
#include "services/api/local_caller.h"
#include "services/api/message_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct strview text, size_t max_bytes)
{
	ASSERT(text.len <= max_bytes);
	ASSERT(sv_is_utf8(text));
	ASSERT(text.len == 0 || memchr(text.ptr, '\0', text.len) == NULL);
}

static void check_message(const struct message_request *request)
{
	ASSERT((request->phone[0] == '\0') || phone_is(sv_from(request->phone)));
	ASSERT(request->contact_id >= 0 && request->session_id >= 0);
	check_text(request->body, MESSAGE_MAX_BODY_BYTES);
	check_text(request->caption, MESSAGE_MAX_CAPTION_BYTES);
	check_text(request->media_url, URL_MAX_BYTES);
	check_text(request->filename, MESSAGE_MAX_FILENAME_BYTES);
	check_text(request->external_ref, MESSAGE_MAX_REF_BYTES);
	check_text(request->metadata, MESSAGE_MAX_METADATA_BYTES);
	ASSERT(message_type_is_media(request->type) == (request->media_url.len > 0));
	ASSERT(message_type_is_media(request->type) || request->body.len > 0);
	ASSERT(!request->once || request->external_ref.len > 0);
}

static void read_bodies(struct strview text, struct pool *pool)
{
	struct url_guard *guard = url_guard_new(true, SV_LIT(""), NULL);
	struct json *body = json_parse(text, NULL);
	struct message_request message;
	struct store_contact contact;
	struct store_contact_set set;
	struct field_errors errors;

	if (body != NULL && json_type(body) == JSON_OBJECT) {
		field_errors_init(&errors, pool);
		if (message_request_read(body, guard, 1767258000000, text.len % 2 == 0, pool,
			    &errors, &message) == 0)
			check_message(&message);
		else
			ASSERT(errors.n > 0);
		field_errors_init(&errors, pool);
		if (contact_request_read(body, true, pool, &errors, &contact, &set) == 0)
			ASSERT(contact.n_numbers > 0);
		else
			ASSERT(errors.n > 0);
	}
	json_free(&body);
	url_guard_free(&guard);
}

static void read_query(struct strview text, struct pool *pool)
{
	struct cursor_key key;
	struct field_errors errors;
	struct list_page page;
	struct strview value;
	int64_t id;

	cursor_key_init(&key, SV_LIT("k"));
	field_errors_init(&errors, pool);
	if (list_page_read(text, &key, SV_LIT("l"), pool, &errors, &page) == 0)
		ASSERT(page.limit >= 1 && page.limit <= LIST_MAX_LIMIT);
	else
		ASSERT(errors.n > 0);
	(void)query_id(text, "contact_id", pool, &errors, &id);
	if (query_text(text, "phone", pool, &errors, &value))
		check_text(value, 512);
	struct strview link =
		list_page_link(SV_LIT("/l"), text, &key, SV_LIT("l"), SV_LIT("p"), pool);
	ASSERT(memchr(link.ptr + 1, '<', link.len - 1) == NULL);
}

static void read_others(struct strview text, struct pool *pool)
{
	struct cursor_key key;
	struct strview position;
	struct event_cursor place;
	struct held held;
	int32_t id;
	struct local_caller caller = {
		.development = true, .peer_is_loopback = true, .host = text, .content_type = text};

	cursor_key_init(&key, SV_LIT("k"));
	ASSERT(cursor_parse(&key, SV_LIT("l"), text, pool, &position) == -1);
	(void)event_cursor_parse(text, &place);
	(void)held_parse(text, &held);
	(void)api_key_is(text);
	(void)path_id(text, &id);
	(void)local_caller_is_trusted(&caller);
	(void)content_type_is_json(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct pool *pool = pool_new();
	struct strview text = sv_make(data + 1, size - 1);
	switch (data[0] % 3) {
	case 0:
		read_bodies(text, pool);
		break;
	case 1:
		read_query(text, pool);
		break;
	default:
		read_others(text, pool);
		break;
	}
	pool_free(&pool);
	return 0;
}
