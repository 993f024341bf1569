/* What people write is forgiven, what is no number is refused with a reason. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/model/phone.h"

static void TEST(numbers_as_people_write_them)
{
	static const struct {
		const char *text;
		const char *phone;
	} cases[] = {
		{"+1234567890", "+1234567890"},
		{"1234567890", "+1234567890"},
		{" 1234567890", "+1234567890"}, /* '+' in a query string */
		{"001234567890", "+1234567890"},
		{"+49 (170) 123-45.67", "+491701234567"},
		{"+49\xc2\xa0"
		 "170\xe2\x80\x91"
		 "1234567",
			"+491701234567"},
		{"\xe2\x80\xaa+49 170 1234567\xe2\x80\xac", "+491701234567"},
		{"0 0 49/170/1234567", "+491701234567"},
		{"+ 1234567", "+1234567"},
		{"+123456789012345", "+123456789012345"},
		{"00123456789012345", "+123456789012345"},
	};
	for (size_t i = 0; i < array_len(cases); i++) {
		char phone[PHONE_SIZE] = "";
		struct err err = {""};
		assert_int_equal(phone_parse(sv_from(cases[i].text), phone, &err), 0);
		assert_string_equal(phone, cases[i].phone);
		assert_true(phone_is(sv_from(phone)));
	}
}

static void TEST(what_is_no_number_is_refused_with_a_reason)
{
	static const struct {
		const char *text;
		const char *reason;
	} cases[] = {
		{"", "no digits"},
		{"+", "no digits"},
		{"   ", "no digits"},
		{"+123456", "fewer than 7"},
		{"+1234567890123456", "more than 15"},
		{"+12345678901234567890", "more than 15"},
		{"0170 1234567", "country code"},
		{"+0012345678", "country code"},
		{"++1234567890", "character"},
		{"+12345x67890", "character"},
		{"call me", "character"},
		{"+1234567890\xff", "character"},
		{"+1234567890;ext=1", "character"},
		{"0001234567", "country code"},
	};
	for (size_t i = 0; i < array_len(cases); i++) {
		char phone[PHONE_SIZE] = "untouched";
		struct err err = {""};
		assert_int_equal(phone_parse(sv_from(cases[i].text), phone, &err), -1);
		assert_non_null(strstr(err.text, cases[i].reason));
		assert_string_equal(phone, "untouched");
	}
	char phone[PHONE_SIZE];
	assert_int_equal(phone_parse(SV_NULL, phone, NULL), -1);
	assert_int_equal(phone_parse(SV_LIT("+12345\0"
					    "6789"),
				 phone, NULL),
		-1);
}

static void TEST(the_stored_form_is_told_from_others)
{
	assert_true(phone_is(SV_LIT("+1234567")));
	assert_false(phone_is(SV_LIT("1234567890")));
	assert_false(phone_is(SV_LIT("+0234567890")));
	assert_false(phone_is(SV_LIT("+123456")));
	assert_false(phone_is(SV_LIT("+1234567890123456")));
	assert_false(phone_is(SV_LIT("+123 4567")));
	assert_false(phone_is(SV_NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_as_people_write_them),
		cmocka_unit_test(what_is_no_number_is_refused_with_a_reason),
		cmocka_unit_test(the_stored_form_is_told_from_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
