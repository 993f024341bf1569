/* Metrics by operation and class of status. */
#include "services/api/request_stats.h"

#include <stdio.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/api/routes.h"

#define REFUSED_LOG_MS 1000
#define STATUS_CLASSES 6 /* 5 is 5xx; 0 is not used */

struct request_stats {
	struct metrics *metrics;
	struct metric *duration;
	/* By route and class, made at first use; the last row is for what fitted no route. */
	struct metric *counts[ROUTES_MAX + 1][STATUS_CLASSES];
	int64_t refused;        /* 503 since the last line about them */
	int64_t refused_log_ms; /* monotonic */
};

struct request_stats *request_stats_new(struct metrics *metrics)
{
	struct request_stats *stats = mem_new(struct request_stats);
	stats->metrics = metrics;
	stats->duration = metrics_histogram(metrics, "wa_api_request_duration_seconds", "",
		"From a request's last byte to its answer");
	return stats;
}

void request_stats_free(struct request_stats **stats)
{
	mem_free(*stats);
	*stats = NULL;
}

/* An overload or an outage refuses thousands a second: one line a second tells of them. */
static void note_refused(struct request_stats *stats, const struct route *route)
{
	int64_t now_ms = clock_mono_ms();

	stats->refused++;
	if (stats->refused_log_ms != 0 && now_ms - stats->refused_log_ms < REFUSED_LOG_MS)
		return;
	log_warn("requests_refused", log_int("count", stats->refused), log_int("status", 503),
		log_text("last_operation", route != NULL ? route->operation : "none"));
	stats->refused = 0;
	stats->refused_log_ms = now_ms;
}

void request_stats_note(
	struct request_stats *stats, const struct route *route, int status, double duration_ms)
{
	char labels[128];
	int row = route != NULL ? routes_index(route) : ROUTES_MAX;
	int class = status / 100;

	ASSERT(class > 0 && class < STATUS_CLASSES);
	struct metric **count = &stats->counts[row][class];
	if (*count == NULL) {
		(void)snprintf(labels, sizeof(labels), "operation=\"%s\",status=\"%dxx\"",
			route != NULL ? route->operation : "none", class);
		*count = metrics_counter(
			stats->metrics, "wa_api_requests_total", labels, "Requests answered");
	}
	metric_add(*count, 1);
	metric_observe_ms(stats->duration, duration_ms);
	if (status == 503)
		note_refused(stats, route);
}
