/* How fast a message's session, recipient and tenant may be sent to: settings, overridden by the
   rows' own figures. Pure. */
#ifndef WA_SENDER_PACE_LIMITS_H
#define WA_SENDER_PACE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "services/sender/sender_store.h"

/* So many at once, and one more every interval (GCRA). */
struct pace_rate {
	int64_t interval_us; /* 0: no limit */
	int64_t burst;
};

struct pace_limits {
	struct pace_rate session;
	struct pace_rate recipient;
	struct pace_rate tenant;
};

/* The deployment's settings. */
struct pace_settings {
	int64_t session_rate_per_min; /* 0: no limit; the same below */
	int64_t session_burst;
	int64_t recipient_interval_ms;
	int64_t recipient_burst;
	int64_t tenant_rate_per_min;
};

/* A sandbox session has only the limits that its own row names. */
void pace_limits_of_session(const struct pace_settings *settings,
	const struct store_limits *session, struct pace_rate *ret_session,
	struct pace_rate *ret_recipient);
void pace_limits_of_tenant(const struct pace_settings *settings, const struct store_limits *tenant,
	struct pace_rate *ret_tenant);
bool pace_limits_any(const struct pace_limits *limits);

#endif
