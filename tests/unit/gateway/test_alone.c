#include "tests/support/test.h"

#include "services/gateway/alone.h"

#define NOW 1000000

static void TEST(without_suspects_nothing_changes)
{
	struct alone alone = {0};
	assert_int_equal(alone_next(&alone, 0, 0, 0, NOW), ALONE_ORDINARY);
	assert_int_equal(alone_next(&alone, 0, 5, 500, NOW), ALONE_ORDINARY);
}

static void TEST(a_suspect_waits_until_nothing_is_in_flight)
{
	struct alone alone = {0};
	assert_int_equal(alone_next(&alone, 1, 100, 3, NOW), ALONE_WAIT);
	assert_int_equal(alone_next(&alone, 1, 100, 0, NOW), ALONE_TRY);
}

static void TEST(everything_waits_for_a_trial)
{
	struct alone alone = {0};
	alone_begin(&alone, NOW);
	assert_int_equal(alone_next(&alone, 0, 100, 0, NOW), ALONE_WAIT); /* being claimed */
	assert_int_equal(alone_next(&alone, 4, 100, 1, NOW + 5000), ALONE_WAIT);
	alone_end(&alone, 0, NOW + 5000);
	assert_int_equal(alone_next(&alone, 0, 100, 0, NOW + 5000), ALONE_ORDINARY);
}

static void TEST(many_suspects_leave_room_for_ordinary_work)
{
	struct alone alone = {0};
	int64_t now_ms = NOW;
	alone_begin(&alone, now_ms);
	alone_end(&alone, 9, now_ms + 400);
	assert_int_equal(alone_next(&alone, 9, 100, 0, now_ms + 400), ALONE_TRY);
	alone_begin(&alone, now_ms + 400);
	now_ms += ALONE_TRIALS_SLICE_MS;
	alone_end(&alone, 8, now_ms);
	assert_int_equal(alone_next(&alone, 8, 100, 0, now_ms), ALONE_ORDINARY);
	assert_int_equal(alone_next(&alone, 8, 100, 50, now_ms + ALONE_ORDINARY_SLICE_MS - 1),
		ALONE_ORDINARY);
	assert_int_equal(
		alone_next(&alone, 8, 100, 50, now_ms + ALONE_ORDINARY_SLICE_MS), ALONE_WAIT);
	assert_int_equal(
		alone_next(&alone, 8, 100, 0, now_ms + ALONE_ORDINARY_SLICE_MS), ALONE_TRY);
}

static void TEST(a_slice_of_ordinary_work_is_not_waited_for_when_there_is_none)
{
	struct alone alone = {0};
	alone_begin(&alone, NOW);
	alone_end(&alone, 3, NOW + ALONE_TRIALS_SLICE_MS);
	assert_int_equal(alone_next(&alone, 3, 0, 0, NOW + ALONE_TRIALS_SLICE_MS), ALONE_TRY);
}

static void TEST(a_new_slice_begins_after_the_last_suspect)
{
	struct alone alone = {0};
	alone_begin(&alone, NOW);
	alone_end(&alone, 0, NOW + 900);
	alone_begin(&alone, NOW + 5000);
	alone_end(&alone, 1, NOW + 5200); /* 200 ms into its own slice */
	assert_int_equal(alone_next(&alone, 1, 100, 0, NOW + 5200), ALONE_TRY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_suspects_nothing_changes),
		cmocka_unit_test(a_suspect_waits_until_nothing_is_in_flight),
		cmocka_unit_test(everything_waits_for_a_trial),
		cmocka_unit_test(many_suspects_leave_room_for_ordinary_work),
		cmocka_unit_test(a_slice_of_ordinary_work_is_not_waited_for_when_there_is_none),
		cmocka_unit_test(a_new_slice_begins_after_the_last_suspect),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
