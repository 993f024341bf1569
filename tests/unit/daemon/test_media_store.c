/* media_store, object_store: settings that make sense together, and those that do not. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/base/strbuf.h"
#include "common/daemon/media_store.h"

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct loop *loop;

static int setup(UNUSED void **state)
{
	loop = loop_new();
	return 0;
}

static int teardown(UNUSED void **state)
{
	loop_free(&loop);
	return 0;
}

struct given {
	const char *store, *endpoint, *bucket, *region, *access_key, *secret_key;
};

static const struct given good = {"s3", "https://s3.example", "wa-media", "eu-central-1", "A", "S"};

static int open_store(
	const char *service, const struct given *given, struct media_store *store, struct err *err)
{
	const char *names[] = {"WA_MEDIA_STORE", "WA_S3_ENDPOINT", "WA_S3_BUCKET", "WA_S3_REGION",
		"WA_S3_ACCESS_KEY", "WA_S3_SECRET_KEY"};
	const char *values[] = {given->store, given->endpoint, given->bucket, given->region,
		given->access_key, given->secret_key};
	char *environ_list[10] = {mem_strdup("WA_DATABASE_URL=postgresql://d"),
		mem_strdup("WA_REDIS_URL=redis://r"), mem_strdup("WA_MASTER_KEY=" KEY)};
	int n = 3;
	for (size_t i = 0; i < array_len(names); i++) {
		struct strbuf line = STRBUF_INIT;
		if (values[i] == NULL)
			continue;
		strbuf_printf(&line, "%s=%s", names[i], values[i]);
		environ_list[n++] = mem_strdup(strbuf_cstr(&line));
		strbuf_deinit(&line);
	}
	struct settings *settings = settings_load(service, environ_list, NULL, err);
	for (int i = 0; i < n; i++)
		mem_free(environ_list[i]);
	assert_non_null(settings);
	int rc = media_store_open(store, loop, settings, err);
	settings_free(&settings);
	return rc;
}

static void TEST(without_settings_there_is_no_store)
{
	struct given none = {0};
	struct media_store store;
	struct err err;
	assert_int_equal(open_store("gateway", &none, &store, &err), 0);
	assert_null(store.objects);
	assert_false(store.is_wanted);
	media_store_close(&store);
}

static void TEST(a_store_is_wanted_or_only_read)
{
	static const char *const endpoints[] = {"https://s3.example", "http://10.0.0.5:9000",
		"https://s3.example:443/", "http://[::1]:9000"};
	struct media_store store;
	struct given given = good;
	struct err err;
	for (size_t i = 0; i < array_len(endpoints); i++) {
		given.endpoint = endpoints[i];
		given.store = i % 2 == 0 ? "s3" : "postgres";
		assert_int_equal(
			open_store(i % 2 == 0 ? "api" : "gateway", &given, &store, &err), 0);
		assert_non_null(store.objects);
		assert_int_equal(store.is_wanted, i % 2 == 0);
		media_store_close(&store);
		assert_null(store.objects);
	}
}

static void refused(const struct given *given, const char *why)
{
	struct media_store store;
	struct err err;
	assert_int_equal(open_store("gateway", given, &store, &err), -1);
	if (strstr(err.text, why) == NULL)
		fail_msg("%s: it says «%s»", why, err.text);
	media_store_close(&store);
}

static void TEST(what_makes_no_sense_is_refused)
{
	static const char *const endpoints[] = {"s3.example", "ftp://s3.example", "https://",
		"https://S3.example", "https://s3.example/bucket", "https://a@s3.example",
		"https://s3.example?x", "http:// s3.example"};
	static const char *const buckets[] = {"ab", "Media", "a/b", "a_b"};
	struct given given = good;
	given.endpoint = NULL;
	refused(&given, "WA_MEDIA_STORE=s3 needs WA_S3_ENDPOINT");
	for (size_t i = 0; i < array_len(endpoints); i++) {
		given.endpoint = endpoints[i];
		refused(&given, "the endpoint must");
	}
	given = good;
	given.bucket = NULL;
	refused(&given, "the bucket's name");
	for (size_t i = 0; i < array_len(buckets); i++) {
		given.bucket = buckets[i];
		refused(&given, "the bucket's name");
	}
	given = good;
	given.region = "EU";
	refused(&given, "the region");
	given = good;
	given.access_key = NULL;
	refused(&given, "the access key and the secret key are required");
	given = good;
	given.secret_key = NULL;
	refused(&given, "the access key and the secret key are required");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_settings_there_is_no_store),
		cmocka_unit_test(a_store_is_wanted_or_only_read),
		cmocka_unit_test(what_makes_no_sense_is_refused),
	};
	return cmocka_run_group_tests_name("media_store", tests, setup, teardown);
}
