#include "common/io/lease.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/io/lease_state.h"

#define TICK_DEADLINE_MS                                                                           \
	2000 /* leaves time for a second try on a new connection before leases run out */
#define TICK_RETRY_MS    100 /* after a tick that Postgres did not answer */
#define RELEASE_RETRY_MS 100

struct lease_set {
	struct loop *loop;
	struct pg_conn *conn; /* borrowed */
	char *kind;
	char *owner;
	int share_cap;
	struct lease_events events;
	void *ctx;
	struct lease_state state;
	struct pool *pool; /* parameters of the query that is being put together */
	struct loop_timer *tick_timer;
	struct loop_timer *expiry_timer;
	struct loop_turn *release_turn;
	int64_t tick_sent_ms;
	bool is_tick_out;
	int64_t last_good_ms; /* when the last tick that succeeded was sent; meaningful when
				 has_good */
	bool has_good;
	int *release_out; /* ids in the release that is under way */
	int n_release_out;
	bool is_leaving; /* lease_release_all() was called: the tick timer now tries that */
	int64_t leave_by_ms;
	loop_fn on_left;
	void *left_ctx;
	bool *is_freed; /* set by lease_set_free() for the caller of callbacks */
};

static const struct pg_stmt tick_stmt = {
	.name = "lease_tick",
	.sql = "SELECT ret_id, ret_epoch, ret_surplus FROM lease_tick($1::text, $2::text, "
	       "$3::int4, $4::int4) ORDER BY ret_id",
};

static const struct pg_stmt release_stmt = {
	.name = "lease_release",
	.sql = "SELECT lease_release($1::text, $2::text, $3::int4[])",
};

static const struct pg_stmt leave_stmt = {
	.name = "lease_leave",
	.sql = "SELECT lease_leave($1::text, $2::text)",
};

static struct pg_params *new_params(struct lease_set *set)
{
	pool_reset(set->pool);
	struct pg_params *params = pg_params_new(set->pool);
	pg_param_text(params, sv_from(set->kind));
	pg_param_text(params, sv_from(set->owner));
	return params;
}

static void arm_expiry(struct lease_set *set)
{
	int64_t next_ms = lease_state_next_expiry_ms(&set->state);
	int64_t now_ms = clock_mono_ms();
	if (next_ms == INT64_MAX)
		loop_timer_disarm(set->expiry_timer);
	else
		loop_timer_arm(set->expiry_timer, next_ms > now_ms ? next_ms - now_ms : 0);
}

/* Tell the changes, and free them. A callback may free the set. */
static void tell(struct lease_set *set, struct lease_changes *changes)
{
	bool is_freed = false;
	arm_expiry(set);
	set->is_freed = &is_freed;
	for (int i = 0; i < changes->n && !is_freed && !set->is_leaving; i++) {
		const struct lease_change *change = &changes->items[i];
		if (change->is_gain)
			set->events.on_gained(set->ctx, change->id, change->epoch);
		else
			set->events.on_lost(set->ctx, change->id, change->why);
	}
	if (!is_freed)
		set->is_freed = NULL;
	lease_changes_deinit(changes);
}

/* --- ticks --- */

static void take_rows(struct lease_set *set, const struct pg_result *result)
{
	int n = pg_rows(result);
	struct lease_changes changes = {.n = 0};
	struct lease_row *rows = mem_array((size_t)n, sizeof(*rows));
	for (int i = 0; i < n; i++) {
		rows[i].id = (int)pg_int(result, i, 0);
		rows[i].epoch = pg_int(result, i, 1);
		rows[i].is_surplus = pg_bool(result, i, 2);
	}
	lease_state_apply(&set->state, rows, n, set->tick_sent_ms + LEASE_TTL_MS - LEASE_MARGIN_MS,
		clock_mono_ms(), &changes);
	mem_free(rows);
	tell(set, &changes);
}

static void on_tick(void *ctx, const struct pg_result *result)
{
	struct lease_set *set = ctx;
	set->is_tick_out = false;
	if (set->is_leaving)
		return;
	if (pg_status(result) == PG_OK) {
		set->has_good = true;
		set->last_good_ms = set->tick_sent_ms;
		take_rows(set, result); /* may free the set */
		return;
	}
	if (pg_status(result) != PG_FAILED)
		loop_timer_arm(set->tick_timer, TICK_RETRY_MS);
}

static void send_tick(struct lease_set *set)
{
	loop_timer_arm(set->tick_timer, LEASE_TICK_MS);
	if (set->is_tick_out)
		return;
	struct pg_params *params = new_params(set);
	pg_param_int4(params, LEASE_TTL_MS);
	pg_param_int4(params, set->share_cap);
	set->is_tick_out = true;
	set->tick_sent_ms = clock_mono_ms();
	pg_conn_query(set->conn, &tick_stmt, params, TICK_DEADLINE_MS, on_tick, set);
}

static void on_expiry_timer(void *ctx)
{
	struct lease_set *set = ctx;
	struct lease_changes changes = {.n = 0};
	lease_state_expire(&set->state, clock_mono_ms(), &changes);
	tell(set, &changes);
}

/* --- giving back --- */

static void on_released(void *ctx, const struct pg_result *result)
{
	struct lease_set *set = ctx;
	if (pg_status(result) == PG_OK)
		lease_state_released(&set->state, set->release_out, set->n_release_out);
	set->n_release_out = 0;
	/* What failed goes out again with the next tick. */
	if (pg_status(result) == PG_OK && set->state.n_releasing > 0)
		loop_turn_request(set->release_turn);
}

static void send_release(struct lease_set *set)
{
	int n = set->state.n_releasing;
	if (n == 0 || set->n_release_out > 0 || set->is_leaving)
		return;
	set->release_out = mem_realloc(set->release_out, (size_t)n * sizeof(*set->release_out));
	struct pg_params *params = new_params(set);
	int64_t *ids = pool_array(set->pool, (size_t)n, sizeof(*ids));
	for (int i = 0; i < n; i++) {
		set->release_out[i] = set->state.releasing[i];
		ids[i] = set->state.releasing[i];
	}
	set->n_release_out = n;
	pg_param_int4_array(params, ids, n);
	pg_conn_query(set->conn, &release_stmt, params, TICK_DEADLINE_MS, on_released, set);
}

static void on_release_turn(void *ctx)
{
	send_release(ctx);
}

static void finish_leaving(struct lease_set *set)
{
	loop_timer_disarm(set->tick_timer);
	pg_conn_forget(set->conn, set);
	set->on_left(set->left_ctx); /* may free the set */
}

static void on_left(void *ctx, const struct pg_result *result)
{
	struct lease_set *set = ctx;
	if (pg_status(result) == PG_OK)
		finish_leaving(set);
	else
		loop_timer_arm(set->tick_timer, RELEASE_RETRY_MS);
}

static void send_leave(struct lease_set *set)
{
	int64_t left_ms = set->leave_by_ms - clock_mono_ms();
	if (left_ms <= 0) {
		finish_leaving(set);
		return;
	}
	/* Should the connection let this one hang, the timer ends it. */
	loop_timer_arm(set->tick_timer, left_ms);
	pg_conn_query(set->conn, &leave_stmt, new_params(set), left_ms, on_left, set);
}

static void on_tick_timer(void *ctx)
{
	struct lease_set *set = ctx;
	if (set->is_leaving) {
		send_leave(set);
		return;
	}
	send_release(set);
	send_tick(set);
}

/* --- the contract --- */

struct lease_set *lease_set_new(struct loop *loop, struct pg_conn *conn, const char *kind,
	const char *owner, int share_cap, const struct lease_events *events, void *ctx)
{
	struct lease_set *set = mem_new(struct lease_set);
	set->loop = loop;
	set->conn = conn;
	set->kind = mem_strdup(kind);
	set->owner = mem_strdup(owner);
	set->share_cap = share_cap;
	set->events = *events;
	set->ctx = ctx;
	set->pool = pool_new();
	set->tick_timer = loop_timer_new(loop, "lease_tick", on_tick_timer, set);
	set->expiry_timer = loop_timer_new(loop, "lease_expiry", on_expiry_timer, set);
	set->release_turn = loop_turn_new(loop, "lease_release", on_release_turn, set);
	loop_timer_arm(set->tick_timer, 0);
	return set;
}

void lease_set_free(struct lease_set **set)
{
	struct lease_set *old = *set;
	if (old == NULL)
		return;
	*set = NULL;
	if (old->is_freed != NULL)
		*old->is_freed = true;
	pg_conn_forget(old->conn, old);
	loop_timer_free(&old->tick_timer);
	loop_timer_free(&old->expiry_timer);
	loop_turn_free(&old->release_turn);
	lease_state_deinit(&old->state);
	pool_free(&old->pool);
	mem_free(old->release_out);
	mem_free(old->kind);
	mem_free(old->owner);
	mem_free(old);
}

bool lease_is_held(const struct lease_set *set, int id)
{
	return lease_state_find(&set->state, id, clock_mono_ms()) != NULL;
}

int64_t lease_epoch(const struct lease_set *set, int id)
{
	const struct lease_held *held = lease_state_find(&set->state, id, clock_mono_ms());
	return held != NULL ? held->epoch : 0;
}

int lease_count(const struct lease_set *set)
{
	int64_t now_ms = clock_mono_ms();
	int n = 0;
	for (int i = 0; i < set->state.n_held; i++)
		n += set->state.held[i].until_ms > now_ms;
	return n;
}

void lease_release(struct lease_set *set, int id)
{
	if (!lease_state_release(&set->state, id))
		return;
	arm_expiry(set);
	loop_turn_request(set->release_turn);
}

void lease_release_all(struct lease_set *set, int64_t deadline_ms, loop_fn fn, void *ctx)
{
	ASSERT(!set->is_leaving && deadline_ms > 0);
	set->is_leaving = true;
	set->leave_by_ms = clock_mono_ms() + deadline_ms;
	set->on_left = fn;
	set->left_ctx = ctx;
	lease_state_clear(&set->state);
	loop_timer_disarm(set->expiry_timer);
	loop_timer_arm(set->tick_timer, 0);
}

bool lease_set_is_healthy(const struct lease_set *set)
{
	return set->has_good && clock_mono_ms() - set->last_good_ms < LEASE_TTL_MS;
}
