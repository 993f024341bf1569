/* last_used_at of API keys. */
#include "services/api/key_use.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/strview.h"
#include "services/api/api_call.h"
#include "services/api/api_store_keys.h"

#define SLOTS         4096
#define MAX_PENDING   256
#define NOTE_EVERY_MS 60000
#define FLUSH_MS      1000

/* Two keys that meet in one slot are noted more often than they need to be; the statement refuses
 * what is too early. */
struct slot {
	char key_id[CALLER_KEY_ID_SIZE];
	int64_t noted_ms;
};

struct key_use {
	struct api_store *store;
	struct loop_timer *flush_timer;
	int n_pending;
	char pending[MAX_PENDING][CALLER_KEY_ID_SIZE];
	struct slot slots[SLOTS];
};

static void ignore(void *ctx, const struct pg_result *result)
{
	(void)ctx;
	(void)result;
}

static void on_flush(void *ctx)
{
	struct key_use *use = ctx;
	struct strview ids[MAX_PENDING];

	for (int i = 0; i < use->n_pending; i++)
		ids[i] = sv_from(use->pending[i]);
	store_keys_used(use->store, ids, use->n_pending, ignore, NULL);
	use->n_pending = 0;
}

struct key_use *key_use_new(struct loop *loop, struct api_store *store)
{
	struct key_use *use = mem_new(struct key_use);
	use->store = store;
	use->flush_timer = loop_timer_new(loop, "key_use", on_flush, use);
	return use;
}

void key_use_free(struct key_use **use)
{
	if (*use == NULL)
		return;
	loop_timer_free(&(*use)->flush_timer);
	mem_free(*use);
	*use = NULL;
}

void key_use_note(struct key_use *use, const char *key_id)
{
	int64_t now_ms = clock_mono_ms();
	struct slot *slot = &use->slots[sv_hash(sv_from(key_id)) % SLOTS];

	if (strcmp(slot->key_id, key_id) == 0 && now_ms - slot->noted_ms < NOTE_EVERY_MS)
		return;
	if (use->n_pending == MAX_PENDING)
		return;
	(void)snprintf(slot->key_id, sizeof(slot->key_id), "%s", key_id);
	slot->noted_ms = now_ms;
	(void)snprintf(use->pending[use->n_pending++], CALLER_KEY_ID_SIZE, "%s", key_id);
	if (!loop_timer_is_armed(use->flush_timer))
		loop_timer_arm(use->flush_timer, FLUSH_MS);
}
