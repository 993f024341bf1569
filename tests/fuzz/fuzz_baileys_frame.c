/* baileys_frame_parse() takes any bytes; what it accepts is within its bounds and inside them. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "common/base/check.h"
#include "services/gateway/baileys_frame.h"

static void check_inside(struct strview body, struct strview part)
{
	if (part.len > 0)
		ASSERT(part.ptr >= body.ptr && part.ptr + part.len <= body.ptr + body.len);
}

static void check_frame(struct strview body, const struct baileys_frame *frame)
{
	ASSERT(frame->n_names >= 0 && frame->n_names <= BAILEYS_NAMES_MAX);
	ASSERT(frame->n_changes >= 0 && frame->n_changes <= BAILEYS_CHANGES_MAX);
	for (int i = 0; i < BAILEYS_FIELDS_MAX; i++)
		check_inside(body, frame->fields[i].text);
	for (int i = 0; i < frame->n_names; i++) {
		check_inside(body, frame->names[i]);
		ASSERT(frame->names[i].len > 0 && sv_is_utf8(frame->names[i]));
	}
	for (int i = 0; i < frame->n_changes; i++) {
		check_inside(body, frame->changes[i].value);
		ASSERT(frame->changes[i].name.len <= BAILEYS_NAME_MAX_BYTES);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct strview body = sv_make(data, size_bytes);
	struct baileys_frame frame;
	struct err err;
	struct pool *pool = pool_new();

	if (size_bytes >= BAILEYS_FRAME_HEAD) {
		int64_t size = baileys_frame_size(data, &err);
		ASSERT(size == -1 || (size >= 1 && size <= BAILEYS_FRAME_MAX));
	}
	if (baileys_frame_parse(body, pool, &frame, &err) == 0)
		check_frame(body, &frame);
	else
		ASSERT(err.text[0] != '\0');
	pool_free(&pool);
	return 0;
}
