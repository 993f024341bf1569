/* Entries survive the way through a stream; old and new daemons read each other; anything else is
 * refused. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/rng.h"
#include "common/model/stream_codec.h"

static struct outbound_entry outbound(void)
{
	return (struct outbound_entry){
		.message_id = SV_LIT("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
		.tenant_id = 3,
		.session_id = 7,
		.phone = SV_LIT("+1234567890"),
		.queue_seq = INT64_C(9000000000),
	};
}

static void TEST(an_outbound_entry_comes_back)
{
	struct strbuf buf = STRBUF_INIT;
	struct pool *pool = pool_new();
	struct outbound_entry in = outbound();
	struct outbound_entry out;
	struct err err = {""};
	outbound_entry_encode(&in, &buf);
	assert_int_equal(outbound_entry_decode(strbuf_view(&buf), pool, &out, &err), 0);
	assert_sv(out.message_id, "msg_01ARZ3NDEKTSV4RRFFQ69G5FAV");
	assert_int_equal(out.tenant_id, 3);
	assert_int_equal(out.session_id, 7);
	assert_sv(out.phone, "+1234567890");
	assert_true(out.queue_seq == INT64_C(9000000000));
	pool_free(&pool);
	strbuf_deinit(&buf);
}

static void TEST(the_other_entries_come_back)
{
	struct strbuf buf = STRBUF_INIT;
	struct pool *pool = pool_new();
	struct err err = {""};
	struct dispatch_entry dispatch_in = {.message_id = SV_LIT("msg_a"),
		.partition = 31,
		.partition_epoch = 12,
		.attempt = 2,
		.phone = SV_LIT("+1234567890"),
		.queue_seq = 5};
	struct dispatch_entry dispatch;
	dispatch_entry_encode(&dispatch_in, &buf);
	assert_int_equal(dispatch_entry_decode(strbuf_view(&buf), pool, &dispatch, &err), 0);
	assert_int_equal(dispatch.partition, 31);
	assert_int_equal(dispatch.partition_epoch, 12);
	assert_int_equal(dispatch.attempt, 2);

	strbuf_reset(&buf);
	struct outcome_entry outcome_in = {.message_id = SV_LIT("msg_a"),
		.session_id = 1,
		.phone = SV_LIT("+1234567890"),
		.queue_seq = 5,
		.kind = OUTCOME_RETRY,
		.attempts = 1,
		.next_in_ms = 5000};
	struct outcome_entry outcome;
	outcome_entry_encode(&outcome_in, &buf);
	assert_int_equal(outcome_entry_decode(strbuf_view(&buf), pool, &outcome, &err), 0);
	assert_int_equal(outcome.kind, OUTCOME_RETRY);
	assert_int_equal(outcome.next_in_ms, 5000);

	strbuf_reset(&buf);
	int64_t webhooks[] = {4, 70000, 9};
	struct event_entry event_in = {.sequence = 77,
		.created_at = 1700000000000,
		.tenant_id = 1,
		.contact_id = 0,
		.message_id = SV_NULL,
		.type = 9,
		.webhook_ids = {webhooks, 3}};
	struct event_entry event;
	event_entry_encode(&event_in, &buf);
	assert_int_equal(event_entry_decode(strbuf_view(&buf), pool, &event, &err), 0);
	assert_int_equal(event.sequence, 77);
	assert_int_equal(event.message_id.len, 0);
	assert_int_equal(event.webhook_ids.n, 3);
	assert_int_equal(event.webhook_ids.items[1], 70000);
	pool_free(&pool);
	strbuf_deinit(&buf);
}

/* Decode, expecting an error that names `reason`. */
static void assert_refused(struct strview payload, const char *reason)
{
	struct pool *pool = pool_new();
	struct outbound_entry out = outbound();
	struct err err = {""};
	assert_int_equal(outbound_entry_decode(payload, pool, &out, &err), -1);
	assert_non_null(strstr(err.text, reason));
	assert_non_null(strstr(err.text, "outbound"));
	assert_int_equal(out.session_id, 7); /* untouched */
	pool_free(&pool);
}

static void TEST(fields_that_a_newer_daemon_added_are_passed_over)
{
	struct strbuf buf = STRBUF_INIT;
	struct pool *pool = pool_new();
	struct outbound_entry in = outbound();
	struct outbound_entry out;
	outbound_entry_encode(&in, &buf);
	assert_int_equal((uint8_t)buf.data[0], 0x96);
	buf.data[0] = (char)0x98;
	strbuf_append(&buf, "\x91\xc0\xcb\0\0\0\0\0\0\0\0", 11);
	assert_int_equal(outbound_entry_decode(strbuf_view(&buf), pool, &out, NULL), 0);
	assert_int_equal(out.session_id, 7);
	assert_refused(sv_make(buf.data, buf.len - 1), "cut off");
	pool_free(&pool);
	strbuf_deinit(&buf);
}

static void TEST(fields_that_an_older_daemon_did_not_know_are_empty)
{
	struct pool *pool = pool_new();
	struct outcome_entry outcome;
	/* without attempts and next_in_ms */
	struct strview old = SV_LIT("\x96\x01\xa5msg_a\x01\xab+1234567890\x05\x01");
	assert_int_equal(outcome_entry_decode(old, pool, &outcome, NULL), 0);
	assert_int_equal(outcome.kind, OUTCOME_SENT);
	assert_int_equal(outcome.attempts, 0);
	assert_int_equal(outcome.next_in_ms, 0);
	/* but not without what every reader needs */
	struct strview older = SV_LIT("\x95\x01\xa5msg_a\x01\xab+1234567890\x05");
	assert_int_equal(outcome_entry_decode(older, pool, &outcome, NULL), -1);
	pool_free(&pool);
}

static void TEST(what_is_no_entry_is_refused)
{
	assert_refused(SV_LIT(""), "no msgpack array");
	assert_refused(SV_LIT("hello"), "no msgpack array");
	assert_refused(SV_LIT("\x90"), "no msgpack array");
	assert_refused(SV_LIT("\x91\x02"), "version 2");
	assert_refused(SV_LIT("\x91\x01"), "missing");
	assert_refused(SV_LIT("\x92\x01\x05"), "message_id is no text");
	assert_refused(SV_LIT("\x93\x01\xa5msg_a\xa1x"), "tenant_id is no integer");
	assert_refused(SV_LIT("\x96\x01\xa5msg_a\x01\x01\xab+1234567890\x05!"), "after the entry");
	assert_refused(SV_LIT("\x96\x01\xa5msg_a\x01\x00\xab+1234567890\x05"),
		"out of range"); /* session 0 */
	assert_refused(SV_LIT("\x96\x01\xa5msg_a\x01\x01\xa3"
			      "123\x05"),
		"out of range"); /* no phone */
	assert_refused(SV_LIT("\x96\x01\xa5msg_a\x01\x01\xab+1234567890\xff"),
		"out of range"); /* queue_seq -1 */
}

static void TEST(sizes_are_bounded)
{
	static char big[65536 + 1];
	memset(big, 0xc0, sizeof(big));
	memcpy(big, "\xdc\xff\xff\x01", 4);
	assert_refused(sv_make(big, sizeof(big)), "longer than");

	struct strbuf buf = STRBUF_INIT;
	struct pool *pool = pool_new();
	struct event_entry event;
	strbuf_append(
		&buf, "\x98\x01\x01\x01\x01\x01\xa0\x05\xdc\x04\x01", 11); /* 1025 webhook ids */
	for (int i = 0; i < 1025; i++) {
		strbuf_append_char(&buf, 1);
	}
	assert_int_equal(event_entry_decode(strbuf_view(&buf), pool, &event, NULL), -1);
	buf.data[10] = 0; /* 1024 */
	assert_int_equal(event_entry_decode(sv_make(buf.data, buf.len - 1), pool, &event, NULL), 0);
	assert_int_equal(event.webhook_ids.n, 1024);
	pool_free(&pool);
	strbuf_deinit(&buf);
}

static void TEST(random_damage_is_never_more_than_an_error)
{
	struct strbuf buf = STRBUF_INIT;
	struct outbound_entry in = outbound();
	rng_fake(7);
	for (int i = 0; i < 20000; i++) {
		struct pool *pool = pool_new();
		struct outbound_entry out = {0};
		strbuf_reset(&buf);
		outbound_entry_encode(&in, &buf);
		for (uint64_t damage = rng_below(4); damage < 4; damage++) {
			buf.data[rng_below(buf.len)] = (char)rng_u64();
		}
		if (outbound_entry_decode(
			    sv_make(buf.data, rng_below(buf.len + 1)), pool, &out, NULL) == 0) {
			assert_true(out.session_id > 0 && out.message_id.len > 0);
		}
		pool_free(&pool);
	}
	rng_fake_end();
	strbuf_deinit(&buf);
}

static void TEST(streams_have_names)
{
	char name[STREAM_NAME_SIZE];
	stream_name_outbound(7, name);
	assert_string_equal(name, "outbound.7");
	stream_name_outcome(31, name);
	assert_string_equal(name, "outcome.31");
	stream_name_dispatch(2147483647, name);
	assert_string_equal(name, "dispatch.2147483647");
	stream_name_events(0, name);
	assert_string_equal(name, "events.0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_outbound_entry_comes_back),
		cmocka_unit_test(the_other_entries_come_back),
		cmocka_unit_test(fields_that_a_newer_daemon_added_are_passed_over),
		cmocka_unit_test(fields_that_an_older_daemon_did_not_know_are_empty),
		cmocka_unit_test(what_is_no_entry_is_refused),
		cmocka_unit_test(sizes_are_bounded),
		cmocka_unit_test(random_damage_is_never_more_than_an_error),
		cmocka_unit_test(streams_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
