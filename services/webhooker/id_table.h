/* A hash table of nodes that lie inside their owners, found by a pair of numbers. It owns nothing
 * but its buckets. */
#ifndef WA_WEBHOOKER_ID_TABLE_H
#define WA_WEBHOOKER_ID_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct id_node {
	int64_t a;
	int64_t b;
	struct id_node *next; /* in its bucket */
};

struct id_table {
	struct id_node **buckets;
	size_t n_buckets; /* 0 or a power of two */
	size_t n_nodes;
};

void id_table_init(struct id_table *table);
void id_table_deinit(struct id_table *table); /* the nodes are left alone */
struct id_node *id_table_find(
	const struct id_table *table, int64_t a, int64_t b); /* NULL when absent */
/* node->a and ->b are set, and are not in the table yet. */
void id_table_insert(struct id_table *table, struct id_node *node);
void id_table_remove(struct id_table *table, struct id_node *node); /* it must be in there */
/* The first node after `node` in no particular order, NULL for the first of all; NULL at the end.
   The table must not change between calls, but for the removal of nodes that were given before. */
struct id_node *id_table_next(const struct id_table *table, const struct id_node *node);

#endif
