/* Stream entries from anywhere: decoding is total, and what decodes can be encoded and decoded
 * again. The first byte chooses. */
#include <stddef.h>
#include <stdint.h>

#include "common/base/check.h"
#include "common/model/stream_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INT(f)
#define TEXT(f)
#define INTS(f)
#define ENTRY(name, version, fields)                                                               \
	static void try_##name(struct strview payload, struct pool *pool)                          \
	{                                                                                          \
		struct name##_entry entry;                                                         \
		struct strbuf buf = STRBUF_INIT;                                                   \
		if (name##_entry_decode(payload, pool, &entry, NULL) == 0) {                       \
			name##_entry_encode(&entry, &buf);                                         \
			ASSERT(name##_entry_decode(strbuf_view(&buf), pool, &entry, NULL) == 0);   \
		}                                                                                  \
		strbuf_deinit(&buf);                                                               \
	}
#include "common/model/stream_schema.h"
#undef ENTRY
#undef INT
#undef TEXT
#undef INTS

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(struct strview payload, struct pool * pool) = {
		try_outbound, try_dispatch, try_outcome, try_event};
	if (size == 0) {
		return 0;
	}
	struct pool *pool = pool_new();
	tries[data[0] % array_len(tries)](sv_make(data + 1, size - 1), pool);
	pool_free(&pool);
	return 0;
}
