#include "tests/support/test.h"

#include <string.h>

#include "services/gateway/inbound_aside.h"

static int parse(const char *text)
{
	struct pool *pool = pool_new();
	struct engine_inbound message;
	struct err err;
	int status = inbound_aside_parse(sv_from(text), pool, &message, &err);
	pool_free(&pool);
	return status;
}

static void what_was_set_aside_comes_back_as_it_came(UNUSED void **state)
{
	struct gateway_inbound row = {
		.kind = ENGINE_INBOUND_MESSAGE,
		.is_from_me = true,
		.wa_message_id = SV_LIT("WA1"),
		.phone = SV_LIT("+4915112345"),
		.session_id = 3,
		.tenant_id = 7,
		.type = MESSAGE_LOCATION,
		.body = SV_LIT("at \"home\""),
		.filename = SV_NULL,
		.media_sha256 = SV_LIT("abc"),
		.target_wa_id = SV_NULL,
		.reply_to = SV_LIT("WA0"),
		.detail = SV_LIT("{\"latitude\":1}"),
		.at_ms = INT64_C(1700000000000),
	};
	struct strbuf text = STRBUF_INIT;
	struct pool *pool = pool_new();
	struct engine_inbound back;
	struct err err;
	inbound_aside_format(&row, &text);
	assert_int_equal(inbound_aside_parse(strbuf_view(&text), pool, &back, &err), 0);
	assert_int_equal(back.kind, row.kind);
	assert_true(back.is_from_me);
	assert_sv(back.wa_message_id, "WA1");
	assert_sv(back.phone, "+4915112345");
	assert_int_equal(back.tenant_id, 7);
	assert_int_equal(back.type, MESSAGE_LOCATION);
	assert_sv(back.body, "at \"home\"");
	assert_true(sv_is_null(back.filename));
	assert_sv(back.media_sha256, "abc");
	assert_true(sv_is_null(back.target_wa_id));
	assert_sv(back.reply_to, "WA0");
	assert_sv(back.detail, "{\"latitude\":1}");
	assert_int_equal(back.at_ms, row.at_ms);
	assert_int_equal(back.token, ENGINE_NO_TOKEN);
	assert_int_equal(back.n_keys, 0);
	pool_free(&pool);
	strbuf_deinit(&text);
}

static void what_is_no_incoming_message_is_refused(UNUSED void **state)
{
	assert_int_equal(parse(""), -1);
	assert_int_equal(parse("[]"), -1);
	assert_int_equal(parse("{\"kind\":0,\"type\":1,\"tenant_id\":0,\"at_ms\":1}"), -1);
	assert_int_equal(parse("{\"kind\":4,\"type\":1,\"tenant_id\":0,\"at_ms\":1,"
			       "\"wa_message_id\":\"W\"}"),
		-1);
	assert_int_equal(parse("{\"kind\":0,\"type\":9,\"tenant_id\":0,\"at_ms\":1,"
			       "\"wa_message_id\":\"W\"}"),
		-1);
	assert_int_equal(parse("{\"kind\":0,\"type\":1,\"tenant_id\":0,\"at_ms\":1,"
			       "\"wa_message_id\":\"W\"}"),
		0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_set_aside_comes_back_as_it_came),
		cmocka_unit_test(what_is_no_incoming_message_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
