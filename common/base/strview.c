/* Views on text that somebody else owns. */
#include "common/base/strview.h"

#include <string.h>

#include "common/base/check.h"

struct strview sv_from(const char *text)
{
	return text != NULL ? (struct strview){text, strlen(text)} : SV_NULL;
}

struct strview sv_make(const void *ptr, size_t len)
{
	ASSERT(ptr != NULL || len == 0);
	return (struct strview){ptr, len};
}

bool sv_is_null(struct strview view)
{
	return view.ptr == NULL;
}

bool sv_eq(struct strview a, struct strview b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool sv_eq_cstr(struct strview view, const char *text)
{
	return sv_eq(view, sv_from(text));
}

static char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool sv_ieq_cstr(struct strview view, const char *text)
{
	for (size_t i = 0; i < view.len; i++) {
		if (text[i] == '\0' || ascii_lower(view.ptr[i]) != ascii_lower(text[i]))
			return false;
	}
	return text[view.len] == '\0';
}

bool sv_starts_with(struct strview view, const char *prefix)
{
	size_t len = strlen(prefix);
	return view.len >= len && (len == 0 || memcmp(view.ptr, prefix, len) == 0);
}

static bool is_white(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct strview sv_trim(struct strview view)
{
	while (view.len > 0 && is_white(view.ptr[0])) {
		view.ptr++;
		view.len--;
	}
	while (view.len > 0 && is_white(view.ptr[view.len - 1]))
		view.len--;
	return view;
}

bool sv_split(struct strview *view, char separator, struct strview *ret_part)
{
	if (view->ptr == NULL)
		return false;
	const char *end = view->len > 0 ? memchr(view->ptr, separator, view->len) : NULL;
	if (end == NULL) {
		*ret_part = *view;
		*view = SV_NULL;
		return true;
	}
	size_t len = (size_t)(end - view->ptr);
	*ret_part = (struct strview){view->ptr, len};
	*view = (struct strview){end + 1, view->len - len - 1};
	return true;
}

int sv_to_i64(struct strview view, int64_t *ret_number)
{
	bool negative = view.len > 0 && view.ptr[0] == '-';
	size_t i = negative ? 1 : 0;
	if (i == view.len)
		return -1;
	int64_t number = 0;
	for (; i < view.len; i++) {
		int digit = view.ptr[i] - '0';
		if (digit < 0 || digit > 9)
			return -1;
		/* Counted downwards, for the lowest number has no positive twin. */
		if (__builtin_mul_overflow(number, 10, &number) ||
			__builtin_sub_overflow(number, digit, &number))
			return -1;
	}
	if (!negative && __builtin_sub_overflow((int64_t)0, number, &number))
		return -1;
	*ret_number = number;
	return 0;
}

uint64_t sv_hash(struct strview view)
{
	uint64_t hash = 0xcbf29ce484222325u;
	for (size_t i = 0; i < view.len; i++) {
		hash ^= (uint8_t)view.ptr[i];
		hash *= 0x100000001b3u;
	}
	return hash;
}

static bool is_tail(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

/* RFC 3629, section 4, row by row. */
size_t sv_utf8_front(struct strview view)
{
	if (view.len == 0)
		return 0;
	const uint8_t *p = (const uint8_t *)view.ptr;
	uint8_t first = p[0];
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	if (first < 0xe0)
		return view.len >= 2 && is_tail(p[1]) ? 2 : 0;
	if (view.len < 3 || !is_tail(p[1]) || !is_tail(p[2]))
		return 0;
	if (first < 0xf0) {
		bool overlong = first == 0xe0 && p[1] < 0xa0;
		bool surrogate = first == 0xed && p[1] > 0x9f;
		return overlong || surrogate ? 0 : 3;
	}
	if (view.len < 4 || !is_tail(p[3]))
		return 0;
	bool overlong = first == 0xf0 && p[1] < 0x90;
	bool beyond = first == 0xf4 && p[1] > 0x8f;
	return overlong || beyond ? 0 : 4;
}

bool sv_is_utf8(struct strview view)
{
	while (view.len > 0) {
		uint64_t eight;
		/* Most text is ASCII: take eight bytes at a time. */
		while (view.len >= sizeof(eight)) {
			memcpy(&eight, view.ptr, sizeof(eight));
			if ((eight & 0x8080808080808080u) != 0)
				break;
			view.ptr += sizeof(eight);
			view.len -= sizeof(eight);
		}
		if (view.len == 0)
			break;
		size_t len = sv_utf8_front(view);
		if (len == 0)
			return false;
		view.ptr += len;
		view.len -= len;
	}
	return true;
}
