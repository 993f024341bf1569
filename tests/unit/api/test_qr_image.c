#include "tests/support/test.h"

#include <string.h>

#include "services/api/qr_image.h"

static void TEST(a_png_begins_and_ends_as_one)
{
	struct strbuf out = STRBUF_INIT;
	assert_int_equal(
		qr_image_png(SV_LIT("https://wa.me/settings/linked_devices#ref"), &out), 0);
	assert_memory_equal(out.data, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
	/* 29 modules, a margin of 4 on both sides, 6 pixels each: 222 */
	assert_memory_equal(out.data + 16, "\0\0\0\xDE\0\0\0\xDE\x01\0", 10);
	assert_memory_equal(out.data + out.len - 12, "\0\0\0\0IEND\xAE\x42\x60\x82", 12);
	strbuf_deinit(&out);
}

static void TEST(an_svg_has_a_path)
{
	struct strbuf out = STRBUF_INIT;
	assert_int_equal(qr_image_svg(SV_LIT("x"), &out), 0);
	assert_non_null(strstr(strbuf_cstr(&out), "viewBox=\"0 0 29 29\""));
	assert_non_null(strstr(strbuf_cstr(&out), "M4 4h1v1h-1z")); /* a finder's corner */
	strbuf_deinit(&out);
}

static void TEST(what_does_not_fit_is_refused)
{
	static char text[3000];
	struct strbuf out = STRBUF_INIT;
	memset(text, 'x', sizeof(text));
	assert_int_equal(qr_image_png(sv_make(text, sizeof(text)), &out), -1);
	assert_int_equal(qr_image_svg(SV_LIT(""), &out), -1);
	assert_int_equal(out.len, 0);
	strbuf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_png_begins_and_ends_as_one),
		cmocka_unit_test(an_svg_has_a_path),
		cmocka_unit_test(what_does_not_fit_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
