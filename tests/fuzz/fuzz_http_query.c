/* Query strings and percent-encoding: what is decoded has no NUL and is no longer than it was. */
#include <string.h>

#include "common/base/check.h"
#include "common/io/http_server.h"
#include "tests/fuzz/fuzz.h"

static void check(int result, struct strview value, size_t size_bytes)
{
	ASSERT(result == 0 || result == -1);
	if (result != 0 || sv_is_null(value))
		return;
	ASSERT(value.len <= size_bytes);
	ASSERT(memchr(value.ptr, '\0', value.len) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct strview text = sv_make(data, size_bytes);
	struct strview value = SV_NULL;
	struct pool *pool = pool_new();

	check(http_percent_decode(text, pool, &value), value, size_bytes);
	value = SV_NULL;
	check(http_query_get(text, "limit", pool, &value), value, size_bytes);
	value = SV_NULL;
	check(http_query_get(text, "", pool, &value), value, size_bytes);
	pool_free(&pool);
	return 0;
}
