/* AWS Signature Version 4. */
#include "common/base/sigv4.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/mem.h"

#define SIGNED_HEADERS "host;x-amz-content-sha256;x-amz-date"
#define DAY_LEN        8

/* "2026-01-01T00:00:00.000Z" without its dashes, colons and milliseconds. */
static void format_date(int64_t wall_ms, char ret_date[SIGV4_DATE_SIZE])
{
	char text[CLOCK_RFC3339_SIZE];
	int len = 0;

	clock_format(wall_ms, text);
	for (const char *c = text; *c != '.'; c++) {
		if (*c != '-' && *c != ':')
			ret_date[len++] = *c;
	}
	ret_date[len++] = 'Z';
	ASSERT(len == SIGV4_DATE_SIZE - 1);
	ret_date[len] = '\0';
}

static void append_hash(struct strview text, struct strbuf *out)
{
	uint8_t hash[SHA256_SIZE];

	sha256(text, hash);
	hex_encode(hash, sizeof(hash), out);
}

static void append_scope(const struct sigv4_request *request, const char *date, struct strbuf *out)
{
	strbuf_printf(out, "%.*s/%s/s3/aws4_request", DAY_LEN, date, request->region);
}

static void append_canonical(
	const struct sigv4_request *request, const char *date, struct strbuf *out)
{
	strbuf_printf(out,
		"%s\n%s\n\nhost:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\n\n" SIGNED_HEADERS
		"\n%s",
		request->method, request->path, request->host, request->payload_sha256, date,
		request->payload_sha256);
}

static void signing_key(
	const struct sigv4_request *request, const char *date, uint8_t ret_key[SHA256_SIZE])
{
	struct strview steps[] = {sv_make(date, DAY_LEN), sv_from(request->region), SV_LIT("s3"),
		SV_LIT("aws4_request")};
	struct strbuf secret = STRBUF_INIT;

	strbuf_printf(&secret, "AWS4%s", request->secret_key);
	hmac_sha256(strbuf_view(&secret), steps[0], ret_key);
	mem_wipe(secret.data, secret.len);
	strbuf_deinit(&secret);
	for (size_t i = 1; i < array_len(steps); i++) {
		uint8_t next[SHA256_SIZE];
		hmac_sha256(sv_make(ret_key, SHA256_SIZE), steps[i], next);
		for (size_t at = 0; at < SHA256_SIZE; at++)
			ret_key[at] = next[at];
	}
}

static void signature(
	const struct sigv4_request *request, const char *date, uint8_t ret_mac[SHA256_SIZE])
{
	struct strbuf canonical = STRBUF_INIT;
	struct strbuf text = STRBUF_INIT;
	uint8_t key[SHA256_SIZE];

	append_canonical(request, date, &canonical);
	strbuf_printf(&text, "AWS4-HMAC-SHA256\n%s\n", date);
	append_scope(request, date, &text);
	strbuf_append_char(&text, '\n');
	append_hash(strbuf_view(&canonical), &text);
	signing_key(request, date, key);
	hmac_sha256(sv_make(key, sizeof(key)), strbuf_view(&text), ret_mac);
	mem_wipe(key, sizeof(key));
	strbuf_deinit(&canonical);
	strbuf_deinit(&text);
}

void sigv4_sign(
	const struct sigv4_request *request, char ret_date[SIGV4_DATE_SIZE], struct strbuf *out)
{
	uint8_t mac[SHA256_SIZE];

	format_date(request->now_wall_ms, ret_date);
	signature(request, ret_date, mac);
	strbuf_printf(out, "AWS4-HMAC-SHA256 Credential=%s/", request->access_key);
	append_scope(request, ret_date, out);
	strbuf_append_cstr(out, ",SignedHeaders=" SIGNED_HEADERS ",Signature=");
	hex_encode(mac, sizeof(mac), out);
}
