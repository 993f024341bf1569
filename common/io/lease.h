/*
 * Leases of one kind ("partition", "events", "session"), held in Postgres on Postgres's clock with
 * epochs: see docs/architecture.md. Calls lease_tick() of deploy/sql every 500 ms on a connection
 * of the caller's. While Postgres is away, leases run out by this process's own monotonic clock,
 * LEASE_MARGIN_MS before Postgres would give them to another.
 *
 * Callbacks come from the loop; any of them may call any function of the set, lease_set_free() too.
 */
#ifndef WA_IO_LEASE_H
#define WA_IO_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/io/loop.h"
#include "common/io/pg_conn.h"

#define LEASE_TTL_MS    3000
#define LEASE_TICK_MS   500
#define LEASE_MARGIN_MS 500

struct lease_set;

enum lease_loss {
	LEASE_EXPIRED, /* ran out */
	LEASE_SURPLUS, /* to be given back to another member */
	LEASE_DELETED, /* its row is gone */
};

struct lease_events {
	/* The epoch is new, unless the lease ran out by our clock and Postgres had not given it to
	   another: then it may be the one that was lost. */
	void (*on_gained)(void *ctx, int id, int64_t epoch);
	/* After EXPIRED and DELETED the owner must drop all work of it at once. For SURPLUS the
	   owner winds down what is in flight and then calls lease_release(); until then it still
	   owns it. */
	void (*on_lost)(void *ctx, int id, enum lease_loss why);
};

/* conn is borrowed and must outlive the set; best one of its own: a tick that waits
 * for 2 s drops the connection. owner: this process's name and a random part, new at
 * every start. share_cap: most that one member holds; 0 = no cap. */
struct lease_set *lease_set_new(struct loop *loop, struct pg_conn *conn, const char *kind,
	const char *owner, int share_cap, const struct lease_events *events, void *ctx);
void lease_set_free(struct lease_set **set); /* does not release */
/* Do I own it now, by my own clock? */
bool lease_is_held(const struct lease_set *set, int id);
int64_t lease_epoch(const struct lease_set *set, int id); /* 0 when not held */
int lease_count(const struct lease_set *set);
/* Not held from now on; given back at the end of the turn, and again until Postgres confirms it.
 * Nothing when it is not held. */
void lease_release(struct lease_set *set, int id);
/* Give everything back at shutdown, and leave the members, so that the others share at once.
   Nothing is held from now on, and nothing more is told but fn: when Postgres has taken it or the
   deadline passed. Once only. */
void lease_release_all(struct lease_set *set, int64_t deadline_ms, loop_fn fn, void *ctx);
/* The last tick succeeded less than LEASE_TTL_MS ago. */
bool lease_set_is_healthy(const struct lease_set *set);

#endif
