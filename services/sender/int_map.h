/* Positive numbers (ids) to pointers: open addressing. Pure. */
#ifndef WA_SENDER_INT_MAP_H
#define WA_SENDER_INT_MAP_H

#include <stddef.h>
#include <stdint.h>

struct int_map {
	struct int_map_slot *slots;
	size_t n;
	size_t cap; /* a power of two, or 0 */
};

void int_map_init(struct int_map *map);
void int_map_deinit(struct int_map *map);                   /* values are the caller's */
void *int_map_find(const struct int_map *map, int32_t key); /* NULL when absent */
void int_map_put(
	struct int_map *map, int32_t key, void *value); /* key > 0 must be absent, value not NULL */
void int_map_remove(struct int_map *map, int32_t key);  /* must be there */
/* Walk: *place from 0, gives each value once and NULL at the end. The map must not change
   meanwhile. */
void *int_map_next(const struct int_map *map, size_t *place);

#endif
