#include "tests/support/test.h"

#include <string.h>

#include "services/gateway/ranges.h"

static void TEST(nothing_has_no_parts)
{
	struct ranges ranges;
	int begin = 0;
	int count = 0;
	ranges_init(&ranges, 0);
	assert_false(ranges_peek(&ranges, &begin, &count));
}

static void TEST(what_succeeds_is_one_part)
{
	struct ranges ranges;
	int begin = -1;
	int count = -1;
	ranges_init(&ranges, 1000);
	assert_true(ranges_peek(&ranges, &begin, &count));
	assert_int_equal(begin, 0);
	assert_int_equal(count, 1000);
	ranges_pop(&ranges);
	assert_false(ranges_peek(&ranges, &begin, &count));
}

/* Write n elements of which some are refused for good; gives how many statements it took. */
static int write_all(int n, const bool *is_bad, bool *ret_written, int *ret_left_out)
{
	struct ranges ranges;
	int begin;
	int count;
	int n_statements = 0;
	int last_written = -1;
	ranges_init(&ranges, n);
	while (ranges_peek(&ranges, &begin, &count)) {
		bool fails = false;
		n_statements++;
		for (int i = begin; i < begin + count; i++)
			fails = fails || is_bad[i];
		if (fails) {
			if (!ranges_split(&ranges)) {
				assert_true(is_bad[begin]);
				(*ret_left_out)++;
				ranges_pop(&ranges);
			}
			continue;
		}
		for (int i = begin; i < begin + count; i++) {
			assert_false(ret_written[i]);
			assert_true(i > last_written); /* their order is kept */
			ret_written[i] = true;
			last_written = i;
		}
		ranges_pop(&ranges);
	}
	return n_statements;
}

static void TEST(one_bad_element_is_left_out_alone)
{
	bool is_bad[1000] = {[617] = true};
	bool written[1000] = {false};
	int n_left_out = 0;
	int n_statements = write_all(1000, is_bad, written, &n_left_out);
	assert_int_equal(n_left_out, 1);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(written[i], i != 617);
	assert_true(n_statements <= 22); /* twice the binary logarithm */
}

static void TEST(all_bad_ends_too)
{
	bool is_bad[500];
	bool written[500] = {false};
	int n_left_out = 0;
	memset(is_bad, 1, sizeof(is_bad));
	(void)write_all(500, is_bad, written, &n_left_out);
	assert_int_equal(n_left_out, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_has_no_parts),
		cmocka_unit_test(what_succeeds_is_one_part),
		cmocka_unit_test(one_bad_element_is_left_out_alone),
		cmocka_unit_test(all_bad_ends_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
