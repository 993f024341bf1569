/* Excerpts of foreign bytes. */
#include "services/webhooker/text_excerpt.h"

static int is_fit(struct strview character)
{
	unsigned char first = (unsigned char)character.ptr[0];

	/* C1 control characters are U+0080..U+009F. */
	if (character.len == 2 && first == 0xC2 && (unsigned char)character.ptr[1] < 0xA0)
		return 0;
	return character.len > 1 || (first >= ' ' && first != 0x7F) || first == '\t' ||
	       first == '\n';
}

void text_excerpt(struct strview bytes, size_t max_bytes, struct strbuf *out)
{
	size_t room = max_bytes;

	while (bytes.len > 0) {
		size_t len = sv_utf8_front(bytes);
		struct strview character = sv_make(bytes.ptr, len > 0 ? len : 1);
		struct strview shown = len > 0 && is_fit(character) ? character : SV_LIT("?");
		if (shown.len > room)
			return;
		strbuf_append_sv(out, shown);
		room -= shown.len;
		bytes.ptr += character.len;
		bytes.len -= character.len;
	}
}
