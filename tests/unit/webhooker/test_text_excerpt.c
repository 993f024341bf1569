/* text_excerpt: cut at whole characters, nothing unfit. */
#include "tests/support/test.h"

#include "services/webhooker/text_excerpt.h"

static void check(struct strview bytes, size_t max_bytes, const char *want)
{
	struct strbuf out = STRBUF_INIT;
	text_excerpt(bytes, max_bytes, &out);
	assert_string_equal(strbuf_cstr(&out), want);
	strbuf_deinit(&out);
}

static void TEST(short_text_is_kept)
{
	check(SV_LIT(""), 10, "");
	check(SV_NULL, 10, "");
	check(SV_LIT("no\tsuch\npage"), 100, "no\tsuch\npage");
	check(SV_LIT("h\xc3\xa9llo \xf0\x9f\x98\x80"), 100, "h\xc3\xa9llo \xf0\x9f\x98\x80");
}

static void TEST(long_text_is_cut_between_characters)
{
	check(SV_LIT("abcdef"), 3, "abc");
	check(SV_LIT("ab\xc3\xa9"), 3, "ab");
	check(SV_LIT("ab\xc3\xa9"), 4, "ab\xc3\xa9");
	check(SV_LIT("abc"), 0, "");
}

static void TEST(unfit_bytes_become_question_marks)
{
	check(SV_LIT("a\0b"), 10, "a?b");
	check(SV_LIT("\xff\xfe"), 10, "??");
	check(SV_LIT("\xc3"), 10, "?");
	check(SV_LIT("\x1b[31m\x7f"), 10, "?[31m?");
	check(SV_LIT("\xc2\x85"), 10, "?");
	check(SV_LIT("\xed\xa0\x80"), 10, "???"); /* a surrogate */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_text_is_kept),
		cmocka_unit_test(long_text_is_cut_between_characters),
		cmocka_unit_test(unfit_bytes_become_question_marks),
	};
	return cmocka_run_group_tests_name("text_excerpt", tests, NULL, NULL);
}
