/*
 * A hash table of things that are found by a text within a scope (a session): the nodes live inside
 * the things, the table owns nothing. Pure.
 */
#ifndef WA_GATEWAY_KEYED_H
#define WA_GATEWAY_KEYED_H

#include <stdint.h>

#include "common/base/strview.h"

struct keyed;

struct keyed_node {
	struct keyed_node *next; /* the table's */
	uint64_t hash;           /* the table's */
	int32_t scope;
	struct strview
		key; /* the thing's own bytes: must stay as they are while it is in the table */
};

struct keyed *keyed_new(void);
void keyed_free(struct keyed **table); /* forgets the nodes */
/* There must be none of the same scope and key. */
void keyed_insert(struct keyed *table, struct keyed_node *node, int32_t scope, struct strview key);
struct keyed_node *keyed_find(
	const struct keyed *table, int32_t scope, struct strview key); /* may be NULL */
void keyed_remove(struct keyed *table, struct keyed_node *node);       /* must be in it */
int keyed_count(const struct keyed *table);
/* Call fn for each node, in no order; fn may free it, after which the table must be freed too. */
void keyed_each(struct keyed *table, void (*fn)(void *ctx, struct keyed_node *node), void *ctx);

#endif
