/* strbuf: a growing byte buffer. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/strbuf.h"
#include "tests/support/death.h"

static void TEST(empty_buffer_reads_as_empty_text)
{
	struct strbuf buf = STRBUF_INIT;
	assert_string_equal(strbuf_cstr(&buf), "");
	assert_false(sv_is_null(strbuf_view(&buf)));
	assert_int_equal(strbuf_view(&buf).len, 0);
	strbuf_reset(&buf);
	strbuf_deinit(&buf);
	strbuf_deinit(&buf);
}

static void TEST(pieces_add_up)
{
	struct strbuf buf;
	strbuf_init(&buf);
	strbuf_append(&buf, "ab", 2);
	strbuf_append_cstr(&buf, "cd");
	strbuf_append_char(&buf, 'e');
	strbuf_append_sv(&buf, SV_LIT("fg"));
	strbuf_append_sv(&buf, SV_NULL);
	strbuf_append(&buf, NULL, 0);
	strbuf_append(&buf, "-", 1);
	strbuf_printf(&buf, "%d%s", 12, "h");
	strbuf_printf(&buf, "%s", "");
	assert_string_equal(strbuf_cstr(&buf), "abcdefg-12h");
	assert_int_equal(buf.len, 11);
	strbuf_deinit(&buf);
}

static void TEST(bytes_may_be_nul)
{
	struct strbuf buf = STRBUF_INIT;
	strbuf_append(&buf, "a\0b", 3);
	strbuf_append_char(&buf, '\0');
	assert_int_equal(buf.len, 4);
	assert_memory_equal(buf.data, "a\0b\0\0", 5);
	strbuf_deinit(&buf);
}

static void TEST(every_length_stays_terminated)
{
	struct strbuf buf = STRBUF_INIT;
	for (size_t i = 0; i < 5000; i++) {
		strbuf_append_char(&buf, (char)('a' + i % 26));
		assert_true(buf.cap > buf.len);
		assert_int_equal(buf.data[buf.len], '\0');
	}
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(buf.data[i], 'a' + i % 26);
	strbuf_deinit(&buf);
}

static void TEST(formatting_grows_the_buffer_at_any_fill)
{
	for (size_t fill = 0; fill <= 66; fill++) {
		for (int width = 1; width <= 66; width++) {
			struct strbuf buf = STRBUF_INIT;
			for (size_t i = 0; i < fill; i++)
				strbuf_append_char(&buf, 'x');
			strbuf_printf(&buf, "%0*d", width, 7);
			assert_int_equal(buf.len, fill + (size_t)width);
			assert_int_equal(buf.data[buf.len - 1], '7');
			assert_int_equal(strlen(buf.data), buf.len);
			strbuf_deinit(&buf);
		}
	}
}

static void TEST(reset_keeps_the_memory)
{
	struct strbuf buf = STRBUF_INIT;
	strbuf_reserve(&buf, 1000);
	size_t cap = buf.cap;
	assert_true(cap > 1000);
	assert_string_equal(strbuf_cstr(&buf), "");
	strbuf_append_cstr(&buf, "something");
	strbuf_reset(&buf);
	assert_string_equal(strbuf_cstr(&buf), "");
	assert_int_equal(buf.len, 0);
	assert_int_equal(buf.cap, cap);
	strbuf_deinit(&buf);
	assert_null(buf.data);
	strbuf_append_cstr(&buf, "again");
	assert_string_equal(strbuf_cstr(&buf), "again");
	strbuf_deinit(&buf);
}

static void TEST(reserved_room_is_not_moved)
{
	struct strbuf buf = STRBUF_INIT;
	strbuf_reserve(&buf, 500);
	const char *data = buf.data;
	for (int i = 0; i < 500; i++)
		strbuf_append_char(&buf, 'x');
	assert_ptr_equal(buf.data, data);
	strbuf_deinit(&buf);
}

static void reserve_absurdly(void *arg)
{
	struct strbuf buf = STRBUF_INIT;
	strbuf_reserve(&buf, *(size_t *)arg);
}

static void TEST(absurd_sizes_abort)
{
	size_t sizes[] = {SIZE_MAX, SIZE_MAX / 2};
	for (size_t i = 0; i < array_len(sizes); i++)
		assert_true(death_by_abort(reserve_absurdly, &sizes[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_buffer_reads_as_empty_text),
		cmocka_unit_test(pieces_add_up),
		cmocka_unit_test(bytes_may_be_nul),
		cmocka_unit_test(every_length_stays_terminated),
		cmocka_unit_test(formatting_grows_the_buffer_at_any_fill),
		cmocka_unit_test(reset_keeps_the_memory),
		cmocka_unit_test(reserved_room_is_not_moved),
		cmocka_unit_test(absurd_sizes_abort),
	};
	return cmocka_run_group_tests_name("strbuf", tests, NULL, NULL);
}
