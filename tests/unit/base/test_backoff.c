/* backoff: exponential, with jitter. */
#include "tests/support/test.h"

#include "common/base/backoff.h"
#include "common/base/rng.h"
#include "tests/support/death.h"

static void TEST(waits_double_up_to_the_maximum)
{
	static const int64_t whole_ms[] = {100, 200, 400, 800, 1000, 1000, 1000};
	rng_fake(1);
	for (int round = 0; round < 500; round++) {
		struct backoff backoff;
		backoff_init(&backoff, 100, 1000);
		for (size_t i = 0; i < array_len(whole_ms); i++) {
			int64_t wait_ms = backoff_fail_ms(&backoff);
			assert_in_range(wait_ms, whole_ms[i] / 2, whole_ms[i]);
			assert_int_equal(backoff.failures, i + 1);
		}
	}
	rng_fake_end();
}

static void TEST(jitter_reaches_both_ends)
{
	bool low = false;
	bool high = false;
	rng_fake(2);
	for (int i = 0; i < 1000; i++) {
		struct backoff backoff;
		backoff_init(&backoff, 10, 10);
		int64_t wait_ms = backoff_fail_ms(&backoff);
		low |= wait_ms == 5;
		high |= wait_ms == 10;
	}
	rng_fake_end();
	assert_true(low);
	assert_true(high);
}

static void TEST(success_begins_anew)
{
	struct backoff backoff;
	backoff_init(&backoff, 100, 100000);
	for (int i = 0; i < 8; i++)
		(void)backoff_fail_ms(&backoff);
	backoff_succeed(&backoff);
	assert_in_range(backoff_fail_ms(&backoff), 50, 100);
}

static void TEST(no_count_of_failures_overflows)
{
	struct backoff backoff;
	backoff_init(&backoff, 1, INT64_MAX / 2);
	for (int i = 0; i < 200; i++)
		assert_true(backoff_fail_ms(&backoff) >= 0);
	backoff.failures = INT32_MAX;
	assert_true(backoff_fail_ms(&backoff) >= INT64_MAX / 4);
	assert_true(backoff.failures == INT32_MAX);
}

static void init_without_base(UNUSED void *arg)
{
	struct backoff backoff;
	backoff_init(&backoff, 0, 10);
}

static void init_upside_down(UNUSED void *arg)
{
	struct backoff backoff;
	backoff_init(&backoff, 11, 10);
}

static void TEST(senseless_bounds_abort)
{
	assert_true(death_by_abort(init_without_base, NULL));
	assert_true(death_by_abort(init_upside_down, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_double_up_to_the_maximum),
		cmocka_unit_test(jitter_reaches_both_ends),
		cmocka_unit_test(success_begins_anew),
		cmocka_unit_test(no_count_of_failures_overflows),
		cmocka_unit_test(senseless_bounds_abort),
	};
	return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
