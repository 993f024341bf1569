#include "tests/support/test.h"

#include <string.h>

#include "common/io/redis_url.h"

static struct redis_url parse(const char *text, struct pool *pool)
{
	struct redis_url url;
	struct err err;
	if (redis_url_parse(sv_from(text), pool, &url, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	return url;
}

static void TEST(what_is_left_out_has_a_default)
{
	struct pool *pool = pool_new();
	struct redis_url url = parse("redis://localhost", pool);
	assert_string_equal(url.host, "localhost");
	assert_int_equal(url.port, 6379);
	assert_int_equal(url.db, 0);
	assert_null(url.user);
	assert_null(url.password);
	url = parse("redis://10.0.0.1:7000/", pool);
	assert_string_equal(url.host, "10.0.0.1");
	assert_int_equal(url.port, 7000);
	pool_free(&pool);
}

static void TEST(everything_may_be_given)
{
	struct pool *pool = pool_new();
	struct redis_url url = parse("redis://me:p%40ss%2fw@rd@[::1]:6380/3", pool);
	assert_string_equal(url.user, "me");
	assert_string_equal(url.password, "p@ss/w@rd");
	assert_string_equal(url.host, "::1");
	assert_int_equal(url.port, 6380);
	assert_int_equal(url.db, 3);
	url = parse("redis://:only@h", pool);
	assert_null(url.user);
	assert_string_equal(url.password, "only");
	url = parse("redis://[fe80::1]", pool);
	assert_string_equal(url.host, "fe80::1");
	assert_int_equal(url.port, 6379);
	pool_free(&pool);
}

static void TEST(what_is_no_redis_url_is_refused_and_not_quoted)
{
	static const char *const bad[] = {"", "redis://a]b", "redis://[h", "redis://a b",
		"redis://h?x", "localhost", "redis:/x", "rediss://secret@h", "redis://",
		"redis://:secret@", "redis://secret@h", "redis://h:0", "redis://h:65536",
		"redis://h:", "redis://h/x", "redis://h/-1", "redis://h:1:2", "redis://[::1",
		"redis://[::1]x", "redis://u:sec%2@h", "redis://u:sec%zz@h",
		"redis://u:sec%00ret@h", "redis://h/0?secret=1", "redis:///0"};
	struct pool *pool = pool_new();
	for (size_t i = 0; i < array_len(bad); i++) {
		struct redis_url url = {.port = 7};
		struct err err = {.text = ""};
		if (redis_url_parse(sv_from(bad[i]), pool, &url, &err) != -1)
			fail_msg("accepted: %s", bad[i]);
		assert_true(strlen(err.text) > 0);
		assert_null(strstr(err.text, "secret"));
		assert_int_equal(url.port, 7);
	}
	pool_free(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_out_has_a_default),
		cmocka_unit_test(everything_may_be_given),
		cmocka_unit_test(what_is_no_redis_url_is_refused_and_not_quoted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
