/* Exponential backoff with jitter. */
#include "common/base/backoff.h"

#include <limits.h>

#include "common/base/check.h"
#include "common/base/rng.h"

void backoff_init(struct backoff *backoff, int64_t base_ms, int64_t max_ms)
{
	ASSERT(base_ms > 0 && base_ms <= max_ms && max_ms <= INT64_MAX / 2);
	*backoff = (struct backoff){.base_ms = base_ms, .max_ms = max_ms};
}

int64_t backoff_fail_ms(struct backoff *backoff)
{
	int64_t whole_ms = backoff->base_ms;
	for (int i = 0; i < backoff->failures && whole_ms < backoff->max_ms; i++)
		whole_ms *= 2;
	if (whole_ms > backoff->max_ms)
		whole_ms = backoff->max_ms;
	if (backoff->failures < INT_MAX)
		backoff->failures++;
	int64_t half_ms = whole_ms / 2;
	return half_ms + (int64_t)rng_below((uint64_t)(whole_ms - half_ms) + 1);
}

void backoff_succeed(struct backoff *backoff)
{
	backoff->failures = 0;
}
