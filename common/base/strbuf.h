/* A growing byte buffer, always NUL-terminated after its last byte. */
#ifndef WA_BASE_STRBUF_H
#define WA_BASE_STRBUF_H

#include <stddef.h>

#include "common/base/attr.h"
#include "common/base/strview.h"

struct strbuf {
	char *data; /* owned; NULL until the first append */
	size_t len;
	size_t cap;
};

#define STRBUF_INIT                                                                                \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

void strbuf_init(struct strbuf *buf);
void strbuf_deinit(struct strbuf *buf); /* frees; may be used again */
void strbuf_reset(struct strbuf *buf);  /* empties, keeps the memory */
void strbuf_reserve(struct strbuf *buf, size_t more_bytes);
void strbuf_append(struct strbuf *buf, const void *data, size_t len);
void strbuf_append_sv(struct strbuf *buf, struct strview view);
void strbuf_append_cstr(struct strbuf *buf, const char *text);
void strbuf_append_char(struct strbuf *buf, char c);
void strbuf_printf(struct strbuf *buf, const char *fmt, ...) PRINTF_AT(2, 3);
struct strview strbuf_view(
	const struct strbuf *buf);                 /* borrowed until the next change; never null */
const char *strbuf_cstr(const struct strbuf *buf); /* "" when empty */

#endif
