/* A set-associative table of keys, each with those who wait for Postgres's word on it. */
#include "services/api/key_cache.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "services/api/api_store_keys.h"

#define SETS 1024
#define WAYS 8

enum entry_state { ENTRY_EMPTY, ENTRY_GOOD, ENTRY_UNKNOWN };

struct waiter {
	struct api_call *call;
	key_found_fn fn;
	struct waiter *next;
};

struct entry {
	struct key_cache *cache;
	uint8_t hash[SHA256_SIZE];
	enum entry_state state;
	bool asking;      /* a query is in flight: the entry must stay */
	bool changed;     /* … and what it will say may be out of date */
	int64_t as_of_ms; /* monotonic: when the question behind `state` was sent */
	int64_t asked_ms;
	int64_t key_expires_at; /* wall ms */
	struct caller caller;
	struct waiter *waiters; /* they lie in their calls' pools */
};

struct key_cache {
	struct api_store *store;
	struct entry entries[SETS][WAYS];
};

struct key_cache *key_cache_new(struct api_store *store)
{
	struct key_cache *cache = mem_new(struct key_cache);
	cache->store = store;
	return cache;
}

void key_cache_free(struct key_cache **cache)
{
	mem_free(*cache);
	*cache = NULL;
}

static struct entry *set_of(struct key_cache *cache, const uint8_t hash[SHA256_SIZE])
{
	return cache->entries[(hash[0] | hash[1] << 8) % SETS];
}

static struct entry *entry_find(struct key_cache *cache, const uint8_t hash[SHA256_SIZE])
{
	struct entry *set = set_of(cache, hash);
	for (int i = 0; i < WAYS; i++) {
		if ((set[i].state != ENTRY_EMPTY || set[i].asking) &&
			memcmp(set[i].hash, hash, SHA256_SIZE) == 0)
			return &set[i];
	}
	return NULL;
}

/* A place for another key: an empty one, else any that nobody waits for. NULL when all are being
 * asked for. */
static struct entry *entry_take(struct key_cache *cache, const uint8_t hash[SHA256_SIZE])
{
	struct entry *set = set_of(cache, hash);
	struct entry *free_entry = NULL;
	uint64_t start = rng_below(WAYS);

	for (uint64_t i = 0; i < WAYS; i++) {
		struct entry *entry = &set[(start + i) % WAYS];
		if (entry->asking)
			continue;
		if (free_entry == NULL || entry->state == ENTRY_EMPTY)
			free_entry = entry;
	}
	if (free_entry == NULL)
		return NULL;
	*free_entry = (struct entry){.cache = cache};
	memcpy(free_entry->hash, hash, SHA256_SIZE);
	return free_entry;
}

static void entry_answer(const struct entry *entry, struct api_call *call, key_found_fn fn)
{
	if (entry->state != ENTRY_GOOD || entry->key_expires_at <= clock_wall_ms()) {
		fn(call, KEY_UNKNOWN);
		return;
	}
	call->caller = entry->caller;
	fn(call, KEY_GOOD);
}

static void entry_serve(struct entry *entry, bool known)
{
	struct waiter *waiter = entry->waiters;
	entry->waiters = NULL;
	while (waiter != NULL) {
		struct waiter *next = waiter->next; /* gone with its call */
		if (known)
			entry_answer(entry, waiter->call, waiter->fn);
		else
			waiter->fn(waiter->call, KEY_UNAVAILABLE);
		waiter = next;
	}
}

static void on_key_row(void *ctx, const struct pg_result *result)
{
	struct entry *entry = ctx;
	bool known = pg_status(result) == PG_OK;

	if (known) {
		bool found = store_key_row(result, &entry->caller, &entry->key_expires_at);
		entry->state = found ? ENTRY_GOOD : ENTRY_UNKNOWN;
		entry->as_of_ms = entry->changed ? INT64_MIN / 2 : entry->asked_ms;
	}
	entry->changed = false;
	/* Still asking while its waiters are served, so that none of them can take its place. */
	entry_serve(entry, known);
	entry->asking = false;
}

static void entry_ask(struct entry *entry, int64_t now_ms)
{
	entry->asking = true;
	entry->asked_ms = now_ms;
	store_key_find(entry->cache->store, entry->hash, on_key_row, entry);
}

static bool entry_is_fresh(const struct entry *entry, int64_t now_ms)
{
	int64_t age_ms = now_ms - entry->as_of_ms;
	if (entry->state == ENTRY_GOOD)
		return age_ms < KEY_CACHE_TTL_MS;
	return entry->state == ENTRY_UNKNOWN && age_ms < KEY_CACHE_UNKNOWN_TTL_MS;
}

void key_cache_look_up(struct key_cache *cache, const uint8_t hash[SHA256_SIZE],
	struct api_call *call, key_found_fn fn)
{
	int64_t now_ms = clock_mono_ms();
	struct entry *entry = entry_find(cache, hash);

	if (entry != NULL && entry_is_fresh(entry, now_ms)) {
		if (!entry->asking && entry->state == ENTRY_GOOD &&
			now_ms - entry->as_of_ms > KEY_CACHE_REFRESH_MS)
			entry_ask(entry, now_ms);
		entry_answer(entry, call, fn);
		return;
	}
	if (entry == NULL)
		entry = entry_take(cache, hash);
	if (entry == NULL) {
		fn(call, KEY_UNAVAILABLE);
		return;
	}
	struct waiter *waiter = pool_new_in(call->pool, struct waiter);
	*waiter = (struct waiter){call, fn, entry->waiters};
	entry->waiters = waiter;
	if (!entry->asking)
		entry_ask(entry, now_ms);
}

static void entry_forget(struct entry *entry, int32_t tenant_id, const char *key_id)
{
	/* While the first question is in flight nothing tells whose key it is. */
	if (entry->state == ENTRY_EMPTY) {
		entry->changed = entry->asking;
		return;
	}
	if (entry->state != ENTRY_GOOD || entry->caller.tenant_id != tenant_id)
		return;
	if (key_id != NULL && strcmp(entry->caller.key_id, key_id) != 0)
		return;
	entry->as_of_ms = INT64_MIN / 2;
	entry->changed = entry->asking;
}

void key_cache_forget(struct key_cache *cache, int32_t tenant_id, const char *key_id)
{
	for (int set = 0; set < SETS; set++) {
		for (int way = 0; way < WAYS; way++)
			entry_forget(&cache->entries[set][way], tenant_id, key_id);
	}
}
