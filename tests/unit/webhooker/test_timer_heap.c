/* timer_heap: the earliest first, whatever is moved and removed. */
#include "tests/support/test.h"

#include "common/base/rng.h"
#include "services/webhooker/timer_heap.h"

#define N 300

static void TEST(the_first_is_the_earliest)
{
	static struct timer_node nodes[N];
	struct timer_heap heap;
	timer_heap_init(&heap);
	assert_null(timer_heap_first(&heap));
	rng_fake(4);
	for (int round = 0; round < 20000; round++) {
		struct timer_node *node = &nodes[rng_below(N)];
		if (rng_below(3) == 0)
			timer_heap_remove(&heap, node);
		else
			timer_heap_set(&heap, node, (int64_t)rng_below(1000));
		int64_t earliest = INT64_MAX;
		size_t n_in = 0;
		for (int i = 0; i < N; i++) {
			if (nodes[i].place == 0)
				continue;
			n_in++;
			if (nodes[i].at_ms < earliest)
				earliest = nodes[i].at_ms;
		}
		assert_int_equal(heap.n_nodes, n_in);
		if (n_in > 0)
			assert_int_equal(timer_heap_first(&heap)->at_ms, earliest);
		else
			assert_null(timer_heap_first(&heap));
	}
	timer_heap_deinit(&heap);
	rng_fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_is_the_earliest),
	};
	return cmocka_run_group_tests_name("timer_heap", tests, NULL, NULL);
}
