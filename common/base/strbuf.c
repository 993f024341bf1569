/* A growing byte buffer. */
#include "common/base/strbuf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"

#define FIRST_CAP_BYTES 64

void strbuf_init(struct strbuf *buf)
{
	*buf = (struct strbuf)STRBUF_INIT;
}

void strbuf_deinit(struct strbuf *buf)
{
	mem_free(buf->data);
	strbuf_init(buf);
}

void strbuf_reset(struct strbuf *buf)
{
	buf->len = 0;
	if (buf->data != NULL)
		buf->data[0] = '\0';
}

static void strbuf_grow(struct strbuf *buf, size_t more_bytes)
{
	ASSERT(more_bytes < SIZE_MAX / 2 - buf->len);
	size_t need = buf->len + more_bytes + 1;
	size_t cap = buf->cap > 0 ? buf->cap * 2 : FIRST_CAP_BYTES;
	buf->cap = cap > need ? cap : need;
	buf->data = mem_realloc(buf->data, buf->cap);
	buf->data[buf->len] = '\0';
}

void strbuf_reserve(struct strbuf *buf, size_t more_bytes)
{
	if (buf->cap - buf->len <= more_bytes)
		strbuf_grow(buf, more_bytes);
}

void strbuf_append(struct strbuf *buf, const void *data, size_t len)
{
	strbuf_reserve(buf, len);
	if (len > 0)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void strbuf_append_sv(struct strbuf *buf, struct strview view)
{
	strbuf_append(buf, view.ptr, view.len);
}

void strbuf_append_cstr(struct strbuf *buf, const char *text)
{
	strbuf_append(buf, text, strlen(text));
}

void strbuf_append_char(struct strbuf *buf, char c)
{
	strbuf_reserve(buf, 1);
	buf->data[buf->len++] = c;
	buf->data[buf->len] = '\0';
}

void strbuf_printf(struct strbuf *buf, const char *fmt, ...)
{
	va_list args;
	size_t room = buf->cap - buf->len;

	va_start(args, fmt);
	int len = vsnprintf(room > 0 ? buf->data + buf->len : NULL, room, fmt, args);
	va_end(args);
	ASSERT(len >= 0);
	if ((size_t)len >= room) {
		strbuf_grow(buf, (size_t)len);
		va_start(args, fmt);
		len = vsnprintf(buf->data + buf->len, buf->cap - buf->len, fmt, args);
		va_end(args);
		ASSERT(len >= 0 && (size_t)len < buf->cap - buf->len);
	}
	buf->len += (size_t)len;
}

struct strview strbuf_view(const struct strbuf *buf)
{
	return (struct strview){strbuf_cstr(buf), buf->len};
}

const char *strbuf_cstr(const struct strbuf *buf)
{
	return buf->data != NULL ? buf->data : "";
}
