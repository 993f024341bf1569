/* Failures in a row, and when to probe. */
#include "services/webhooker/breaker.h"

#include <limits.h>

void breaker_init(struct breaker *breaker)
{
	*breaker = (struct breaker){.failures = 0};
}

static int64_t probe_wait_ms(const struct schedule *schedule, int failures)
{
	int probes = failures - BREAKER_TRIP_FAILURES + 1;
	int64_t wait_ms = schedule_delay_ms(schedule, probes);

	return wait_ms < 0 || wait_ms > BREAKER_PROBE_MAX_MS ? BREAKER_PROBE_MAX_MS : wait_ms;
}

bool breaker_fail(struct breaker *breaker, const struct schedule *schedule, int64_t started_ms,
	int64_t now_ms)
{
	if (!breaker->is_failing)
		breaker->failing_since_ms = started_ms;
	breaker->is_failing = true;
	if (breaker->failures < INT_MAX)
		breaker->failures++;
	if (breaker->failures < BREAKER_TRIP_FAILURES)
		return false;
	breaker->probe_ms = now_ms + probe_wait_ms(schedule, breaker->failures);
	return breaker->failures == BREAKER_TRIP_FAILURES;
}

bool breaker_succeed(struct breaker *breaker, int64_t now_ms)
{
	bool was_tripped = breaker_is_tripped(breaker);

	breaker->failures = 0;
	breaker->is_failing = false;
	if (was_tripped) {
		breaker->has_recovered = true;
		breaker->recovered_ms = now_ms;
	}
	return was_tripped;
}

bool breaker_is_tripped(const struct breaker *breaker)
{
	return breaker->failures >= BREAKER_TRIP_FAILURES;
}
