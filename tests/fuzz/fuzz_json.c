/* What parses is written, read back and written the same; what does not is told in one line. */
#include "common/base/check.h"
#include "common/base/json.h"
#include "tests/fuzz/fuzz.h"

static void check_error(const struct err *err)
{
	ASSERT(sv_starts_with(sv_from(err->text), "line "));
	ASSERT(sv_is_utf8(sv_from(err->text)));
}

/* Writing and reading keep the value. */
static void check_round_trip(const struct json *value)
{
	struct strbuf plain = STRBUF_INIT;
	struct strbuf again = STRBUF_INIT;
	struct err err;

	json_format(value, &plain);
	struct json *back = json_parse(strbuf_view(&plain), &err);
	ASSERT(back != NULL);
	json_format(back, &again);
	ASSERT(sv_eq(strbuf_view(&plain), strbuf_view(&again)));

	strbuf_reset(&plain);
	strbuf_reset(&again);
	json_format_canonical(value, &plain);
	json_format_canonical(back, &again);
	ASSERT(sv_eq(strbuf_view(&plain), strbuf_view(&again)));
	json_free(&back);
	strbuf_deinit(&plain);
	strbuf_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct err err = {""};
	struct json *value = json_parse(sv_make(data, size_bytes), &err);
	if (value == NULL)
		check_error(&err);
	else
		check_round_trip(value);
	json_free(&value);
	return 0;
}
