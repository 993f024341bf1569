/* A binary heap with each node's place noted in the node, so that any can be moved or taken out in
   O(log n). */
#include "common/base/timer_heap.h"

#include "common/base/check.h"
#include "common/base/mem.h"

void timer_heap_init(struct timer_heap *heap)
{
	*heap = (struct timer_heap){0};
}

void timer_heap_deinit(struct timer_heap *heap)
{
	mem_free(heap->nodes);
	*heap = (struct timer_heap){0};
}

static void put(struct timer_heap *heap, size_t place, struct timer_node *node)
{
	heap->nodes[place] = node;
	node->place = place;
}

static void sift_up(struct timer_heap *heap, struct timer_node *node)
{
	size_t place = node->place;
	while (place > 1 && heap->nodes[place / 2]->at_ms > node->at_ms) {
		put(heap, place, heap->nodes[place / 2]);
		place /= 2;
	}
	put(heap, place, node);
}

static void sift_down(struct timer_heap *heap, struct timer_node *node)
{
	size_t place = node->place;
	for (;;) {
		size_t child = 2 * place;
		if (child < heap->n && heap->nodes[child + 1]->at_ms < heap->nodes[child]->at_ms) {
			child++;
		}
		if (child > heap->n || heap->nodes[child]->at_ms >= node->at_ms) {
			break;
		}
		put(heap, place, heap->nodes[child]);
		place = child;
	}
	put(heap, place, node);
}

static void append(struct timer_heap *heap, struct timer_node *node)
{
	if (heap->n + 1 >= heap->cap) {
		heap->cap = heap->cap == 0 ? 64 : 2 * heap->cap;
		heap->nodes = mem_realloc(heap->nodes, heap->cap * sizeof(struct timer_node *));
	}
	heap->n++;
	put(heap, heap->n, node);
}

void timer_heap_set(struct timer_heap *heap, struct timer_node *node, int64_t at_ms)
{
	node->at_ms = at_ms;
	if (node->place == 0) {
		append(heap, node);
	}
	sift_up(heap, node);
	sift_down(heap, node);
}

void timer_heap_clear(struct timer_heap *heap, struct timer_node *node)
{
	if (node->place == 0) {
		return;
	}
	ASSERT(node->place <= heap->n && heap->nodes[node->place] == node);
	struct timer_node *last = heap->nodes[heap->n--];
	size_t place = node->place;
	node->place = 0;
	if (last != node) {
		put(heap, place, last);
		sift_up(heap, last);
		sift_down(heap, last);
	}
}

bool timer_node_is_set(const struct timer_node *node)
{
	return node->place != 0;
}

struct timer_node *timer_heap_peek(const struct timer_heap *heap)
{
	return heap->n > 0 ? heap->nodes[1] : NULL;
}
