/* The figures that the webhooker shows on /metrics. */
#ifndef WA_WEBHOOKER_WEBHOOKER_METRICS_H
#define WA_WEBHOOKER_WEBHOOKER_METRICS_H

#include "common/daemon/metrics.h"
#include "services/webhooker/webhooker_store.h"

/* What is asked for when /metrics is read. */
enum webhooker_gauge {
	GAUGE_IN_FLIGHT,
	GAUGE_QUEUED,
	GAUGE_ENDPOINTS,
	GAUGE_ENDPOINTS_FAILING,
	GAUGE_OLDEST_OPEN_SECONDS,
	GAUGE_PARTITIONS,
	GAUGE_ENTRIES,
	GAUGE_SET_ASIDE,
	GAUGE_STALE,
	GAUGE_REFUSED,
	GAUGE_CLOSED,
	GAUGE_COUNT,
};

struct webhooker_metrics;

struct webhooker_metrics *webhooker_metrics_new(
	struct metrics *metrics, double (*gauge)(void *ctx, enum webhooker_gauge which), void *ctx);
void webhooker_metrics_free(struct webhooker_metrics **metrics); /* nobody reads them any more */
void webhooker_metrics_note(struct webhooker_metrics *metrics, const struct store_end *end);

#endif
