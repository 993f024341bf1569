/* Names of event types, permissions and verdicts. */
#include "tests/support/test.h"

#include "common/model/event_type.h"
#include "common/model/permission.h"
#include "common/model/verdict.h"

static void TEST(event_types_are_read_back_but_test_cannot_be_asked_for)
{
	for (int i = EVENT_MESSAGE_RECEIVED; i <= EVENT_TYPE_LAST; i++) {
		enum event_type type = EVENT_TEST;
		int parsed = event_type_parse(sv_from(event_type_name((enum event_type)i)), &type);
		assert_int_equal(parsed, i == EVENT_TEST ? -1 : 0);
		assert_int_equal(type, i);
	}
	assert_string_equal(event_type_name(EVENT_MESSAGE_FAILED), "message_failed");
	enum event_type type = EVENT_TEST;
	assert_int_equal(event_type_parse(SV_NULL, &type), -1);
	assert_int_equal(event_type_parse(SV_LIT("*"), &type), -1);
}

static void TEST(permissions_are_read_back)
{
	for (int bit = 0; bit < PERMISSION_COUNT; bit++) {
		enum permission permission = 0;
		assert_int_equal(
			permission_parse(sv_from(permission_name(1 << bit)), &permission), 0);
		assert_int_equal(permission, 1 << bit);
	}
	enum permission permission = PERMISSION_MESSAGES_SEND;
	assert_int_equal(permission_parse(SV_LIT("messages:Send"), &permission), -1);
	assert_int_equal(permission, PERMISSION_MESSAGES_SEND);
}

static void TEST(sending_includes_reading_and_webhooks_unless_strict)
{
	int guide =
		PERMISSION_MESSAGES_SEND | PERMISSION_CONTACTS_READ | PERMISSION_CONTACTS_CREATE;
	assert_int_equal(permission_expand(guide, 0),
		guide | PERMISSION_MESSAGES_READ | PERMISSION_WEBHOOKS_MANAGE);
	assert_int_equal(permission_expand(guide, 1), guide);
	assert_int_equal(permission_expand(PERMISSION_MESSAGES_READ, 0), PERMISSION_MESSAGES_READ);
}

static void TEST(verdicts_have_names)
{
	assert_string_equal(verdict_name(VERDICT_OK), "ok");
	assert_string_equal(verdict_name(VERDICT_RETRY), "retry");
	assert_string_equal(verdict_name(VERDICT_GIVE_UP), "give_up");
	assert_string_equal(verdict_name(VERDICT_UNKNOWN), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_types_are_read_back_but_test_cannot_be_asked_for),
		cmocka_unit_test(permissions_are_read_back),
		cmocka_unit_test(sending_includes_reading_and_webhooks_unless_strict),
		cmocka_unit_test(verdicts_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
