/* Names and helps of the figures. */
#include "services/webhooker/webhooker_metrics.h"

#include "common/base/attr.h"
#include "common/base/mem.h"

static const struct {
	const char *name;
	const char *help;
} gauges[GAUGE_COUNT] = {
	[GAUGE_IN_FLIGHT] = {"wa_webhooker_in_flight", "POSTs in flight"},
	[GAUGE_QUEUED] = {"wa_webhooker_queued", "deliveries in memory"},
	[GAUGE_ENDPOINTS] = {"wa_webhooker_endpoints",
		"endpoints that something is owed to, or was lately"},
	[GAUGE_ENDPOINTS_FAILING] = {"wa_webhooker_endpoints_failing",
		"of these, those whose last POST failed"},
	[GAUGE_OLDEST_OPEN_SECONDS] = {"wa_webhooker_oldest_open_seconds",
		"age of the oldest open delivery, as of the last sweep"},
	[GAUGE_PARTITIONS] = {"wa_webhooker_partitions",
		"event partitions that this process holds"},
	[GAUGE_ENTRIES] = {"wa_webhooker_entries", "stream entries taken in since the start"},
	[GAUGE_SET_ASIDE] = {"wa_webhooker_set_aside", "stream entries and deliveries set aside since the start"},
	[GAUGE_STALE] = {"wa_webhooker_stale",
		"deliveries that were owed no more when they were to be sent, since the start"},
	[GAUGE_REFUSED] = {"wa_webhooker_refused",
		"ends of attempts that Postgres refused to record, since the start"},
	[GAUGE_CLOSED] = {"wa_webhooker_closed",
		"deliveries closed because their endpoint is gone, since the start"},
};

struct gauge {
	struct webhooker_metrics *metrics;
	enum webhooker_gauge which;
};

struct webhooker_metrics {
	double (*gauge)(void *ctx, enum webhooker_gauge which);
	void *ctx;
	struct gauge gauges[GAUGE_COUNT];
	struct metric *ends[DELIVERY_ENDPOINT_GONE + 1];
	struct metric *seconds;
};

static double on_gauge(void *ctx)
{
	const struct gauge *gauge = ctx;

	return gauge->metrics->gauge(gauge->metrics->ctx, gauge->which);
}

struct webhooker_metrics *webhooker_metrics_new(
	struct metrics *metrics, double (*gauge)(void *ctx, enum webhooker_gauge which), void *ctx)
{
	static const char *const labels[] = {
		[DELIVERY_PENDING] = "result=\"failed\"",
		[DELIVERY_DELIVERED] = "result=\"delivered\"",
		[DELIVERY_OUT_OF_ATTEMPTS] = "result=\"out_of_attempts\"",
		[DELIVERY_ENDPOINT_GONE] = "result=\"endpoint_gone\"",
	};
	struct webhooker_metrics *made = mem_new(struct webhooker_metrics);

	made->gauge = gauge;
	made->ctx = ctx;
	for (size_t i = 0; i < array_len(labels); i++)
		made->ends[i] = metrics_counter(metrics, "wa_webhooker_attempts_total", labels[i],
			"attempts to deliver, by result");
	made->seconds = metrics_histogram(
		metrics, "wa_webhooker_attempt_seconds", "", "duration of attempts");
	for (int i = 0; i < GAUGE_COUNT; i++) {
		made->gauges[i] = (struct gauge){.metrics = made, .which = (enum webhooker_gauge)i};
		metrics_gauge_fn(
			metrics, gauges[i].name, "", gauges[i].help, on_gauge, &made->gauges[i]);
	}
	return made;
}

void webhooker_metrics_free(struct webhooker_metrics **metrics)
{
	mem_free(*metrics);
	*metrics = NULL;
}

void webhooker_metrics_note(struct webhooker_metrics *metrics, const struct store_end *end)
{
	metric_add(metrics->ends[end->status], 1);
	metric_observe_ms(metrics->seconds, (double)end->duration_ms);
}
