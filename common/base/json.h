/*
 * JSON values on jansson, which only json.c sees.
 * Parsing is strict: UTF-8, no duplicate keys, no NUL bytes in strings, depth at most 32
 * (JSON_MAX_DEPTH), integers within 64 bits, nothing after the value.
 */
#ifndef WA_BASE_JSON_H
#define WA_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attr.h"
#include "common/base/err.h"
#include "common/base/strbuf.h"
#include "common/base/strview.h"

#define JSON_MAX_DEPTH 32

struct json; /* a value, reference-counted; borrowed unless said */

enum json_type { JSON_NULL, JSON_BOOL, JSON_INT, JSON_REAL, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* NULL with err on bad input. The caller owns the value. */
struct json *json_parse(struct strview text, struct err *err) MUST_CHECK;
void json_free(struct json **value); /* drops one reference; NULL is fine */
struct json *json_ref(struct json *value);
/* Compact text; keys in insertion order. */
void json_format(const struct json *value, struct strbuf *out);
/* Compact text with sorted keys: the same value always gives the same bytes (for fingerprints). */
void json_format_canonical(const struct json *value, struct strbuf *out);

enum json_type json_type(const struct json *value); /* NULL pointer counts as JSON_NULL */
bool json_bool(const struct json *value); /* must be a JSON_BOOL; the same for those below */
int64_t json_int(const struct json *value);
/* The linker's names: jansson exports functions called as these four, and would call ours. */
double json_real(const struct json *value) LINK_AS("wa_json_real"); /* JSON_INT or JSON_REAL */
/* Borrowed from the value; NUL-terminated. */
struct strview json_string(const struct json *value) LINK_AS("wa_json_string");
size_t json_array_len(const struct json *array);
/* index < length */
struct json *json_array_get(const struct json *array, size_t index) LINK_AS("wa_json_array_get");
/* NULL when absent, and when `object` is no object at all (so that look-ups may be chained). */
struct json *json_object_get(const struct json *object, const char *key)
	LINK_AS("wa_json_object_get");
/* Iterate an object: json_object_each(o, fn, ctx) calls fn for each member in insertion order;
   stops and returns what fn returned when that is not 0. */
int json_object_each(const struct json *object,
	int (*fn)(void *ctx, const char *key, struct json *value), void *ctx);
size_t json_object_len(const struct json *object);

/* Build. New values are owned by the caller until they are put into a container, which then owns
 * them ("steals"). */
struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_new_string(struct strview text); /* must be UTF-8; SV_NULL gives a null value */
struct json *json_new_int(int64_t number);
struct json *json_new_real(double number);
struct json *json_new_bool(bool yes);
struct json *json_new_null(void);
void json_set(struct json *object, const char *key, struct json *value); /* steals value */
void json_set_sv(struct json *object, const char *key, struct strview text);
void json_set_cstr(struct json *object, const char *key, const char *text); /* NULL gives null */
void json_set_int(struct json *object, const char *key, int64_t number);
void json_set_bool(struct json *object, const char *key, bool yes);
void json_set_time(
	struct json *object, const char *key, int64_t wall_ms); /* RFC 3339; negative gives null */
void json_push(struct json *array, struct json *value);         /* steals value */
/* Append text to out as a JSON string with its quotes; for writers of hot, fixed shapes. text must
 * be UTF-8. */
void json_escape(struct strview text, struct strbuf *out);

#endif
