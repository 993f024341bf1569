/* err: an error as a value with text. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/err.h"
#include "common/base/strview.h"

static void TEST(set_formats_and_fails)
{
	struct err err;
	assert_int_equal(err_set(&err, "port %d is %s", 80, "taken"), -1);
	assert_string_equal(err.text, "port 80 is taken");
	assert_int_equal(err_set(NULL, "nobody listens"), -1);
	assert_int_equal(err_prefix(NULL, "nobody"), -1);
}

static void TEST(prefix_goes_before)
{
	struct err err;
	err_set(&err, "no such file");
	assert_int_equal(err_prefix(&err, "line %d", 3), -1);
	err_prefix(&err, "settings");
	assert_string_equal(err.text, "settings: line 3: no such file");
}

static void TEST(text_may_be_made_of_itself)
{
	struct err err;
	err_set(&err, "inner");
	err_set(&err, "outer (%s)", err.text);
	assert_string_equal(err.text, "outer (inner)");
	err_prefix(&err, "again %s", err.text);
	assert_string_equal(err.text, "again outer (inner): outer (inner)");
}

static void TEST(long_text_is_cut)
{
	struct err err;
	char text[5000];
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_set(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	err_prefix(&err, "before");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_memory_equal(err.text, "before: xxx", 11);
	err_prefix(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void TEST(text_is_cut_between_characters)
{
	struct err err;
	char text[1000] = "";
	for (size_t i = 0; i < 100; i++)
		memcpy(text + 4 * i, "👋", 5);
	for (int lead = 0; lead < 4; lead++) {
		err_set(&err, "%.*s%s", lead, "abc", text);
		assert_true(sv_is_utf8(sv_from(err.text)));
		assert_in_range(strlen(err.text), sizeof(err.text) - 4, sizeof(err.text) - 1);
	}
}

static void TEST(text_is_one_clean_line)
{
	struct err err;
	err_set(&err, "bad \"%s\"", "a\nb\x1b[31m\x7f\xff\xc3");
	assert_string_equal(err.text, "bad \"a?b?[31m???\"");
	err_set(&err, "%s", "ütf ✓");
	assert_string_equal(err.text, "ütf ✓");
	err_set(&err, "%s", "");
	assert_string_equal(err.text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_formats_and_fails),
		cmocka_unit_test(prefix_goes_before),
		cmocka_unit_test(text_may_be_made_of_itself),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(text_is_cut_between_characters),
		cmocka_unit_test(text_is_one_clean_line),
	};
	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
