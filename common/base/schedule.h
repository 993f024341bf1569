/* A retry schedule: how long to wait after each failed attempt. Parsed from text such as
 * "5s,15s,1m,5m,15m,30m,1h,2h". */
#ifndef WA_BASE_SCHEDULE_H
#define WA_BASE_SCHEDULE_H

#include <stdint.h>

#include "common/base/attr.h"
#include "common/base/err.h"
#include "common/base/strview.h"

#define SCHEDULE_MAX_DELAYS 32

struct schedule {
	int n_delays;
	int64_t delay_ms[SCHEDULE_MAX_DELAYS];
};

/* Units ms, s, m, h, d; a bare number is seconds. Empty text is a schedule of one attempt. 0 or -1
 * with err. */
int schedule_parse(struct strview text, struct schedule *ret_schedule, struct err *err);
/* One duration, same units. */
int duration_parse(struct strview text, int64_t *ret_ms, struct err *err);
/* The wait after the `attempts`-th failed attempt (1 is the first), or -1: the budget is spent. */
int64_t schedule_delay_ms(const struct schedule *schedule, int attempts);
/* The same with 0..percent % random jitter added. */
int64_t schedule_delay_jittered_ms(const struct schedule *schedule, int attempts, int percent);

#endif
