/* What the guard lets pass, libcurl (which will call it) reads as the same kind of URL with a host
 * that may be called. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "common/base/check.h"
#include "common/base/strbuf.h"
#include "common/base/url_guard.h"
#include "tests/fuzz/fuzz.h"

static struct url_guard *guards[2];

static bool may_connect(const struct url_guard *guard, const char *host)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	if (inet_aton(host, &in.sin_addr) != 0)
		return url_guard_allows_address(guard, (struct sockaddr *)&in);
	struct strview inner = sv_from(host);
	if (!sv_starts_with(inner, "["))
		return true;
	char text[INET6_ADDRSTRLEN] = "";
	ASSERT(inner.len - 2 < sizeof(text));
	memcpy(text, inner.ptr + 1, inner.len - 2);
	ASSERT(inet_pton(AF_INET6, text, &in6.sin6_addr) == 1);
	return url_guard_allows_address(guard, (struct sockaddr *)&in6);
}

static void check_absent(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	ASSERT(curl_url_get(url, part, &text, 0) != CURLUE_OK);
}

static void check_with_curl(const struct url_guard *guard, struct strview text, bool development)
{
	struct strbuf copy = STRBUF_INIT;
	CURLU *url = curl_url();
	char *host = NULL;
	char *scheme = NULL;
	strbuf_append_sv(&copy, text);
	/* libcurl may refuse more than the guard does, never read something else. */
	if (curl_url_set(url, CURLUPART_URL, strbuf_cstr(&copy), 0) == CURLUE_OK) {
		check_absent(url, CURLUPART_USER);
		check_absent(url, CURLUPART_PASSWORD);
		ASSERT(curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK);
		ASSERT(curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK);
		ASSERT(strcasecmp(scheme, "https") == 0 || strcasecmp(scheme, "http") == 0);
		ASSERT(may_connect(guard, host));
		ASSERT(development || strcasecmp(host, "localhost") != 0);
	}
	curl_free(host);
	curl_free(scheme);
	curl_url_cleanup(url);
	strbuf_deinit(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct strview text = sv_make(data, size_bytes);
	struct err err = {""};
	for (int i = 0; i < 2; i++) {
		if (guards[i] == NULL)
			guards[i] = url_guard_new(i == 1, SV_LIT("10.1.0.0/16,fd00::/8"), &err);
		if (url_guard_check_url(guards[i], text, &err) == 0)
			check_with_curl(guards[i], text, i == 1);
		else
			ASSERT(err.text[0] != '\0');
	}
	/* The list of the operator comes from outside as well. */
	struct url_guard *guard = url_guard_new(false, text, &err);
	url_guard_free(&guard);
	return 0;
}
