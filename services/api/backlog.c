/* A bounded table of tenants' backlogs. */
#include "services/api/backlog.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/api/api_store_accept.h"

#define SLOTS         4096 /* a tenant has one of two; with both taken it takes the staler one */
#define NEAR_EVERY_MS 1000
#define FAR_EVERY_MS  5000
#define FAR_PART      4   /* below a quarter of the cap is far from it */
#define FAR_DUTY      500 /* far from it, counting may take one part in so many of the time */

struct slot {
	struct backlog *backlog;
	int32_t tenant_id; /* 0: empty */
	bool counting;     /* a query is in flight: the slot must stay */
	int64_t counted;
	int64_t accepted_before; /* since the last count was asked for, as of asking for this one */
	int64_t accepted;        /* since this count was asked for */
	int64_t cap;             /* that the last count was bounded by */
	int64_t counted_ms;      /* monotonic, when asked for; 0: never */
	int64_t took_ms;         /* the last count: as long as there are rows to count */
};

struct backlog {
	struct api_store *store;
	int64_t default_cap;
	struct slot slots[SLOTS];
};

struct backlog *backlog_new(struct api_store *store, int64_t default_cap)
{
	struct backlog *backlog = mem_new(struct backlog);
	backlog->store = store;
	backlog->default_cap = default_cap;
	return backlog;
}

void backlog_free(struct backlog **backlog)
{
	mem_free(*backlog);
	*backlog = NULL;
}

/* NULL when the tenant has no place at the moment; it then goes unbounded until others are idle. */
static struct slot *slot_get(struct backlog *backlog, int32_t tenant_id)
{
	uint32_t hash = (uint32_t)tenant_id * 2654435761u;
	struct slot *a = &backlog->slots[hash % SLOTS];
	struct slot *b = &backlog->slots[(hash / SLOTS) % SLOTS];

	if (a->tenant_id == tenant_id)
		return a;
	if (b->tenant_id == tenant_id)
		return b;
	struct slot *taken = a->counting || (!b->counting && b->counted_ms < a->counted_ms) ? b : a;
	if (taken->counting)
		return NULL;
	*taken = (struct slot){.backlog = backlog, .tenant_id = tenant_id};
	return taken;
}

static int64_t slot_open(const struct slot *slot)
{
	return slot->counted + slot->accepted_before + slot->accepted;
}

static void on_count(void *ctx, const struct pg_result *result)
{
	struct slot *slot = ctx;
	if (pg_status(result) == PG_OK) {
		slot->counted = pg_int(result, 0, 0);
		slot->accepted_before = 0;
	}
	slot->counting = false;
	slot->took_ms = clock_mono_ms() - slot->counted_ms;
}

static void slot_count(struct slot *slot, int64_t cap, int64_t now_ms)
{
	slot->counting = true;
	slot->counted_ms = now_ms;
	slot->cap = cap;
	slot->accepted_before += slot->accepted;
	slot->accepted = 0;
	store_open_count(slot->backlog->store, slot->tenant_id, cap + 1, on_count, slot);
}

static int64_t slot_every_ms(const struct slot *slot, int64_t cap)
{
	if (slot_open(slot) >= cap / FAR_PART)
		return NEAR_EVERY_MS;
	return slot->took_ms * FAR_DUTY > FAR_EVERY_MS ? slot->took_ms * FAR_DUTY : FAR_EVERY_MS;
}

bool backlog_admits(struct backlog *backlog, int32_t tenant_id, int64_t cap)
{
	struct slot *slot = slot_get(backlog, tenant_id);
	int64_t now_ms = clock_mono_ms();

	if (slot == NULL)
		return true;
	if (cap < 0)
		cap = backlog->default_cap;
	int64_t every_ms = slot_every_ms(slot, cap);
	bool is_due = slot->counted_ms == 0 || now_ms - slot->counted_ms >= every_ms ||
		      slot->cap < cap; /* the count was bounded by a smaller cap */
	if (is_due && !slot->counting)
		slot_count(slot, cap, now_ms);
	return slot_open(slot) < cap;
}

void backlog_note(struct backlog *backlog, int32_t tenant_id)
{
	struct slot *slot = slot_get(backlog, tenant_id);
	if (slot != NULL)
		slot->accepted++;
}
