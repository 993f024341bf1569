/* What comes from others' servers and phones is text that Postgres takes, and a content type that
 * is safe to pass on. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/check.h"
#include "services/gateway/media_type.h"
#include "services/gateway/text_clean.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct strview text, size_t max_bytes)
{
	struct strbuf out = STRBUF_INIT;
	text_clean(text, max_bytes, &out);
	ASSERT(out.len <= max_bytes);
	ASSERT(sv_is_utf8(strbuf_view(&out)));
	ASSERT(out.len == 0 || memchr(out.data, '\0', out.len) == NULL);
	strbuf_deinit(&out);
}

static void check_type(struct strview text)
{
	char type[MEDIA_TYPE_SIZE];
	char again[MEDIA_TYPE_SIZE];
	media_type_clean(text, type);
	ASSERT(strchr(type, '/') != NULL && strpbrk(type, " \t\r\n;,\"") == NULL);
	media_type_clean(sv_from(type), again);
	ASSERT(strcmp(type, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strview text = sv_make(data, size);
	check_text(text, SIZE_MAX / 2);
	check_text(text, size / 2);
	check_type(text);
	return 0;
}
