/* No value, phone or error text breaks a log line or shows a whole phone number. */
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "tests/fuzz/fuzz.h"

static void on_line(void *ctx, const char *line)
{
	struct strview text = sv_from(line);
	int *n_lines = ctx;
	(*n_lines)++;
	ASSERT(text.len < 4096);
	ASSERT(sv_is_utf8(text));
	ASSERT(sv_starts_with(text, "ts="));
	for (size_t i = 0; i < text.len; i++)
		ASSERT((unsigned char)text.ptr[i] >= 0x20 && text.ptr[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct strview text = sv_make(data, size_bytes);
	struct err err;
	int n_lines = 0;

	err_set(&err, "%.*s", SV_ARG(text));
	ASSERT(sv_is_utf8(sv_from(err.text)));
	log_capture(on_line, &n_lines);
	log_info("fuzz", log_sv("a", text), log_phone("to", text), log_err(&err), log_sv("b", text),
		log_sv("c", text), log_sv("d", text), log_sv("e", text));
	log_capture(NULL, NULL);
	ASSERT(n_lines == 1);
	return 0;
}
