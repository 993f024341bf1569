/* list_page: limits, cursors, filters, and the Link that keeps them. */
#include "tests/support/test.h"

#include <string.h>

#include "common/io/http_server.h"
#include "services/api/list_page.h"

static struct pool *pool;
static struct cursor_key key;
static struct field_errors errors;
static struct list_page page;
static const struct strview list = {"7 /l", 4};

static int setup(UNUSED void **state)
{
	pool = pool_new();
	cursor_key_init(&key, SV_LIT("k"));
	field_errors_init(&errors, pool);
	return 0;
}

static int teardown(UNUSED void **state)
{
	pool_free(&pool);
	return 0;
}

static int read_query(const char *query)
{
	field_errors_init(&errors, pool);
	return list_page_read(sv_from(query), &key, list, pool, &errors, &page);
}

static void TEST(limits)
{
	assert_int_equal(read_query(""), 0);
	assert_int_equal(page.limit, 50);
	assert_true(sv_is_null(page.after));
	assert_int_equal(read_query("limit=1"), 0);
	assert_int_equal(page.limit, 1);
	assert_int_equal(read_query("x=y&limit=100"), 0);
	assert_int_equal(page.limit, 100);
	static const char *const bad[] = {"limit=0", "limit=101", "limit=-1", "limit=x",
		"limit=1.5", "limit=99999999999999999999", "limit=%zz", "limit=%00"};
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_int_equal(read_query(bad[i]), -1);
		assert_string_equal(errors.items[0].field, "limit");
		assert_false(page.bad_cursor);
	}
}

static void TEST(a_bad_cursor_is_told_apart)
{
	assert_int_equal(read_query("cursor=AAAA"), -1);
	assert_true(page.bad_cursor);
	assert_string_equal(errors.items[0].field, "cursor");
	assert_int_equal(read_query("cursor="), 0); /* the same as none */
}

static void TEST(a_link_leads_to_the_next_page_and_keeps_the_filters)
{
	struct strview link =
		list_page_link(SV_LIT("/l"), SV_LIT("status=read&cursor=old&limit=2&a=%3E<>"), &key,
			list, SV_LIT("msg_9"), pool);
	const char *text = pool_sv_cstr(pool, link);
	static const char start[] = "</l?status=read&limit=2&a=%3E%3C%3E&cursor=";
	static const char end[] = ">; rel=\"next\"";
	assert_int_equal(strncmp(text, start, strlen(start)), 0);
	assert_string_equal(text + link.len - strlen(end), end);
	char *query = pool_sv_cstr(pool, sv_make(text + 4, link.len - 4 - strlen(end)));
	assert_int_equal(read_query(query), 0);
	assert_sv(page.after, "msg_9");
	assert_int_equal(page.limit, 2);
}

static void TEST(parameters_as_text_and_ids)
{
	struct strview text;
	int64_t id;
	assert_true(query_text(SV_LIT("a=b%20c+d"), "a", pool, &errors, &text));
	assert_sv(text, "b c d");
	assert_true(query_text(SV_LIT("b=1"), "a", pool, &errors, &text));
	assert_true(sv_is_null(text));
	assert_false(query_text(SV_LIT("a="), "a", pool, &errors, &text));
	assert_false(query_id(SV_LIT("id="), "id", pool, &errors, &id));
	assert_false(query_text(SV_LIT("a=%ff"), "a", pool, &errors, &text));
	assert_true(query_id(SV_LIT("id=17"), "id", pool, &errors, &id));
	assert_int_equal(id, 17);
	assert_true(query_id(SV_LIT("id=99999999999999999999"), "id", pool, &errors, &id));
	assert_true(id == INT64_MAX);
	assert_true(query_id(SV_LIT(""), "id", pool, &errors, &id));
	assert_int_equal(id, 0);
	assert_false(query_id(SV_LIT("id=-1"), "id", pool, &errors, &id));
}

static void TEST(ids_in_paths)
{
	int32_t id;
	assert_true(path_id(SV_LIT("2147483647"), &id));
	assert_int_equal(id, 2147483647);
	static const char *const bad[] = {
		"", "-1", "+1", "1e3", "0x1", " 1", "2147483648", "99999999999999999999", "1%30"};
	for (size_t i = 0; i < array_len(bad); i++)
		assert_false(path_id(sv_from(bad[i]), &id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(limits, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bad_cursor_is_told_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_link_leads_to_the_next_page_and_keeps_the_filters, setup, teardown),
		cmocka_unit_test_setup_teardown(parameters_as_text_and_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(ids_in_paths, setup, teardown),
	};
	return cmocka_run_group_tests_name("list_page", tests, NULL, NULL);
}
