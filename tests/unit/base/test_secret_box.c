/* secret_box: encryption at rest. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/digest.h"
#include "common/base/rng.h"
#include "common/base/secret_box.h"

#define HEX_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define HEX_B "FFEEDDCCBBAA99887766554433221100ffeeddccbbaa99887766554433221100"
#define HEAD  (1 + 1 + 12)
#define TAG   16

static struct secret_box *box_new(const char *keys)
{
	struct err err = {""};
	struct secret_box *box = secret_box_new(sv_from(keys), &err);
	assert_string_equal(err.text, "");
	assert_non_null(box);
	return box;
}

static void TEST(what_is_sealed_opens)
{
	static const struct strview plains[] = {{NULL, 0}, {"", 0}, {"x", 1}, {"a\0b", 3},
		{"a secret of more than one block of sixteen bytes", 48}};
	struct secret_box *box = box_new(HEX_A);
	for (size_t i = 0; i < array_len(plains); i++) {
		struct strbuf sealed = STRBUF_INIT;
		struct strbuf out = STRBUF_INIT;
		struct err err;
		strbuf_append_cstr(&sealed, "<");
		secret_box_seal(box, SV_LIT("webhook:12"), plains[i], &sealed);
		assert_int_equal(sealed.len, 1 + HEAD + plains[i].len + TAG);
		assert_int_equal(sealed.data[1], 1);
		assert_int_equal(sealed.data[2], 1);
		strbuf_append_cstr(&out, ">");
		assert_int_equal(secret_box_open(box, SV_LIT("webhook:12"),
					 sv_make(sealed.data + 1, sealed.len - 1), &out, &err),
			0);
		assert_int_equal(out.len, 1 + plains[i].len);
		if (plains[i].len > 0)
			assert_memory_equal(out.data + 1, plains[i].ptr, plains[i].len);
		assert_int_equal(out.data[out.len], '\0');
		strbuf_deinit(&sealed);
		strbuf_deinit(&out);
	}
	secret_box_free(&box);
	assert_null(box);
	secret_box_free(&box);
}

static void TEST(no_two_seals_are_alike)
{
	struct secret_box *box = box_new(HEX_A);
	struct strbuf a = STRBUF_INIT;
	struct strbuf b = STRBUF_INIT;
	secret_box_seal(box, SV_NULL, SV_LIT("the same"), &a);
	secret_box_seal(box, SV_NULL, SV_LIT("the same"), &b);
	assert_int_equal(a.len, b.len);
	assert_memory_not_equal(a.data + 2, b.data + 2, 12);
	assert_memory_not_equal(a.data + HEAD, b.data + HEAD, 8);
	strbuf_deinit(&a);
	strbuf_deinit(&b);
	secret_box_free(&box);
}

/* The layout is what other tools, and rows written years ago, depend on. Made with Node's crypto
 * module. */
static void TEST(the_layout_stays)
{
	static const char sealed_hex[] = "0107a0a1a2a3a4a5a6a7a8a9aaab91700f48269469d10d12e926e829a"
					 "d16f287147fd193a81923f224";
	uint8_t sealed[sizeof(sealed_hex) / 2];
	struct secret_box *box = box_new("7:" HEX_A);
	struct strbuf out = STRBUF_INIT;
	struct err err = {""};
	assert_int_equal(hex_decode(sv_from(sealed_hex), sealed, sizeof(sealed)), 0);
	assert_int_equal(secret_box_open(box, SV_LIT("webhook:12"), sv_make(sealed, sizeof(sealed)),
				 &out, &err),
		0);
	assert_string_equal(strbuf_cstr(&out), "whsec_known");
	strbuf_deinit(&out);
	secret_box_free(&box);
}

static int open_quietly(const struct secret_box *box, const char *context, const uint8_t *sealed,
	size_t len, struct err *err)
{
	struct strbuf out = STRBUF_INIT;
	strbuf_append_cstr(&out, "kept");
	int rc = secret_box_open(box, sv_from(context), sv_make(sealed, len), &out, err);
	if (rc < 0) {
		assert_string_equal(strbuf_cstr(&out), "kept");
		assert_int_equal(out.len, 4);
	}
	strbuf_deinit(&out);
	return rc;
}

static void TEST(damage_anywhere_is_seen)
{
	struct secret_box *box = box_new(HEX_A);
	struct strbuf sealed = STRBUF_INIT;
	secret_box_seal(box, SV_LIT("c"), SV_LIT("secret text"), &sealed);
	uint8_t *bytes = (uint8_t *)sealed.data;
	assert_int_equal(open_quietly(box, "c", bytes, sealed.len, NULL), 0);
	for (size_t i = 0; i < sealed.len * 8; i++) {
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(open_quietly(box, "c", bytes, sealed.len, NULL), -1);
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t len = 0; len < sealed.len; len++)
		assert_int_equal(open_quietly(box, "c", bytes, len, NULL), -1);
	strbuf_append_char(&sealed, 'x');
	assert_int_equal(open_quietly(box, "c", (uint8_t *)sealed.data, sealed.len, NULL), -1);
	strbuf_deinit(&sealed);
	secret_box_free(&box);
}

static void TEST(a_value_cannot_be_moved)
{
	struct secret_box *box = box_new(HEX_A);
	struct strbuf sealed = STRBUF_INIT;
	struct err err;
	secret_box_seal(box, SV_LIT("webhook:12"), SV_LIT("secret"), &sealed);
	const uint8_t *bytes = (const uint8_t *)sealed.data;
	assert_int_equal(open_quietly(box, "webhook:13", bytes, sealed.len, &err), -1);
	assert_non_null(strstr(err.text, "does not open"));
	assert_int_equal(open_quietly(box, "", bytes, sealed.len, &err), -1);
	assert_int_equal(open_quietly(box, NULL, bytes, sealed.len, &err), -1);
	assert_int_equal(open_quietly(box, "webhook:12", bytes, sealed.len, &err), 0);
	strbuf_deinit(&sealed);
	secret_box_free(&box);
}

static void TEST(keys_rotate)
{
	struct secret_box *old = box_new(HEX_A);
	struct secret_box *rotating = box_new("2:" HEX_B ", 1:" HEX_A);
	struct secret_box *new = box_new("2:" HEX_B);
	struct secret_box *wrong = box_new("1:" HEX_B);
	struct strbuf sealed = STRBUF_INIT;
	struct err err;

	secret_box_seal(old, SV_LIT("c"), SV_LIT("secret"), &sealed);
	const uint8_t *bytes = (const uint8_t *)sealed.data;
	assert_int_equal(open_quietly(rotating, "c", bytes, sealed.len, &err), 0);
	assert_int_equal(open_quietly(new, "c", bytes, sealed.len, &err), -1);
	assert_string_equal(err.text, "sealed with master key id 1, which is not configured");
	assert_int_equal(open_quietly(wrong, "c", bytes, sealed.len, &err), -1);

	strbuf_reset(&sealed);
	secret_box_seal(rotating, SV_LIT("c"), SV_LIT("secret"), &sealed);
	bytes = (const uint8_t *)sealed.data;
	assert_int_equal(bytes[1], 2);
	assert_int_equal(open_quietly(new, "c", bytes, sealed.len, &err), 0);
	assert_int_equal(open_quietly(old, "c", bytes, sealed.len, &err), -1);
	strbuf_deinit(&sealed);
	secret_box_free(&old);
	secret_box_free(&rotating);
	secret_box_free(&new);
	secret_box_free(&wrong);
}

static void TEST(what_is_no_key_is_refused_without_repeating_it)
{
	static const char *const bad[] = {
		"",
		",",
		"abc",
		HEX_A "0",
		HEX_A ",",
		HEX_A "," HEX_B, /* the same id twice */
		"1:" HEX_A ",1:" HEX_B,
		"0:" HEX_A,
		"256:" HEX_A,
		"-1:" HEX_A,
		"x:" HEX_A,
		":" HEX_A,
		"1:",
		"1:" HEX_A ":" HEX_B,
		"1 " HEX_A,
		"1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g",
		"g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	};
	for (size_t i = 0; i < array_len(bad); i++) {
		struct err err = {""};
		assert_null(secret_box_new(sv_from(bad[i]), &err));
		assert_non_null(strstr(err.text, "master key"));
		assert_null(strstr(err.text, "0102"));
		assert_null(strstr(err.text, "EEDD"));
		assert_null(secret_box_new(sv_from(bad[i]), NULL));
	}
	assert_null(secret_box_new(SV_NULL, NULL));
}

static void TEST(the_ring_has_a_bound)
{
	struct strbuf keys = STRBUF_INIT;
	struct err err;
	for (int id = 1; id <= 16; id++)
		strbuf_printf(&keys, "%s%d:" HEX_A, id == 1 ? "" : ",", id);
	struct secret_box *box = box_new(strbuf_cstr(&keys));
	secret_box_free(&box);
	strbuf_append_cstr(&keys, ",17:" HEX_A);
	assert_null(secret_box_new(strbuf_view(&keys), &err));
	assert_string_equal(err.text, "more than 16 master keys");
	strbuf_deinit(&keys);
}

static void TEST(foreign_values_are_told_apart)
{
	struct secret_box *box = box_new(HEX_A);
	struct err err;
	uint8_t bytes[HEAD + TAG] = {2, 1};
	assert_int_equal(open_quietly(box, "c", bytes, sizeof(bytes), &err), -1);
	assert_string_equal(err.text, "sealed value has unknown version 2");
	assert_int_equal(open_quietly(box, "c", bytes, sizeof(bytes) - 1, &err), -1);
	assert_string_equal(err.text, "sealed value is too short (29 bytes)");
	secret_box_free(&box);
}

static void TEST(keys_for_other_purposes_come_from_each_master_key)
{
	struct secret_box *lone = box_new(HEX_A);
	struct secret_box *ring = box_new("2:" HEX_B ",1:" HEX_A);
	uint8_t key[SHA256_SIZE], other[SHA256_SIZE], want[SHA256_SIZE], master[32];
	assert_int_equal(hex_decode(SV_LIT(HEX_A), master, sizeof(master)), 0);
	hmac_sha256(sv_make(master, sizeof(master)), SV_LIT("links"), want);
	assert_int_equal(secret_box_n_keys(lone), 1);
	assert_int_equal(secret_box_n_keys(ring), 2);
	secret_box_derive(lone, 0, SV_LIT("links"), key);
	assert_memory_equal(key, want, sizeof(key));
	secret_box_derive(ring, 1, SV_LIT("links"), key);
	assert_memory_equal(key, want, sizeof(key));
	secret_box_derive(ring, 0, SV_LIT("links"), other);
	assert_memory_not_equal(other, key, sizeof(key));
	secret_box_derive(ring, 1, SV_LIT("cursors"), other);
	assert_memory_not_equal(other, key, sizeof(key));
	secret_box_free(&lone);
	secret_box_free(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_opens),
		cmocka_unit_test(no_two_seals_are_alike),
		cmocka_unit_test(the_layout_stays),
		cmocka_unit_test(damage_anywhere_is_seen),
		cmocka_unit_test(a_value_cannot_be_moved),
		cmocka_unit_test(keys_rotate),
		cmocka_unit_test(what_is_no_key_is_refused_without_repeating_it),
		cmocka_unit_test(the_ring_has_a_bound),
		cmocka_unit_test(foreign_values_are_told_apart),
		cmocka_unit_test(keys_for_other_purposes_come_from_each_master_key),
	};
	return cmocka_run_group_tests_name("secret_box", tests, NULL, NULL);
}
