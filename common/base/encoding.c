/* The encodings of digest.h: hex, base64 (RFC 4648) and base62. */
#include <string.h>

#include "common/base/check.h"
#include "common/base/digest.h"

void hex_encode(const void *data, size_t len, struct strbuf *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;
	ASSERT(len < SIZE_MAX / 4);
	strbuf_reserve(out, len * 2);
	char *at = out->data + out->len;
	for (size_t i = 0; i < len; i++) {
		*at++ = digits[bytes[i] >> 4];
		*at++ = digits[bytes[i] & 15];
	}
	*at = '\0';
	out->len += len * 2;
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(struct strview text, uint8_t *ret_bytes, size_t want_len)
{
	if (text.len % 2 != 0 || text.len / 2 != want_len)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		if (hex_digit(text.ptr[i]) < 0)
			return -1;
	}
	for (size_t i = 0; i < want_len; i++)
		ret_bytes[i] =
			(uint8_t)(hex_digit(text.ptr[2 * i]) << 4 | hex_digit(text.ptr[2 * i + 1]));
	return 0;
}

void base64_encode(struct strview data, struct strbuf *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = (const uint8_t *)data.ptr;
	size_t left = data.len;
	ASSERT(left < SIZE_MAX / 4);
	strbuf_reserve(out, (left + 2) / 3 * 4);
	char *at = out->data + out->len;
	for (; left >= 3; left -= 3, p += 3) {
		*at++ = digits[p[0] >> 2];
		*at++ = digits[(p[0] & 3) << 4 | p[1] >> 4];
		*at++ = digits[(p[1] & 15) << 2 | p[2] >> 6];
		*at++ = digits[p[2] & 63];
	}
	if (left > 0) {
		uint8_t second = left == 2 ? p[1] : 0;
		*at++ = digits[p[0] >> 2];
		*at++ = digits[(p[0] & 3) << 4 | second >> 4];
		*at++ = left == 2 ? digits[(second & 15) << 2] : '=';
		*at++ = '=';
	}
	*at = '\0';
	out->len = (size_t)(at - out->data);
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

/* The digits without their padding; -1 when that is wrong or the count of digits is impossible. */
static int base64_strip(struct strview *text)
{
	size_t padding = 0;
	while (padding < 2 && text->len > padding && text->ptr[text->len - 1 - padding] == '=')
		padding++;
	if (padding > 0 && text->len % 4 != 0)
		return -1;
	text->len -= padding;
	return text->len % 4 == 1 ? -1 : 0;
}

int base64_decode(struct strview text, struct strbuf *out)
{
	if (base64_strip(&text) < 0)
		return -1;
	size_t start = out->len;
	strbuf_reserve(out, text.len / 4 * 3 + 3);
	char *at = out->data + out->len;
	uint32_t bits = 0;
	int n_bits = 0;
	for (size_t i = 0; i < text.len; i++) {
		int value = base64_value(text.ptr[i]);
		if (value < 0)
			break;
		bits = bits << 6 | (uint32_t)value;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			*at++ = (char)(bits >> n_bits & 0xff);
		}
		if (i + 1 < text.len)
			continue;
		/* Bits left over must be zero, so that one value has one text. */
		if ((bits & ((1u << n_bits) - 1)) != 0)
			break;
		*at = '\0';
		out->len = (size_t)(at - out->data);
		return 0;
	}
	out->data[start] = '\0';
	return text.len == 0 ? 0 : -1;
}

void base62_encode_u64(uint64_t number, int width, char *ret_text)
{
	static const char digits[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	for (int i = width - 1; i >= 0; i--) {
		ret_text[i] = digits[number % 62];
		number /= 62;
	}
	ASSERT(number == 0);
}
