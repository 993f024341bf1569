/* Counts and times of requests, for /metrics. */
#ifndef WA_API_REQUEST_STATS_H
#define WA_API_REQUEST_STATS_H

#include <stdint.h>

#include "common/daemon/metrics.h"
#include "services/api/route_match.h"

struct request_stats;

struct request_stats *request_stats_new(struct metrics *metrics);
void request_stats_free(struct request_stats **stats);
/* operation NULL: nothing fitted. */
void request_stats_note(
	struct request_stats *stats, const struct route *route, int status, double duration_ms);

#endif
