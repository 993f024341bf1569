/*
 * Entries that must not be taken in like others: those that cannot be understood are set aside at
 * once, and stop the reading only when many of them wait; those that two owners had in their hands
 * when they died are taken in one at a time while reading pauses. How often that was tried is
 * counted in Redis (alone.<stream>.<id>) before each try, so that only deaths while alone count;
 * after two it is set aside as well. An entry is acknowledged only when its effect or its set_aside
 * row is there.
 */
#ifndef WA_SENDER_SUSPECTS_H
#define WA_SENDER_SUSPECTS_H

#include "common/io/stream_reader.h"
#include "services/sender/sender_store.h"

#define SUSPECTS_DELIVERIES 3 /* from this delivery on an entry is a suspect */

struct suspects;

struct suspects_events {
	/* Take in an entry that is alone now; it is acknowledged afterwards. -1 with err: it cannot
	   be understood. */
	int (*take)(
		void *ctx, const char *stream, int tag, struct strview payload, struct err *err);
};

/* All borrowed. reader may be given later, before the first entry. */
struct suspects *suspects_new(struct loop *loop, struct redis_conn *redis,
	struct sender_store *store, const struct suspects_events *events, void *ctx);
void suspects_set_reader(struct suspects *suspects, struct stream_reader *reader);
void suspects_free(struct suspects **suspects);
/* Try it alone. Copies what it needs. */
void suspects_add(struct suspects *suspects, const struct stream_entry *entry);
/* Set it aside because it cannot be understood. */
void suspects_set_aside(
	struct suspects *suspects, const struct stream_entry *entry, const char *reason);
/* The streams with these tags are not ours any more: whoever is next gets them again. */
void suspects_drop(struct suspects *suspects, int tag);
int suspects_count(const struct suspects *suspects);
int64_t suspects_set_aside_count(const struct suspects *suspects); /* since the start */

#endif
