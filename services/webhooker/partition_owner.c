/* Leases, and what follows from them. */
#include "services/webhooker/partition_owner.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

struct owned {
	enum partition_state state;
	int64_t close_by_ms; /* CLOSING */
};

struct partition_owner {
	struct partition_owner_options options;
	struct lease_set *leases;
	struct owned owned[EVENT_PARTITIONS];
	struct loop_timer *close_timer;
	bool is_leaving;
};

static bool may_move(enum partition_state from, enum partition_state to)
{
	switch (from) {
	case PARTITION_FREE:
		return to == PARTITION_LOADING;
	case PARTITION_LOADING:
		return to == PARTITION_OPEN || to == PARTITION_CLOSING || to == PARTITION_FREE;
	case PARTITION_OPEN:
		return to == PARTITION_CLOSING || to == PARTITION_FREE;
	case PARTITION_CLOSING:
		return to == PARTITION_FREE;
	}
	WRONG("a partition in no state");
}

static void partition_set_state(
	struct partition_owner *owner, int partition, enum partition_state state)
{
	ASSERT(may_move(owner->owned[partition].state, state));
	owner->owned[partition].state = state;
}

static void drop(struct partition_owner *owner, int partition)
{
	if (owner->owned[partition].state == PARTITION_FREE)
		return;
	partition_set_state(owner, partition, PARTITION_FREE);
	owner->options.on_dropped(owner->options.ctx, partition);
}

static void on_gained(void *ctx, int id, int64_t epoch)
{
	struct partition_owner *owner = ctx;

	if (id < 0 || id >= EVENT_PARTITIONS || owner->is_leaving)
		return;
	log_info("partition_gained", log_int("partition", id), log_int("epoch", epoch));
	drop(owner, id);
	partition_set_state(owner, id, PARTITION_LOADING);
	owner->options.on_gained(owner->options.ctx, id);
}

static void wind_down(struct partition_owner *owner, int partition)
{
	struct owned *owned = &owner->owned[partition];

	if (owned->state != PARTITION_LOADING && owned->state != PARTITION_OPEN)
		return;
	partition_set_state(owner, partition, PARTITION_CLOSING);
	owned->close_by_ms = clock_mono_ms() + owner->options.close_timeout_ms;
	if (!loop_timer_is_armed(owner->close_timer))
		loop_timer_arm(owner->close_timer, owner->options.close_timeout_ms);
	owner->options.on_closing(owner->options.ctx, partition);
}

static const char *loss_name(enum lease_loss why)
{
	switch (why) {
	case LEASE_EXPIRED:
		return "expired";
	case LEASE_SURPLUS:
		return "surplus";
	case LEASE_DELETED:
		return "deleted";
	}
	WRONG("a lease lost for no reason");
}

static void on_lost(void *ctx, int id, enum lease_loss why)
{
	struct partition_owner *owner = ctx;

	if (id < 0 || id >= EVENT_PARTITIONS || owner->is_leaving)
		return;
	log_info("partition_lost", log_int("partition", id), log_text("why", loss_name(why)));
	if (why == LEASE_SURPLUS)
		wind_down(owner, id);
	else
		drop(owner, id);
}

static void on_close_timer(void *ctx)
{
	struct partition_owner *owner = ctx;
	int64_t now_ms = clock_mono_ms();
	int64_t next_ms = -1;

	for (int p = 0; p < EVENT_PARTITIONS; p++) {
		if (owner->owned[p].state != PARTITION_CLOSING)
			continue;
		int64_t left_ms = owner->owned[p].close_by_ms - now_ms;
		if (left_ms <= 0)
			partition_owner_closed(owner, p);
		else if (next_ms < 0 || left_ms < next_ms)
			next_ms = left_ms;
	}
	if (next_ms >= 0)
		loop_timer_arm(owner->close_timer, next_ms);
}

enum partition_state partition_owner_state(const struct partition_owner *owner, int partition)
{
	return owner->owned[partition].state;
}

void partition_owner_loaded(struct partition_owner *owner, int partition)
{
	if (owner->owned[partition].state != PARTITION_LOADING)
		return;
	partition_set_state(owner, partition, PARTITION_OPEN);
	owner->options.on_open(owner->options.ctx, partition);
}

void partition_owner_closed(struct partition_owner *owner, int partition)
{
	if (owner->owned[partition].state != PARTITION_CLOSING)
		return;
	drop(owner, partition);
	lease_release(owner->leases, partition);
}

bool partition_owner_holds(const struct partition_owner *owner, int partition)
{
	return lease_is_held(owner->leases, partition);
}

int64_t partition_owner_epoch(const struct partition_owner *owner, int partition)
{
	return lease_epoch(owner->leases, partition);
}

int partition_owner_list(
	const struct partition_owner *owner, int64_t ret_partitions[EVENT_PARTITIONS])
{
	int n = 0;

	for (int p = 0; p < EVENT_PARTITIONS; p++) {
		if (owner->owned[p].state != PARTITION_FREE)
			ret_partitions[n++] = p;
	}
	return n;
}

bool partition_owner_is_healthy(const struct partition_owner *owner)
{
	return lease_set_is_healthy(owner->leases);
}

void partition_owner_leave(
	struct partition_owner *owner, int64_t deadline_ms, loop_fn fn, void *ctx)
{
	owner->is_leaving = true;
	lease_release_all(owner->leases, deadline_ms, fn, ctx);
}

struct partition_owner *partition_owner_new(const struct partition_owner_options *options)
{
	static const struct lease_events events = {.on_gained = on_gained, .on_lost = on_lost};
	struct partition_owner *owner = mem_new(struct partition_owner);

	owner->options = *options;
	owner->close_timer =
		loop_timer_new(options->loop, "partition_close", on_close_timer, owner);
	owner->leases = lease_set_new(
		options->loop, options->conn, "events", options->owner, 0, &events, owner);
	return owner;
}

void partition_owner_free(struct partition_owner **owner)
{
	if (*owner == NULL)
		return;
	lease_set_free(&(*owner)->leases);
	loop_timer_free(&(*owner)->close_timer);
	mem_free(*owner);
	*owner = NULL;
}
