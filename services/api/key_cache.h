/*
 * API keys that were looked up a moment ago, by their SHA-256. A key is believed for
 * KEY_CACHE_TTL_MS at most after the question to Postgres was sent, so that a revoked one is
 * refused within 5 s everywhere; keys in use are asked for again before that, so that nobody waits
 * for it. What is unknown is remembered for a second. Bounded.
 */
#ifndef WA_API_KEY_CACHE_H
#define WA_API_KEY_CACHE_H

#include <stdint.h>

#include "services/api/api_call.h"

#define KEY_CACHE_TTL_MS         4000
#define KEY_CACHE_REFRESH_MS     2000
#define KEY_CACHE_UNKNOWN_TTL_MS 1000

struct key_cache;

enum key_lookup {
	KEY_GOOD,        /* call->caller is filled */
	KEY_UNKNOWN,     /* there is none, or it is expired or revoked */
	KEY_UNAVAILABLE, /* Postgres could not be asked */
};

typedef void (*key_found_fn)(struct api_call *call, enum key_lookup lookup);

struct key_cache *key_cache_new(struct api_store *store);
void key_cache_free(struct key_cache **cache);
/* fn comes at once when the cache knows, else later. */
void key_cache_look_up(struct key_cache *cache, const uint8_t hash[SHA256_SIZE],
	struct api_call *call, key_found_fn fn);
/* What is known of this tenant's keys (of one, or of all when key_id is NULL) has changed. */
void key_cache_forget(struct key_cache *cache, int32_t tenant_id, const char *key_id);

#endif
