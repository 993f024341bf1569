#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "services/gateway/keyed.h"

struct thing {
	struct keyed_node node;
	char name[16];
};

static void TEST(a_thing_is_found_by_scope_and_key)
{
	struct keyed *table = keyed_new();
	struct thing a = {.name = "same"};
	struct thing b = {.name = "same"};
	keyed_insert(table, &a.node, 1, sv_from(a.name));
	keyed_insert(table, &b.node, 2, sv_from(b.name));
	assert_ptr_equal(keyed_find(table, 1, SV_LIT("same")), &a.node);
	assert_ptr_equal(keyed_find(table, 2, SV_LIT("same")), &b.node);
	assert_null(keyed_find(table, 3, SV_LIT("same")));
	assert_null(keyed_find(table, 1, SV_LIT("sam")));
	assert_int_equal(keyed_count(table), 2);
	keyed_remove(table, &a.node);
	assert_null(keyed_find(table, 1, SV_LIT("same")));
	assert_ptr_equal(keyed_find(table, 2, SV_LIT("same")), &b.node);
	keyed_free(&table);
	assert_null(table);
}

#define MANY 5000

static void count(void *ctx, struct keyed_node *node)
{
	(void)node;
	(*(int *)ctx)++;
}

static void TEST(many_things_survive_growth_and_removal)
{
	static struct thing things[MANY];
	struct keyed *table = keyed_new();
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(things[i].name, sizeof(things[i].name), "thing-%d", i);
		keyed_insert(table, &things[i].node, i % 3, sv_from(things[i].name));
	}
	for (int i = 0; i < MANY; i += 2)
		keyed_remove(table, &things[i].node);
	assert_int_equal(keyed_count(table), MANY / 2);
	for (int i = 0; i < MANY; i++) {
		struct keyed_node *node = keyed_find(table, i % 3, sv_from(things[i].name));
		assert_ptr_equal(node, i % 2 == 0 ? NULL : &things[i].node);
	}
	int n = 0;
	keyed_each(table, count, &n);
	assert_int_equal(n, MANY / 2);
	keyed_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thing_is_found_by_scope_and_key),
		cmocka_unit_test(many_things_survive_growth_and_removal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
