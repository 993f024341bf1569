/* event_render: the contract's table, the same bytes each time, odd rows. */
#include "tests/support/test.h"

#include <string.h>

#include "common/model/event_render.h"

#define AT_MS      INT64_C(1767225600123) /* 2026-01-01T00:00:00.123Z */
#define KEY_HEX    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define CREATED_MS (AT_MS + 1000)
/* The signature was computed apart from this code, with Python's hmac. */
#define QUERY                                                                                      \
	"?tenant=7&expires=1767229200&signature="                                                  \
	"21d6e3db97aa6a36423c38ec208792516d61e37c3aa498ad87c31958c55a375b"
#define HEAD(type)                                                                                 \
	"{\"id\":\"evt_00000000000000ff\",\"event\":\"" type                                       \
	"\",\"created_at\":\"2026-01-01T00:00:01.123Z\",\"tenant_id\":7,\"sequence\":255,"         \
	"\"data\":{"

static struct event_reader reader = {.may_read_media = true, .now_wall_ms = AT_MS};
static struct media_links *links;

static int setup(UNUSED void **state)
{
	struct secret_box *box = secret_box_new(SV_LIT(KEY_HEX), NULL);
	links = media_links_new(box, SV_LIT("https://api.example"), 3600000);
	reader.links = links;
	secret_box_free(&box);
	return 0;
}

static int teardown(UNUSED void **state)
{
	media_links_free(&links);
	return 0;
}

static struct event_row row_of(enum event_type type)
{
	return (struct event_row){
		.sequence = 255,
		.created_at_wall_ms = CREATED_MS,
		.at_wall_ms = AT_MS,
		.tenant_id = 7,
		.contact_id = 12,
		.type = type,
		.message_id = SV_LIT("msg_1"),
		.has_message = true,
		.message_type = MESSAGE_TEXT,
		.session_id = 3,
		.phone = SV_LIT("+1234567890"),
		.body = SV_LIT("PAY123 \"\n\xc3\xa9"),
	};
}

static void check(const struct event_row *row, const char *want)
{
	struct strbuf out = STRBUF_INIT;
	struct err err;
	/* Twice: retries send the same bytes. */
	for (int i = 0; i < 2; i++) {
		strbuf_reset(&out);
		assert_int_equal(event_render(row, &reader, &out, &err), 0);
		assert_string_equal(strbuf_cstr(&out), want);
	}
	strbuf_deinit(&out);
}

static void TEST(received_text)
{
	struct event_row row = row_of(EVENT_MESSAGE_RECEIVED);
	check(&row,
		HEAD("message_received") "\"message_id\":\"msg_1\",\"contact_id\":12,\"phone_"
					 "number\":\"+1234567890\",\"message_type\":\"text\","
					 "\"message_body\":\"PAY123 "
					 "\\\"\\n\xc3\xa9\",\"media_url\":null,\"session_id\":3,"
					 "\"received_at\":\"2026-01-01T00:00:00.123Z\"}}");
}

static void TEST(received_media_has_a_url_and_its_body_is_a_string)
{
	struct event_row row = row_of(EVENT_MESSAGE_RECEIVED);
	row.message_type = MESSAGE_IMAGE;
	row.body = SV_NULL;
	row.media_sha256 = SV_LIT("abc");
	check(&row,
		HEAD("message_received") "\"message_id\":\"msg_1\",\"contact_id\":12,\"phone_"
					 "number\":\"+1234567890\",\"message_type\":\"image\","
					 "\"message_body\":\"\",\"media_url\":\"https://"
					 "api.example/api/v1/media/abc" QUERY "\",\"session_id\":3,"
					 "\"received_at\":\"2026-01-01T00:00:00.123Z\"}}");
	row.caption = SV_LIT("see");
	row.filename = SV_LIT("a.pdf");
	row.message_type = MESSAGE_DOCUMENT;
	check(&row,
		HEAD("message_received") "\"message_id\":\"msg_1\",\"contact_id\":12,\"phone_"
					 "number\":\"+1234567890\",\"message_type\":\"document\","
					 "\"message_body\":\"see\",\"caption\":\"see\","
					 "\"filename\":\"a.pdf\","
					 "\"media_url\":\"https://api.example/api/v1/media/"
					 "abc" QUERY "\",\"session_id\":3,"
					 "\"received_at\":\"2026-01-01T00:00:00.123Z\"}}");
}

static void TEST(who_may_not_read_media_gets_a_link_that_needs_a_key)
{
	struct event_row row = row_of(EVENT_MESSAGE_RECEIVED);
	row.body = SV_LIT("x");
	row.media_sha256 = SV_LIT("abc");
	reader.may_read_media = false;
	check(&row, HEAD("message_received") "\"message_id\":\"msg_1\",\"contact_id\":12,\"phone_"
					     "number\":\"+1234567890\",\"message_type\":\"text\","
					     "\"message_body\":\"x\",\"media_url\":\"https://"
					     "api.example/api/v1/media/abc\",\"session_id\":3,"
					     "\"received_at\":\"2026-01-01T00:00:00.123Z\"}}");
	reader.may_read_media = true;
}

static void TEST(a_later_attempt_differs_in_the_links_time_alone)
{
	struct event_row row = row_of(EVENT_MESSAGE_RECEIVED);
	struct strbuf first = STRBUF_INIT;
	struct strbuf later = STRBUF_INIT;
	struct err err;
	row.media_sha256 = SV_LIT("abc");
	assert_int_equal(event_render(&row, &reader, &first, &err), 0);
	reader.now_wall_ms += INT64_C(20) * 3600000;
	assert_int_equal(event_render(&row, &reader, &later, &err), 0);
	reader.now_wall_ms = AT_MS;
	const char *query = strstr(strbuf_cstr(&first), "expires=");
	const char *later_query = strstr(strbuf_cstr(&later), "expires=");
	assert_memory_equal(strbuf_cstr(&first), strbuf_cstr(&later), query - strbuf_cstr(&first));
	assert_memory_equal(query, "expires=1767229200&", 19);
	assert_memory_equal(later_query, "expires=1767301200&", 19);
	assert_string_equal(strchr(query, '"'), strchr(later_query, '"'));
	strbuf_deinit(&first);
	strbuf_deinit(&later);
}

static void TEST(received_says_what_it_answers_and_where)
{
	struct event_row row = row_of(EVENT_MESSAGE_RECEIVED);
	row.message_type = MESSAGE_LOCATION;
	row.body = SV_LIT("Home");
	row.reply_to = SV_LIT("msg_0");
	row.detail = SV_LIT("{\"latitude\": 52.5}");
	check(&row,
		HEAD("message_received") "\"message_id\":\"msg_1\",\"contact_id\":12,\"phone_"
					 "number\":\"+1234567890\",\"message_type\":\"location\","
					 "\"message_body\":\"Home\",\"reply_to\":\"msg_0\","
					 "\"detail\":{\"latitude\": 52.5},\"media_url\":null,"
					 "\"session_id\":3,"
					 "\"received_at\":\"2026-01-01T00:00:00.123Z\"}}");
	row.is_erased = true;
	check(&row,
		HEAD("message_received") "\"message_id\":\"msg_1\",\"contact_id\":12,\"phone_"
					 "number\":\"+1234567890\",\"message_type\":\"location\","
					 "\"message_body\":\"\",\"reply_to\":\"msg_0\",\"media_url\":null,"
					 "\"session_id\":3,"
					 "\"received_at\":\"2026-01-01T00:00:00.123Z\"}}");
}

static void TEST(erased_messages_say_nothing)
{
	struct event_row row = row_of(EVENT_MESSAGE_RECEIVED);
	row.is_erased = true;
	row.caption = SV_LIT("see");
	row.media_sha256 = SV_LIT("abc");
	row.phone = SV_LIT("");
	check(&row, HEAD("message_received") "\"message_id\":\"msg_1\",\"contact_id\":12,\"phone_"
					     "number\":\"\",\"message_type\":\"text\","
					     "\"message_body\":\"\",\"media_url\":null,\"session_"
					     "id\":3,"
					     "\"received_at\":\"2026-01-01T00:00:00.123Z\"}}");
}

static void TEST(steps)
{
	struct event_row row = row_of(EVENT_MESSAGE_SENT);
	row.external_ref = SV_LIT("inv-1");
	check(&row, HEAD("message_sent") "\"message_id\":\"msg_1\",\"contact_id\":12,\"external_"
					 "ref\":\"inv-1\","
					 "\"status\":\"sent\",\"sent_at\":\"2026-01-01T00:00:00."
					 "123Z\"}}");
	row.type = EVENT_MESSAGE_DELIVERED;
	row.external_ref = SV_NULL;
	check(&row, HEAD("message_delivered") "\"message_id\":\"msg_1\",\"contact_id\":12,"
					      "\"external_ref\":null,"
					      "\"status\":\"delivered\",\"delivered_at\":\"2026-01-"
					      "01T00:00:00.123Z\"}}");
	row.type = EVENT_MESSAGE_READ;
	check(&row, HEAD("message_read") "\"message_id\":\"msg_1\",\"contact_id\":12,\"external_"
					 "ref\":null,"
					 "\"status\":\"read\",\"read_at\":\"2026-01-01T00:00:00."
					 "123Z\"}}");
}

static void TEST(failed_takes_its_error_from_the_event)
{
	struct event_row row = row_of(EVENT_MESSAGE_FAILED);
	row.error = SV_LIT("changed since");
	row.error_code = SV_LIT("changed");
	row.data = SV_LIT("{\"error\": \"no such number\", \"error_code\": \"not_on_whatsapp\", "
			  "\"attempts\": 3}");
	check(&row, HEAD("message_failed") "\"message_id\":\"msg_1\",\"contact_id\":12,\"external_"
					   "ref\":null,"
					   "\"status\":\"failed\",\"failed_at\":\"2026-01-01T00:00:"
					   "00.123Z\",\"error\":\"no such number\","
					   "\"error_code\":\"not_on_whatsapp\",\"attempts\":3}}");
	row.data = SV_NULL;
	check(&row, HEAD("message_failed") "\"message_id\":\"msg_1\",\"contact_id\":12,\"external_"
					   "ref\":null,"
					   "\"status\":\"failed\",\"failed_at\":\"2026-01-01T00:00:"
					   "00.123Z\",\"error\":\"changed since\","
					   "\"error_code\":\"changed\"}}");
}

static void TEST(reactions_edits_and_deletions_say_what_changed)
{
	struct event_row row = row_of(EVENT_MESSAGE_REACTION);
	row.data = SV_LIT("{\"reaction\":\"\xf0\x9f\x91\x8d\"}");
	check(&row, HEAD("message_reaction") "\"message_id\":\"msg_1\",\"contact_id\":12,"
					     "\"reacted_at\":\"2026-01-01T00:00:00.123Z\","
					     "\"reaction\":\"\xf0\x9f\x91\x8d\"}}");
	row.type = EVENT_MESSAGE_EDITED;
	row.data = SV_NULL;
	check(&row, HEAD("message_edited") "\"message_id\":\"msg_1\",\"contact_id\":12,"
					   "\"message_body\":\"PAY123 "
					   "\\\"\\n\xc3\xa9\",\"edited_at\":\"2026-01-01T00:00:00."
					   "123Z\"}}");
	row.type = EVENT_MESSAGE_DELETED;
	check(&row, HEAD("message_deleted") "\"message_id\":\"msg_1\",\"contact_id\":12,"
					    "\"deleted_at\":\"2026-01-01T00:00:00.123Z\"}}");
}

static void TEST(session_events_have_no_message)
{
	struct event_row row = {
		.sequence = 255,
		.created_at_wall_ms = CREATED_MS,
		.at_wall_ms = AT_MS,
		.tenant_id = 7,
		.type = EVENT_SESSION_DISCONNECTED,
		.data = SV_LIT("{\"session_id\": 4, \"reason\": \"logged_out\"}"),
	};
	check(&row, HEAD("session_disconnected") "\"session_id\":4,\"reason\":\"logged_out\"}}");
	row.type = EVENT_SESSION_CONNECTED;
	row.data = SV_LIT("{\"session_id\": 4}");
	check(&row, HEAD("session_connected") "\"session_id\":4,\"reason\":null}}");
	row.type = EVENT_TEST;
	row.data = SV_LIT("{\"reason\": \"asked for\"}");
	check(&row, HEAD("test") "\"reason\":\"asked for\"}}");
	row.data = SV_NULL;
	check(&row, HEAD("test") "}}");
}

static void TEST(a_message_whose_row_is_gone_is_still_told)
{
	struct event_row row = row_of(EVENT_MESSAGE_RECEIVED);
	row.has_message = false;
	row.phone = row.body = SV_NULL;
	check(&row, HEAD("message_received") "\"message_id\":\"msg_1\",\"contact_id\":12,\"phone_"
					     "number\":\"\",\"message_type\":\"other\","
					     "\"message_body\":\"\",\"media_url\":null,\"received_"
					     "at\":\"2026-01-01T00:00:00.123Z\"}}");
}

static void TEST(senseless_rows_are_refused)
{
	struct strbuf out = STRBUF_INIT;
	struct err err;
	struct event_row row = row_of((enum event_type)99);
	assert_int_equal(event_render(&row, &reader, &out, &err), -1);
	row = row_of(EVENT_TEST);
	row.data = SV_LIT("[1]");
	assert_int_equal(event_render(&row, &reader, &out, &err), -1);
	row.data = SV_LIT("{");
	assert_int_equal(event_render(&row, &reader, &out, &err), -1);
	assert_int_equal(out.len, 0);
	strbuf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(received_text),
		cmocka_unit_test(received_media_has_a_url_and_its_body_is_a_string),
		cmocka_unit_test(who_may_not_read_media_gets_a_link_that_needs_a_key),
		cmocka_unit_test(a_later_attempt_differs_in_the_links_time_alone),
		cmocka_unit_test(received_says_what_it_answers_and_where),
		cmocka_unit_test(erased_messages_say_nothing),
		cmocka_unit_test(steps),
		cmocka_unit_test(failed_takes_its_error_from_the_event),
		cmocka_unit_test(reactions_edits_and_deletions_say_what_changed),
		cmocka_unit_test(session_events_have_no_message),
		cmocka_unit_test(a_message_whose_row_is_gone_is_still_told),
		cmocka_unit_test(senseless_rows_are_refused),
	};
	return cmocka_run_group_tests_name("event_render", tests, setup, teardown);
}
