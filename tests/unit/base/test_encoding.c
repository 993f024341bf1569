/* encoding: hex, base64, base62. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/digest.h"
#include "common/base/rng.h"
#include "tests/support/death.h"

static void TEST(hex_both_ways)
{
	struct strbuf text = STRBUF_INIT;
	uint8_t all[256];
	uint8_t back[256];
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	hex_encode(all, sizeof(all), &text);
	assert_int_equal(text.len, 512);
	assert_memory_equal(text.data, "000102030405060708090a0b0c0d0e0f10", 34);
	assert_string_equal(text.data + 508, "feff");
	assert_int_equal(hex_decode(strbuf_view(&text), back, sizeof(back)), 0);
	assert_memory_equal(all, back, sizeof(all));
	strbuf_reset(&text);
	strbuf_append_cstr(&text, "x");
	hex_encode("", 0, &text);
	hex_encode("\xab", 1, &text);
	assert_string_equal(text.data, "xab");
	strbuf_deinit(&text);
}

static void TEST(hex_of_exactly_the_wanted_length)
{
	uint8_t bytes[2] = {7, 7};
	assert_int_equal(hex_decode(SV_LIT("AbCd"), bytes, 2), 0);
	assert_memory_equal(bytes, "\xab\xcd", 2);
	static const char *const bad[] = {
		"", "a", "ab", "abc", "abcde", "abcdef", "abcg", "ab d", "0xab", "abc:", "ab\377d"};
	for (size_t i = 0; i < array_len(bad); i++)
		assert_int_equal(hex_decode(sv_from(bad[i]), bytes, 2), -1);
	assert_memory_equal(bytes, "\xab\xcd", 2);
	assert_int_equal(hex_decode(SV_NULL, bytes, 0), 0);
	/* Twice this many bytes is 0 modulo 2^64. */
	assert_int_equal(hex_decode(SV_LIT(""), bytes, (size_t)1 << 63), -1);
}

/* RFC 4648, section 10. */
static const struct {
	const char *plain;
	const char *text;
} base64_vectors[] = {
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
};

static void TEST(base64_of_published_vectors)
{
	for (size_t i = 0; i < array_len(base64_vectors); i++) {
		struct strbuf out = STRBUF_INIT;
		strbuf_append_cstr(&out, ">");
		base64_encode(sv_from(base64_vectors[i].plain), &out);
		assert_string_equal(out.data + 1, base64_vectors[i].text);
		assert_int_equal(out.len, 1 + strlen(base64_vectors[i].text));
		strbuf_reset(&out);
		assert_int_equal(base64_decode(sv_from(base64_vectors[i].text), &out), 0);
		assert_string_equal(strbuf_cstr(&out), base64_vectors[i].plain);
		strbuf_deinit(&out);
	}
}

static void assert_base64_decodes(const char *text, const char *bytes, size_t len)
{
	struct strbuf out = STRBUF_INIT;
	assert_int_equal(base64_decode(sv_from(text), &out), 0);
	assert_int_equal(out.len, len);
	assert_memory_equal(strbuf_cstr(&out), bytes, len);
	strbuf_deinit(&out);
}

static void TEST(base64_without_padding_and_with_both_alphabets)
{
	assert_base64_decodes("Zg", "f", 1);
	assert_base64_decodes("Zm8", "fo", 2);
	assert_base64_decodes("+/+/", "\xfb\xff\xbf", 3);
	assert_base64_decodes("-_-_", "\xfb\xff\xbf", 3);
	assert_base64_decodes("AAAA", "\0\0\0", 3);
}

static void TEST(what_is_no_base64)
{
	static const char *const bad[] = {
		"Z", "Zm9vY", "=", "==", "===", "====", "Z===", "Zg=", "Zm8==", "Zm9v=", "Zm9v==",
		"Zg==Zg==", "Z=g=", "Zg==\n", " Zg==", "Zm 9v", "Zm9*", "Zm9\xff",
		"Zh==", "Zm9=", "Zh", "Zm9vYmF=", /* bits that belong to no byte are set */
	};
	for (size_t i = 0; i < array_len(bad); i++) {
		struct strbuf out = STRBUF_INIT;
		strbuf_append_cstr(&out, "kept");
		if (base64_decode(sv_from(bad[i]), &out) != -1)
			fail_msg("accepted \"%s\"", bad[i]);
		assert_string_equal(strbuf_cstr(&out), "kept");
		assert_int_equal(out.len, 4);
		strbuf_deinit(&out);
	}
}

static void TEST(base64_of_any_length_comes_back)
{
	rng_fake(5);
	for (size_t len = 0; len < 300; len++) {
		uint8_t bytes[300];
		struct strbuf text = STRBUF_INIT;
		struct strbuf back = STRBUF_INIT;
		rng_bytes(bytes, len);
		base64_encode(sv_make(bytes, len), &text);
		assert_int_equal(text.len, (len + 2) / 3 * 4);
		assert_int_equal(base64_decode(strbuf_view(&text), &back), 0);
		assert_int_equal(back.len, len);
		assert_memory_equal(strbuf_cstr(&back), bytes, len);
		strbuf_deinit(&text);
		strbuf_deinit(&back);
	}
	rng_fake_end();
}

static void TEST(base62_has_a_fixed_width_and_sorts)
{
	static const struct {
		uint64_t number;
		int width;
		const char *text;
	} vectors[] = {
		{0, 3, "000"},
		{9, 1, "9"},
		{10, 1, "A"},
		{36, 1, "a"},
		{61, 1, "z"},
		{62, 3, "010"},
		{61 * 62 + 61, 2, "zz"},
		{UINT32_MAX, 6, "4gfFC3"},
		{UINT64_MAX, 11, "LygHa16AHYF"},
		{0, 0, ""},
	};
	for (size_t i = 0; i < array_len(vectors); i++) {
		char text[13];
		memset(text, '#', sizeof(text));
		base62_encode_u64(vectors[i].number, vectors[i].width, text);
		assert_int_equal(text[vectors[i].width], '#');
		assert_memory_equal(text, vectors[i].text, (size_t)vectors[i].width);
	}
}

static void encode_too_much(UNUSED void *arg)
{
	char text[2];
	base62_encode_u64(62 * 62, 2, text);
}

static void TEST(base62_does_not_cut)
{
	assert_true(death_by_abort(encode_too_much, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex_both_ways),
		cmocka_unit_test(hex_of_exactly_the_wanted_length),
		cmocka_unit_test(base64_of_published_vectors),
		cmocka_unit_test(base64_without_padding_and_with_both_alphabets),
		cmocka_unit_test(what_is_no_base64),
		cmocka_unit_test(base64_of_any_length_comes_back),
		cmocka_unit_test(base62_has_a_fixed_width_and_sorts),
		cmocka_unit_test(base62_does_not_cut),
	};
	return cmocka_run_group_tests_name("encoding", tests, NULL, NULL);
}
