/* Many points in time, the earliest at hand: a binary heap of nodes that lie inside what they
   belong to. Pure. */
#ifndef WA_BASE_TIMER_HEAP_H
#define WA_BASE_TIMER_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer_node {
	int64_t at_ms;
	size_t place; /* in the heap, counted from 1; 0: not in it */
	int kind;     /* the owner's: what the node lies in */
};

struct timer_heap {
	struct timer_node **nodes; /* nodes[0] is not used */
	size_t n;
	size_t cap;
};

void timer_heap_init(struct timer_heap *heap);
void timer_heap_deinit(struct timer_heap *heap); /* nodes are left as they are */
/* Set or move a node. It must stay where it is in memory until it fires or is cleared. */
void timer_heap_set(struct timer_heap *heap, struct timer_node *node, int64_t at_ms);
void timer_heap_clear(
	struct timer_heap *heap, struct timer_node *node); /* one that is not set is fine */
bool timer_node_is_set(const struct timer_node *node);
struct timer_node *timer_heap_peek(
	const struct timer_heap *heap); /* the earliest; NULL when empty */

#endif
