/* rng: random numbers from the kernel, or from a seed. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/rng.h"
#include "tests/support/death.h"

static void TEST(no_draw_repeats)
{
	enum { DRAWS = 2000 };
	static uint8_t draws[DRAWS][16];
	for (int i = 0; i < DRAWS; i++)
		rng_bytes(draws[i], sizeof(draws[i]));
	for (int i = 0; i < DRAWS; i++) {
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(draws[i], draws[j], sizeof(draws[i]));
	}
}

static void TEST(every_length_is_filled_and_no_more)
{
	for (size_t len = 0; len < 1100; len++) {
		uint8_t bytes[1200];
		memset(bytes, 0, sizeof(bytes));
		rng_bytes(bytes, len);
		for (size_t i = len; i < sizeof(bytes); i++)
			assert_int_equal(bytes[i], 0);
		/* Eight zeros at the end happen once in 2^64. */
		if (len >= 8)
			assert_memory_not_equal(bytes + len - 8, "\0\0\0\0\0\0\0", 8);
	}
}

static void TEST(all_bits_are_used)
{
	uint64_t ones = 0;
	uint64_t zeros = 0;
	for (int i = 0; i < 200; i++) {
		uint64_t number = rng_u64();
		ones |= number;
		zeros |= ~number;
	}
	assert_true(ones == UINT64_MAX);
	assert_true(zeros == UINT64_MAX);
}

static void TEST(below_stays_below_and_reaches_all)
{
	int seen[10] = {0};
	for (int i = 0; i < 10000; i++)
		seen[rng_below(10)]++;
	for (size_t i = 0; i < array_len(seen); i++)
		assert_in_range(seen[i], 700, 1300);
	assert_int_equal(rng_below(1), 0);
	/* Without rejection the lowest third would come in half of the draws. */
	int lowest = 0;
	for (int i = 0; i < 3000; i++)
		lowest += rng_below(UINT64_C(3) << 62) < UINT64_C(1) << 62;
	assert_in_range(lowest, 850, 1150);
	uint64_t half = (UINT64_MAX >> 1) + 2;
	for (int i = 0; i < 1000; i++) {
		assert_true(rng_below(half) < half);
		assert_true(rng_below(UINT64_MAX) < UINT64_MAX);
	}
}

static void TEST(reals_lie_in_the_unit_interval)
{
	double sum = 0;
	for (int i = 0; i < 10000; i++) {
		double real = rng_real();
		assert_true(real >= 0 && real < 1);
		sum += real;
	}
	assert_true(sum > 4700 && sum < 5300);
}

static void TEST(a_seed_gives_the_same_sequence)
{
	uint64_t first[8];
	uint8_t bytes[3];
	rng_fake(42);
	for (size_t i = 0; i < array_len(first); i++)
		first[i] = rng_u64();
	rng_bytes(bytes, sizeof(bytes));
	rng_fake(42);
	for (size_t i = 0; i < array_len(first); i++)
		assert_true(rng_u64() == first[i]);
	uint8_t again[3];
	rng_bytes(again, sizeof(again));
	assert_memory_equal(bytes, again, sizeof(bytes));
	rng_fake(43);
	assert_true(rng_u64() != first[0]);
	rng_fake(42);
	rng_fake_end();
	assert_true(rng_u64() != first[0]);
	/* SplitMix64's published first output for seed 1234567. */
	rng_fake(1234567);
	assert_true(rng_u64() == 6457827717110365317u);
	rng_fake_end();
}

static void draw_below_zero(UNUSED void *arg)
{
	(void)rng_below(0);
}

static void TEST(nothing_is_below_zero)
{
	assert_true(death_by_abort(draw_below_zero, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_draw_repeats),
		cmocka_unit_test(every_length_is_filled_and_no_more),
		cmocka_unit_test(all_bits_are_used),
		cmocka_unit_test(below_stays_below_and_reaches_all),
		cmocka_unit_test(reals_lie_in_the_unit_interval),
		cmocka_unit_test(a_seed_gives_the_same_sequence),
		cmocka_unit_test(nothing_is_below_zero),
	};
	return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
