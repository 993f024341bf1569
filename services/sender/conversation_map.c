/* Chained hashing; the chain runs through the conversations. */
#include "services/sender/conversation_map.h"

#include "common/base/check.h"
#include "common/base/mem.h"

void conversation_map_init(struct conversation_map *map)
{
	*map = (struct conversation_map){0};
}

void conversation_map_deinit(struct conversation_map *map)
{
	mem_free(map->chains);
	*map = (struct conversation_map){0};
}

static struct conversation **chain(
	const struct conversation_map *map, int32_t session_id, struct strview phone)
{
	uint64_t hash = (sv_hash(phone) ^ (uint64_t)(uint32_t)session_id) * 0x9e3779b97f4a7c15ULL;
	return &map->chains[(size_t)(hash >> 32) & (map->cap - 1)];
}

static struct conversation **chain_of(
	const struct conversation_map *map, const struct conversation *conversation)
{
	return chain(map, conversation->session_id, sv_from(conversation->phone));
}

struct conversation *conversation_map_find(
	const struct conversation_map *map, int32_t session_id, struct strview phone)
{
	if (map->cap == 0) {
		return NULL;
	}
	struct conversation *c = *chain(map, session_id, phone);
	while (c != NULL && (c->session_id != session_id || !sv_eq_cstr(phone, c->phone))) {
		c = c->next_in_map;
	}
	return c;
}

static void link_in(struct conversation_map *map, struct conversation *conversation)
{
	struct conversation **head = chain_of(map, conversation);
	conversation->next_in_map = *head;
	*head = conversation;
}

static void grow(struct conversation_map *map)
{
	struct conversation_map old = *map;
	map->cap = old.cap == 0 ? 1024 : 2 * old.cap;
	map->chains = mem_array(map->cap, sizeof(struct conversation *));
	for (size_t i = 0; i < old.cap; i++) {
		while (old.chains[i] != NULL) {
			struct conversation *c = old.chains[i];
			old.chains[i] = c->next_in_map;
			link_in(map, c);
		}
	}
	mem_free(old.chains);
}

void conversation_map_put(struct conversation_map *map, struct conversation *conversation)
{
	if (map->n >= map->cap) {
		grow(map);
	}
	link_in(map, conversation);
	map->n++;
}

void conversation_map_remove(struct conversation_map *map, struct conversation *conversation)
{
	struct conversation **link = chain_of(map, conversation);
	while (*link != conversation) {
		ASSERT(*link != NULL);
		link = &(*link)->next_in_map;
	}
	*link = conversation->next_in_map;
	map->n--;
}
