/* id_table: against a plain list. */
#include "tests/support/test.h"

#include "common/base/rng.h"
#include "services/webhooker/id_table.h"

#define N 2000

static void TEST(finds_what_is_in_and_nothing_else)
{
	static struct id_node nodes[N];
	static bool is_in[N];
	struct id_table table;
	id_table_init(&table);
	assert_null(id_table_find(&table, 1, 1));
	rng_fake(3);
	for (int i = 0; i < N; i++)
		nodes[i] = (struct id_node){.a = i % 40, .b = i / 40};
	for (int round = 0; round < 20000; round++) {
		int i = (int)rng_below(N);
		if (is_in[i])
			id_table_remove(&table, &nodes[i]);
		else
			id_table_insert(&table, &nodes[i]);
		is_in[i] = !is_in[i];
		int j = (int)rng_below(N);
		assert_ptr_equal(
			id_table_find(&table, nodes[j].a, nodes[j].b), is_in[j] ? &nodes[j] : NULL);
	}
	size_t n_in = 0, n_seen = 0;
	for (int i = 0; i < N; i++)
		n_in += is_in[i];
	for (struct id_node *node = NULL; (node = id_table_next(&table, node)) != NULL;) {
		assert_true(is_in[node - nodes]);
		n_seen++;
	}
	assert_int_equal(n_seen, n_in);
	assert_int_equal(table.n_nodes, n_in);
	id_table_deinit(&table);
	rng_fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_is_in_and_nothing_else),
	};
	return cmocka_run_group_tests_name("id_table", tests, NULL, NULL);
}
