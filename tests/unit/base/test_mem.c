/* mem: allocation that succeeds or aborts. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/mem.h"
#include "tests/support/death.h"

static void TEST(zeroed_memory_is_zero)
{
	static const char zeros[4096];
	char *dirty = mem_alloc(sizeof(zeros));
	memset(dirty, 0xff, sizeof(zeros));
	mem_free(dirty);
	char *clean = mem_zalloc(sizeof(zeros));
	assert_memory_equal(clean, zeros, sizeof(zeros));
	mem_free(clean);
	clean = mem_array(64, 64);
	assert_memory_equal(clean, zeros, sizeof(zeros));
	mem_free(clean);
}

static void TEST(size_zero_gives_distinct_pointers)
{
	void *a = mem_alloc(0);
	void *b = mem_zalloc(0);
	void *c = mem_array(0, 8);
	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
	assert_ptr_not_equal(a, b);
	a = mem_realloc(a, 0);
	assert_non_null(a);
	mem_free(a);
	mem_free(b);
	mem_free(c);
	mem_free(NULL);
}

static void TEST(realloc_keeps_what_was_there)
{
	char *text = mem_strdup("kept");
	text = mem_realloc(text, 100000);
	assert_string_equal(text, "kept");
	mem_free(text);
	text = mem_realloc(NULL, 4);
	memcpy(text, "new", 4);
	assert_string_equal(text, "new");
	mem_free(text);
}

static void TEST(copies_are_whole_and_terminated)
{
	char *text = mem_strndup("cut here", 3);
	assert_string_equal(text, "cut");
	mem_free(text);
	text = mem_strndup(NULL, 0);
	assert_string_equal(text, "");
	mem_free(text);
	text = mem_strndup("a\0b", 3);
	assert_memory_equal(text, "a\0b\0", 4);
	mem_free(text);
	uint8_t *bytes = mem_dup("\1\2\3", 3);
	assert_memory_equal(bytes, "\1\2\3", 3);
	mem_free(bytes);
}

static void TEST(wipe_overwrites)
{
	char secret[] = "secret";
	mem_wipe(secret, sizeof(secret));
	for (size_t i = 0; i < sizeof(secret); i++)
		assert_int_equal(secret[i], 0);
	char one = 'x';
	mem_wipe(&one, 1);
	assert_int_equal(one, 0);
	mem_wipe(NULL, 0);
}

static void overflow_an_array(UNUSED void *arg)
{
	mem_free(mem_array(SIZE_MAX / 2, 3));
}

static void ask_for_too_much(UNUSED void *arg)
{
	mem_free(mem_alloc((size_t)PTRDIFF_MAX));
}

static void copy_null(UNUSED void *arg)
{
	mem_free(mem_strdup(NULL));
}

static void TEST(what_cannot_be_had_aborts)
{
	assert_true(death_by_abort(overflow_an_array, NULL));
	assert_true(death_by_abort(copy_null, NULL));
}

static void TEST(exhausted_memory_aborts)
{
	assert_true(death_by_abort(ask_for_too_much, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed_memory_is_zero),
		cmocka_unit_test(size_zero_gives_distinct_pointers),
		cmocka_unit_test(realloc_keeps_what_was_there),
		cmocka_unit_test(copies_are_whole_and_terminated),
		cmocka_unit_test(wipe_overwrites),
		cmocka_unit_test(what_cannot_be_had_aborts),
		cmocka_unit_test(exhausted_memory_aborts),
	};
	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
