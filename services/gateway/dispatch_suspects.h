/*
 * Dispatch entries that two readers had in their hands when they died. They are taken in one at a
 * time, each claimed alone; how often that was begun is counted in Redis (alone.<stream>.<entry
 * id>) before the entry is even decoded, so that only deaths while alone count. After two of those
 * it is set aside.
 */
#ifndef WA_GATEWAY_DISPATCH_SUSPECTS_H
#define WA_GATEWAY_DISPATCH_SUSPECTS_H

#include "common/io/redis_conn.h"
#include "common/io/stream_reader.h"

#define DISPATCH_SUSPECT_DELIVERIES 3 /* from this delivery on an entry is a suspect */

struct dispatch_suspects;

struct dispatch_suspects_events {
	/* Take it in, alone. It is over when dispatch_suspects_acked() is called for it. */
	void (*take)(void *ctx, const struct stream_entry *entry);
	void (*set_aside)(void *ctx, const struct stream_entry *entry, const char *reason);
};

/* redis is borrowed. */
struct dispatch_suspects *dispatch_suspects_new(struct loop *loop, struct redis_conn *redis,
	const struct dispatch_suspects_events *events, void *ctx);
void dispatch_suspects_free(struct dispatch_suspects **suspects);
void dispatch_suspects_add(
	struct dispatch_suspects *suspects, const struct stream_entry *entry); /* copies it */
/* Something became of an entry: of the one that is being tried, perhaps. */
void dispatch_suspects_acked(struct dispatch_suspects *suspects, int tag, const char *entry_id);
/* The stream is not ours any more: its next owner gets its entries again. */
void dispatch_suspects_drop(struct dispatch_suspects *suspects, int tag);

#endif
