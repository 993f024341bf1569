#include "tests/support/test.h"

#include <string.h>

#include "services/gateway/text_clean.h"

static void expect(struct strview text, size_t max_bytes, const char *want)
{
	struct strbuf out = STRBUF_INIT;
	text_clean(text, max_bytes, &out);
	assert_sv(strbuf_view(&out), want);
	assert_true(sv_is_utf8(strbuf_view(&out)));
	strbuf_deinit(&out);
}

static void TEST(good_text_stays)
{
	expect(SV_LIT("PAY123"), 100, "PAY123");
	expect(SV_LIT("\xC3\xA4\n\xF0\x9F\x91\x8D"), 100, "\xC3\xA4\n\xF0\x9F\x91\x8D");
	expect(SV_LIT(""), 100, "");
}

static void TEST(garbage_becomes_replacements)
{
	expect(SV_LIT("a\xFF\xC3"), 100, "a\xEF\xBF\xBD\xEF\xBF\xBD");
	expect(SV_LIT("\xED\xA0\x80"), 100,
		"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); /* a surrogate */
}

static void TEST(nul_bytes_are_dropped)
{
	expect(SV_LIT("a\0b\0"), 100, "ab");
}

static void TEST(no_character_is_cut)
{
	expect(SV_LIT("ab\xC3\xA4"), 3, "ab");
	expect(SV_LIT("ab\xC3\xA4"), 4, "ab\xC3\xA4");
	expect(SV_LIT("ab\xFF"), 4, "ab");
	expect(SV_LIT("abc"), 0, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_text_stays),
		cmocka_unit_test(garbage_becomes_replacements),
		cmocka_unit_test(nul_bytes_are_dropped),
		cmocka_unit_test(no_character_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
