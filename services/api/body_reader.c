/* JSON members with their rules. */
#include "services/api/body_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/strbuf.h"

void body_reader_init(struct body_reader *reader, const struct json *object, const char *prefix,
	struct pool *pool, struct field_errors *errors)
{
	ASSERT(json_type(object) == JSON_OBJECT);
	reader->object = object;
	reader->prefix = prefix;
	reader->pool = pool;
	reader->errors = errors;
	reader->n_asked = 0;
}

void body_reader_fail(struct body_reader *reader, const char *name, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	const char *field = name;
	if (reader->prefix[0] != '\0')
		field = pool_printf(reader->pool, "%s%s", reader->prefix, name);
	field_errors_add(reader->errors, field, "%s", text);
}

/* The member, or NULL when it is absent or null. */
static const struct json *body_ask(struct body_reader *reader, const char *name)
{
	bool known = false;
	for (int i = 0; i < reader->n_asked && !known; i++)
		known = strcmp(reader->asked[i], name) == 0;
	if (!known) {
		ASSERT(reader->n_asked < BODY_MAX_FIELDS);
		reader->asked[reader->n_asked++] = name;
	}
	const struct json *value = json_object_get(reader->object, name);
	return json_type(value) == JSON_NULL ? NULL : value;
}

/* The same, noting a required one's absence. */
static const struct json *body_need(
	struct body_reader *reader, const char *name, enum body_need need)
{
	const struct json *value = body_ask(reader, name);
	if (value == NULL && need == BODY_REQUIRED)
		body_reader_fail(reader, name, "is required");
	return value;
}

bool body_has(struct body_reader *reader, const char *name)
{
	return body_ask(reader, name) != NULL;
}

static bool has_control(struct strview text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c < 0x20 || c == 0x7f)
			return true;
	}
	return false;
}

bool body_text(struct body_reader *reader, const char *name, const struct body_text_rule *rule,
	struct strview *ret_text)
{
	const struct json *value = body_need(reader, name, rule->need);
	if (value == NULL)
		return false;
	if (json_type(value) != JSON_STRING) {
		body_reader_fail(reader, name, "must be a string");
		return false;
	}
	struct strview text = json_string(value);
	if ((int64_t)text.len > rule->max_bytes) {
		body_reader_fail(reader, name, "must be at most %lld bytes of UTF-8, this has %zu",
			(long long)rule->max_bytes, text.len);
		return false;
	}
	if (!rule->may_be_empty && sv_trim(text).len == 0) {
		body_reader_fail(reader, name, "must not be empty");
		return false;
	}
	if (rule->one_line && has_control(text)) {
		body_reader_fail(reader, name, "must not contain control characters");
		return false;
	}
	*ret_text = text;
	return true;
}

bool body_bool(struct body_reader *reader, const char *name, bool *ret_yes)
{
	const struct json *value = body_ask(reader, name);
	if (value == NULL)
		return false;
	if (json_type(value) != JSON_BOOL) {
		body_reader_fail(reader, name, "must be true or false");
		return false;
	}
	*ret_yes = json_bool(value);
	return true;
}

bool body_int(struct body_reader *reader, const char *name, enum body_need need, int64_t min,
	int64_t max, int64_t *ret_number)
{
	const struct json *value = body_need(reader, name, need);
	if (value == NULL)
		return false;
	if (json_type(value) != JSON_INT || json_int(value) < min || json_int(value) > max) {
		body_reader_fail(reader, name, "must be an integer from %lld to %lld",
			(long long)min, (long long)max);
		return false;
	}
	*ret_number = json_int(value);
	return true;
}

/* Digits alone; a number beyond 63 bits is INT64_MAX. */
static bool digits_to_id(struct strview text, int64_t *ret_id)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	}
	if (text.len == 0 || text.len > 64)
		return false;
	if (sv_to_i64(text, ret_id) != 0)
		*ret_id = INT64_MAX;
	return true;
}

bool body_id(struct body_reader *reader, const char *name, enum body_need need, int64_t *ret_id)
{
	const struct json *value = body_need(reader, name, need);
	if (value == NULL)
		return false;
	if (json_type(value) == JSON_INT && json_int(value) >= 0) {
		*ret_id = json_int(value);
		return true;
	}
	if (json_type(value) == JSON_STRING && digits_to_id(json_string(value), ret_id))
		return true;
	body_reader_fail(reader, name, "must be an integer, or a string of digits");
	return false;
}

bool body_time(struct body_reader *reader, const char *name, int64_t *ret_wall_ms)
{
	const struct json *value = body_ask(reader, name);
	if (value == NULL)
		return false;
	if (json_type(value) != JSON_STRING || clock_parse(json_string(value), ret_wall_ms) != 0) {
		body_reader_fail(reader, name,
			"must be an RFC 3339 time with an offset, such as 2026-01-31T09:00:00Z");
		return false;
	}
	return true;
}

static void strbuf_drop(void *arg)
{
	strbuf_deinit(arg);
}

bool body_object_text(
	struct body_reader *reader, const char *name, int64_t max_bytes, struct strview *ret_text)
{
	const struct json *value = body_ask(reader, name);
	if (value == NULL)
		return false;
	if (json_type(value) != JSON_OBJECT) {
		body_reader_fail(reader, name, "must be an object");
		return false;
	}
	struct strbuf *text = pool_new_in(reader->pool, struct strbuf);
	pool_on_free(reader->pool, strbuf_drop, text);
	json_format(value, text);
	if ((int64_t)text->len > max_bytes) {
		body_reader_fail(reader, name, "must be at most %lld bytes as compact JSON",
			(long long)max_bytes);
		return false;
	}
	*ret_text = strbuf_view(text);
	return true;
}

bool body_array(struct body_reader *reader, const char *name, enum body_need need, int max_items,
	const struct json **ret_array)
{
	const struct json *value = body_need(reader, name, need);
	if (value == NULL)
		return false;
	if (json_type(value) != JSON_ARRAY) {
		body_reader_fail(reader, name, "must be an array");
		return false;
	}
	size_t len = json_array_len(value);
	if (len == 0 || len > (size_t)max_items) {
		body_reader_fail(reader, name, "must have 1 to %d items", max_items);
		return false;
	}
	*ret_array = value;
	return true;
}

static int refuse_unknown(void *ctx, const char *key, struct json *value)
{
	struct body_reader *reader = ctx;
	(void)value;
	for (int i = 0; i < reader->n_asked; i++) {
		if (strcmp(reader->asked[i], key) == 0)
			return 0;
	}
	body_reader_fail(reader, key, "is not a field of this request");
	return 0;
}

void body_reader_end(struct body_reader *reader)
{
	(void)json_object_each(reader->object, refuse_unknown, reader);
}
