/* A binary heap whose nodes know their places. */
#include "services/webhooker/timer_heap.h"

#include "common/base/mem.h"

void timer_heap_init(struct timer_heap *heap)
{
	*heap = (struct timer_heap){.nodes = NULL};
}

void timer_heap_deinit(struct timer_heap *heap)
{
	mem_free(heap->nodes);
	timer_heap_init(heap);
}

static void place(struct timer_heap *heap, size_t at, struct timer_node *node)
{
	heap->nodes[at] = node;
	node->place = at;
}

static void sift_up(struct timer_heap *heap, struct timer_node *node)
{
	size_t at = node->place;

	while (at > 1 && heap->nodes[at / 2]->at_ms > node->at_ms) {
		place(heap, at, heap->nodes[at / 2]);
		at /= 2;
	}
	place(heap, at, node);
}

static void sift_down(struct timer_heap *heap, struct timer_node *node)
{
	size_t at = node->place;

	for (;;) {
		size_t child = at * 2;
		if (child > heap->n_nodes)
			break;
		if (child < heap->n_nodes &&
			heap->nodes[child + 1]->at_ms < heap->nodes[child]->at_ms)
			child++;
		if (heap->nodes[child]->at_ms >= node->at_ms)
			break;
		place(heap, at, heap->nodes[child]);
		at = child;
	}
	place(heap, at, node);
}

void timer_heap_set(struct timer_heap *heap, struct timer_node *node, int64_t at_ms)
{
	if (node->place == 0) {
		if (heap->n_nodes + 1 >= heap->cap) {
			heap->cap = heap->cap == 0 ? 64 : heap->cap * 2;
			heap->nodes = mem_realloc(heap->nodes, heap->cap * sizeof(*heap->nodes));
		}
		place(heap, ++heap->n_nodes, node);
	}
	node->at_ms = at_ms;
	sift_up(heap, node);
	sift_down(heap, node);
}

void timer_heap_remove(struct timer_heap *heap, struct timer_node *node)
{
	if (node->place == 0)
		return;
	struct timer_node *last = heap->nodes[heap->n_nodes--];
	if (last != node) {
		place(heap, node->place, last);
		sift_up(heap, last);
		sift_down(heap, last);
	}
	node->place = 0;
}

struct timer_node *timer_heap_first(const struct timer_heap *heap)
{
	return heap->n_nodes == 0 ? NULL : heap->nodes[1];
}
