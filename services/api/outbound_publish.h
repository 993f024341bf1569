/* Tells the senders of messages that were accepted or cancelled, after their commit. A lost entry
 * costs latency only: a sweep finds the row. */
#ifndef WA_API_OUTBOUND_PUBLISH_H
#define WA_API_OUTBOUND_PUBLISH_H

#include "common/io/redis_conn.h"
#include "common/io/stream_writer.h"
#include "common/model/stream_codec.h"

void outbound_publish(
	struct stream_writer *streams, int partition, const struct outbound_entry *entry);

/* So that the next of its conversation need not wait for the sweep. */
void outbound_publish_cancelled(
	struct stream_writer *streams, int partition, const struct outcome_entry *entry);

/* The session was deleted: its dispatch stream goes when nothing can still be on its way to it.
 * Should Redis not hear of it, an empty stream stays: memory, not work, is lost. */
void outbound_publish_ended(struct redis_conn *redis, int32_t session_id);

#endif
