#include "tests/support/test.h"

#include "common/io/redis_info.h"

#define INFO                                                                                       \
	"# "                                                                                       \
	"Server\r\nredis_version:7.0.15\r\nrun_id:0a1b2c\r\ntcp_port:6379\r\nconfig_file:/a:b\r\n"

static void TEST(a_field_is_found)
{
	assert_true(sv_eq_cstr(redis_info_find(sv_from(INFO), "run_id"), "0a1b2c"));
	assert_true(sv_eq_cstr(redis_info_find(sv_from(INFO), "config_file"), "/a:b"));
	assert_true(sv_eq_cstr(redis_info_find(sv_from("run_id:x"), "run_id"), "x"));
}

static void TEST(what_is_not_there_is_not_found)
{
	assert_true(sv_is_null(redis_info_find(sv_from(INFO), "run")));
	assert_true(sv_is_null(redis_info_find(sv_from(INFO), "0a1b2c")));
	assert_true(sv_is_null(redis_info_find(sv_from("run_id"), "run_id")));
	assert_true(sv_is_null(redis_info_find(SV_NULL, "run_id")));
	assert_true(sv_is_null(redis_info_find(sv_from("\n\n:"), "run_id")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_is_found),
		cmocka_unit_test(what_is_not_there_is_not_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
