/*
 * The number that a tenant's contact is written to, as of when it was last resolved. What is in
 * here may be out of date: the statement that accepts a message checks it again. Bounded; pure.
 */
#ifndef WA_API_CONTACT_CACHE_H
#define WA_API_CONTACT_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/model/phone.h"

struct contact_cache;

struct contact_cache *contact_cache_new(void);
void contact_cache_free(struct contact_cache **cache);
bool contact_cache_find(const struct contact_cache *cache, int32_t tenant_id, int32_t contact_id,
	char ret_phone[PHONE_SIZE]);
/* May push another one out. */
void contact_cache_put(
	struct contact_cache *cache, int32_t tenant_id, int32_t contact_id, const char *phone);
void contact_cache_drop(struct contact_cache *cache, int32_t tenant_id, int32_t contact_id);

#endif
