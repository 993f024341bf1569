/* From figures a minute to intervals and bursts. */
#include "services/sender/pace_limits.h"

#define MINUTE_US          (60 * INT64_C(1000000))
#define TENANT_BURST_PARTS 12 /* of a minute: a tenant's burst is what it may send in 5 s */

static int64_t own_or(int64_t own, int64_t otherwise)
{
	return own >= 0 ? own : otherwise;
}

static struct pace_rate rate_of(int64_t interval_us, int64_t burst)
{
	return interval_us > 0 ? (struct pace_rate){interval_us, burst > 1 ? burst : 1}
			       : (struct pace_rate){0, 0};
}

static struct pace_rate rate_per_min(int64_t per_min, int64_t burst)
{
	if (per_min <= 0) {
		return rate_of(0, 0);
	}
	return rate_of(per_min < MINUTE_US ? MINUTE_US / per_min : 1, burst);
}

void pace_limits_of_session(const struct pace_settings *settings,
	const struct store_limits *session, struct pace_rate *ret_session,
	struct pace_rate *ret_recipient)
{
	int64_t per_min = session->is_sandbox ? 0 : settings->session_rate_per_min;
	int64_t interval_ms = session->is_sandbox ? 0 : settings->recipient_interval_ms;
	*ret_session = rate_per_min(own_or(session->rate_per_min, per_min),
		own_or(session->burst, settings->session_burst));
	*ret_recipient = rate_of(own_or(session->recipient_interval_ms, interval_ms) * 1000,
		own_or(session->recipient_burst, settings->recipient_burst));
}

void pace_limits_of_tenant(const struct pace_settings *settings, const struct store_limits *tenant,
	struct pace_rate *ret_tenant)
{
	int64_t per_min = own_or(tenant->rate_per_min, settings->tenant_rate_per_min);
	*ret_tenant = rate_per_min(per_min, per_min / TENANT_BURST_PARTS);
}

bool pace_limits_any(const struct pace_limits *limits)
{
	return limits->session.interval_us > 0 || limits->recipient.interval_us > 0 ||
	       limits->tenant.interval_us > 0;
}
