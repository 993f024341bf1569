/* The gateway's own counters, as /metrics shows them. */
#ifndef WA_GATEWAY_GATEWAY_STATS_H
#define WA_GATEWAY_GATEWAY_STATS_H

#include "common/daemon/metrics.h"
#include "common/model/stream_codec.h"

struct gateway_stats {
	struct metric *claims;  /* statements */
	struct metric *claimed; /* messages that they moved to sending */
	struct metric *handed_over;
	struct metric *outcomes[OUTCOME_NO_MEDIA + 1]; /* as told to senders, by kind */
	struct metric *receipts;
	struct metric *receipts_unknown; /* no message has that id */
	struct metric *late_answers;     /* of engines, about attempts that had ended here */
	struct metric *inbound;          /* new incoming messages */
	struct metric *media_fetched;
	struct metric *media_failed;
	struct metric *media_store_failures; /* of the object store */
	struct metric *set_aside;
	struct metric *store_retries; /* statements that had to be repeated */
	struct metric *left_out;      /* facts that Postgres refused for good; each is logged */
	struct metric *progress_batches;
	struct metric *progress_facts; /* by both: the size of a batch */
	struct metric *ack_seconds;
};

void gateway_stats_init(struct gateway_stats *stats, struct metrics *metrics);

#endif
