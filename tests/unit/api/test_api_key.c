/* api_key: shape, checksum, hint. */
#include "tests/support/test.h"

#include <string.h>

#include "services/api/api_key.h"

static void TEST(a_new_key_is_right_by_shape)
{
	char live[API_KEY_SIZE], test[API_KEY_SIZE], other[API_KEY_SIZE];
	api_key_new(false, live);
	api_key_new(true, test);
	api_key_new(false, other);
	assert_int_equal(strlen(live), API_KEY_LEN);
	assert_int_equal(strncmp(live, "sk_live_", 8), 0);
	assert_int_equal(strncmp(test, "sk_test_", 8), 0);
	assert_true(api_key_is(sv_from(live)));
	assert_true(api_key_is(sv_from(test)));
	assert_string_not_equal(live, other);
}

static void TEST(a_mistyped_key_is_no_key)
{
	char key[API_KEY_SIZE];
	api_key_new(false, key);
	for (size_t i = 0; i < API_KEY_LEN; i++) {
		char was = key[i];
		key[i] = was == 'x' ? 'y' : 'x';
		assert_false(api_key_is(sv_from(key)));
		key[i] = was;
	}
	assert_false(api_key_is(sv_make(key, API_KEY_LEN - 1)));
	assert_false(api_key_is(SV_NULL));
	assert_false(api_key_is(SV_LIT("sk_live_abc123xyz789")));
}

static void TEST(the_hash_tells_keys_apart)
{
	uint8_t a[SHA256_SIZE], b[SHA256_SIZE];
	api_key_hash(SV_LIT("sk_live_a"), a);
	api_key_hash(SV_LIT("sk_live_b"), b);
	assert_memory_not_equal(a, b, SHA256_SIZE);
}

static void TEST(the_hint_hides_the_middle)
{
	char hint[API_KEY_HINT_SIZE];
	char key[API_KEY_SIZE];
	api_key_new(false, key);
	api_key_hint(key, hint);
	assert_int_equal(strlen(hint), 12 + 3 + 4);
	assert_int_equal(strncmp(hint, key, 12), 0);
	assert_string_equal(hint + 15, key + API_KEY_LEN - 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_key_is_right_by_shape),
		cmocka_unit_test(a_mistyped_key_is_no_key),
		cmocka_unit_test(the_hash_tells_keys_apart),
		cmocka_unit_test(the_hint_hides_the_middle),
	};
	return cmocka_run_group_tests_name("api_key", tests, NULL, NULL);
}
