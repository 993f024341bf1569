/* http_query_get, http_percent_decode. */
#include "tests/support/test.h"

#include <string.h>

#include "common/io/http_server.h"

static struct pool *pool;

static int set_up(void **state)
{
	(void)state;
	pool = pool_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pool_free(&pool);
	return 0;
}

#define ABSENT "(absent)"
#define BAD    NULL

static const struct {
	const char *query;
	const char *value; /* of "limit" */
} queries[] = {
	{"", ABSENT},
	{"limit=5", "5"},
	{"limit=", ""},
	{"limit", ""},
	{"a=1&limit=5&b=2", "5"},
	{"limit=1&limit=2", "1"},
	{"limits=5", ABSENT},
	{"Limit=5", ABSENT},
	{"limi%74=5", "5"},
	{"limit=a+b%2Bc%20d", "a b+c d"},
	{"limit=a=b", "a=b"},
	{"&&=&limit=%e2%82%AC", "\xe2\x82\xac"},
	{"limit=%", BAD},
	{"limit=%4", BAD},
	{"limit=%4x", BAD},
	{"limit=%x4", BAD},
	{"limit=%00", BAD},
	{"%zz=1&limit=1", BAD},
	{"a=%zz&limit=1", "1"},
};

static void TEST(a_parameter_is_found_and_decoded)
{
	for (size_t i = 0; i < array_len(queries); i++) {
		struct strview value = SV_NULL;
		int result = http_query_get(sv_from(queries[i].query), "limit", pool, &value);

		print_message("# %s\n", queries[i].query);
		assert_int_equal(result, queries[i].value == BAD ? -1 : 0);
		if (queries[i].value == BAD)
			continue;
		if (strcmp(queries[i].value, ABSENT) == 0)
			assert_true(sv_is_null(value));
		else
			assert_sv(value, queries[i].value);
	}
}

static void TEST(an_empty_value_is_not_absent)
{
	struct strview value = SV_NULL;

	assert_int_equal(http_query_get(SV_LIT("limit"), "limit", pool, &value), 0);
	assert_false(sv_is_null(value));
}

static void TEST(a_path_segment_keeps_its_plus)
{
	struct strview value;

	assert_int_equal(http_percent_decode(SV_LIT("%2B1+2%2f"), pool, &value), 0);
	assert_sv(value, "+1+2/");
	assert_int_equal(http_percent_decode(SV_LIT("a\0b"), pool, &value), -1);
	assert_int_equal(http_percent_decode(SV_LIT("%2"), pool, &value), -1);
	assert_int_equal(http_percent_decode(SV_NULL, pool, &value), 0);
	assert_int_equal(value.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_parameter_is_found_and_decoded),
		cmocka_unit_test(an_empty_value_is_not_absent),
		cmocka_unit_test(a_path_segment_keeps_its_plus),
	};

	return cmocka_run_group_tests_name("http_query", tests, set_up, tear_down);
}
