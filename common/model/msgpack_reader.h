/*
 * Reads msgpack (https://github.com/msgpack/msgpack/blob/master/spec.md) value by value without
 * allocating. msgpack-c's own unpacker allocates what a header claims, up to 4 Gi elements for five
 * bytes of input; this one is total on garbage: it never looks beyond the buffer and its work is
 * bounded by the buffer's size.
 */
#ifndef WA_MODEL_MSGPACK_READER_H
#define WA_MODEL_MSGPACK_READER_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/strview.h"

struct msgpack_reader {
	const uint8_t *at;
	const uint8_t *end;
};

void msgpack_reader_init(struct msgpack_reader *reader, struct strview data);
/* Each takes one value, 0, or -1 when the next value is of another type, cut off or out of range;
   then the reader is of no further use. */
int msgpack_read_array(
	struct msgpack_reader *reader, uint32_t *ret_count); /* the header; its elements follow */
int msgpack_read_int(struct msgpack_reader *reader, int64_t *ret_number);
int msgpack_read_text(struct msgpack_reader *reader,
	struct strview *ret_text);               /* str, bin, or nil (gives SV_NULL) */
int msgpack_skip(struct msgpack_reader *reader); /* any value, with all that it holds */

#endif
