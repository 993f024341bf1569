/* Metrics in Prometheus's text format. */
#include "common/daemon/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <sys/queue.h>

#include "common/base/attr.h"
#include "common/base/check.h"
#include "common/base/mem.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_GAUGE_FN };

static const double bucket_bounds_s[] = {
	0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
#define N_BOUNDS array_len(bucket_bounds_s)

struct metric {
	TAILQ_ENTRY(metric) in_metrics;
	enum metric_kind kind;
	char *name;
	char *labels;
	char *help;
	int64_t count;              /* of a counter, or of all that a histogram observed */
	double value;               /* of a gauge, or a histogram's sum in seconds */
	uint64_t buckets[N_BOUNDS]; /* each without those below */
	double (*fn)(void *ctx);
	void *ctx;
};

struct metrics {
	TAILQ_HEAD(metric_list, metric) list; /* those of one name stand together */
};

struct metrics *metrics_new(void)
{
	struct metrics *metrics = mem_new(struct metrics);

	TAILQ_INIT(&metrics->list);
	return metrics;
}

void metrics_free(struct metrics **metrics)
{
	struct metric *metric;

	if (*metrics == NULL)
		return;
	while ((metric = TAILQ_FIRST(&(*metrics)->list)) != NULL) {
		TAILQ_REMOVE(&(*metrics)->list, metric, in_metrics);
		mem_free(metric->name);
		mem_free(metric->labels);
		mem_free(metric->help);
		mem_free(metric);
	}
	mem_free(*metrics);
	*metrics = NULL;
}

static struct metric *add(struct metrics *metrics, enum metric_kind kind, const char *name,
	const char *labels, const char *help)
{
	struct metric *metric = mem_new(struct metric);
	struct metric *at, *last_of_name = NULL;

	TAILQ_FOREACH(at, &metrics->list, in_metrics)
	{
		if (strcmp(at->name, name) != 0)
			continue;
		ASSERT(at->kind == kind);
		ASSERT(strcmp(at->labels, labels) != 0);
		last_of_name = at;
	}
	metric->kind = kind;
	metric->name = mem_strdup(name);
	metric->labels = mem_strdup(labels);
	metric->help = mem_strdup(help);
	if (last_of_name != NULL)
		TAILQ_INSERT_AFTER(&metrics->list, last_of_name, metric, in_metrics);
	else
		TAILQ_INSERT_TAIL(&metrics->list, metric, in_metrics);
	return metric;
}

struct metric *metrics_counter(
	struct metrics *metrics, const char *name, const char *labels, const char *help)
{
	return add(metrics, METRIC_COUNTER, name, labels, help);
}

struct metric *metrics_gauge(
	struct metrics *metrics, const char *name, const char *labels, const char *help)
{
	return add(metrics, METRIC_GAUGE, name, labels, help);
}

struct metric *metrics_histogram(
	struct metrics *metrics, const char *name, const char *labels, const char *help)
{
	return add(metrics, METRIC_HISTOGRAM, name, labels, help);
}

void metrics_gauge_fn(struct metrics *metrics, const char *name, const char *labels,
	const char *help, double (*fn)(void *ctx), void *ctx)
{
	struct metric *metric = add(metrics, METRIC_GAUGE_FN, name, labels, help);

	metric->fn = fn;
	metric->ctx = ctx;
}

void metric_add(struct metric *metric, int64_t more)
{
	ASSERT(metric->kind == METRIC_COUNTER && more >= 0);
	metric->count += more;
}

void metric_set(struct metric *metric, double value)
{
	ASSERT(metric->kind == METRIC_GAUGE);
	metric->value = value;
}

void metric_observe_ms(struct metric *metric, double ms)
{
	double s = ms / 1000;
	size_t i = 0;

	ASSERT(metric->kind == METRIC_HISTOGRAM);
	while (i < N_BOUNDS && s > bucket_bounds_s[i])
		i++;
	if (i < N_BOUNDS)
		metric->buckets[i]++;
	metric->count++;
	metric->value += s;
}

/* --- format --- */

static bool ends_with(const char *text, const char *end)
{
	size_t text_len = strlen(text);
	size_t end_len = strlen(end);

	return text_len >= end_len && strcmp(text + text_len - end_len, end) == 0;
}

static const char *type_name(const struct metric *metric)
{
	switch (metric->kind) {
	case METRIC_COUNTER:
		return "counter";
	case METRIC_HISTOGRAM:
		return "histogram";
	case METRIC_GAUGE_FN: /* some counters are kept by the kernel */
		return ends_with(metric->name, "_total") ? "counter" : "gauge";
	case METRIC_GAUGE:
	default:
		return "gauge";
	}
}

static void format_value(double value, struct strbuf *out)
{
	if (isnan(value))
		strbuf_append_cstr(out, "NaN\n");
	else if (isinf(value))
		strbuf_append_cstr(out, value > 0 ? "+Inf\n" : "-Inf\n");
	else
		strbuf_printf(out, "%.15g\n", value);
}

/* name{labels,more} */
static void format_name(
	const struct metric *metric, const char *suffix, const char *more, struct strbuf *out)
{
	bool has_labels = metric->labels[0] != '\0';
	bool has_more = more[0] != '\0';

	strbuf_append_cstr(out, metric->name);
	strbuf_append_cstr(out, suffix);
	if (has_labels || has_more)
		strbuf_printf(
			out, "{%s%s%s}", metric->labels, has_labels && has_more ? "," : "", more);
	strbuf_append_char(out, ' ');
}

static void format_histogram(const struct metric *metric, struct strbuf *out)
{
	struct strbuf bound = STRBUF_INIT;
	uint64_t below = 0;

	for (size_t i = 0; i < N_BOUNDS; i++) {
		below += metric->buckets[i];
		strbuf_reset(&bound);
		strbuf_printf(&bound, "le=\"%g\"", bucket_bounds_s[i]);
		format_name(metric, "_bucket", strbuf_cstr(&bound), out);
		strbuf_printf(out, "%" PRIu64 "\n", below);
	}
	format_name(metric, "_bucket", "le=\"+Inf\"", out);
	strbuf_printf(out, "%" PRId64 "\n", metric->count);
	format_name(metric, "_sum", "", out);
	format_value(metric->value, out);
	format_name(metric, "_count", "", out);
	strbuf_printf(out, "%" PRId64 "\n", metric->count);
	strbuf_deinit(&bound);
}

static void format_metric(const struct metric *metric, struct strbuf *out)
{
	switch (metric->kind) {
	case METRIC_COUNTER:
		format_name(metric, "", "", out);
		strbuf_printf(out, "%" PRId64 "\n", metric->count);
		break;
	case METRIC_GAUGE:
		format_name(metric, "", "", out);
		format_value(metric->value, out);
		break;
	case METRIC_GAUGE_FN:
		format_name(metric, "", "", out);
		format_value(metric->fn(metric->ctx), out);
		break;
	case METRIC_HISTOGRAM:
		format_histogram(metric, out);
		break;
	default:
		WRONG("a kind of metric");
	}
}

void metrics_format(struct metrics *metrics, struct strbuf *out)
{
	const struct metric *metric;
	const char *name = "";

	TAILQ_FOREACH(metric, &metrics->list, in_metrics)
	{
		if (strcmp(name, metric->name) != 0)
			strbuf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name,
				metric->help, metric->name, type_name(metric));
		name = metric->name;
		format_metric(metric, out);
	}
}
