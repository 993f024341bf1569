/* API keys as text. */
#include "services/api/api_key.h"

#include <stdio.h>
#include <string.h>

#include "common/base/rng.h"

#define PREFIX_LEN   8
#define RANDOM_LEN   32
#define CHECKSUM_LEN 6

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static void checksum(struct strview text, char ret_checksum[CHECKSUM_LEN])
{
	base62_encode_u64(crc32_ieee(text), CHECKSUM_LEN, ret_checksum);
}

void api_key_new(bool sandbox, char ret_key[API_KEY_SIZE])
{
	memcpy(ret_key, sandbox ? "sk_test_" : "sk_live_", PREFIX_LEN);
	for (int i = 0; i < RANDOM_LEN; i++)
		ret_key[PREFIX_LEN + i] = digits[rng_below(sizeof(digits) - 1)];
	checksum(sv_make(ret_key, PREFIX_LEN + RANDOM_LEN), ret_key + PREFIX_LEN + RANDOM_LEN);
	ret_key[API_KEY_LEN] = '\0';
}

bool api_key_is(struct strview text)
{
	char expected[CHECKSUM_LEN];

	if (text.len != API_KEY_LEN)
		return false;
	if (!sv_starts_with(text, "sk_live_") && !sv_starts_with(text, "sk_test_"))
		return false;
	checksum(sv_make(text.ptr, PREFIX_LEN + RANDOM_LEN), expected);
	return memcmp(expected, text.ptr + PREFIX_LEN + RANDOM_LEN, CHECKSUM_LEN) == 0;
}

void api_key_hash(struct strview key, uint8_t ret_hash[SHA256_SIZE])
{
	sha256(key, ret_hash);
}

void api_key_hint(const char *key, char ret_hint[API_KEY_HINT_SIZE])
{
	(void)snprintf(
		ret_hint, API_KEY_HINT_SIZE, "%.12s\xe2\x80\xa6%s", key, key + API_KEY_LEN - 4);
}
