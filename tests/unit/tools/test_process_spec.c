#include "tests/support/test.h"

#include "tools/process_spec.h"

#include <signal.h>
#include <string.h>

static struct process_spec specs[PROCESS_MAX];

static int parse(const char *text, size_t *ret_count)
{
	static char copy[65536];

	assert_true(strlen(text) < sizeof(copy));
	memcpy(copy, text, strlen(text) + 1);
	return process_spec_parse(copy, specs, ret_count);
}

static void TEST(everything_is_read)
{
	size_t count = 0;

	assert_int_equal(0, parse("# a comment\n"
				  "process postgres-1\n"
				  "stage 0\nuser postgres\nstop INT\ngrace 60\n"
				  "log /a folder/x.log\npid /p\n"
				  "arg /bin/postgres\narg -D\narg /a folder\n"
				  "\n"
				  "process api-1\n"
				  "stage 1\nlog /l\npid /p\nenv A=1\nenv B=two words\narg /api\n",
				    &count));
	assert_int_equal(2, count);
	assert_string_equal("postgres-1", specs[0].name);
	assert_string_equal("postgres", specs[0].user);
	assert_int_equal(SIGINT, specs[0].stop_signal);
	assert_int_equal(60, specs[0].grace_s);
	assert_string_equal("/a folder/x.log", specs[0].log_path);
	assert_string_equal("/a folder", specs[0].argv[2]);
	assert_null(specs[0].argv[3]);
	assert_int_equal(1, specs[1].stage);
	assert_null(specs[1].user);
	assert_int_equal(SIGTERM, specs[1].stop_signal);
	assert_int_equal(10, specs[1].grace_s);
	assert_string_equal("B=two words", specs[1].env[1]);
}

static void TEST(the_first_bad_line_is_named)
{
	static const struct {
		const char *text;
		int line;
	} cases[] = {
		{"stage 0\n", 1},
		{"process a\ncolour blue\n", 2},
		{"process a\nstage 2\n", 2},
		{"process a\nstage -1\n", 2},
		{"process a\ngrace 5s\n", 2},
		{"process a\nstop HUP\n", 2},
		{"process a\nlog\n", 2},
		{"process a\nlog /l\npid /p\nprocess b\n", 4}, /* a has no arg */
		{"process a\nlog /l\npid /p\n", 4},
		{"", 1},
	};
	size_t count = 77;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(cases[i].line, parse(cases[i].text, &count));
	assert_int_equal(77, count);
}

static void TEST(too_many_words_are_refused)
{
	char text[4096] = "process a\nlog /l\npid /p\n";
	size_t count;

	for (int i = 0; i < PROCESS_ARGS_MAX; i++)
		strncat(text, "arg x\n", sizeof(text) - strlen(text) - 1);
	assert_int_equal(0, parse(text, &count));
	strncat(text, "arg x\n", sizeof(text) - strlen(text) - 1);
	assert_int_equal(4 + PROCESS_ARGS_MAX, parse(text, &count));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_read),
		cmocka_unit_test(the_first_bad_line_is_named),
		cmocka_unit_test(too_many_words_are_refused),
	};

	return cmocka_run_group_tests_name("process_spec", tests, NULL, NULL);
}
