/* Metrics of the process itself, under the names that every Prometheus client gives them, and how
 * late the loop is. */
#ifndef WA_DAEMON_PROCESS_METRICS_H
#define WA_DAEMON_PROCESS_METRICS_H

#include "common/daemon/metrics.h"
#include "common/io/loop.h"

struct process_metrics;

struct process_metrics *process_metrics_new(
	struct loop *loop, struct metrics *metrics, const char *service);
void process_metrics_free(struct process_metrics **process);

#endif
