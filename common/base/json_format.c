/* JSON values as text. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/json.h"
#include "common/base/mem.h"

struct writer {
	struct strbuf *out;
	bool sorted;
	bool first; /* no comma before the next member */
};

static void write_value(struct writer *writer, const struct json *value);

#define EVERY_BYTE(byte) (0x0101010101010101u * (byte))

/* Whether one of eight bytes is below 0x20, a quote or a backslash. Bytes of 0x80 and more never
 * are. */
static bool any_escape(const char *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
	/* (x - 0x01) & ~x has its top bit set where x is zero (or above such a byte, which only
	 * costs a second look). */
	uint64_t quote = word ^ EVERY_BYTE('"');
	uint64_t slash = word ^ EVERY_BYTE('\\');
	uint64_t hits =
		(word - EVERY_BYTE(0x20)) | (quote - EVERY_BYTE(1)) | (slash - EVERY_BYTE(1));
	return (hits & ~word & EVERY_BYTE(0x80)) != 0;
}

static bool must_escape(unsigned char byte)
{
	return byte < 0x20 || byte == '"' || byte == '\\';
}

static const char *find_escape(const char *at, const char *end)
{
	for (;;) {
		while (end - at >= 8 && !any_escape(at))
			at += 8;
		const char *stop = end - at >= 8 ? at + 8 : end;
		for (; at < stop; at++) {
			if (must_escape((unsigned char)*at))
				return at;
		}
		if (at == end)
			return end;
	}
}

static void escape_byte(unsigned char byte, struct strbuf *out)
{
	/* The letter after the backslash for each control byte, 'u' for the long form. */
	static const char letters[] = "uuuuuuuubtnufruuuuuuuuuuuuuuuuuu";
	char letter = byte < 0x20 ? letters[byte] : (char)byte;
	if (letter == 'u')
		strbuf_printf(out, "\\u%04x", byte);
	else
		strbuf_append(out, (char[]){'\\', letter}, 2);
}

void json_escape(struct strview text, struct strbuf *out)
{
	const char *at = text.ptr != NULL ? text.ptr : "";
	const char *end = at + text.len;

	strbuf_reserve(out, text.len + 2);
	strbuf_append_char(out, '"');
	while (at < end) {
		const char *stop = find_escape(at, end);
		strbuf_append(out, at, (size_t)(stop - at));
		if (stop == end)
			break;
		escape_byte((unsigned char)*stop, out);
		at = stop + 1;
	}
	strbuf_append_char(out, '"');
}

static void write_int(struct strbuf *out, int64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);
	uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	do {
		digits[--at] = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (number < 0)
		digits[--at] = '-';
	strbuf_append(out, digits + at, sizeof(digits) - at);
}

/* The shortest of 15 to 17 digits that reads back the same; never looks like an integer. */
static void write_real(struct strbuf *out, double number)
{
	char text[40];
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	strbuf_append_cstr(out, text);
	if (strpbrk(text, ".e") == NULL)
		strbuf_append(out, ".0", 2);
}

static int write_member(void *ctx, const char *key, struct json *value)
{
	struct writer *writer = ctx;
	if (!writer->first)
		strbuf_append_char(writer->out, ',');
	json_escape(sv_from(key), writer->out);
	strbuf_append_char(writer->out, ':');
	write_value(writer, value);
	writer->first = false;
	return 0;
}

struct member {
	const char *key;
	struct json *value;
};

static int member_collect(void *ctx, const char *key, struct json *value)
{
	struct member **next = ctx;
	**next = (struct member){key, value};
	(*next)++;
	return 0;
}

static int member_compare(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static void write_members_sorted(struct writer *writer, const struct json *object)
{
	size_t n_members = json_object_len(object);
	struct member *members = mem_array(n_members, sizeof(*members));
	struct member *end = members;
	(void)json_object_each(object, member_collect, &end);
	qsort(members, n_members, sizeof(*members), member_compare);
	for (size_t i = 0; i < n_members; i++)
		(void)write_member(writer, members[i].key, members[i].value);
	mem_free(members);
}

static void write_object(struct writer *writer, const struct json *object)
{
	strbuf_append_char(writer->out, '{');
	writer->first = true;
	if (writer->sorted)
		write_members_sorted(writer, object);
	else
		(void)json_object_each(object, write_member, writer);
	strbuf_append_char(writer->out, '}');
}

static void write_array(struct writer *writer, const struct json *array)
{
	size_t len = json_array_len(array);
	strbuf_append_char(writer->out, '[');
	for (size_t i = 0; i < len; i++) {
		if (i > 0)
			strbuf_append_char(writer->out, ',');
		write_value(writer, json_array_get(array, i));
	}
	strbuf_append_char(writer->out, ']');
}

static void write_value(struct writer *writer, const struct json *value)
{
	switch (json_type(value)) {
	case JSON_NULL:
		strbuf_append_cstr(writer->out, "null");
		break;
	case JSON_BOOL:
		strbuf_append_cstr(writer->out, json_bool(value) ? "true" : "false");
		break;
	case JSON_INT:
		write_int(writer->out, json_int(value));
		break;
	case JSON_REAL:
		write_real(writer->out, json_real(value));
		break;
	case JSON_STRING:
		json_escape(json_string(value), writer->out);
		break;
	case JSON_ARRAY:
		write_array(writer, value);
		break;
	case JSON_OBJECT:
		write_object(writer, value);
		break;
	}
}

void json_format(const struct json *value, struct strbuf *out)
{
	struct writer writer = {.out = out};
	write_value(&writer, value);
}

void json_format_canonical(const struct json *value, struct strbuf *out)
{
	struct writer writer = {.out = out, .sorted = true};
	write_value(&writer, value);
}
