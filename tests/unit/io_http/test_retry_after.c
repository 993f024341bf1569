/* retry_after_parse_ms. */
#include "tests/support/test.h"

#include "common/io/retry_after.h"

#define DAY_MS INT64_C(86400000)
#define NOW_MS INT64_C(784111777000) /* Sun, 06 Nov 1994 08:49:37 GMT */

static const struct {
	const char *value;
	int64_t ms;
} values[] = {
	{"0", 0},
	{"120", 120000},
	{" 120 ", 120000},
	{"86400", DAY_MS},
	{"86401", DAY_MS},
	{"999999999999", DAY_MS},
	{"99999999999999999999999999", DAY_MS},
	{"Sun, 06 Nov 1994 08:49:47 GMT", 10000},
	{"Sunday, 06-Nov-94 08:49:47 GMT", 10000},
	{"Sun Nov  6 08:49:47 1994", 10000},
	{"Sun, 06 Nov 1994 08:49:37 GMT", 0},
	{"Sat, 05 Nov 1994 08:49:37 GMT", 0},
	{"Tue, 08 Nov 1994 08:49:37 GMT", DAY_MS},
	{"", -1},
	{"-1", -1},
	{"+1", -1},
	{"1.5", -1},
	{"1e3", -1},
	{"soon", -1},
	{"Soon enough", -1},
	{"Nov)999920091 4", DAY_MS}, /* curl takes it for a year beyond all milliseconds */
	{"Sun, 99 Nov 1994 08:49:37 GMT", -1},
	{"Sun, 06 Nov 1994 08:49:37 GMT and a tail that goes on and on and on and on", -1},
};

static void TEST(seconds_and_dates_are_read)
{
	for (size_t i = 0; i < array_len(values); i++) {
		print_message("# %s\n", values[i].value);
		assert_int_equal(
			retry_after_parse_ms(sv_from(values[i].value), NOW_MS), values[i].ms);
	}
	assert_int_equal(retry_after_parse_ms(SV_NULL, NOW_MS), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(seconds_and_dates_are_read)};

	return cmocka_run_group_tests_name("retry_after", tests, NULL, NULL);
}
