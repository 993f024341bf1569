/* The earliest is always at hand, whatever is set, moved and cleared. */
#include "tests/support/test.h"

#include "common/base/rng.h"
#include "common/base/timer_heap.h"

#define NODES 300

static void TEST(the_earliest_comes_first)
{
	struct timer_heap heap;
	struct timer_node a = {0};
	struct timer_node b = {0};
	timer_heap_init(&heap);
	assert_null(timer_heap_peek(&heap));
	timer_heap_set(&heap, &a, 20);
	timer_heap_set(&heap, &b, 10);
	assert_ptr_equal(timer_heap_peek(&heap), &b);
	timer_heap_set(&heap, &b, 30);
	assert_ptr_equal(timer_heap_peek(&heap), &a);
	timer_heap_clear(&heap, &a);
	timer_heap_clear(&heap, &a); /* once more is fine */
	assert_false(timer_node_is_set(&a));
	assert_ptr_equal(timer_heap_peek(&heap), &b);
	timer_heap_clear(&heap, &b);
	assert_null(timer_heap_peek(&heap));
	timer_heap_deinit(&heap);
}

static int64_t least(const struct timer_node *nodes)
{
	int64_t at_ms = INT64_MAX;
	for (int i = 0; i < NODES; i++) {
		if (timer_node_is_set(&nodes[i]) && nodes[i].at_ms < at_ms) {
			at_ms = nodes[i].at_ms;
		}
	}
	return at_ms;
}

static void TEST(random_moves_agree_with_a_search)
{
	struct timer_heap heap;
	struct timer_node nodes[NODES] = {{0}};
	timer_heap_init(&heap);
	rng_fake(1);
	for (int i = 0; i < 20000; i++) {
		struct timer_node *node = &nodes[rng_below(NODES)];
		if (rng_below(3) == 0) {
			timer_heap_clear(&heap, node);
		} else {
			timer_heap_set(&heap, node, (int64_t)rng_below(1000));
		}
		const struct timer_node *first = timer_heap_peek(&heap);
		assert_true((first != NULL ? first->at_ms : INT64_MAX) == least(nodes));
	}
	rng_fake_end();
	timer_heap_deinit(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_earliest_comes_first),
		cmocka_unit_test(random_moves_agree_with_a_search),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
