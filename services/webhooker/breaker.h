/*
 * Does an endpoint take anything at present? Pure. After BREAKER_TRIP_FAILURES failures in a row it
 * is tripped: then one POST at a time probes it, a retry when it is due or something fresh when
 * breaker_probe_ms() has come, until one succeeds.
 */
#ifndef WA_WEBHOOKER_BREAKER_H
#define WA_WEBHOOKER_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/schedule.h"

#define BREAKER_TRIP_FAILURES 5
#define BREAKER_PROBE_MAX_MS  60000

struct breaker {
	int failures;             /* in a row */
	int64_t probe_ms;         /* while tripped: something fresh may be tried from then on */
	bool is_failing;          /* a POST failed since the last success */
	int64_t failing_since_ms; /* start of the first of those */
	bool has_recovered;       /* it was tripped once, and then found taking again */
	int64_t recovered_ms;     /* when, the last time */
};

void breaker_init(struct breaker *breaker);
/* A POST that began at started_ms failed. True when this tripped it. The wait for the next fresh
   probe follows the schedule of retries, up to BREAKER_PROBE_MAX_MS. */
bool breaker_fail(struct breaker *breaker, const struct schedule *schedule, int64_t started_ms,
	int64_t now_ms);
bool breaker_succeed(struct breaker *breaker, int64_t now_ms); /* true when it was tripped */
bool breaker_is_tripped(const struct breaker *breaker);

#endif
