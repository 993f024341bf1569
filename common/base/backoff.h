/* Exponential backoff with full jitter, for reconnects. Pure: randomness comes from rng. */
#ifndef WA_BASE_BACKOFF_H
#define WA_BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
	int64_t base_ms;
	int64_t max_ms;
	int failures; /* in a row */
};

void backoff_init(struct backoff *backoff, int64_t base_ms, int64_t max_ms);
/* Note a failure; how long to wait before the next try: between half of and the whole of min(max,
   base * 2^n), n being the failures before this one. */
int64_t backoff_fail_ms(struct backoff *backoff);
void backoff_succeed(struct backoff *backoff);

#endif
