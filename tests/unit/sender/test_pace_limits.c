/* Whose figure counts, and what it means. */
#include "tests/support/test.h"

#include "services/sender/pace_limits.h"

static const struct pace_settings production = {
	.session_rate_per_min = 20,
	.session_burst = 5,
	.recipient_interval_ms = 6000,
	.recipient_burst = 5,
	.tenant_rate_per_min = 0,
};

static struct store_limits row(bool is_sandbox)
{
	return (struct store_limits){.is_session = true,
		.is_sandbox = is_sandbox,
		.rate_per_min = -1,
		.burst = -1,
		.recipient_interval_ms = -1,
		.recipient_burst = -1};
}

static void assert_rate(const struct pace_rate *rate, int64_t interval_us, int64_t burst)
{
	assert_int_equal(rate->interval_us, interval_us);
	assert_int_equal(rate->burst, burst);
}

static void TEST(settings_count_where_the_row_says_nothing)
{
	struct pace_rate session;
	struct pace_rate recipient;
	struct store_limits limits = row(false);
	pace_limits_of_session(&production, &limits, &session, &recipient);
	assert_rate(&session, 3000000, 5);
	assert_rate(&recipient, 6000000, 5);
}

static void TEST(the_rows_figures_come_first_and_zero_means_none)
{
	struct pace_rate session;
	struct pace_rate recipient;
	struct store_limits limits = row(false);
	limits.rate_per_min = 600;
	limits.burst = 0; /* there is no burst of none */
	limits.recipient_interval_ms = 0;
	pace_limits_of_session(&production, &limits, &session, &recipient);
	assert_rate(&session, 100000, 1);
	assert_rate(&recipient, 0, 0);
}

static void TEST(a_sandbox_has_only_its_own_limits)
{
	struct pace_rate session;
	struct pace_rate recipient;
	struct store_limits limits = row(true);
	pace_limits_of_session(&production, &limits, &session, &recipient);
	assert_rate(&session, 0, 0);
	assert_rate(&recipient, 0, 0);
	limits.rate_per_min = 60;
	pace_limits_of_session(&production, &limits, &session, &recipient);
	assert_rate(&session, 1000000, 5);
}

static void TEST(a_tenant_may_send_what_it_may_in_5_s_at_once)
{
	struct pace_rate tenant;
	struct store_limits limits = row(false);
	pace_limits_of_tenant(&production, &limits, &tenant);
	assert_rate(&tenant, 0, 0);
	limits.rate_per_min = 120;
	pace_limits_of_tenant(&production, &limits, &tenant);
	assert_rate(&tenant, 500000, 10);
	limits.rate_per_min = 1;
	pace_limits_of_tenant(&production, &limits, &tenant);
	assert_rate(&tenant, 60000000, 1);
	limits.rate_per_min = INT64_MAX;
	pace_limits_of_tenant(&production, &limits, &tenant);
	assert_int_equal(tenant.interval_us, 1);
}

static void TEST(no_limit_at_all_needs_no_question)
{
	struct pace_limits limits = {{0, 0}, {0, 0}, {0, 0}};
	assert_false(pace_limits_any(&limits));
	limits.recipient.interval_us = 1;
	assert_true(pace_limits_any(&limits));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_count_where_the_row_says_nothing),
		cmocka_unit_test(the_rows_figures_come_first_and_zero_means_none),
		cmocka_unit_test(a_sandbox_has_only_its_own_limits),
		cmocka_unit_test(a_tenant_may_send_what_it_may_in_5_s_at_once),
		cmocka_unit_test(no_limit_at_all_needs_no_question),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
