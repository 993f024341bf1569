/* clock: the two clocks, and RFC 3339. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/rng.h"

static void TEST(real_clocks_run)
{
	int64_t mono = clock_mono_ms();
	int64_t mono_us = clock_mono_us();
	assert_true(mono_us / 1000 >= mono);
	assert_true(clock_mono_ms() >= mono);
	assert_true(clock_wall_ms() / 1000 >= (int64_t)time(NULL) - 1);
	assert_true(clock_wall_ms() / 1000 <= (int64_t)time(NULL) + 1);
}

static void TEST(fake_clocks_stand_until_moved)
{
	clock_fake(5000, 1700000000000);
	assert_int_equal(clock_mono_ms(), 5000);
	assert_int_equal(clock_mono_us(), 5000000);
	assert_int_equal(clock_wall_ms(), 1700000000000);
	assert_int_equal(clock_wall_ms(), 1700000000000);
	clock_fake_advance(250);
	assert_int_equal(clock_mono_ms(), 5250);
	assert_int_equal(clock_wall_ms(), 1700000000250);
	clock_fake_end();
	assert_true(clock_wall_ms() > 1700000000250);
}

static const struct {
	const char *text;
	int64_t ms;
} exact[] = {
	{"1970-01-01T00:00:00.000Z", 0},
	{"1969-12-31T23:59:59.999Z", -1},
	{"1969-12-31T00:00:00.000Z", -86400000},
	{"2000-02-29T12:34:56.789Z", 951827696789},
	{"2026-01-01T00:00:00.000Z", 1767225600000},
	{"2038-01-19T03:14:08.000Z", 2147483648000},
	{"0000-01-01T00:00:00.000Z", -62167219200000},
	{"0000-02-29T00:00:00.000Z", -62162121600000},
	{"1900-03-01T00:00:00.000Z", -2203891200000},
	{"9999-12-31T23:59:59.999Z", 253402300799999},
};

static void TEST(known_times_go_both_ways)
{
	for (size_t i = 0; i < array_len(exact); i++) {
		char text[CLOCK_RFC3339_SIZE];
		int64_t ms = 0;
		clock_format(exact[i].ms, text);
		assert_string_equal(text, exact[i].text);
		assert_int_equal(clock_parse(sv_from(exact[i].text), &ms), 0);
		assert_true(ms == exact[i].ms);
	}
}

static void TEST(times_beyond_are_held_at_the_ends)
{
	char text[CLOCK_RFC3339_SIZE];
	clock_format(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
	clock_format(INT64_MIN, text);
	assert_string_equal(text, "0000-01-01T00:00:00.000Z");
}

/* Every day of 800 years against the C library. */
static void TEST(dates_agree_with_the_c_library)
{
	for (int64_t day = -140000; day < 160000; day++) {
		char text[CLOCK_RFC3339_SIZE];
		char want[CLOCK_RFC3339_SIZE];
		time_t seconds = (time_t)(day * 86400 + 45296);
		struct tm tm;
		int64_t ms = 0;
		clock_format((int64_t)seconds * 1000, text);
		assert_non_null(gmtime_r(&seconds, &tm));
		(void)strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		assert_string_equal(text, want);
		assert_int_equal(clock_parse(sv_from(text), &ms), 0);
		assert_true(ms == (int64_t)seconds * 1000);
	}
}

static void TEST(random_times_come_back)
{
	rng_fake(7);
	for (int i = 0; i < 20000; i++) {
		char text[CLOCK_RFC3339_SIZE];
		int64_t ms = (int64_t)rng_below(315569520000000) - 62167219200000;
		int64_t back = 0;
		clock_format(ms, text);
		assert_int_equal(strlen(text), 24);
		assert_int_equal(clock_parse(sv_from(text), &back), 0);
		assert_true(back == ms);
	}
	rng_fake_end();
}

static void TEST(other_forms_that_are_rfc_3339)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{"2026-01-01T00:00:00Z", 1767225600000},
		{"2026-01-01t00:00:00z", 1767225600000},
		{"2026-01-01T02:00:00+02:00", 1767225600000},
		{"2025-12-31T18:30:00-05:30", 1767225600000},
		{"2026-01-01T00:00:00-00:00", 1767225600000},
		{"2026-01-01T23:59:00+23:59", 1767225600000},
		{"2026-01-01T00:00:00.5Z", 1767225600500},
		{"2026-01-01T00:00:00.05Z", 1767225600050},
		{"2026-01-01T00:00:00.123999999999999999999Z", 1767225600123},
		{"1969-12-31T23:59:59.5Z", -500},
		/* Leap seconds. */
		{"2016-12-31T23:59:60Z", 1483228800000},
		{"1990-12-31T15:59:60-08:00", 662688000000},
	};
	for (size_t i = 0; i < array_len(good); i++) {
		int64_t ms = 0;
		assert_int_equal(clock_parse(sv_from(good[i].text), &ms), 0);
		assert_true(ms == good[i].ms);
	}
}

static void TEST(what_is_no_rfc_3339)
{
	static const char *const bad[] = {
		"",
		"now",
		"2026",
		"2026-01-01",
		"2026-01-01T00:00Z",
		"2026-01-01T00:00:00", /* no offset */
		"2026-01-01 00:00:00Z",
		"2026-01-01T00:00:00 Z",
		" 2026-01-01T00:00:00Z",
		"2026-01-01T00:00:00Z ",
		"2026-01-01T00:00:00ZZ",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z",
		"2026-01-32T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2026-04-31T00:00:00Z",
		"2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z",
		"2026-01-01T00:00:61Z",
		"2026-01-01T00:00:60Z", /* no end of a month */
		"2026-06-30T23:58:60Z",
		"2026-01-15T23:59:60Z",
		"2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00,5Z",
		"2026-01-01T00:00:00+0200",
		"2026-01-01T00:00:00+02",
		"2026-01-01T00:00:00+2:00",
		"2026-01-01T00:00:00+24:00",
		"2026-01-01T00:00:00+00:60",
		"26-01-01T00:00:00Z",
		"+2026-01-01T00:00:00Z",
		"-026-01-01T00:00:00Z",
		"10000-01-01T00:00:00Z",
		"2026-1-01T00:00:00Z",
		"2026-01-01T0:00:00Z",
		"20260101T000000Z",
		/* In UTC these stand before year 0 and after year 9999. */
		"0000-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01",
	};
	for (size_t i = 0; i < array_len(bad); i++) {
		int64_t ms = 99;
		if (clock_parse(sv_from(bad[i]), &ms) != -1)
			fail_msg("accepted %s", bad[i]);
		assert_int_equal(ms, 99);
	}
	int64_t ms;
	assert_int_equal(clock_parse(SV_LIT("2026-01-01T00:00:00Z\0"), &ms), -1);
	assert_int_equal(clock_parse(SV_LIT("2026-01-01\0"
					    "00:00:00Z"),
				 &ms),
		-1);
	assert_int_equal(clock_parse(SV_NULL, &ms), -1);
}

static void TEST(months_have_their_days)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	for (int month = 1; month <= 12; month++) {
		for (int year = 2023; year <= 2024; year++) {
			int last = days[month - 1] + (month == 2 && year == 2024 ? 1 : 0);
			for (int day = last; day <= last + 1; day++) {
				char text[64];
				int64_t ms;
				(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT00:00:00Z", year,
					month, day);
				assert_int_equal(
					clock_parse(sv_from(text), &ms), day == last ? 0 : -1);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_clocks_run),
		cmocka_unit_test(fake_clocks_stand_until_moved),
		cmocka_unit_test(known_times_go_both_ways),
		cmocka_unit_test(times_beyond_are_held_at_the_ends),
		cmocka_unit_test(dates_agree_with_the_c_library),
		cmocka_unit_test(random_times_come_back),
		cmocka_unit_test(other_forms_that_are_rfc_3339),
		cmocka_unit_test(what_is_no_rfc_3339),
		cmocka_unit_test(months_have_their_days),
	};
	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
