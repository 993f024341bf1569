/* Counters, gauges and histograms in Prometheus's text format (version 0.0.4). Names:
 * wa_<service>_<what>_<unit>[_total]. */
#ifndef WA_DAEMON_METRICS_H
#define WA_DAEMON_METRICS_H

#include <stdint.h>

#include "common/base/strbuf.h"

struct metrics;
struct metric;

struct metrics *metrics_new(void);
void metrics_free(struct metrics **metrics);
/* labels: "" or e.g. "outcome=\"sent\""; the same name may be made several times with other labels.
 * All owned by metrics. */
struct metric *metrics_counter(
	struct metrics *metrics, const char *name, const char *labels, const char *help);
struct metric *metrics_gauge(
	struct metrics *metrics, const char *name, const char *labels, const char *help);
/* Buckets for seconds, from 1 ms to 60 s. */
struct metric *metrics_histogram(
	struct metrics *metrics, const char *name, const char *labels, const char *help);
/* A gauge that is asked when it is read. */
void metrics_gauge_fn(struct metrics *metrics, const char *name, const char *labels,
	const char *help, double (*fn)(void *ctx), void *ctx);
void metric_add(struct metric *metric, int64_t more);
void metric_set(struct metric *metric, double value);
void metric_observe_ms(struct metric *metric, double ms);
void metrics_format(struct metrics *metrics, struct strbuf *out);

#endif
