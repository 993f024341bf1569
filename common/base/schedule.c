/* Durations and retry schedules. */
#include "common/base/schedule.h"

#include <inttypes.h>

#include "common/base/check.h"
#include "common/base/rng.h"

#define MAX_DURATION_MS (INT64_C(3650) * 24 * 3600 * 1000)

static const struct {
	const char *name;
	int64_t ms;
} units[] = {
	{"", 1000},
	{"ms", 1},
	{"s", 1000},
	{"m", 60 * 1000},
	{"h", 3600 * 1000},
	{"d", 24 * 3600 * 1000},
};

static int64_t unit_find_ms(struct strview name)
{
	for (size_t i = 0; i < array_len(units); i++) {
		if (sv_eq_cstr(name, units[i].name))
			return units[i].ms;
	}
	return -1;
}

int duration_parse(struct strview text, int64_t *ret_ms, struct err *err)
{
	struct strview number = sv_trim(text);
	struct strview shown = number;
	if (shown.len > 32)
		shown.len = 32;
	struct strview unit = number;
	while (unit.len > 0 && unit.ptr[0] >= '0' && unit.ptr[0] <= '9') {
		unit.ptr++;
		unit.len--;
	}
	number.len -= unit.len;
	if (number.len == 0)
		return err_set(err, "\"%.*s\" is no duration (such as 500ms, 5s, 1m, 2h, 1d)",
			SV_ARG(shown));
	int64_t unit_ms = unit_find_ms(unit);
	if (unit_ms < 0)
		return err_set(err, "\"%.*s\" has no known unit (ms, s, m, h, d)", SV_ARG(shown));
	int64_t count;
	if (sv_to_i64(number, &count) < 0 || count > MAX_DURATION_MS / unit_ms)
		return err_set(err, "\"%.*s\" is longer than 3650d", SV_ARG(shown));
	*ret_ms = count * unit_ms;
	return 0;
}

int schedule_parse(struct strview text, struct schedule *ret_schedule, struct err *err)
{
	struct schedule schedule = {.n_delays = 0};
	struct strview rest = sv_trim(text);
	struct strview part;

	if (rest.len == 0)
		rest = SV_NULL;
	while (sv_split(&rest, ',', &part)) {
		if (schedule.n_delays == SCHEDULE_MAX_DELAYS)
			return err_set(err, "more than %d delays", SCHEDULE_MAX_DELAYS);
		if (duration_parse(part, &schedule.delay_ms[schedule.n_delays], err) < 0)
			return err_prefix(err, "delay %d", schedule.n_delays + 1);
		schedule.n_delays++;
	}
	*ret_schedule = schedule;
	return 0;
}

int64_t schedule_delay_ms(const struct schedule *schedule, int attempts)
{
	ASSERT(attempts >= 1);
	return attempts <= schedule->n_delays ? schedule->delay_ms[attempts - 1] : -1;
}

int64_t schedule_delay_jittered_ms(const struct schedule *schedule, int attempts, int percent)
{
	ASSERT(percent >= 0 && percent <= 100);
	int64_t delay_ms = schedule_delay_ms(schedule, attempts);
	if (delay_ms < 0)
		return -1;
	return delay_ms + (int64_t)rng_below((uint64_t)(delay_ms * percent / 100) + 1);
}
