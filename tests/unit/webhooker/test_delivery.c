/* delivery: what follows from an attempt; which moves are legal. */
#include "tests/support/test.h"

#include "common/base/rng.h"
#include "services/webhooker/delivery.h"
#include "tests/support/death.h"

static const struct schedule schedule = {.n_delays = 2, .delay_ms = {5000, 30000}};

static void TEST(ends)
{
	assert_int_equal(delivery_end_of(VERDICT_OK, 1, &schedule, -1).status, DELIVERY_DELIVERED);
	assert_int_equal(
		delivery_end_of(VERDICT_GIVE_UP, 1, &schedule, -1).status, DELIVERY_ENDPOINT_GONE);
	assert_int_equal(
		delivery_end_of(VERDICT_RETRY, 3, &schedule, -1).status, DELIVERY_OUT_OF_ATTEMPTS);
	assert_int_equal(
		delivery_end_of(VERDICT_UNKNOWN, 3, &schedule, 5).status, DELIVERY_OUT_OF_ATTEMPTS);
	/* A replayed one has used up its budget: one more attempt, and that is that. */
	assert_int_equal(
		delivery_end_of(VERDICT_RETRY, 40, &schedule, -1).status, DELIVERY_OUT_OF_ATTEMPTS);
	/* It may still be delivered by that attempt. */
	assert_int_equal(delivery_end_of(VERDICT_OK, 40, &schedule, -1).status, DELIVERY_DELIVERED);
}

static void TEST(waits_follow_the_schedule_with_jitter_added)
{
	int64_t least = INT64_MAX, most = 0;
	rng_fake(5);
	for (int i = 0; i < 2000; i++) {
		struct delivery_end end = delivery_end_of(VERDICT_RETRY, 1, &schedule, -1);
		assert_int_equal(end.status, DELIVERY_PENDING);
		least = end.wait_ms < least ? end.wait_ms : least;
		most = end.wait_ms > most ? end.wait_ms : most;
	}
	assert_in_range(least, 5000, 5100);
	assert_in_range(most, 5900, 6000);
	assert_in_range(delivery_end_of(VERDICT_UNKNOWN, 2, &schedule, -1).wait_ms, 30000, 36000);
	rng_fake_end();
}

static void TEST(retry_after_is_never_earlier_than_the_schedule_and_capped)
{
	assert_in_range(delivery_end_of(VERDICT_RETRY, 1, &schedule, 1000).wait_ms, 5000, 6000);
	assert_int_equal(delivery_end_of(VERDICT_RETRY, 1, &schedule, 77000).wait_ms, 77000);
	assert_int_equal(delivery_end_of(VERDICT_RETRY, 1, &schedule, INT64_MAX).wait_ms,
		DELIVERY_RETRY_AFTER_MAX_MS);
}

static void start_unprepared(void *arg)
{
	delivery_set_state(arg, DELIVERY_SENDING);
}

static void forget_the_end(void *arg)
{
	delivery_set_state(arg, DELIVERY_WAITING);
}

static void TEST(moves)
{
	static const enum delivery_state way[] = {DELIVERY_PREPARING, DELIVERY_PREPARED,
		DELIVERY_SENDING, DELIVERY_RECORDING, DELIVERY_WAITING, DELIVERY_PREPARING,
		DELIVERY_WAITING};
	struct delivery delivery = {.state = DELIVERY_WAITING};
	assert_false(delivery_is_claimed(&delivery));
	for (size_t i = 0; i < array_len(way); i++) {
		delivery_set_state(&delivery, way[i]);
		assert_int_equal(delivery_is_claimed(&delivery), way[i] != DELIVERY_WAITING);
	}
	assert_true(death_by_abort(start_unprepared, &delivery));
	delivery.state = DELIVERY_SENDING;
	assert_true(death_by_abort(forget_the_end, &delivery));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends),
		cmocka_unit_test(waits_follow_the_schedule_with_jitter_added),
		cmocka_unit_test(retry_after_is_never_earlier_than_the_schedule_and_capped),
		cmocka_unit_test(moves),
	};
	return cmocka_run_group_tests_name("delivery", tests, NULL, NULL);
}
