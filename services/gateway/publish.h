/* Copies of committed facts for those who act on them next: outcomes for senders, events for
 * webhookers. */
#ifndef WA_GATEWAY_PUBLISH_H
#define WA_GATEWAY_PUBLISH_H

#include "common/io/stream_writer.h"
#include "common/model/stream_codec.h"
#include "services/gateway/gateway_stats.h"
#include "services/gateway/gateway_store_progress.h"

struct publish;

/* writer and stats are borrowed. */
struct publish *publish_new(struct stream_writer *writer, struct gateway_stats *stats);
void publish_free(struct publish **publish);

struct publish_outcome {
	int partition;
	struct strview message_id;
	int32_t session_id;
	struct strview phone;
	int64_t queue_seq;
	enum outcome_kind kind;
	int attempts;
	int64_t next_in_ms;
};
void publish_outcome(struct publish *publish, const struct publish_outcome *outcome);
/* All EVENT rows of a result, an entry for each event. */
void publish_events(struct publish *publish, const struct pg_result *result);

#endif
