/* States only move forward; what is not certain is never called certain. */
#include "tests/support/test.h"

#include "common/model/message.h"

static bool may(enum message_status from, enum message_status to)
{
	return message_may_move(from, to, false);
}

static void TEST(a_message_goes_its_usual_way)
{
	assert_true(may(MESSAGE_SCHEDULED, MESSAGE_QUEUED));
	assert_true(may(MESSAGE_QUEUED, MESSAGE_SENDING));
	assert_true(may(MESSAGE_SENDING, MESSAGE_SENT));
	assert_true(may(MESSAGE_SENT, MESSAGE_DELIVERED));
	assert_true(may(MESSAGE_DELIVERED, MESSAGE_READ));
	assert_true(
		may(MESSAGE_SENDING, MESSAGE_QUEUED));   /* a certain failure, to be tried again */
	assert_true(may(MESSAGE_SENDING, MESSAGE_READ)); /* the receipt overtook the ack */
}

static void TEST(nothing_moves_back)
{
	for (int from = MESSAGE_SENT; from <= MESSAGE_RECEIVED; from++) {
		for (int to = MESSAGE_SCHEDULED; to <= MESSAGE_SENDING; to++) {
			assert_false(message_may_move(
				(enum message_status)from, (enum message_status)to, false));
			assert_false(message_may_move(
				(enum message_status)from, (enum message_status)to, true));
		}
	}
	assert_false(may(MESSAGE_QUEUED, MESSAGE_SCHEDULED));
	assert_false(may(MESSAGE_READ, MESSAGE_DELIVERED));
	assert_false(may(MESSAGE_DELIVERED, MESSAGE_SENT));
	assert_false(may(MESSAGE_SENT, MESSAGE_FAILED));
}

static void TEST(an_unknown_outcome_stays_unknown_until_it_is_proved)
{
	assert_false(message_may_move(MESSAGE_SENDING, MESSAGE_QUEUED, true));
	assert_true(message_may_move(MESSAGE_SENDING, MESSAGE_SENDING, true));
	assert_true(message_may_move(MESSAGE_SENDING, MESSAGE_SENT, true));
	assert_true(message_may_move(MESSAGE_SENDING, MESSAGE_FAILED, true));
	assert_true(message_may_move(MESSAGE_FAILED, MESSAGE_DELIVERED, true));
	assert_false(message_may_move(MESSAGE_FAILED, MESSAGE_DELIVERED, false));
	assert_false(message_may_move(MESSAGE_SENDING, MESSAGE_SENDING, false));
}

static void TEST(only_what_is_not_in_flight_is_cancelled_or_expires)
{
	assert_true(may(MESSAGE_SCHEDULED, MESSAGE_CANCELLED));
	assert_true(may(MESSAGE_QUEUED, MESSAGE_CANCELLED));
	assert_true(may(MESSAGE_QUEUED, MESSAGE_EXPIRED));
	assert_false(may(MESSAGE_SENDING, MESSAGE_CANCELLED));
	assert_false(message_may_move(MESSAGE_SENDING, MESSAGE_CANCELLED, true));
	assert_false(message_may_move(MESSAGE_SENDING, MESSAGE_EXPIRED, true));
	assert_false(may(MESSAGE_CANCELLED, MESSAGE_EXPIRED));
}

static void TEST(open_is_what_holds_up_its_conversation)
{
	for (int status = MESSAGE_SCHEDULED; status <= MESSAGE_RECEIVED; status++) {
		assert_int_equal(message_status_is_open((enum message_status)status),
			status <= MESSAGE_SENDING);
	}
}

static void TEST(names_are_read_back)
{
	for (int i = MESSAGE_SCHEDULED; i <= MESSAGE_RECEIVED; i++) {
		enum message_status status;
		assert_int_equal(
			message_status_parse(
				sv_from(message_status_name((enum message_status)i)), &status),
			0);
		assert_int_equal(status, i);
	}
	for (int i = MESSAGE_TEXT; i <= MESSAGE_OTHER; i++) {
		enum message_type type = MESSAGE_OTHER;
		int parsed =
			message_type_parse(sv_from(message_type_name((enum message_type)i)), &type);
		assert_int_equal(
			parsed, i <= MESSAGE_VIDEO ? 0 : -1); /* the last three cannot be sent */
		assert_int_equal(type, i <= MESSAGE_VIDEO ? i : MESSAGE_OTHER);
	}
	enum message_status status = MESSAGE_READ;
	assert_int_equal(message_status_parse(SV_LIT("Sent"), &status), -1);
	assert_int_equal(status, MESSAGE_READ);
	assert_true(message_type_is_media(MESSAGE_AUDIO));
	assert_false(message_type_is_media(MESSAGE_TEXT));
	assert_false(message_type_is_media(MESSAGE_LOCATION));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_goes_its_usual_way),
		cmocka_unit_test(nothing_moves_back),
		cmocka_unit_test(an_unknown_outcome_stays_unknown_until_it_is_proved),
		cmocka_unit_test(only_what_is_not_in_flight_is_cancelled_or_expires),
		cmocka_unit_test(open_is_what_holds_up_its_conversation),
		cmocka_unit_test(names_are_read_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
