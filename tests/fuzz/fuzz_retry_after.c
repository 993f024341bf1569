/* Whatever an endpoint says in Retry-After: no wait that is negative or longer than a day. */
#include "common/base/check.h"
#include "common/io/retry_after.h"
#include "tests/fuzz/fuzz.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	static const int64_t clocks[] = {0, INT64_C(1795895047165), INT64_C(253402300799999)};

	for (size_t i = 0; i < array_len(clocks); i++) {
		int64_t ms = retry_after_parse_ms(sv_make(data, size_bytes), clocks[i]);
		ASSERT(ms >= -1 && ms <= DAY_MS);
	}
	return 0;
}
