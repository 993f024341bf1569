/* Chained hash table with nodes inside the things; grows by doubling. */
#include "services/gateway/keyed.h"

#include "common/base/check.h"
#include "common/base/mem.h"

#define FIRST_BUCKETS 64

struct keyed {
	struct keyed_node **buckets;
	size_t n_buckets; /* a power of two */
	int count;
};

static uint64_t hash_of(int32_t scope, struct strview key)
{
	uint64_t hash = sv_hash(key) ^ ((uint64_t)(uint32_t)scope * UINT64_C(0x9E3779B97F4A7C15));
	return hash ^ (hash >> 32);
}

static struct keyed_node **bucket_of(const struct keyed *table, uint64_t hash)
{
	return &table->buckets[hash & (table->n_buckets - 1)];
}

struct keyed *keyed_new(void)
{
	struct keyed *table = mem_new(struct keyed);
	table->n_buckets = FIRST_BUCKETS;
	table->buckets = mem_array(table->n_buckets, sizeof(*table->buckets));
	return table;
}

void keyed_free(struct keyed **table)
{
	if (*table == NULL)
		return;
	mem_free((*table)->buckets);
	mem_free(*table);
	*table = NULL;
}

static void grow(struct keyed *table)
{
	struct keyed_node **old = table->buckets;
	size_t n_old = table->n_buckets;
	table->n_buckets *= 2;
	table->buckets = mem_array(table->n_buckets, sizeof(*table->buckets));
	for (size_t i = 0; i < n_old; i++) {
		for (struct keyed_node *node = old[i], *next; node != NULL; node = next) {
			next = node->next;
			struct keyed_node **bucket = bucket_of(table, node->hash);
			node->next = *bucket;
			*bucket = node;
		}
	}
	mem_free(old);
}

struct keyed_node *keyed_find(const struct keyed *table, int32_t scope, struct strview key)
{
	uint64_t hash = hash_of(scope, key);
	for (struct keyed_node *node = *bucket_of(table, hash); node != NULL; node = node->next) {
		if (node->hash == hash && node->scope == scope && sv_eq(node->key, key))
			return node;
	}
	return NULL;
}

void keyed_insert(struct keyed *table, struct keyed_node *node, int32_t scope, struct strview key)
{
	ASSERT(keyed_find(table, scope, key) == NULL);
	if ((size_t)table->count >= table->n_buckets)
		grow(table);
	node->hash = hash_of(scope, key);
	node->scope = scope;
	node->key = key;
	struct keyed_node **bucket = bucket_of(table, node->hash);
	node->next = *bucket;
	*bucket = node;
	table->count++;
}

void keyed_remove(struct keyed *table, struct keyed_node *node)
{
	struct keyed_node **link = bucket_of(table, node->hash);
	while (*link != node) {
		ASSERT(*link != NULL);
		link = &(*link)->next;
	}
	*link = node->next;
	node->next = NULL;
	table->count--;
}

int keyed_count(const struct keyed *table)
{
	return table->count;
}

void keyed_each(struct keyed *table, void (*fn)(void *ctx, struct keyed_node *node), void *ctx)
{
	for (size_t i = 0; i < table->n_buckets; i++) {
		for (struct keyed_node *node = table->buckets[i], *next; node != NULL;
			node = next) {
			next = node->next;
			fn(ctx, node);
		}
	}
}
