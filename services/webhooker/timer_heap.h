/* Times at which something is due, the earliest first. The nodes lie inside their owners; the heap
 * owns nothing but its array. */
#ifndef WA_WEBHOOKER_TIMER_HEAP_H
#define WA_WEBHOOKER_TIMER_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer_node {
	int64_t at_ms;
	size_t place; /* from 1; 0: in no heap */
	int kind;     /* the owner's: what the node lies in */
};

struct timer_heap {
	struct timer_node **nodes; /* from 1 */
	size_t n_nodes;
	size_t cap;
};

void timer_heap_init(struct timer_heap *heap);
void timer_heap_deinit(struct timer_heap *heap);
void timer_heap_set(struct timer_heap *heap, struct timer_node *node,
	int64_t at_ms); /* puts it in, or moves it */
void timer_heap_remove(
	struct timer_heap *heap, struct timer_node *node); /* nothing when it is not in there */
struct timer_node *timer_heap_first(const struct timer_heap *heap); /* NULL when empty */

#endif
