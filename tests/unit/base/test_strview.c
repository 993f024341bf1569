/* strview: views on text that somebody else owns. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/strview.h"

static void TEST(null_and_empty_differ_but_are_equal_bytes)
{
	assert_true(sv_is_null(SV_NULL));
	assert_true(sv_is_null(sv_from(NULL)));
	assert_true(sv_is_null(sv_make(NULL, 0)));
	assert_false(sv_is_null(SV_LIT("")));
	assert_false(sv_is_null(sv_from("")));
	assert_true(sv_eq(SV_NULL, SV_LIT("")));
}

static void TEST(equality_is_by_bytes)
{
	assert_true(sv_eq(SV_LIT("a\0b"), sv_make("a\0b", 3)));
	assert_false(sv_eq(SV_LIT("a\0b"), SV_LIT("a\0c")));
	assert_false(sv_eq(SV_LIT("ab"), SV_LIT("abc")));
	assert_true(sv_eq_cstr(SV_LIT("abc"), "abc"));
	assert_false(sv_eq_cstr(SV_LIT("abc\0"), "abc"));
	assert_false(sv_eq_cstr(SV_LIT("ab"), "abc"));
}

static void TEST(case_is_ignored_for_ascii_only)
{
	assert_true(sv_ieq_cstr(SV_LIT("Content-TYPE"), "content-type"));
	assert_true(sv_ieq_cstr(SV_LIT(""), ""));
	assert_true(sv_ieq_cstr(SV_NULL, ""));
	assert_false(sv_ieq_cstr(SV_LIT("content"), "content-type"));
	assert_false(sv_ieq_cstr(SV_LIT("content-type"), "content"));
	assert_false(sv_ieq_cstr(SV_LIT("a\0"), "a"));
	assert_false(sv_ieq_cstr(SV_LIT("@"), "`"));
	assert_false(sv_ieq_cstr(SV_LIT("["), "{"));
	assert_false(sv_ieq_cstr(SV_LIT("\xc4"), "\xe4"));
}

static void TEST(prefix)
{
	assert_true(sv_starts_with(SV_LIT("abc"), "ab"));
	assert_true(sv_starts_with(SV_LIT("abc"), ""));
	assert_true(sv_starts_with(SV_NULL, ""));
	assert_false(sv_starts_with(SV_LIT("ab"), "abc"));
	assert_false(sv_starts_with(SV_LIT("xbc"), "ab"));
}

static void TEST(trim_takes_white_space_off_both_ends)
{
	assert_sv(sv_trim(SV_LIT(" \t\r\n\v\fa b\n ")), "a b");
	assert_sv(sv_trim(SV_LIT("   ")), "");
	assert_sv(sv_trim(SV_LIT("a")), "a");
	assert_int_equal(sv_trim(SV_LIT("\xc2\xa0")).len, 2);
	assert_true(sv_is_null(sv_trim(SV_NULL)));
}

static int split_all(struct strview view, struct strview parts[8])
{
	int n = 0;
	while (n < 8 && sv_split(&view, ',', &parts[n]))
		n++;
	assert_true(sv_is_null(view));
	return n;
}

static void TEST(split_gives_every_part)
{
	struct strview parts[8];
	assert_int_equal(split_all(SV_LIT("a,bc,,d"), parts), 4);
	assert_sv(parts[0], "a");
	assert_sv(parts[1], "bc");
	assert_sv(parts[2], "");
	assert_sv(parts[3], "d");
	assert_int_equal(split_all(SV_LIT("a"), parts), 1);
	assert_int_equal(split_all(SV_LIT("a,"), parts), 2);
	assert_sv(parts[1], "");
	assert_false(sv_is_null(parts[1]));
	assert_int_equal(split_all(SV_LIT(","), parts), 2);
	assert_int_equal(split_all(SV_LIT(""), parts), 1);
	assert_int_equal(split_all(SV_NULL, parts), 0);
}

static void TEST(split_leaves_part_untouched_at_the_end)
{
	struct strview none = SV_NULL;
	struct strview part = SV_LIT("before");
	assert_false(sv_split(&none, ',', &part));
	assert_sv(part, "before");
}

static void TEST(numbers)
{
	static const struct {
		const char *text;
		int64_t number;
	} good[] = {
		{"0", 0},
		{"-0", 0},
		{"7", 7},
		{"007", 7},
		{"-42", -42},
		{"9223372036854775807", INT64_MAX},
		{"-9223372036854775808", INT64_MIN},
	};
	for (size_t i = 0; i < array_len(good); i++) {
		int64_t number = 99;
		assert_int_equal(sv_to_i64(sv_from(good[i].text), &number), 0);
		assert_true(number == good[i].number);
	}
}

static void TEST(what_is_no_number)
{
	static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "1.0", "0x1", "1e3", "--1",
		"1-", "9223372036854775808", "-9223372036854775809", "99999999999999999999999",
		"12a", "a12", "\xd9\xa1"};
	for (size_t i = 0; i < array_len(bad); i++) {
		int64_t number = 99;
		assert_int_equal(sv_to_i64(sv_from(bad[i]), &number), -1);
		assert_int_equal(number, 99);
	}
	int64_t number;
	assert_int_equal(sv_to_i64(SV_NULL, &number), -1);
	assert_int_equal(sv_to_i64(SV_LIT("1\0"), &number), -1);
}

/* From the FNV reference test vectors (draft-eastlake-fnv). Partitions depend on them: never change
 * these. */
static void TEST(hash_is_fnv_1a_64)
{
	assert_true(sv_hash(SV_LIT("")) == 0xcbf29ce484222325u);
	assert_true(sv_hash(SV_NULL) == 0xcbf29ce484222325u);
	assert_true(sv_hash(SV_LIT("a")) == 0xaf63dc4c8601ec8cu);
	assert_true(sv_hash(SV_LIT("foobar")) == 0x85944171f73967e8u);
	assert_true(sv_hash(SV_LIT("\xff")) == sv_hash(sv_make("\xff", 1)));
}

static void TEST(utf8_that_is_well_formed)
{
	static const char *const good[] = {"", "plain", "\x7f", "\xc2\x80", "\xdf\xbf",
		"\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf", "grüße an alle 👋 in der welt", "aaaaaaaé", "aaaaaaaaéaaaaaaaa"};
	for (size_t i = 0; i < array_len(good); i++)
		assert_true(sv_is_utf8(sv_from(good[i])));
	assert_true(sv_is_utf8(SV_LIT("a\0b")));
	assert_true(sv_is_utf8(SV_NULL));
}

static void TEST(utf8_that_is_not)
{
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2 ",
		"\xe0\x9f\xbf", "\xe0\xa0", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
		"\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe",
		"aaaaaaaaaaaaaaa\xc3", "aaaaaaaa\x80", "aaaaaaa\xff", "\xe1 \x80", "\xe1\x80 ",
		"\xf1 \x80\x80", "\xf1\x80 \x80", "\xe1\x80\xc0", "\xf1\x80\x80\xc0"};
	for (size_t i = 0; i < array_len(bad); i++)
		assert_false(sv_is_utf8(sv_from(bad[i])));
}

static void TEST(utf8_front_measures_one_character)
{
	assert_int_equal(sv_utf8_front(SV_LIT("ab")), 1);
	assert_int_equal(sv_utf8_front(SV_LIT("éa")), 2);
	assert_int_equal(sv_utf8_front(SV_LIT("€")), 3);
	assert_int_equal(sv_utf8_front(SV_LIT("👋")), 4);
	assert_int_equal(sv_utf8_front(sv_make("👋", 3)), 0);
	assert_int_equal(sv_utf8_front(SV_LIT("\xff")), 0);
	assert_int_equal(sv_utf8_front(SV_NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(null_and_empty_differ_but_are_equal_bytes),
		cmocka_unit_test(equality_is_by_bytes),
		cmocka_unit_test(case_is_ignored_for_ascii_only),
		cmocka_unit_test(prefix),
		cmocka_unit_test(trim_takes_white_space_off_both_ends),
		cmocka_unit_test(split_gives_every_part),
		cmocka_unit_test(split_leaves_part_untouched_at_the_end),
		cmocka_unit_test(numbers),
		cmocka_unit_test(what_is_no_number),
		cmocka_unit_test(hash_is_fnv_1a_64),
		cmocka_unit_test(utf8_that_is_well_formed),
		cmocka_unit_test(utf8_that_is_not),
		cmocka_unit_test(utf8_front_measures_one_character),
	};
	return cmocka_run_group_tests_name("strview", tests, NULL, NULL);
}
