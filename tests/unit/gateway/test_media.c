#include "tests/support/test.h"

#include <string.h>

#include "services/gateway/media_type.h"
#include "services/gateway/media_verdict.h"

static void expect_type(const char *text, const char *want)
{
	char type[MEDIA_TYPE_SIZE];
	media_type_clean(sv_from(text), type);
	assert_string_equal(type, want);
}

static void TEST(a_content_type_loses_its_parameters_and_capitals)
{
	expect_type("image/png", "image/png");
	expect_type(" Image/JPEG ; q=1;b=\"x\"", "image/jpeg");
	expect_type("application/vnd.ms-excel+xml", "application/vnd.ms-excel+xml");
}

static void TEST(what_is_no_content_type_is_just_bytes)
{
	static const char *const bad[] = {NULL, "", ";", "image", "image/", "/png",
		"image/png\r\nX-Evil: 1", "a b/c", "image/png/x", "im\xC3\xA4ge/png", "<script>/x"};
	for (size_t i = 0; i < array_len(bad); i++)
		expect_type(bad[i], "application/octet-stream");
	char longest[300];
	memset(longest, 'a', sizeof(longest));
	longest[5] = '/';
	longest[sizeof(longest) - 1] = '\0';
	expect_type(longest, "application/octet-stream");
}

static void TEST(only_trouble_that_may_pass_is_tried_again)
{
	assert_int_equal(media_verdict_of(HTTP_FAILURE_NONE, 200), MEDIA_HERE);
	assert_int_equal(media_verdict_of(HTTP_FAILURE_NONE, 206), MEDIA_HERE);
	static const int later[] = {408, 425, 429, 500, 502, 503, 504};
	for (size_t i = 0; i < array_len(later); i++)
		assert_int_equal(media_verdict_of(HTTP_FAILURE_NONE, later[i]), MEDIA_LATER);
	static const int never[] = {301, 302, 400, 401, 403, 404, 410};
	for (size_t i = 0; i < array_len(never); i++)
		assert_int_equal(media_verdict_of(HTTP_FAILURE_NONE, never[i]), MEDIA_NEVER);
	assert_int_equal(media_verdict_of(HTTP_FAILURE_GUARD, 0), MEDIA_NEVER);
	assert_int_equal(media_verdict_of(HTTP_FAILURE_TOO_LARGE, 200), MEDIA_NEVER);
	assert_int_equal(media_verdict_of(HTTP_FAILURE_TIMEOUT, 0), MEDIA_LATER);
	assert_int_equal(media_verdict_of(HTTP_FAILURE_CONNECT, 0), MEDIA_LATER);
	assert_int_equal(media_verdict_of(HTTP_FAILURE_RESOLVE, 0), MEDIA_LATER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_content_type_loses_its_parameters_and_capitals),
		cmocka_unit_test(what_is_no_content_type_is_just_bytes),
		cmocka_unit_test(only_trouble_that_may_pass_is_tried_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
