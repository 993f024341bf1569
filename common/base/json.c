/* JSON values on jansson; json_format.c writes them. */
#include "common/base/json.h"

#include <math.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/json_library.h"
#include "common/base/mem.h"

/* struct json has no members of its own: it is jansson's json_t by another name. */
static json_t *unwrap(const struct json *value)
{
	return (json_t *)(uintptr_t)value;
}

static struct json *wrap(json_t *value)
{
	return (struct json *)value;
}

/* Must happen before jansson's first allocation. */
__attribute__((constructor)) static void json_use_mem(void)
{
	json_set_alloc_funcs(mem_alloc, mem_free);
}

/* jansson's own limit is 2048. Where the text nests deeper than JSON_MAX_DEPTH; its length when it
 * does not. */
static size_t find_too_deep(struct strview text)
{
	int depth = 0;
	bool in_string = false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (in_string && c == '\\')
			i++; /* what is escaped cannot end the string */
		else if (c == '"')
			in_string = !in_string;
		else if (in_string)
			continue;
		else if ((c == '[' || c == '{') && ++depth > JSON_MAX_DEPTH)
			return i;
		else if (c == ']' || c == '}')
			depth--;
	}
	return text.len;
}

static int err_set_too_deep(struct err *err, struct strview text, size_t at)
{
	int line = 1;
	int column = 1;
	for (size_t i = 0; i < at; i++) {
		bool is_tail = ((unsigned char)text.ptr[i] & 0xc0) == 0x80;
		if (text.ptr[i] == '\n') {
			line++;
			column = 1;
		} else if (!is_tail) {
			column++;
		}
	}
	return err_set(err, "line %d column %d: nested deeper than %d levels", line, column,
		JSON_MAX_DEPTH);
}

struct json *json_parse(struct strview text, struct err *err)
{
	json_error_t error;

	if (text.len == 0) {
		err_set(err, "line 1 column 1: no JSON, the text is empty");
		return NULL;
	}
	size_t too_deep_at = find_too_deep(text);
	if (too_deep_at < text.len) {
		err_set_too_deep(err, text, too_deep_at);
		return NULL;
	}
	json_t *value =
		json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (value == NULL) {
		/* jansson quotes what it read, which may be somebody's message: errors are logged,
		 * so that goes. */
		char *quote = strstr(error.text, " near '");
		if (quote != NULL)
			*quote = '\0';
		/* Nor do the library's own flags say anything to a caller. */
		char *flag = strstr(error.text, " without JSON_");
		if (flag != NULL)
			*flag = '\0';
		err_set(err, "line %d column %d: %s", error.line, error.column, error.text);
	}
	return wrap(value);
}

void json_free(struct json **value)
{
	json_decref(unwrap(*value));
	*value = NULL;
}

struct json *json_ref(struct json *value)
{
	return wrap(json_incref(unwrap(value)));
}

enum json_type json_type(const struct json *value)
{
	if (value == NULL)
		return JSON_NULL;
	switch (json_typeof(unwrap(value))) {
	case JANSSON_OBJECT:
		return JSON_OBJECT;
	case JANSSON_ARRAY:
		return JSON_ARRAY;
	case JANSSON_STRING:
		return JSON_STRING;
	case JSON_INTEGER:
		return JSON_INT;
	case JANSSON_REAL:
		return JSON_REAL;
	case JSON_TRUE:
	case JSON_FALSE:
		return JSON_BOOL;
	case JANSSON_NULL:
		return JSON_NULL;
	}
	WRONG("jansson has no other type");
}

bool json_bool(const struct json *value)
{
	ASSERT(json_type(value) == JSON_BOOL);
	return json_typeof(unwrap(value)) == JSON_TRUE;
}

int64_t json_int(const struct json *value)
{
	ASSERT(json_type(value) == JSON_INT);
	return json_integer_value(unwrap(value));
}

double json_real(const struct json *value)
{
	enum json_type type = json_type(value);
	ASSERT(type == JSON_INT || type == JSON_REAL);
	return json_number_value(unwrap(value));
}

struct strview json_string(const struct json *value)
{
	ASSERT(json_type(value) == JSON_STRING);
	return sv_make(json_string_value(unwrap(value)), json_string_length(unwrap(value)));
}

size_t json_array_len(const struct json *array)
{
	ASSERT(json_type(array) == JSON_ARRAY);
	return json_array_size(unwrap(array));
}

struct json *json_array_get(const struct json *array, size_t index)
{
	ASSERT(index < json_array_len(array));
	return wrap(jansson_array_get(unwrap(array), index));
}

struct json *json_object_get(const struct json *object, const char *key)
{
	return wrap(jansson_object_get(unwrap(object), key));
}

int json_object_each(const struct json *object,
	int (*fn)(void *ctx, const char *key, struct json *value), void *ctx)
{
	ASSERT(json_type(object) == JSON_OBJECT);
	json_t *members = unwrap(object);
	void *iter = json_object_iter(members);
	while (iter != NULL) {
		int rc = fn(ctx, json_object_iter_key(iter), wrap(json_object_iter_value(iter)));
		if (rc != 0)
			return rc;
		iter = json_object_iter_next(members, iter);
	}
	return 0;
}

size_t json_object_len(const struct json *object)
{
	ASSERT(json_type(object) == JSON_OBJECT);
	return json_object_size(unwrap(object));
}

struct json *json_new_object(void)
{
	return wrap(json_object());
}

struct json *json_new_array(void)
{
	return wrap(json_array());
}

struct json *json_new_string(struct strview text)
{
	if (sv_is_null(text))
		return json_new_null();
	ASSERT(sv_is_utf8(text));
	return wrap(json_stringn_nocheck(text.ptr, text.len));
}

struct json *json_new_int(int64_t number)
{
	return wrap(json_integer(number));
}

struct json *json_new_real(double number)
{
	ASSERT(isfinite(number));
	return wrap(jansson_real(number));
}

struct json *json_new_bool(bool yes)
{
	return wrap(json_boolean(yes));
}

struct json *json_new_null(void)
{
	return wrap(json_null());
}

void json_set(struct json *object, const char *key, struct json *value)
{
	ASSERT(json_type(object) == JSON_OBJECT);
	int rc = json_object_set_new(unwrap(object), key, unwrap(value));
	ASSERT(rc == 0); /* a key that is no UTF-8, or the object itself as its member */
}

void json_set_sv(struct json *object, const char *key, struct strview text)
{
	json_set(object, key, json_new_string(text));
}

void json_set_cstr(struct json *object, const char *key, const char *text)
{
	json_set_sv(object, key, sv_from(text));
}

void json_set_int(struct json *object, const char *key, int64_t number)
{
	json_set(object, key, json_new_int(number));
}

void json_set_bool(struct json *object, const char *key, bool yes)
{
	json_set(object, key, json_new_bool(yes));
}

void json_set_time(struct json *object, const char *key, int64_t wall_ms)
{
	char text[CLOCK_RFC3339_SIZE];
	if (wall_ms < 0) {
		json_set(object, key, json_new_null());
		return;
	}
	clock_format(wall_ms, text);
	json_set_cstr(object, key, text);
}

void json_push(struct json *array, struct json *value)
{
	ASSERT(json_type(array) == JSON_ARRAY);
	int rc = json_array_append_new(unwrap(array), unwrap(value));
	ASSERT(rc == 0);
}
