/* media_link: only what we made is good, until its time is over. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/digest.h"
#include "common/model/media_link.h"

#define NOW_MS INT64_C(1767225600123) /* 2026-01-01T00:00:00.123Z */
#define TTL_MS INT64_C(3600000)
#define SHA    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEX_A  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define HEX_B  "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
/* Computed apart from this code, with Python's hmac. */
#define SIGNATURE "65b2705ec494d9e2aca429f72cb506c7f590188b26aa12f2498d0aef626de964"

static struct media_links *links_new_at(const char *public_url, const char *master_keys)
{
	struct err err;
	struct secret_box *box = secret_box_new(sv_from(master_keys), &err);
	assert_non_null(box);
	struct media_links *links = media_links_new(box, sv_from(public_url), TTL_MS);
	secret_box_free(&box); /* not needed any more */
	return links;
}

static struct media_links *links_new(const char *master_keys)
{
	return links_new_at("https://api.example", master_keys);
}

static struct media_link good_link(void)
{
	return (struct media_link){
		.sha256 = SV_LIT(SHA),
		.tenant = SV_LIT("7"),
		.expires = SV_LIT("1767229200"),
		.signature = SV_LIT(SIGNATURE),
	};
}

static void check(const struct media_links *links, const struct media_link *link, int64_t now_ms,
	enum media_link_verdict want)
{
	struct media_link_facts facts = {-1, -1};
	assert_int_equal(media_link_judge(links, link, now_ms, &facts), want);
	bool is_ours = want != MEDIA_LINK_FORGED;
	assert_int_equal(facts.tenant_id, is_ours ? 7 : -1);
	assert_true(facts.expires_wall_ms == (is_ours ? INT64_C(1767229200000) : -1));
}

static void TEST(the_format_stays)
{
	struct media_links *links = links_new(HEX_A);
	struct strbuf out = STRBUF_INIT;
	media_link_format(links, 7, SV_LIT(SHA), NOW_MS, &out);
	assert_string_equal(strbuf_cstr(&out), "https://api.example/api/v1/media/" SHA
					       "?tenant=7&expires=1767229200&signature=" SIGNATURE);
	strbuf_reset(&out);
	media_link_format_plain(links, SV_LIT(SHA), &out);
	assert_string_equal(strbuf_cstr(&out), "https://api.example/api/v1/media/" SHA);
	strbuf_deinit(&out);
	media_links_free(&links);
	assert_null(links);
	media_links_free(&links);
}

static void TEST(slashes_at_the_end_of_the_url_are_cut)
{
	static const char *const urls[][2] = {{"https://api.example/", "https://api.example"},
		{"https://api.example//", "https://api.example"},
		{"https://example/wa/", "https://example/wa"}, {"/", ""}, {"", ""}};
	for (size_t i = 0; i < array_len(urls); i++) {
		struct media_links *links = links_new_at(urls[i][0], HEX_A);
		struct strbuf out = STRBUF_INIT;
		media_link_format_plain(links, SV_LIT("ab"), &out);
		struct strview link = strbuf_view(&out);
		size_t len = strlen(urls[i][1]);
		assert_true(link.len >= len);
		assert_memory_equal(link.ptr, urls[i][1], len);
		assert_sv(sv_make(link.ptr + len, link.len - len), "/api/v1/media/ab");
		strbuf_deinit(&out);
		media_links_free(&links);
	}
}

static void TEST(it_is_good_until_its_time_is_over)
{
	struct media_links *links = links_new(HEX_A);
	struct media_link link = good_link();
	check(links, &link, NOW_MS, MEDIA_LINK_GOOD);
	check(links, &link, INT64_C(1767229199999), MEDIA_LINK_GOOD);
	check(links, &link, INT64_C(1767229200000), MEDIA_LINK_EXPIRED);
	check(links, &link, INT64_MAX, MEDIA_LINK_EXPIRED);
	media_links_free(&links);
}

/* Every bit of the signature counts, and so does all that it signs. */
static void TEST(what_was_changed_is_forged)
{
	struct media_links *links = links_new(HEX_A);
	char signature[] = SIGNATURE;
	for (size_t i = 0; i < strlen(signature); i++) {
		struct media_link link = good_link();
		char kept = signature[i];
		signature[i] = kept == '0' ? '1' : '0';
		link.signature = sv_from(signature);
		check(links, &link, NOW_MS, MEDIA_LINK_FORGED);
		signature[i] = kept;
	}
	struct media_link link = good_link();
	link.tenant = SV_LIT("8");
	check(links, &link, NOW_MS, MEDIA_LINK_FORGED);
	link = good_link();
	link.expires = SV_LIT("1767229201");
	check(links, &link, NOW_MS, MEDIA_LINK_FORGED);
	link = good_link();
	link.sha256 = SV_LIT("f3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check(links, &link, NOW_MS, MEDIA_LINK_FORGED);
	media_links_free(&links);
}

static void TEST(what_makes_no_sense_is_forged)
{
	static const char *const odd[] = {"", "x", "0", "-7", "7.0", " 7", "2147483648",
		"4294967303", "9223372036854775807", "9223372036854775808", "18446744073709551616"};
	struct media_links *links = links_new(HEX_A);
	for (size_t i = 0; i < array_len(odd); i++) {
		struct media_link link = good_link();
		link.tenant = sv_from(odd[i]);
		check(links, &link, NOW_MS, MEDIA_LINK_FORGED);
		link = good_link();
		link.expires = sv_from(odd[i]);
		check(links, &link, NOW_MS, MEDIA_LINK_FORGED);
		link = good_link();
		link.signature = sv_from(odd[i]);
		check(links, &link, NOW_MS, MEDIA_LINK_FORGED);
	}
	struct media_link link = {SV_LIT(SHA), SV_NULL, SV_NULL, SV_NULL};
	check(links, &link, NOW_MS, MEDIA_LINK_FORGED);
	link = good_link();
	link.signature = SV_LIT(SIGNATURE "00");
	check(links, &link, NOW_MS, MEDIA_LINK_FORGED);
	link.signature = sv_make(SIGNATURE, 62);
	check(links, &link, NOW_MS, MEDIA_LINK_FORGED);
	media_links_free(&links);
}

static void TEST(keys_rotate)
{
	struct media_links *rotating = links_new("2:" HEX_B ",1:" HEX_A);
	struct media_links *later = links_new("2:" HEX_B);
	struct media_link link = good_link();
	struct strbuf out = STRBUF_INIT;
	check(rotating, &link, NOW_MS, MEDIA_LINK_GOOD);
	check(later, &link, NOW_MS, MEDIA_LINK_FORGED);
	media_link_format(rotating, 7, SV_LIT(SHA), NOW_MS, &out);
	const char *signature = strstr(strbuf_cstr(&out), "signature=") + strlen("signature=");
	assert_string_not_equal(signature, SIGNATURE);
	link.signature = sv_from(signature);
	check(rotating, &link, NOW_MS, MEDIA_LINK_GOOD);
	check(later, &link, NOW_MS, MEDIA_LINK_GOOD);
	strbuf_deinit(&out);
	media_links_free(&rotating);
	media_links_free(&later);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_format_stays),
		cmocka_unit_test(slashes_at_the_end_of_the_url_are_cut),
		cmocka_unit_test(it_is_good_until_its_time_is_over),
		cmocka_unit_test(what_was_changed_is_forged),
		cmocka_unit_test(what_makes_no_sense_is_forged),
		cmocka_unit_test(keys_rotate),
	};
	return cmocka_run_group_tests_name("media_link", tests, NULL, NULL);
}
