/* Links to media files. */
#include "common/model/media_link.h"

#include <inttypes.h>
#include <stdbool.h>

#include "common/base/check.h"
#include "common/base/digest.h"
#include "common/base/mem.h"

#define SIGNATURE_HEX (2 * SHA256_SIZE)

struct link_key {
	uint8_t bytes[SHA256_SIZE];
};

struct media_links {
	char *public_url;
	int64_t ttl_ms;
	int n_keys;
	struct link_key *keys; /* the first one signs */
};

struct media_links *media_links_new(
	const struct secret_box *box, struct strview public_url, int64_t ttl_ms)
{
	struct media_links *links = mem_new(struct media_links);

	ASSERT(ttl_ms > 0);
	while (public_url.len > 0 && public_url.ptr[public_url.len - 1] == '/')
		public_url.len--;
	links->public_url = mem_strndup(public_url.ptr, public_url.len);
	links->ttl_ms = ttl_ms;
	links->n_keys = secret_box_n_keys(box);
	links->keys = mem_array((size_t)links->n_keys, sizeof(*links->keys));
	for (int i = 0; i < links->n_keys; i++)
		secret_box_derive(box, i, SV_LIT("wa media link v1"), links->keys[i].bytes);
	return links;
}

void media_links_free(struct media_links **links)
{
	struct media_links *gone = *links;

	*links = NULL;
	if (gone == NULL)
		return;
	mem_wipe(gone->keys, (size_t)gone->n_keys * sizeof(*gone->keys));
	mem_free(gone->keys);
	mem_free(gone->public_url);
	mem_free(gone);
}

/* Of digits, dots and hex: so no two links have the same text. */
static void link_mac(const struct link_key *key, int32_t tenant_id, struct strview sha256,
	int64_t expires_s, uint8_t ret_mac[SHA256_SIZE])
{
	struct strbuf text = STRBUF_INIT;

	strbuf_printf(&text, "%" PRId32 ".", tenant_id);
	strbuf_append_sv(&text, sha256);
	strbuf_printf(&text, ".%" PRId64, expires_s);
	hmac_sha256(sv_make(key->bytes, sizeof(key->bytes)), strbuf_view(&text), ret_mac);
	strbuf_deinit(&text);
}

void media_link_format_plain(
	const struct media_links *links, struct strview sha256, struct strbuf *out)
{
	strbuf_append_cstr(out, links->public_url);
	strbuf_append_cstr(out, "/api/v1/media/");
	strbuf_append_sv(out, sha256);
}

void media_link_format(const struct media_links *links, int32_t tenant_id, struct strview sha256,
	int64_t now_wall_ms, struct strbuf *out)
{
	int64_t expires_s = (now_wall_ms + links->ttl_ms) / 1000;
	uint8_t mac[SHA256_SIZE];

	link_mac(&links->keys[0], tenant_id, sha256, expires_s, mac);
	media_link_format_plain(links, sha256, out);
	strbuf_printf(
		out, "?tenant=%" PRId32 "&expires=%" PRId64 "&signature=", tenant_id, expires_s);
	hex_encode(mac, sizeof(mac), out);
}

static bool is_signed_by(const struct link_key *key, const struct media_link *link,
	int64_t tenant_id, int64_t expires_s)
{
	uint8_t given[SHA256_SIZE];
	uint8_t wanted[SHA256_SIZE];

	if (hex_decode(link->signature, given, sizeof(given)) != 0)
		return false;
	link_mac(key, (int32_t)tenant_id, link->sha256, expires_s, wanted);
	return bytes_equal_const_time(given, wanted, sizeof(wanted));
}

enum media_link_verdict media_link_judge(const struct media_links *links,
	const struct media_link *link, int64_t now_wall_ms, struct media_link_facts *ret_facts)
{
	int64_t tenant_id;
	int64_t expires_s;

	if (link->signature.len != SIGNATURE_HEX || sv_to_i64(link->tenant, &tenant_id) != 0 ||
		sv_to_i64(link->expires, &expires_s) != 0)
		return MEDIA_LINK_FORGED;
	if (tenant_id < 1 || tenant_id > INT32_MAX || expires_s < 1 || expires_s > INT64_MAX / 1000)
		return MEDIA_LINK_FORGED;
	for (int i = 0; i < links->n_keys; i++) {
		if (!is_signed_by(&links->keys[i], link, tenant_id, expires_s))
			continue;
		ret_facts->tenant_id = (int32_t)tenant_id;
		ret_facts->expires_wall_ms = expires_s * 1000;
		return now_wall_ms < ret_facts->expires_wall_ms ? MEDIA_LINK_GOOD
								: MEDIA_LINK_EXPIRED;
	}
	return MEDIA_LINK_FORGED;
}
