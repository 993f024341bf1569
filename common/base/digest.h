/* Hashes, MACs and the encodings that go with them (OpenSSL's libcrypto underneath; contexts are
 * reused, not made per call). */
#ifndef WA_BASE_DIGEST_H
#define WA_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/strbuf.h"
#include "common/base/strview.h"

#define SHA256_SIZE 32

void sha256(struct strview data, uint8_t ret_hash[SHA256_SIZE]);
void hmac_sha256(struct strview key, struct strview data, uint8_t ret_mac[SHA256_SIZE]);
/* For long data that comes in pieces. */
struct sha256_stream;
struct sha256_stream *sha256_stream_new(void);
void sha256_stream_add(struct sha256_stream *stream, const void *data, size_t len);
void sha256_stream_end(struct sha256_stream **stream,
	uint8_t ret_hash[SHA256_SIZE]); /* frees it; ret_hash may be NULL */

bool bytes_equal_const_time(const void *a, const void *b, size_t len);
uint32_t crc32_ieee(struct strview data);

void hex_encode(const void *data, size_t len, struct strbuf *out); /* lower case */
int hex_digit(char c); /* 0 to 15, or -1 */
int hex_decode(struct strview text, uint8_t *ret_bytes,
	size_t want_len); /* 0, or -1 when not exactly want_len bytes of hex */
void base64_encode(struct strview data, struct strbuf *out); /* with padding */
int base64_decode(struct strview text,
	struct strbuf *out); /* 0 or -1; padding optional, url alphabet accepted */
/* Exactly `width` characters, no NUL, digits 0-9A-Za-z, so that text sorts as numbers do. The
 * number must fit (11 fit all). */
void base62_encode_u64(uint64_t number, int width, char *ret_text);

#endif
