/* digest: hashes and MACs against their published vectors. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/digest.h"

static void assert_hex(const uint8_t *bytes, size_t len, const char *hex)
{
	struct strbuf text = STRBUF_INIT;
	hex_encode(bytes, len, &text);
	assert_string_equal(strbuf_cstr(&text), hex);
	strbuf_deinit(&text);
}

/* FIPS 180-2, appendix B. */
static void TEST(sha256_of_published_vectors)
{
	static const struct {
		const char *data;
		const char *hash;
	} vectors[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
			"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	/* Twice, for the context is used again. */
	for (size_t i = 0; i < 2 * array_len(vectors); i++) {
		uint8_t hash[SHA256_SIZE];
		sha256(sv_from(vectors[i / 2].data), hash);
		assert_hex(hash, sizeof(hash), vectors[i / 2].hash);
	}
	uint8_t hash[SHA256_SIZE];
	sha256(SV_NULL, hash);
	assert_hex(hash, sizeof(hash), vectors[0].hash);
}

static void TEST(streams_hash_like_one_piece)
{
	struct sha256_stream *a = sha256_stream_new();
	struct sha256_stream *b = sha256_stream_new();
	char thousand[1000];
	uint8_t hash[SHA256_SIZE];
	memset(thousand, 'a', sizeof(thousand));
	for (int i = 0; i < 1000; i++) {
		sha256_stream_add(a, thousand, sizeof(thousand));
		sha256_stream_add(b, "", 0);
	}
	sha256_stream_end(&a, hash);
	assert_null(a);
	assert_hex(hash, sizeof(hash),
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	sha256_stream_end(&b, hash);
	assert_hex(hash, sizeof(hash),
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void TEST(a_stream_may_be_dropped)
{
	struct sha256_stream *stream = sha256_stream_new();
	sha256_stream_add(stream, "x", 1);
	sha256_stream_end(&stream, NULL);
	assert_null(stream);
	sha256_stream_end(&stream, NULL);
}

/* RFC 4231. */
static void TEST(hmac_of_published_vectors)
{
	uint8_t key[131];
	uint8_t mac[SHA256_SIZE];

	memset(key, 0x0b, 20);
	hmac_sha256(sv_make(key, 20), SV_LIT("Hi There"), mac);
	assert_hex(mac, sizeof(mac),
		"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	hmac_sha256(SV_LIT("Jefe"), SV_LIT("what do ya want for nothing?"), mac);
	assert_hex(mac, sizeof(mac),
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hmac_sha256(sv_make(key, sizeof(key)),
		SV_LIT("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
	assert_hex(mac, sizeof(mac),
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* An empty key must not mean the key of the call before. */
static void TEST(hmac_with_an_empty_key)
{
	static const char empty[] =
		"b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
	uint8_t mac[SHA256_SIZE];
	hmac_sha256(SV_LIT("another key"), SV_LIT("x"), mac);
	hmac_sha256(SV_NULL, SV_NULL, mac);
	assert_hex(mac, sizeof(mac), empty);
	hmac_sha256(SV_LIT("another key"), SV_LIT("x"), mac);
	hmac_sha256(SV_LIT(""), SV_LIT(""), mac);
	assert_hex(mac, sizeof(mac), empty);
}

static void TEST(constant_time_equality)
{
	assert_true(bytes_equal_const_time("abc", "abc", 3));
	assert_false(bytes_equal_const_time("abc", "abd", 3));
	assert_false(bytes_equal_const_time("xbc", "abc", 3));
	assert_true(bytes_equal_const_time("abc", "abd", 2));
	assert_true(bytes_equal_const_time("a", "b", 0));
}

static void TEST(crc32_check_values)
{
	assert_int_equal(crc32_ieee(SV_LIT("123456789")), 0xcbf43926);
	assert_int_equal(crc32_ieee(SV_LIT("")), 0);
	assert_int_equal(crc32_ieee(SV_NULL), 0);
	assert_int_equal(crc32_ieee(SV_LIT("\0\0\0\0")), 0x2144df1c);
	assert_int_equal(crc32_ieee(SV_LIT("\xff\xff\xff\xff")), 0xffffffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_of_published_vectors),
		cmocka_unit_test(streams_hash_like_one_piece),
		cmocka_unit_test(a_stream_may_be_dropped),
		cmocka_unit_test(hmac_of_published_vectors),
		cmocka_unit_test(hmac_with_an_empty_key),
		cmocka_unit_test(constant_time_equality),
		cmocka_unit_test(crc32_check_values),
	};
	return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
