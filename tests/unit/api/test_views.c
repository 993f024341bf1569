/* held: why a message waits. health_judge: what the parts make together. contact_cache: bounded and
 * forgetful. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "services/api/contact_cache.h"
#include "services/api/health_judge.h"
#include "services/api/held.h"

/* --- held --- */

static void TEST(a_row_tells_why_it_waits)
{
	struct store_message message = {
		.is_open = true, .status = MESSAGE_QUEUED, .next_attempt_at = PG_TIME_NULL};
	struct held held;
	assert_false(held_of_message(&message, 1000, &held));
	message.next_attempt_at = 900;
	assert_false(held_of_message(&message, 1000, &held));
	message.next_attempt_at = 2000;
	assert_true(held_of_message(&message, 1000, &held));
	assert_string_equal(held.reason, "retry");
	assert_int_equal(held.until, 2000);
	message.behind_another = true;
	assert_true(held_of_message(&message, 1000, &held));
	assert_string_equal(held.reason, "earlier_message");
	assert_true(held.until < 0);
	message.is_open = false;
	assert_false(held_of_message(&message, 1000, &held));
	message = (struct store_message){
		.is_open = true, .status = MESSAGE_SCHEDULED, .send_at = 5000};
	assert_true(held_of_message(&message, 1000, &held));
	assert_string_equal(held.reason, "scheduled");
	assert_int_equal(held.until, 5000);
}

static void TEST(the_senders_word_is_read)
{
	struct held held;
	assert_true(held_parse(SV_LIT("session_pace 1767258000000"), &held));
	assert_string_equal(held.reason, "session_pace");
	assert_true(held.until == 1767258000000);
	static const char *const bad[] = {"", "x", "x ", " 1", "x y", "X 1", "a\"b 1", "x 1 2",
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnop 1"};
	for (size_t i = 0; i < array_len(bad); i++)
		assert_false(held_parse(sv_from(bad[i]), &held));
	assert_false(held_parse(SV_NULL, &held));
}

/* --- health --- */

static struct health_found well(void)
{
	struct health_found found = {
		.postgres = true,
		.redis = true,
		.partitions = 32,
		.partitions_held = 32,
		.events = 32,
		.events_held = 32,
		.n_sessions = 2,
		.sessions = {{1, true, true, "connected"}, {2, true, true, "connected"}},
	};
	return found;
}

static enum health_status judge(const struct health_found *found)
{
	enum health_status status;
	struct json *document = health_judge(found, &status);
	assert_sv(json_string(json_object_get(document, "status")), health_status_name(status));
	json_free(&document);
	return status;
}

static void TEST(ok_only_when_everything_is)
{
	struct health_found found = well();
	assert_int_equal(judge(&found), HEALTH_OK);
}

static void TEST(degraded_while_messages_still_leave)
{
	struct health_found found = well();
	found.events_held = 0; /* no webhooker at all */
	assert_int_equal(judge(&found), HEALTH_DEGRADED);
	found = well();
	found.partitions_held = 31;
	assert_int_equal(judge(&found), HEALTH_DEGRADED);
	found = well();
	found.sessions[1].is_connected = false;
	assert_int_equal(judge(&found), HEALTH_DEGRADED);
	found = well();
	found.sessions[0].is_led = false;
	assert_int_equal(judge(&found), HEALTH_DEGRADED);
}

static void TEST(down_when_nothing_can_leave)
{
	struct health_found found = well();
	found.postgres = false;
	assert_int_equal(judge(&found), HEALTH_DOWN);
	found = well();
	found.redis = false;
	assert_int_equal(judge(&found), HEALTH_DOWN);
	found = well();
	found.partitions_held = 0;
	assert_int_equal(judge(&found), HEALTH_DOWN);
	found = well();
	found.sessions[0].is_led = found.sessions[1].is_led = false; /* states are old then */
	assert_int_equal(judge(&found), HEALTH_DOWN);
	found = well();
	found.sessions[0].is_connected = found.sessions[1].is_connected = false;
	assert_int_equal(judge(&found), HEALTH_DOWN);
	found = well();
	found.n_sessions = 0;
	assert_int_equal(judge(&found), HEALTH_DOWN);
}

/* --- contact_cache --- */

static void TEST(what_was_put_is_found_until_dropped)
{
	struct contact_cache *cache = contact_cache_new();
	char phone[PHONE_SIZE];
	assert_false(contact_cache_find(cache, 1, 7, phone));
	contact_cache_put(cache, 1, 7, "+1234567890");
	contact_cache_put(cache, 2, 7, "+1234567891");
	assert_true(contact_cache_find(cache, 1, 7, phone));
	assert_string_equal(phone, "+1234567890");
	assert_true(contact_cache_find(cache, 2, 7, phone));
	assert_string_equal(phone, "+1234567891");
	contact_cache_put(cache, 1, 7, "+1234567892");
	assert_true(contact_cache_find(cache, 1, 7, phone));
	assert_string_equal(phone, "+1234567892");
	contact_cache_drop(cache, 1, 7);
	assert_false(contact_cache_find(cache, 1, 7, phone));
	contact_cache_free(&cache);
}

static void TEST(many_contacts_push_each_other_out)
{
	struct contact_cache *cache = contact_cache_new();
	char phone[PHONE_SIZE], expected[PHONE_SIZE];
	int found = 0;
	for (int i = 1; i <= 200000; i++) {
		(void)snprintf(phone, sizeof(phone), "+4917%09d", i);
		contact_cache_put(cache, 1, i, phone);
	}
	for (int i = 1; i <= 200000; i++) {
		if (!contact_cache_find(cache, 1, i, phone))
			continue;
		(void)snprintf(expected, sizeof(expected), "+4917%09d", i);
		assert_string_equal(phone, expected);
		found++;
	}
	assert_int_equal(found, 65536); /* as many as it holds, the latest */
	assert_true(contact_cache_find(cache, 1, 200000, phone));
	contact_cache_free(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_tells_why_it_waits),
		cmocka_unit_test(the_senders_word_is_read),
		cmocka_unit_test(ok_only_when_everything_is),
		cmocka_unit_test(degraded_while_messages_still_leave),
		cmocka_unit_test(down_when_nothing_can_leave),
		cmocka_unit_test(what_was_put_is_found_until_dropped),
		cmocka_unit_test(many_contacts_push_each_other_out),
	};
	return cmocka_run_group_tests_name("views", tests, NULL, NULL);
}
