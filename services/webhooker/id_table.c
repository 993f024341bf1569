/* Chained hashing, doubled when there are as many nodes as buckets. */
#include "services/webhooker/id_table.h"

#include "common/base/check.h"
#include "common/base/mem.h"

#define FIRST_BUCKETS 64

void id_table_init(struct id_table *table)
{
	*table = (struct id_table){.buckets = NULL};
}

void id_table_deinit(struct id_table *table)
{
	mem_free(table->buckets);
	id_table_init(table);
}

/* The finalizer of splitmix64. */
static size_t bucket_of(size_t n_buckets, int64_t a, int64_t b)
{
	uint64_t hash = (uint64_t)a * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)b;

	hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (size_t)(hash ^ (hash >> 31)) & (n_buckets - 1);
}

struct id_node *id_table_find(const struct id_table *table, int64_t a, int64_t b)
{
	if (table->n_buckets == 0)
		return NULL;
	struct id_node *node = table->buckets[bucket_of(table->n_buckets, a, b)];
	while (node != NULL && (node->a != a || node->b != b))
		node = node->next;
	return node;
}

static void put(struct id_node **buckets, size_t n_buckets, struct id_node *node)
{
	struct id_node **bucket = &buckets[bucket_of(n_buckets, node->a, node->b)];

	node->next = *bucket;
	*bucket = node;
}

static void grow(struct id_table *table)
{
	size_t n_buckets = table->n_buckets == 0 ? FIRST_BUCKETS : table->n_buckets * 2;
	struct id_node **buckets = mem_array(n_buckets, sizeof(*buckets));

	for (size_t i = 0; i < table->n_buckets; i++) {
		struct id_node *next;
		for (struct id_node *node = table->buckets[i]; node != NULL; node = next) {
			next = node->next;
			put(buckets, n_buckets, node);
		}
	}
	mem_free(table->buckets);
	table->buckets = buckets;
	table->n_buckets = n_buckets;
}

void id_table_insert(struct id_table *table, struct id_node *node)
{
	if (table->n_nodes >= table->n_buckets)
		grow(table);
	put(table->buckets, table->n_buckets, node);
	table->n_nodes++;
}

void id_table_remove(struct id_table *table, struct id_node *node)
{
	ASSERT(table->n_buckets > 0);
	struct id_node **at = &table->buckets[bucket_of(table->n_buckets, node->a, node->b)];
	while (*at != NULL && *at != node)
		at = &(*at)->next;
	ASSERT(*at == node);
	*at = node->next;
	node->next = NULL;
	table->n_nodes--;
}

static struct id_node *first_from(const struct id_table *table, size_t bucket)
{
	for (; bucket < table->n_buckets; bucket++) {
		if (table->buckets[bucket] != NULL)
			return table->buckets[bucket];
	}
	return NULL;
}

struct id_node *id_table_next(const struct id_table *table, const struct id_node *node)
{
	if (node == NULL)
		return first_from(table, 0);
	if (node->next != NULL)
		return node->next;
	return first_from(table, bucket_of(table->n_buckets, node->a, node->b) + 1);
}
