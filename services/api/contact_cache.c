/* A set-associative table without any order of age: a set's victim goes round. */
#include "services/api/contact_cache.h"

#include <stdio.h>

#include "common/base/mem.h"

#define SETS 16384
#define WAYS 4

struct slot {
	int32_t tenant_id; /* 0: empty */
	int32_t contact_id;
	char phone[PHONE_SIZE];
};

struct contact_cache {
	struct slot slots[SETS][WAYS];
	uint8_t victim[SETS];
};

struct contact_cache *contact_cache_new(void)
{
	return mem_new(struct contact_cache);
}

void contact_cache_free(struct contact_cache **cache)
{
	mem_free(*cache);
	*cache = NULL;
}

static uint32_t set_of(int32_t tenant_id, int32_t contact_id)
{
	/* Contacts' ids of one tenant are mostly in a row: multiplying spreads tenants, not them.
	 */
	return ((uint32_t)tenant_id * 2654435761u + (uint32_t)contact_id) % SETS;
}

static bool slot_is(const struct slot *slot, int32_t tenant_id, int32_t contact_id)
{
	return slot->contact_id == contact_id && slot->tenant_id == tenant_id;
}

bool contact_cache_find(const struct contact_cache *cache, int32_t tenant_id, int32_t contact_id,
	char ret_phone[PHONE_SIZE])
{
	const struct slot *set = cache->slots[set_of(tenant_id, contact_id)];
	for (int i = 0; i < WAYS; i++) {
		if (slot_is(&set[i], tenant_id, contact_id)) {
			(void)snprintf(ret_phone, PHONE_SIZE, "%s", set[i].phone);
			return true;
		}
	}
	return false;
}

void contact_cache_put(
	struct contact_cache *cache, int32_t tenant_id, int32_t contact_id, const char *phone)
{
	uint32_t index = set_of(tenant_id, contact_id);
	struct slot *set = cache->slots[index];
	struct slot *slot = NULL;

	for (int i = 0; i < WAYS && slot == NULL; i++) {
		if (slot_is(&set[i], tenant_id, contact_id) || set[i].tenant_id == 0)
			slot = &set[i];
	}
	if (slot == NULL) {
		slot = &set[cache->victim[index]];
		cache->victim[index] = (uint8_t)((cache->victim[index] + 1) % WAYS);
	}
	slot->tenant_id = tenant_id;
	slot->contact_id = contact_id;
	(void)snprintf(slot->phone, sizeof(slot->phone), "%s", phone);
}

void contact_cache_drop(struct contact_cache *cache, int32_t tenant_id, int32_t contact_id)
{
	struct slot *set = cache->slots[set_of(tenant_id, contact_id)];
	for (int i = 0; i < WAYS; i++) {
		if (slot_is(&set[i], tenant_id, contact_id))
			set[i] = (struct slot){0};
	}
}
