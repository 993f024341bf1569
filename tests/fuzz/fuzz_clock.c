/* What is taken for a time comes back when formatted. */
#include "common/base/check.h"
#include "common/base/clock.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	char text[CLOCK_RFC3339_SIZE];
	int64_t ms;
	int64_t back;
	if (clock_parse(sv_make(data, size_bytes), &ms) < 0)
		return 0;
	clock_format(ms, text);
	ASSERT(sv_from(text).len == sizeof("2026-01-01T00:00:00.000Z") - 1);
	ASSERT(clock_parse(sv_from(text), &back) == 0);
	ASSERT(back == ms);
	return 0;
}
