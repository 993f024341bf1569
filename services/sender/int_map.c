/* Linear probing; what is removed is closed up, so that there are no tombstones. */
#include "services/sender/int_map.h"

#include "common/base/check.h"
#include "common/base/mem.h"

struct int_map_slot {
	void *value; /* NULL: free */
	int32_t key;
};

void int_map_init(struct int_map *map)
{
	*map = (struct int_map){0};
}

void int_map_deinit(struct int_map *map)
{
	mem_free(map->slots);
	*map = (struct int_map){0};
}

static size_t home(const struct int_map *map, int32_t key)
{
	uint64_t hash = (uint64_t)(uint32_t)key * 0x9e3779b97f4a7c15ULL;
	return (size_t)(hash >> 32) & (map->cap - 1);
}

/* Where key is, or the free place where it belongs. */
static size_t seek(const struct int_map *map, int32_t key)
{
	size_t at = home(map, key);
	while (map->slots[at].value != NULL && map->slots[at].key != key) {
		at = (at + 1) & (map->cap - 1);
	}
	return at;
}

void *int_map_find(const struct int_map *map, int32_t key)
{
	return map->cap > 0 ? map->slots[seek(map, key)].value : NULL;
}

static void grow(struct int_map *map)
{
	struct int_map old = *map;
	map->cap = old.cap == 0 ? 16 : 2 * old.cap;
	map->slots = mem_array(map->cap, sizeof(*map->slots));
	for (size_t i = 0; i < old.cap; i++) {
		if (old.slots[i].value != NULL) {
			map->slots[seek(map, old.slots[i].key)] = old.slots[i];
		}
	}
	mem_free(old.slots);
}

void int_map_put(struct int_map *map, int32_t key, void *value)
{
	ASSERT(key > 0 && value != NULL);
	if (2 * (map->n + 1) > map->cap) {
		grow(map);
	}
	size_t at = seek(map, key);
	ASSERT(map->slots[at].value == NULL);
	map->slots[at] = (struct int_map_slot){value, key};
	map->n++;
}

void int_map_remove(struct int_map *map, int32_t key)
{
	ASSERT(map->cap > 0);
	size_t mask = map->cap - 1;
	size_t hole = seek(map, key);
	ASSERT(map->slots[hole].value != NULL);
	for (size_t at = (hole + 1) & mask; map->slots[at].value != NULL; at = (at + 1) & mask) {
		/* What would no longer be found past the hole moves into it. */
		size_t from_home = (at - home(map, map->slots[at].key)) & mask;
		if (from_home >= ((at - hole) & mask)) {
			map->slots[hole] = map->slots[at];
			hole = at;
		}
	}
	map->slots[hole].value = NULL;
	map->n--;
}

void *int_map_next(const struct int_map *map, size_t *place)
{
	while (*place < map->cap) {
		void *value = map->slots[(*place)++].value;
		if (value != NULL) {
			return value;
		}
	}
	return NULL;
}
