/* No text gives a wait that is negative or longer than ten years. */
#include "common/base/check.h"
#include "common/base/schedule.h"
#include "tests/fuzz/fuzz.h"

static void check_ms(int64_t ms)
{
	ASSERT(ms >= 0 && ms <= INT64_C(3650) * 24 * 3600 * 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct strview text = sv_make(data, size_bytes);
	struct schedule schedule;
	struct err err = {""};
	int64_t ms;

	if (duration_parse(text, &ms, &err) == 0)
		check_ms(ms);
	else
		ASSERT(err.text[0] != '\0' && sv_is_utf8(sv_from(err.text)));
	if (schedule_parse(text, &schedule, &err) < 0)
		return 0;
	ASSERT(schedule.n_delays >= 0 && schedule.n_delays <= SCHEDULE_MAX_DELAYS);
	for (int i = 1; i <= schedule.n_delays; i++) {
		check_ms(schedule_delay_ms(&schedule, i));
		ASSERT(schedule_delay_jittered_ms(&schedule, i, 100) >=
			schedule_delay_ms(&schedule, i));
	}
	ASSERT(schedule_delay_ms(&schedule, schedule.n_delays + 1) == -1);
	return 0;
}
