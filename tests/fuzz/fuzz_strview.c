/* The functions of strview.h against slower ones. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/strbuf.h"
#include "common/base/strview.h"
#include "tests/fuzz/fuzz.h"

/* Parts and separators give the text again. */
static void check_split(struct strview text, char separator)
{
	struct strbuf joined = STRBUF_INIT;
	struct strview rest = text;
	struct strview part;
	bool first = true;
	while (sv_split(&rest, separator, &part)) {
		ASSERT(part.len == 0 || memchr(part.ptr, separator, part.len) == NULL);
		if (!first)
			strbuf_append_char(&joined, separator);
		strbuf_append_sv(&joined, part);
		first = false;
	}
	ASSERT(sv_eq(strbuf_view(&joined), text));
	strbuf_deinit(&joined);
}

static void check_utf8(struct strview text)
{
	struct strview rest = text;
	size_t step = 1;
	while (rest.len > 0 && (step = sv_utf8_front(rest)) > 0) {
		ASSERT(step <= rest.len && step <= 4);
		rest.ptr += step;
		rest.len -= step;
	}
	ASSERT(sv_is_utf8(text) == (rest.len == 0));
}

static void check_number(struct strview text)
{
	int64_t number = 0;
	char *copy = mem_strndup(text.ptr, text.len);
	char *end;
	errno = 0;
	long long want = strtoll(copy, &end, 10);
	bool digits = copy[0] == '-' || (copy[0] >= '0' && copy[0] <= '9');
	bool whole = text.len > 0 && end == copy + text.len && digits && errno == 0;
	ASSERT((sv_to_i64(text, &number) == 0) == whole);
	ASSERT(!whole || number == want);
	mem_free(copy);
}

static void check_trim(struct strview text)
{
	struct strview trimmed = sv_trim(text);
	ASSERT(trimmed.len <= text.len);
	ASSERT(sv_eq(sv_trim(trimmed), trimmed));
	ASSERT(trimmed.len == 0 || strchr(" \t\n\v\f\r", trimmed.ptr[0]) == NULL ||
		trimmed.ptr[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct strview text = size_bytes > 0 ? sv_make(data, size_bytes) : SV_LIT("");
	char *copy = mem_strndup(text.ptr, text.len);
	bool has_nul = strlen(copy) != text.len;
	check_split(text, ',');
	check_split(text, '\0');
	check_utf8(text);
	check_number(text);
	check_trim(text);
	ASSERT(sv_eq_cstr(text, copy) == !has_nul);
	ASSERT(sv_ieq_cstr(text, copy) == !has_nul);
	ASSERT(sv_starts_with(text, copy));
	mem_free(copy);
	return 0;
}
