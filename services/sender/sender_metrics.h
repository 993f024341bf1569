/* What the sender counts. */
#ifndef WA_SENDER_SENDER_METRICS_H
#define WA_SENDER_SENDER_METRICS_H

#include "common/daemon/metrics.h"
#include "common/model/stream_codec.h"

struct sender_metrics {
	struct metric *dispatched;
	struct metric *outcomes[OUTCOME_NO_MEDIA + 1]; /* by kind */
	struct metric *pace_wait[2]; /* a limit's answer: 0 session and tenant, 1 recipient */
	struct metric *expired;
	struct metric *scheduled;
	struct metric *swept;
};

void sender_metrics_init(struct sender_metrics *ret_metrics, struct metrics *metrics);

#endif
