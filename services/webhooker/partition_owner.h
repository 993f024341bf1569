/*
 * Which event partitions are this process's: leases of kind "events", and what each is going
 * through. A gained partition is loaded before anything of it is sent; one that must be given back
 * is wound down; one that ran out is dropped at once.
 */
#ifndef WA_WEBHOOKER_PARTITION_OWNER_H
#define WA_WEBHOOKER_PARTITION_OWNER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/io/lease.h"
#include "common/model/partition.h"

enum partition_state {
	PARTITION_FREE,    /* not ours */
	PARTITION_LOADING, /* ours; its open deliveries are being read */
	PARTITION_OPEN,
	PARTITION_CLOSING, /* ours; what is in flight ends, then it is given back */
};

struct partition_owner;

struct partition_owner_options {
	struct loop *loop;
	struct pg_conn *conn; /* of its own; borrowed */
	const char *owner;
	int64_t close_timeout_ms; /* winding down takes no longer */
	void (*on_gained)(void *ctx,
		int partition); /* read its stream, load it, then call partition_owner_loaded() */
	void (*on_open)(void *ctx, int partition); /* its deliveries may be sent */
	void (*on_closing)(
		void *ctx, int partition);            /* start nothing more of it; call
							 partition_owner_closed() when all has ended */
	void (*on_dropped)(void *ctx, int partition); /* forget it: it is ours no more */
	void *ctx;
};

struct partition_owner *partition_owner_new(const struct partition_owner_options *options);
void partition_owner_free(struct partition_owner **owner);
enum partition_state partition_owner_state(const struct partition_owner *owner, int partition);
void partition_owner_loaded(struct partition_owner *owner, int partition);
void partition_owner_closed(struct partition_owner *owner,
	int partition); /* on_dropped is called, and the lease given back */
/* Is the lease still ours, by our own clock? A process that slept finds out here before it hears.
 */
bool partition_owner_holds(const struct partition_owner *owner, int partition);
int64_t partition_owner_epoch(const struct partition_owner *owner, int partition);
int partition_owner_list(const struct partition_owner *owner,
	int64_t ret_partitions[EVENT_PARTITIONS]); /* all but the free */
bool partition_owner_is_healthy(const struct partition_owner *owner);
/* The process is ending: nothing is gained or told any more; give all back. */
void partition_owner_leave(
	struct partition_owner *owner, int64_t deadline_ms, loop_fn fn, void *ctx);

#endif
