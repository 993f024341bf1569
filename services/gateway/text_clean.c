/* Character by character. */
#include "services/gateway/text_clean.h"

static const char replacement[] = "\xEF\xBF\xBD";

void text_clean(struct strview text, size_t max_bytes, struct strbuf *out)
{
	size_t left = max_bytes;
	while (text.len > 0) {
		size_t len = sv_utf8_front(text);
		struct strview piece = len > 0 ? sv_make(text.ptr, len)
					       : sv_make(replacement, sizeof(replacement) - 1);
		size_t used = len > 0 ? len : 1;
		text = sv_make(text.ptr + used, text.len - used);
		if (len == 1 && piece.ptr[0] == '\0')
			continue;
		if (piece.len > left)
			break;
		strbuf_append_sv(out, piece);
		left -= piece.len;
	}
}
