/*
 * Reads the members of a JSON object, notes every mistake by its field's name, and refuses members
 * that nobody asked for. Pure. A null member counts as absent. Each function gives true and fills
 * its out-parameter when the member is there and good.
 */
#ifndef WA_API_BODY_READER_H
#define WA_API_BODY_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/json.h"
#include "common/base/pool.h"
#include "common/base/strview.h"
#include "services/api/field_errors.h"

#define BODY_MAX_FIELDS 24

struct body_reader {
	const struct json *object;
	struct pool *pool;
	struct field_errors *errors;
	const char *prefix; /* put before field names: "" or e.g. "phone_numbers[0]." */
	int n_asked;
	const char *asked[BODY_MAX_FIELDS];
};

enum body_need { BODY_OPTIONAL, BODY_REQUIRED };

/* What a text must be. */
struct body_text_rule {
	enum body_need need;
	int64_t max_bytes;
	bool may_be_empty;
	bool one_line; /* no control characters */
};

/* object: a JSON_OBJECT, borrowed; prefix is borrowed as well. */
void body_reader_init(struct body_reader *reader, const struct json *object, const char *prefix,
	struct pool *pool, struct field_errors *errors);
/* A mistake in a field, found by the caller. name without the prefix. */
void body_reader_fail(struct body_reader *reader, const char *name, const char *fmt, ...)
	PRINTF_AT(3, 4);
/* Was the member given (not absent, not null)? Counts as asking for it. */
bool body_has(struct body_reader *reader, const char *name);

bool body_text(struct body_reader *reader, const char *name, const struct body_text_rule *rule,
	struct strview *ret_text);
bool body_bool(struct body_reader *reader, const char *name, bool *ret_yes);
bool body_int(struct body_reader *reader, const char *name, enum body_need need, int64_t min,
	int64_t max, int64_t *ret_number);
/* An id of ours: a non-negative integer, or one as a string of digits. What is beyond 63 bits is
 * INT64_MAX: no such thing. */
bool body_id(struct body_reader *reader, const char *name, enum body_need need, int64_t *ret_id);
/* An RFC 3339 time, as Unix ms. */
bool body_time(struct body_reader *reader, const char *name, int64_t *ret_wall_ms);
/* An object whose compact text has at most max_bytes; the text lies in the pool. */
bool body_object_text(
	struct body_reader *reader, const char *name, int64_t max_bytes, struct strview *ret_text);
/* An array of 1 to max_items (0 to max_items when optional and empty is refused all the same). */
bool body_array(struct body_reader *reader, const char *name, enum body_need need, int max_items,
	const struct json **ret_array);
/* Note members that were not asked for. */
void body_reader_end(struct body_reader *reader);

#endif
