/* cursor: only what we made for this very list is read back. event_cursor: places as text. */
#include "tests/support/test.h"

#include <string.h>

#include "services/api/cursor.h"
#include "services/api/event_cursor.h"

static struct pool *pool;
static struct cursor_key key;

static int setup(UNUSED void **state)
{
	pool = pool_new();
	cursor_key_init(&key, SV_LIT("the master key"));
	return 0;
}

static int teardown(UNUSED void **state)
{
	pool_free(&pool);
	return 0;
}

static void TEST(a_position_comes_back)
{
	struct strview list = SV_LIT("2 /api/v1/messages"), position;
	static const char *const positions[] = {
		"1", "msg_01J9ZC5YV6KQ9B3M4N5P6R7S8T", "\xff\xfe:0"};
	for (size_t i = 0; i < array_len(positions); i++) {
		struct strview text = cursor_format(&key, list, sv_from(positions[i]), pool);
		assert_int_equal(cursor_parse(&key, list, text, pool, &position), 0);
		assert_sv(position, positions[i]);
		for (size_t at = 0; at < text.len; at++)
			assert_non_null(strchr(
				"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
				text.ptr[at]));
	}
}

static void TEST(another_lists_cursor_is_refused)
{
	struct strview position;
	struct strview text =
		cursor_format(&key, SV_LIT("2 /api/v1/messages"), SV_LIT("msg_1"), pool);
	assert_int_equal(
		cursor_parse(&key, SV_LIT("3 /api/v1/messages"), text, pool, &position), -1);
	assert_int_equal(
		cursor_parse(&key, SV_LIT("2 /api/v1/contacts"), text, pool, &position), -1);
	struct cursor_key other;
	cursor_key_init(&other, SV_LIT("another key"));
	assert_int_equal(
		cursor_parse(&other, SV_LIT("2 /api/v1/messages"), text, pool, &position), -1);
}

static void TEST(a_changed_cursor_is_refused)
{
	struct strview list = SV_LIT("2 /x"), position;
	struct strview text = cursor_format(&key, list, SV_LIT("12345678"), pool);
	for (size_t i = 0; i < text.len; i++) {
		char *changed = pool_sv_cstr(pool, text);
		changed[i] = changed[i] == 'A' ? 'B' : 'A';
		/* The last character may hold bits that mean nothing. */
		if (cursor_parse(&key, list, sv_make(changed, text.len), pool, &position) == 0) {
			assert_int_equal(i, text.len - 1);
			assert_sv(position, "12345678");
		}
	}
	for (size_t len = 0; len < text.len; len++)
		assert_int_equal(
			cursor_parse(&key, list, sv_make(text.ptr, len), pool, &position), -1);
}

static void TEST(garbage_is_refused)
{
	struct strview position;
	static const char *const garbage[] = {
		"", "AAAA", "!!!!", "====", "msg_01J9ZC5YV6KQ9B3M4N5P6R7S8T"};
	for (size_t i = 0; i < array_len(garbage); i++)
		assert_int_equal(
			cursor_parse(&key, SV_LIT("l"), sv_from(garbage[i]), pool, &position), -1);
	char *much = pool_alloc(pool, 100001);
	memset(much, 'A', 100000);
	assert_int_equal(cursor_parse(&key, SV_LIT("l"), sv_from(much), pool, &position), -1);
}

static void TEST(event_places_as_text)
{
	char text[EVENT_CURSOR_SIZE];
	struct event_cursor place = {INT64_MAX, INT64_MAX - 1}, again;
	event_cursor_format(&place, text);
	assert_int_equal(event_cursor_parse(sv_from(text), &again), 0);
	assert_true(again.xid == place.xid && again.sequence == place.sequence);
	static const char *const garbage[] = {"", "1", "1:", ":1", "1:2:3", "a:b"};
	for (size_t i = 0; i < array_len(garbage); i++)
		assert_int_equal(event_cursor_parse(sv_from(garbage[i]), &again), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_position_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(another_lists_cursor_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_changed_cursor_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(garbage_is_refused, setup, teardown),
		cmocka_unit_test(event_places_as_text),
	};
	return cmocka_run_group_tests_name("cursor", tests, NULL, NULL);
}
