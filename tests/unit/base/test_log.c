/* log: one logfmt line a fact. */
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "tests/support/log_trap.h"

#define HEAD "ts=2026-01-01T00:00:00.000Z level=info svc=tester inst=tester-1 at="

static int set_up(UNUSED void **state)
{
	clock_fake(0, 1767225600000);
	log_init("tester", "tester-1", LOG_LEVEL_INFO);
	log_trap_set();
	return 0;
}

static int tear_down(UNUSED void **state)
{
	log_trap_release();
	clock_fake_end();
	return 0;
}

static void TEST(a_line_has_its_parts_in_order)
{
	log_info("partition_gained", log_int("partition", 7), log_int("epoch", INT64_MIN),
		log_text("owner", "sender-1"), log_bool("fresh", true), log_bool("old", false),
		log_real("load", 0.25), log_sv("view", sv_make("cut", 2)));
	assert_string_equal(log_trap_last(),
		HEAD "partition_gained partition=7 epoch=-9223372036854775808 owner=sender-1 "
		     "fresh=true old=false load=0.25 view=cu");
	log_info("started");
	assert_string_equal(log_trap_last(), HEAD "started");
	assert_int_equal(log_trap_count(), 2);
}

static void TEST(levels_below_the_set_one_are_off)
{
	int evaluated = 0;
	log_debug("quiet", log_int("n", ++evaluated));
	assert_int_equal(log_trap_count(), 0);
	assert_int_equal(evaluated, 0);
	assert_false(log_is_on(LOG_LEVEL_DEBUG));
	assert_true(log_is_on(LOG_LEVEL_INFO));
	log_warn("loud");
	log_error("louder");
	assert_int_equal(log_trap_count(), 2);
	assert_true(log_trap_has("level=warn"));
	assert_true(log_trap_has("level=error"));
	log_init("tester", "tester-1", LOG_LEVEL_ERROR);
	log_warn("off");
	assert_int_equal(log_trap_count(), 2);
	log_init("tester", "tester-1", LOG_LEVEL_DEBUG);
	log_debug("on", log_int("n", ++evaluated));
	assert_int_equal(log_trap_count(), 3);
	assert_int_equal(evaluated, 1);
}

static void TEST(levels_have_names)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	enum log_level level = LOG_LEVEL_DEBUG;
	for (size_t i = 0; i < array_len(names); i++) {
		assert_int_equal(log_level_parse(sv_from(names[i]), &level), 0);
		assert_int_equal(level, i);
	}
	assert_int_equal(log_level_parse(SV_LIT("INFO"), &level), -1);
	assert_int_equal(log_level_parse(SV_LIT(""), &level), -1);
	assert_int_equal(log_level_parse(SV_NULL, &level), -1);
	assert_int_equal(level, LOG_LEVEL_ERROR);
}

static void TEST(values_are_quoted_when_they_must_be)
{
	static const struct {
		const char *value;
		const char *want;
	} cases[] = {
		{NULL, "-"},
		{"", "\"\""},
		{"plain", "plain"},
		{"a/b:c,d;e-f_g.h+i@j", "a/b:c,d;e-f_g.h+i@j"},
		{"two words", "\"two words\""},
		{"a=b", "\"a=b\""},
		{"say \"x\"", "\"say \\\"x\\\"\""},
		{"back\\slash", "\"back\\\\slash\""},
		{"new\nline\r\tend", "\"new\\nline\\u000d\\u0009end\""},
		{"\x1b[31m\x7f", "\"\\u001b[31m\\u007f\""},
		{"grüße", "\"grüße\""},
		{"\xc2\xa0", "\"\xc2\xa0\""},
		{"\xc2\x9b"
		 "31m",
			"\"\\u009b31m\""},
		{"\xff|\xc3", "\"\\ufffd|\\ufffd\""},
	};
	for (size_t i = 0; i < array_len(cases); i++) {
		char want[200];
		log_info("x", log_text("v", cases[i].value));
		(void)snprintf(want, sizeof(want), HEAD "x v=%s", cases[i].want);
		assert_string_equal(log_trap_last(), want);
	}
	log_info("x", log_sv("v", SV_LIT("a\0b")));
	assert_string_equal(log_trap_last(), HEAD "x v=\"a\\u0000b\"");
}

static void TEST(a_value_cannot_forge_a_line)
{
	log_info("x", log_text("v", "1\nts=2026 level=error at=forged"));
	assert_null(strchr(log_trap_last(), '\n'));
	assert_non_null(strstr(log_trap_last(), "v=\"1\\nts=2026 level=error at=forged\""));
}

static void TEST(phones_are_masked)
{
	static const struct {
		const char *phone;
		const char *want;
	} cases[] = {
		{"+12345677890", "+1******7890"},
		{"+1234567", "+1**4567"},
		{"+123456", "*******"},
		{"+", "*"},
		{"", "-"},
		{NULL, "-"},
		{"+4915112345678", "+4********5678"},
		{"+12345678901234567890123456789012345678909999",
			"+1**************************9999"},
		{"\n\n4567890", "\"\\n\\n***7890\""},
	};
	for (size_t i = 0; i < array_len(cases); i++) {
		char want[200];
		log_info("x", log_phone("to", sv_from(cases[i].phone)));
		(void)snprintf(want, sizeof(want), HEAD "x to=%s", cases[i].want);
		assert_string_equal(log_trap_last(), want);
	}
}

static void TEST(errors_are_fields)
{
	struct err err;
	err_set(&err, "it broke");
	log_info("x", log_err(&err), log_err(NULL));
	assert_string_equal(log_trap_last(), HEAD "x err=\"it broke\" err=-");
}

static void TEST(a_long_value_is_cut)
{
	char value[20000];
	memset(value, 'v', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	log_info("x", log_text("v", value), log_int("after", 1));
	const char *line = log_trap_last();
	assert_true(strlen(line) < 1300);
	assert_non_null(strstr(line, "vvv…\" after=1 cut=true"));
}

static void TEST(a_long_line_is_cut_between_fields)
{
	char value[1001];
	memset(value, '\x01', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	struct log_field fields[200];
	for (size_t n = 1; n < array_len(fields); n++) {
		for (size_t i = 0; i < n; i++)
			fields[i] = log_text("key", i % 3 == 0 ? value : "short");
		fields[n] = (struct log_field){.key = NULL};
		log_write(LOG_LEVEL_INFO, "x", fields);
		size_t len = strlen(log_trap_last());
		assert_true(len < 4096);
		assert_true(sv_is_utf8(sv_from(log_trap_last())));
		if (n > 60)
			assert_string_equal(log_trap_last() + len - 9, " cut=true");
	}
}

static void TEST(names_that_are_long_or_odd_do_no_harm)
{
	char name[500];
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	log_init(name, name, LOG_LEVEL_INFO);
	log_info("x");
	assert_true(strlen(log_trap_last()) < 300);
	log_init("a b", NULL, LOG_LEVEL_INFO);
	log_info("x");
	assert_non_null(strstr(log_trap_last(), " svc=\"a b\" inst=- at=x"));
}

/* A pipe of two pages in the place of stderr; every write takes a page. */
struct narrow_stderr {
	int reader;
	int original;
};

static struct narrow_stderr narrow_stderr_begin(void)
{
	struct narrow_stderr narrow = {.original = dup(STDERR_FILENO)};
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 8192), 8192);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	(void)close(ends[1]);
	narrow.reader = ends[0];
	return narrow;
}

static void narrow_stderr_read(struct narrow_stderr *narrow, char ret_text[9000])
{
	ssize_t got = read(narrow->reader, ret_text, 8999);
	assert_true(got > 0);
	ret_text[got] = '\0';
}

static void narrow_stderr_end(struct narrow_stderr *narrow)
{
	(void)dup2(narrow->original, STDERR_FILENO);
	(void)close(narrow->original);
	(void)close(narrow->reader);
}

static void TEST(a_reader_that_does_not_read_costs_lines_not_time)
{
	static char long_value[3000];
	char text[9000];
	log_trap_release();
	memset(long_value, 'x', sizeof(long_value) - 1);
	struct narrow_stderr narrow = narrow_stderr_begin();

	errno = ENOTTY;
	log_info("first", log_text("a", long_value), log_text("b", long_value),
		log_text("c", long_value));
	assert_int_equal(errno, ENOTTY);
	clock_fake_end();
	int64_t start_ms = clock_mono_ms();
	for (int i = 0; i < 1000; i++)
		log_info("next", log_text("a", long_value), log_text("b", long_value),
			log_text("c", long_value));
	int64_t took_ms = clock_mono_ms() - start_ms;
	narrow_stderr_read(&narrow, text);
	clock_fake(0, 1767225600000);
	log_info("again");
	char after[9000];
	narrow_stderr_read(&narrow, after);
	narrow_stderr_end(&narrow);

	assert_true(took_ms < 2000);
	assert_memory_equal(text, HEAD "first a=", sizeof(HEAD "first a=") - 1);
	assert_non_null(strstr(text, "\nts="));
	assert_string_equal(after, HEAD "again\nts=2026-01-01T00:00:00.000Z level=warn svc=tester "
					"inst=tester-1 at=log_dropped lines=999\n");
	log_trap_set();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_has_its_parts_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			levels_below_the_set_one_are_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(levels_have_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			values_are_quoted_when_they_must_be, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_value_cannot_forge_a_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(phones_are_masked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(errors_are_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_long_value_is_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_long_line_is_cut_between_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			names_that_are_long_or_odd_do_no_harm, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_reader_that_does_not_read_costs_lines_not_time, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
