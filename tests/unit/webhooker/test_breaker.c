/* breaker: trips after failures in a row, probes by the schedule, recovers with one success. */
#include "tests/support/test.h"

#include "services/webhooker/breaker.h"

static const struct schedule schedule = {.n_delays = 3, .delay_ms = {5000, 30000, 120000}};

static void TEST(trips_once_and_recovers)
{
	struct breaker breaker;
	breaker_init(&breaker);
	for (int i = 1; i < BREAKER_TRIP_FAILURES; i++) {
		assert_false(breaker_fail(&breaker, &schedule, i, i + 1));
		assert_false(breaker_is_tripped(&breaker));
	}
	assert_true(breaker.is_failing);
	assert_int_equal(breaker.failing_since_ms, 1);
	assert_true(breaker_fail(&breaker, &schedule, 10, 20));
	assert_true(breaker_is_tripped(&breaker));
	assert_int_equal(breaker.probe_ms, 20 + 5000);
	assert_false(breaker_fail(&breaker, &schedule, 30, 40));
	assert_int_equal(breaker.probe_ms, 40 + 30000);
	for (int i = 0; i < 10; i++)
		assert_false(breaker_fail(&breaker, &schedule, 50, 60));
	assert_int_equal(breaker.probe_ms, 60 + BREAKER_PROBE_MAX_MS);
	assert_int_equal(breaker.failing_since_ms, 1);

	assert_true(breaker_succeed(&breaker, 70));
	assert_false(breaker_is_tripped(&breaker));
	assert_false(breaker.is_failing);
	assert_true(breaker.has_recovered);
	assert_int_equal(breaker.recovered_ms, 70);
}

static void TEST(a_success_between_keeps_it_closed)
{
	struct breaker breaker;
	breaker_init(&breaker);
	for (int i = 0; i < 100; i++) {
		assert_false(breaker_fail(&breaker, &schedule, i, i));
		if (i % (BREAKER_TRIP_FAILURES - 1) == 0)
			assert_false(breaker_succeed(&breaker, i));
	}
	assert_false(breaker.has_recovered);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trips_once_and_recovers),
		cmocka_unit_test(a_success_between_keeps_it_closed),
	};
	return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
