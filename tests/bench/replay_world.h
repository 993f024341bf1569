/*
 * What the replay lives in: a tenant, contacts, a session and an endpoint of its own, and every
 * lease, taken whoever has it: the daemons must stand still. Waits for each statement (libpq,
 * blocking).
 */
#ifndef WA_BENCH_REPLAY_WORLD_H
#define WA_BENCH_REPLAY_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/model/partition.h"
#include "common/model/phone.h"

#define WORLD_CONTACTS 1000

struct world_contact {
	int32_t id;
	char phone[PHONE_SIZE];
};

struct world {
	bool is_full; /* every option on; else as little as can be */
	char owner[32];
	int32_t tenant_id;
	int32_t session_id;
	int64_t session_epoch;
	int64_t partition_epochs[OUTBOUND_PARTITIONS];
	int64_t event_epochs[EVENT_PARTITIONS];
	struct world_contact contacts[WORLD_CONTACTS];
};

/* Its endpoint is told of `delivered`, or when is_full of `sent`, `delivered` and `read`. */
int world_make(const char *url, bool is_full, struct world *ret_world, struct err *err);
/* Are these messages, and no others, all read, their events written, their deliveries closed? */
int world_check(const char *url, const struct world *world, int64_t n_messages, struct err *err);
/* Give the leases back. What was written stays. */
int world_leave(const char *url, const struct world *world, struct err *err);

#endif
