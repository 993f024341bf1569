/* Signed positions in lists. */
#include "services/api/cursor.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/strbuf.h"

/* Enough against guessing: a wrong one only costs a 400. */
#define MAC_BYTES 9

void cursor_key_init(struct cursor_key *key, struct strview master_key)
{
	hmac_sha256(master_key, SV_LIT("wa cursor v1"), key->bytes);
}

static void position_mac(const struct cursor_key *key, struct strview list, struct strview position,
	uint8_t ret_mac[SHA256_SIZE])
{
	struct strbuf text = STRBUF_INIT;
	strbuf_append_sv(&text, list);
	strbuf_append_char(&text, '\0'); /* in no list's name: so the two cannot be shifted */
	strbuf_append_sv(&text, position);
	hmac_sha256(sv_make(key->bytes, sizeof(key->bytes)), strbuf_view(&text), ret_mac);
	strbuf_deinit(&text);
}

struct strview cursor_format(const struct cursor_key *key, struct strview list,
	struct strview position, struct pool *pool)
{
	uint8_t mac[SHA256_SIZE];
	struct strbuf plain = STRBUF_INIT;
	struct strbuf text = STRBUF_INIT;

	ASSERT(position.len > 0 && position.len <= CURSOR_MAX_POSITION);
	position_mac(key, list, position, mac);
	strbuf_append(&plain, mac, MAC_BYTES);
	strbuf_append_sv(&plain, position);
	base64_encode(strbuf_view(&plain), &text);
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '+')
			text.data[i] = '-';
		else if (text.data[i] == '/')
			text.data[i] = '_';
	}
	while (text.len > 0 && text.data[text.len - 1] == '=')
		text.len--;
	struct strview result = pool_sv(pool, strbuf_view(&text));
	strbuf_deinit(&plain);
	strbuf_deinit(&text);
	return result;
}

int cursor_parse(const struct cursor_key *key, struct strview list, struct strview text,
	struct pool *pool, struct strview *ret_position)
{
	uint8_t mac[SHA256_SIZE];
	struct strbuf plain = STRBUF_INIT;
	int rc = -1;

	if (text.len > (size_t)2 * (MAC_BYTES + CURSOR_MAX_POSITION))
		return -1;
	if (base64_decode(text, &plain) == 0 && plain.len > MAC_BYTES &&
		plain.len <= MAC_BYTES + CURSOR_MAX_POSITION) {
		struct strview position = sv_make(plain.data + MAC_BYTES, plain.len - MAC_BYTES);
		position_mac(key, list, position, mac);
		if (bytes_equal_const_time(mac, plain.data, MAC_BYTES)) {
			*ret_position = pool_sv(pool, position);
			rc = 0;
		}
	}
	strbuf_deinit(&plain);
	return rc;
}
