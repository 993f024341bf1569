/* schedule: durations and retry schedules. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/rng.h"
#include "common/base/schedule.h"
#include "tests/support/death.h"

static void TEST(durations)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{"0", 0},
		{"5", 5000},
		{"250ms", 250},
		{"5s", 5000},
		{"1m", 60000},
		{"2h", 7200000},
		{"1d", 86400000},
		{" 15s\t", 15000},
		{"007s", 7000},
		{"3650d", INT64_C(315360000000)},
		{"315360000000ms", INT64_C(315360000000)},
	};
	for (size_t i = 0; i < array_len(good); i++) {
		int64_t ms = -7;
		struct err err;
		assert_int_equal(duration_parse(sv_from(good[i].text), &ms, &err), 0);
		assert_true(ms == good[i].ms);
	}
}

static void TEST(what_is_no_duration)
{
	static const struct {
		const char *text;
		const char *want;
	} bad[] = {
		{"", "is no duration"},
		{"s", "is no duration"},
		{"-5s", "is no duration"},
		{"+5s", "is no duration"},
		{".5s", "is no duration"},
		{"soon", "is no duration"},
		{"1.5s", "no known unit"},
		{"5S", "no known unit"},
		{"5 s", "no known unit"},
		{"5sec", "no known unit"},
		{"1m30s", "no known unit"},
		{"5w", "no known unit"},
		{"3651d", "longer than"},
		{"315360000001ms", "longer than"},
		{"9223372036854775807", "longer than"},
		{"99999999999999999999999999d", "longer than"},
	};
	for (size_t i = 0; i < array_len(bad); i++) {
		int64_t ms = -7;
		struct err err = {""};
		assert_int_equal(duration_parse(sv_from(bad[i].text), &ms, &err), -1);
		assert_non_null(strstr(err.text, bad[i].want));
		assert_int_equal(ms, -7);
		assert_int_equal(duration_parse(sv_from(bad[i].text), &ms, NULL), -1);
	}
	int64_t ms;
	assert_int_equal(duration_parse(SV_NULL, &ms, NULL), -1);
}

static void TEST(a_schedule_is_spent_after_its_last_delay)
{
	struct schedule schedule;
	struct err err;
	assert_int_equal(schedule_parse(SV_LIT("5s, 15s,1m ,5m"), &schedule, &err), 0);
	assert_int_equal(schedule.n_delays, 4);
	assert_int_equal(schedule_delay_ms(&schedule, 1), 5000);
	assert_int_equal(schedule_delay_ms(&schedule, 2), 15000);
	assert_int_equal(schedule_delay_ms(&schedule, 3), 60000);
	assert_int_equal(schedule_delay_ms(&schedule, 4), 300000);
	assert_int_equal(schedule_delay_ms(&schedule, 5), -1);
	assert_int_equal(schedule_delay_ms(&schedule, INT32_MAX), -1);
}

static void TEST(an_empty_schedule_is_one_attempt)
{
	static const struct strview texts[] = {{NULL, 0}, {"", 0}, {" \n", 2}};
	for (size_t i = 0; i < array_len(texts); i++) {
		struct schedule schedule;
		assert_int_equal(schedule_parse(texts[i], &schedule, NULL), 0);
		assert_int_equal(schedule_delay_ms(&schedule, 1), -1);
		assert_int_equal(schedule_delay_jittered_ms(&schedule, 1, 50), -1);
	}
}

static void repeat_delay(char *text, int count)
{
	text[0] = '\0';
	for (int i = 0; i < count; i++)
		(void)strcat(text, i == 0 ? "1s" : ",1s");
}

static void TEST(a_schedule_has_a_bound)
{
	struct schedule schedule = {.n_delays = 77};
	struct err err;
	char text[200];
	repeat_delay(text, SCHEDULE_MAX_DELAYS + 1);
	assert_int_equal(schedule_parse(sv_from(text), &schedule, &err), -1);
	assert_string_equal(err.text, "more than 32 delays");
	assert_int_equal(schedule.n_delays, 77);
	repeat_delay(text, SCHEDULE_MAX_DELAYS);
	assert_int_equal(schedule_parse(sv_from(text), &schedule, &err), 0);
	assert_int_equal(schedule_delay_ms(&schedule, SCHEDULE_MAX_DELAYS), 1000);
	assert_int_equal(schedule_delay_ms(&schedule, SCHEDULE_MAX_DELAYS + 1), -1);
}

static void TEST(an_error_names_the_delay)
{
	static const char *const bad[] = {"5s,,1m", "5s,x", "5s,"};
	for (size_t i = 0; i < array_len(bad); i++) {
		struct schedule schedule = {.n_delays = 77};
		struct err err;
		assert_int_equal(schedule_parse(sv_from(bad[i]), &schedule, &err), -1);
		assert_true(sv_starts_with(sv_from(err.text), "delay 2: "));
		assert_int_equal(schedule.n_delays, 77);
	}
}

static void TEST(jitter_is_added_within_its_percentage)
{
	struct schedule schedule;
	bool low = false;
	bool high = false;
	assert_int_equal(schedule_parse(SV_LIT("100ms,0"), &schedule, NULL), 0);
	rng_fake(3);
	for (int i = 0; i < 1000; i++) {
		int64_t ms = schedule_delay_jittered_ms(&schedule, 1, 20);
		assert_in_range(ms, 100, 120);
		low |= ms == 100;
		high |= ms == 120;
		assert_int_equal(schedule_delay_jittered_ms(&schedule, 1, 0), 100);
		assert_int_equal(schedule_delay_jittered_ms(&schedule, 2, 100), 0);
	}
	rng_fake_end();
	assert_true(low);
	assert_true(high);
}

static void ask_for_attempt_zero(UNUSED void *arg)
{
	struct schedule schedule = {.n_delays = 1, .delay_ms = {1000}};
	(void)schedule_delay_ms(&schedule, 0);
}

static void TEST(attempts_count_from_one)
{
	assert_true(death_by_abort(ask_for_attempt_zero, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(what_is_no_duration),
		cmocka_unit_test(a_schedule_is_spent_after_its_last_delay),
		cmocka_unit_test(an_empty_schedule_is_one_attempt),
		cmocka_unit_test(a_schedule_has_a_bound),
		cmocka_unit_test(an_error_names_the_delay),
		cmocka_unit_test(jitter_is_added_within_its_percentage),
		cmocka_unit_test(attempts_count_from_one),
	};
	return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
