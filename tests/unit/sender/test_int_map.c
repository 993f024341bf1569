/* A map is a map, also when its probes run into each other and around the end. */
#include "tests/support/test.h"

#include "common/base/rng.h"
#include "services/sender/int_map.h"

#define KEYS 200

static void TEST(random_use_agrees_with_an_array)
{
	struct int_map map;
	char values[KEYS + 1];
	bool is_in[KEYS + 1] = {false};
	size_t n = 0;
	int_map_init(&map);
	assert_null(int_map_find(&map, 5));
	rng_fake(3);
	for (int i = 0; i < 50000; i++) {
		int32_t key = (int32_t)(1 + rng_below(KEYS));
		if (is_in[key]) {
			int_map_remove(&map, key);
			n--;
		} else {
			int_map_put(&map, key, &values[key]);
			n++;
		}
		is_in[key] = !is_in[key];
		int32_t other = (int32_t)(1 + rng_below(KEYS));
		assert_ptr_equal(int_map_find(&map, other), is_in[other] ? &values[other] : NULL);
		assert_int_equal(map.n, n);
	}
	size_t place = 0;
	size_t walked = 0;
	const char *value;
	while ((value = int_map_next(&map, &place)) != NULL) {
		assert_true(is_in[value - values]);
		walked++;
	}
	assert_int_equal(walked, n);
	rng_fake_end();
	int_map_deinit(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_use_agrees_with_an_array),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
