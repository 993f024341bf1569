/* metrics: Prometheus's text format. */
#include "tests/support/test.h"

#include <math.h>
#include <string.h>

#include "common/daemon/metrics.h"
#include "tests/support/death.h"

static struct metrics *metrics;
static struct strbuf text = STRBUF_INIT;

static int set_up(void **state)
{
	(void)state;
	metrics = metrics_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	metrics_free(&metrics);
	strbuf_deinit(&text);
	return 0;
}

static const char *format(void)
{
	strbuf_reset(&text);
	metrics_format(metrics, &text);
	return strbuf_cstr(&text);
}

static double ask(void *ctx)
{
	return *(double *)ctx;
}

static void TEST(counters_and_gauges_are_written)
{
	struct metric *sent =
		metrics_counter(metrics, "wa_s_total", "outcome=\"sent\"", "Messages.");
	struct metric *open = metrics_gauge(metrics, "wa_open", "", "Open.");
	struct metric *failed =
		metrics_counter(metrics, "wa_s_total", "outcome=\"failed\"", "Messages.");

	metric_add(sent, 1);
	metric_add(sent, 9007199254740993);
	metric_add(failed, 0);
	metric_set(open, 2.5);
	assert_string_equal(format(), "# HELP wa_s_total Messages.\n"
				      "# TYPE wa_s_total counter\n"
				      "wa_s_total{outcome=\"sent\"} 9007199254740994\n"
				      "wa_s_total{outcome=\"failed\"} 0\n"
				      "# HELP wa_open Open.\n"
				      "# TYPE wa_open gauge\n"
				      "wa_open 2.5\n");
}

static void TEST(a_gauge_can_be_asked_when_it_is_read)
{
	double value = 1795415013.407;

	metrics_gauge_fn(metrics, "wa_now", "a=\"b\"", "Now.", ask, &value);
	assert_non_null(strstr(format(), "# TYPE wa_now gauge\nwa_now{a=\"b\"} 1795415013.407\n"));
	value = NAN;
	assert_non_null(strstr(format(), "wa_now{a=\"b\"} NaN\n"));
	value = -INFINITY;
	assert_non_null(strstr(format(), "wa_now{a=\"b\"} -Inf\n"));
	metrics_gauge_fn(metrics, "wa_cpu_total", "", "Cpu.", ask, &value);
	assert_non_null(strstr(format(), "# TYPE wa_cpu_total counter\n"));
}

static void TEST(a_histogram_counts_what_is_at_most_each_bound)
{
	struct metric *wait = metrics_histogram(metrics, "wa_wait_seconds", "q=\"x\"", "Wait.");

	metric_observe_ms(wait, 0);
	metric_observe_ms(wait, 1);
	metric_observe_ms(wait, 1.1);
	metric_observe_ms(wait, 60000);
	metric_observe_ms(wait, 60001);
	format();
	assert_non_null(strstr(strbuf_cstr(&text), "# TYPE wa_wait_seconds histogram\n"));
	assert_non_null(
		strstr(strbuf_cstr(&text), "wa_wait_seconds_bucket{q=\"x\",le=\"0.001\"} 2\n"));
	assert_non_null(
		strstr(strbuf_cstr(&text), "wa_wait_seconds_bucket{q=\"x\",le=\"0.0025\"} 3\n"));
	assert_non_null(
		strstr(strbuf_cstr(&text), "wa_wait_seconds_bucket{q=\"x\",le=\"30\"} 3\n"));
	assert_non_null(
		strstr(strbuf_cstr(&text), "wa_wait_seconds_bucket{q=\"x\",le=\"60\"} 4\n"));
	assert_non_null(
		strstr(strbuf_cstr(&text), "wa_wait_seconds_bucket{q=\"x\",le=\"+Inf\"} 5\n"));
	assert_non_null(strstr(strbuf_cstr(&text), "wa_wait_seconds_sum{q=\"x\"} 120.0031\n"));
	assert_non_null(strstr(strbuf_cstr(&text), "wa_wait_seconds_count{q=\"x\"} 5\n"));
}

static void make_twice(void *arg)
{
	(void)arg;
	metrics_counter(metrics, "wa_twice_total", "", "Twice.");
	metrics_counter(metrics, "wa_twice_total", "", "Twice.");
}

static void make_of_two_kinds(void *arg)
{
	(void)arg;
	metrics_counter(metrics, "wa_kind", "a=\"1\"", "Kind.");
	metrics_gauge(metrics, "wa_kind", "a=\"2\"", "Kind.");
}

static void TEST(a_metric_is_made_once_and_of_one_kind)
{
	assert_true(death_by_abort(make_twice, NULL));
	assert_true(death_by_abort(make_of_two_kinds, NULL));
}

#define WITH_METRICS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_METRICS(counters_and_gauges_are_written),
		WITH_METRICS(a_gauge_can_be_asked_when_it_is_read),
		WITH_METRICS(a_histogram_counts_what_is_at_most_each_bound),
		WITH_METRICS(a_metric_is_made_once_and_of_one_kind),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
