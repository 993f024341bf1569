/* Two maps, refreshed by one query. */
#include "services/sender/limits_cache.h"

#include "common/base/attr.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define REFRESH_MS      3000
#define RETRY_MS        500
#define UNUSED_MS       60000
#define MAX_ASKED       256 /* conversations of a session that wait for the limiters at once, */
#define MAX_ASKED_RATED 32  /* and of one whose own limit would refuse most of them */

struct limits_entry {
	int32_t id;
	bool is_asked; /* in the query that is under way */
	bool is_known; /* Postgres has answered at least once */
	bool is_there; /* as of its last answer */
	bool is_connected;
	bool is_awaited; /* of a session: its lane is closed until more is known */
	int64_t used_ms;
	struct pace_rate rates[2]; /* of a session: session, recipient; of a tenant: tenant */
};

struct limits_cache {
	struct sender_store *store;
	struct send_queue *queue;
	struct pace_settings settings;
	struct loop_timer *timer;
	loop_fn on_change;
	void *ctx;
	struct int_map sessions;
	struct int_map tenants;
	bool is_asking;
	bool has_failed;
};

static void ask(void *ctx);

struct limits_cache *limits_cache_new(struct loop *loop, struct sender_store *store,
	struct send_queue *queue, const struct pace_settings *settings, loop_fn on_change,
	void *ctx)
{
	struct limits_cache *cache = mem_new(struct limits_cache);
	cache->store = store;
	cache->queue = queue;
	cache->settings = *settings;
	cache->on_change = on_change;
	cache->ctx = ctx;
	int_map_init(&cache->sessions);
	int_map_init(&cache->tenants);
	cache->timer = loop_timer_new(loop, "limits_refresh", ask, cache);
	loop_timer_arm(cache->timer, REFRESH_MS);
	return cache;
}

static void free_entries(struct int_map *map)
{
	size_t place = 0;
	struct limits_entry *entry;
	while ((entry = int_map_next(map, &place)) != NULL) {
		mem_free(entry);
	}
	int_map_deinit(map);
}

void limits_cache_free(struct limits_cache **cache)
{
	if (*cache == NULL) {
		return;
	}
	loop_timer_free(&(*cache)->timer);
	free_entries(&(*cache)->sessions);
	free_entries(&(*cache)->tenants);
	mem_free(*cache);
	*cache = NULL;
}

/* Forget what nobody has asked for in a while. */
static void prune(struct int_map *map, int64_t now_ms)
{
	int32_t gone[64]; /* the rest next time */
	size_t n = 0;
	size_t place = 0;
	struct limits_entry *entry;
	while (n < array_len(gone) && (entry = int_map_next(map, &place)) != NULL) {
		if (now_ms - entry->used_ms > UNUSED_MS) {
			gone[n++] = entry->id;
		}
	}
	for (size_t i = 0; i < n; i++) {
		mem_free(int_map_find(map, gone[i]));
		int_map_remove(map, gone[i]);
	}
}

/* The ids of all entries, which from now on are asked for. */
static int64_t *take_ids(const struct int_map *map, int *ret_n)
{
	int64_t *ids = mem_array(map->n + 1, sizeof(*ids));
	size_t place = 0;
	struct limits_entry *entry;
	int n = 0;
	while ((entry = int_map_next(map, &place)) != NULL) {
		entry->is_asked = true;
		ids[n++] = entry->id;
	}
	*ret_n = n;
	return ids;
}

static void take_session(
	struct limits_cache *cache, struct limits_entry *entry, const struct store_limits *row)
{
	const struct pace_rate *rate = &entry->rates[0];
	pace_limits_of_session(&cache->settings, row, &entry->rates[0], &entry->rates[1]);
	int max_asked = MAX_ASKED;
	if (rate->interval_us > 0) {
		max_asked = rate->burst < MAX_ASKED_RATED ? (int)rate->burst : MAX_ASKED_RATED;
	}
	send_queue_set_lane(
		cache->queue, entry->id, row->is_alive, rate->interval_us / 1000, max_asked);
	if (row->is_connected && !entry->is_connected) {
		entry->is_awaited = true; /* now connected: no need to wait for a probe */
	}
	entry->is_connected = row->is_connected;
}

static void take_row(struct limits_cache *cache, const struct store_limits *row)
{
	struct limits_entry *entry =
		int_map_find(row->is_session ? &cache->sessions : &cache->tenants, row->id);
	if (entry == NULL) {
		return;
	}
	entry->is_there = true;
	if (row->is_session) {
		take_session(cache, entry, row);
	} else {
		pace_limits_of_tenant(&cache->settings, row, &entry->rates[0]);
	}
}

/* Before the rows are taken: what was asked for is known, and there only if a row says so. Returns
   whether some were not asked for. */
static bool begin_answer(const struct int_map *map, bool ok)
{
	size_t place = 0;
	struct limits_entry *entry;
	bool has_unasked = false;
	while ((entry = int_map_next(map, &place)) != NULL) {
		if (entry->is_asked && ok) {
			entry->is_known = true;
			entry->is_there = false;
		}
		has_unasked = has_unasked || !entry->is_asked;
		entry->is_asked = false;
	}
	return has_unasked;
}

static void open_awaited(struct limits_cache *cache)
{
	size_t place = 0;
	struct limits_entry *entry;
	while ((entry = int_map_next(&cache->sessions, &place)) != NULL) {
		if (entry->is_awaited) {
			entry->is_awaited = false;
			send_queue_open_lane(cache->queue, entry->id, clock_mono_ms());
		}
	}
}

static void on_rows(void *ctx, enum pg_status status, const struct err *err,
	const struct store_limits *rows, int n)
{
	struct limits_cache *cache = ctx;
	bool ok = status == PG_OK;
	bool more = begin_answer(&cache->sessions, ok);
	more = begin_answer(&cache->tenants, ok) || more;
	cache->is_asking = false;
	for (int i = 0; i < n; i++) {
		take_row(cache, &rows[i]);
	}
	if (!ok && !cache->has_failed) {
		log_warn("limits_read", log_text("status", pg_status_name(status)), log_err(err));
	}
	cache->has_failed = !ok;
	loop_timer_arm(cache->timer, !ok ? RETRY_MS : more ? 0 : REFRESH_MS);
	if (ok) {
		open_awaited(cache);
		cache->on_change(cache->ctx);
	}
}

static void ask(void *ctx)
{
	struct limits_cache *cache = ctx;
	int n_sessions;
	int n_tenants;
	if (cache->is_asking) {
		return;
	}
	prune(&cache->sessions, clock_mono_ms());
	prune(&cache->tenants, clock_mono_ms());
	if (cache->sessions.n == 0) {
		loop_timer_arm(cache->timer, REFRESH_MS);
		return;
	}
	int64_t *session_ids = take_ids(&cache->sessions, &n_sessions);
	int64_t *tenant_ids = take_ids(&cache->tenants, &n_tenants);
	cache->is_asking = true;
	sender_store_read_limits(
		cache->store, session_ids, n_sessions, tenant_ids, n_tenants, on_rows, cache);
	mem_free(session_ids);
	mem_free(tenant_ids);
}

static struct limits_entry *get(struct limits_cache *cache, struct int_map *map, int32_t id)
{
	struct limits_entry *entry = int_map_find(map, id);
	if (entry == NULL) {
		entry = mem_new(struct limits_entry);
		entry->id = id;
		int_map_put(map, id, entry);
		if (!cache->is_asking && !cache->has_failed) {
			loop_timer_arm(cache->timer, 0);
		}
	}
	entry->used_ms = clock_mono_ms();
	return entry;
}

enum limits_answer limits_cache_find(struct limits_cache *cache, int32_t session_id,
	int32_t tenant_id, struct pace_limits *ret_limits)
{
	struct limits_entry *session = get(cache, &cache->sessions, session_id);
	const struct limits_entry *tenant = get(cache, &cache->tenants, tenant_id);
	if (!session->is_known || !tenant->is_known) {
		session->is_awaited = true;
		return LIMITS_ASKED;
	}
	if (!session->is_there) {
		return LIMITS_NO_SESSION;
	}
	*ret_limits = (struct pace_limits){session->rates[0], session->rates[1],
		tenant->is_there ? tenant->rates[0] : (struct pace_rate){0, 0}};
	return LIMITS_KNOWN;
}
