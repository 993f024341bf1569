/* url_guard: which URLs and addresses may be called. */
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/base/url_guard.h"

#define ALLOWED "10.1.0.0/16, fd00::/8,192.168.7.7"

/* OK, or a piece of the error's text. */
#define OK     NULL
#define SCHEME "must begin with https://"
#define PUBLIC "is not a public one"
#define LOCAL  "is this machine"
#define BYTE   "control or non-ASCII byte"
#define V4     "no IPv4 address"
#define V6     "no IPv6 address"
#define PORT   "port"
#define LABEL  "label"
#define CHAR   "character"
#define USER   "user name"
#define NOHOST "has no host"

static const struct {
	const char *url;
	const char *production;
	const char *development;
} urls[] = {
	{"https://example.com", OK, OK},
	{"https://example.com/", OK, OK},
	{"HTTPS://Example.COM/Path?q=1#f", OK, OK},
	{"https://example.com:8443/hook", OK, OK},
	{"https://example.com:65535", OK, OK},
	{"https://example.com.", OK, OK},
	{"https://xn--bcher-kva.example/", OK, OK},
	{"https://a_b.example-1.com?x", OK, OK},
	{"https://example.com#f", OK, OK},
	{"https://1password.com/", OK, OK},
	{"https://azAZ09.example:1/", OK, OK},
	{"https://example.a1/", OK, OK},
	{"https://example.1a/", OK, OK},
	{"https://127.0.0.1.example.com/", OK, OK},
	{"https://example.com/@user:pw", OK, OK},
	{"https://example.com/?to=a@b", OK, OK},
	{"https://deadbeef/", OK, OK},
	{"http://example.com/", SCHEME, OK},
	/* Not a URL that may be called. */
	{"", SCHEME, SCHEME},
	{"example.com", SCHEME, SCHEME},
	{"//example.com/", SCHEME, SCHEME},
	{"https:/example.com", SCHEME, SCHEME},
	{"https:example.com", SCHEME, SCHEME},
	{"https", SCHEME, SCHEME},
	{"https:", SCHEME, SCHEME},
	{"://example.com", SCHEME, SCHEME},
	{"ftp://example.com/", SCHEME, SCHEME},
	{"file:///etc/passwd", SCHEME, SCHEME},
	{"gopher://example.com/", SCHEME, SCHEME},
	{"javascript:alert(1)", SCHEME, SCHEME},
	{"httpsx://example.com/", SCHEME, SCHEME},
	{"https://", NOHOST, NOHOST},
	{"https:///path", NOHOST, NOHOST},
	{"https://:443/", NOHOST, NOHOST},
	{"https://?q", NOHOST, NOHOST},
	{"https://user@example.com/", USER, USER},
	{"https://user:pw@example.com/", USER, USER},
	{"https://@example.com/", USER, USER},
	{"https://example.com@127.0.0.1/", USER, USER},
	{"https://127.0.0.1:80@example.com/", USER, USER},
	{"https://exam ple.com/", BYTE, BYTE},
	{" https://example.com/", BYTE, BYTE},
	{"https://example.com/\n", BYTE, BYTE},
	{"https://example.com/a\tb", BYTE, BYTE},
	{"https://example.com/\x7f", BYTE, BYTE},
	{"https://example.com\\@127.0.0.1/", BYTE, BYTE},
	{"https:\\\\example.com/", BYTE, BYTE},
	{"https://ex\xc3\xa4mple.com/", BYTE, BYTE},
	{"https://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", BYTE, BYTE}, /* wide digits */
	{"https://127\xe3\x80\x82"
	 "0.0.1/",
		BYTE, BYTE}, /* ideographic full stop */
	{"https://example.com:/", PORT, PORT},
	{"https://example.com:0/", PORT, PORT},
	{"https://example.com:65536/", PORT, PORT},
	{"https://example.com:000443/", PORT, PORT},
	{"https://example.com:-1/", PORT, PORT},
	{"https://example.com:http/", PORT, PORT},
	{"https://example.com:80:80/", PORT, PORT},
	{"https://example..com/", LABEL, LABEL},
	{"https://.example.com/", LABEL, LABEL},
	{"https://example.com../", LABEL, LABEL},
	{"https://./", LABEL, LABEL},
	{"https://example.com%2f@127.0.0.1/", USER, USER},
	{"https://%31%32%37.0.0.1/", CHAR, CHAR},
	{"https://example.com%00.evil/", CHAR, CHAR},
	{"https://exam*ple.com/", CHAR, CHAR},
	{"https://a,b/", CHAR, CHAR},
	{"https://${HOST}/", CHAR, CHAR},
	/* This machine. */
	{"https://localhost/", LOCAL, OK},
	{"https://localhost", LOCAL, OK},
	{"https://LOCALHOST:8080/", LOCAL, OK},
	{"https://localhost./", LOCAL, OK},
	{"https://api.localhost/", LOCAL, OK},
	{"https://a.b.LocalHost.", LOCAL, OK},
	{"http://localhost:9000/hook", LOCAL, OK},
	{"https://notlocalhost/", OK, OK},
	{"https://localhost.example.com/", OK, OK},
	{"https://127.0.0.1/", PUBLIC, OK},
	{"http://127.0.0.1:9000/hook", PUBLIC, OK},
	{"https://[::1]/", PUBLIC, OK},
	{"https://[::ffff:127.0.0.1]/", PUBLIC, OK},
	/* The same in odd forms. */
	{"https://0x7f.1/", PUBLIC, OK},
	{"https://0x7f000001/", PUBLIC, OK},
	{"https://0X7F.0.0.1/", PUBLIC, OK},
	{"https://2130706433/", PUBLIC, OK},
	{"https://017700000001/", PUBLIC, OK},
	{"https://0177.0.0.1/", PUBLIC, OK},
	{"https://127.1/", PUBLIC, OK},
	{"https://127.0.1./", PUBLIC, OK},
	{"https://127.0.0.1.:443/", PUBLIC, OK},
	{"https://0/", PUBLIC, PUBLIC},
	{"https://0x/", PUBLIC, PUBLIC},
	{"https://0.0.0.0/", PUBLIC, PUBLIC},
	{"https://[::]/", PUBLIC, PUBLIC},
	/* Numbers that are no address are no names either. */
	{"https://256.256.256.256/", V4, V4},
	{"https://1.2.3.4.5/", V4, V4},
	{"https://4294967296/", V4, V4},
	{"https://127.0.0.08/", V4, V4},
	{"https://example.0x7f/", V4, V4},
	{"https://example.1/", V4, V4},
	{"https://0xfoo/", V4, V4},
	/* Other literals. */
	{"https://8.8.8.8/", OK, OK},
	{"http://8.8.8.8/", SCHEME, OK},
	{"https://134744072/", OK, OK},
	{"https://169.254.169.254/latest/meta-data/", PUBLIC, PUBLIC},
	{"https://0xa9fea9fe/", PUBLIC, PUBLIC},
	{"https://192.168.1.1/", PUBLIC, PUBLIC},
	{"https://172.16.0.1/", PUBLIC, PUBLIC},
	{"https://100.64.0.1/", PUBLIC, PUBLIC},
	{"https://255.255.255.255/", PUBLIC, PUBLIC},
	{"https://[2606:4700::1111]/", OK, OK},
	{"https://[2606:4700::1111]:8443/x", OK, OK},
	{"https://[::ffff:169.254.169.254]/", PUBLIC, PUBLIC},
	{"https://[::ffff:a9fe:a9fe]/", PUBLIC, PUBLIC},
	{"https://[64:ff9b::a9fe:a9fe]/", PUBLIC, PUBLIC},
	{"https://[2002:a9fe:a9fe::1]/", PUBLIC, PUBLIC},
	{"https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", PUBLIC, PUBLIC},
	{"https://[fe80::1]/", PUBLIC, PUBLIC},
	{"https://[fc00::1]/", PUBLIC, PUBLIC},
	{"https://[fe80::1%25eth0]/", V6, V6},
	{"https://[fe80::1%eth0]/", V6, V6},
	{"https://[]/", NOHOST, NOHOST},
	{"https://[::1/", "closing bracket", "closing bracket"},
	{"https://[::1]x/", "closing bracket", "closing bracket"},
	{"https://[::1]:/", PORT, PORT},
	{"https://[127.0.0.1]/", V6, V6},
	{"https://[v1.x]/", V6, V6},
	{"https://[example.com]/", V6, V6},
	{"https://::1/", PORT, PORT},
	{"https://fd00::1/", PORT, PORT},
	/* What the operator allowed. */
	{"https://10.1.2.3/", OK, OK},
	{"http://10.1.2.3:8080/hook", OK, OK},
	{"http://0x0a010203/", OK, OK},
	{"http://192.168.7.7/", OK, OK},
	{"http://192.168.7.8/", PUBLIC, PUBLIC},
	{"http://10.2.0.0/", PUBLIC, PUBLIC},
	{"http://[fd00::7]/", OK, OK},
	{"http://[::ffff:10.1.2.3]/", OK, OK},
	{"http://[::ffff:10.2.0.0]/", PUBLIC, PUBLIC},
};

static struct url_guard *guard_new(bool development, const char *allowed)
{
	struct err err = {""};
	struct url_guard *guard = url_guard_new(development, sv_from(allowed), &err);
	assert_string_equal(err.text, "");
	assert_non_null(guard);
	return guard;
}

static void assert_judged(const struct url_guard *guard, struct strview url, const char *want)
{
	struct err err = {""};
	int rc = url_guard_check_url(guard, url, &err);
	if (want == OK && rc != 0)
		fail_msg("refused %.*s: %s", SV_ARG(url), err.text);
	if (want != OK && rc != -1)
		fail_msg("allowed %.*s", SV_ARG(url));
	if (want != OK && strstr(err.text, want) == NULL)
		fail_msg("refused %.*s, but: %s", SV_ARG(url), err.text);
}

static void TEST(urls_are_judged)
{
	struct url_guard *production = guard_new(false, ALLOWED);
	struct url_guard *development = guard_new(true, ALLOWED);
	for (size_t i = 0; i < array_len(urls); i++) {
		assert_judged(production, sv_from(urls[i].url), urls[i].production);
		assert_judged(development, sv_from(urls[i].url), urls[i].development);
	}
	url_guard_free(&production);
	assert_null(production);
	url_guard_free(&production);
	url_guard_free(&development);
}

static void TEST(lengths_are_bounded)
{
	struct url_guard *guard = guard_new(false, NULL);
	char url[URL_MAX_BYTES + 2] = "https://example.com/";
	size_t len = strlen(url);
	memset(url + len, 'p', sizeof(url) - len);
	assert_judged(guard, sv_make(url, URL_MAX_BYTES), OK);
	assert_judged(guard, sv_make(url, URL_MAX_BYTES + 1), "longer than 2048 bytes");

	/* Labels of 63, 63, 63 and 61 bytes make a host of 253. */
	for (int extra = 0; extra < 2; extra++) {
		int n = snprintf(url, sizeof(url), "https://%0*d.%0*d.%0*d.a%0*d/", 63, 1, 63, 1,
			63, 1, 60 + extra, 1);
		assert_judged(guard, sv_make(url, (size_t)n), extra ? "longer than 253" : OK);
	}
	int n = snprintf(url, sizeof(url), "https://%064d.com/", 1);
	assert_judged(guard, sv_make(url, (size_t)n), LABEL);
	assert_judged(guard, SV_NULL, SCHEME);
	assert_judged(guard, SV_LIT("https://example.com/\0"), BYTE);
	assert_judged(guard, SV_LIT("https://example.com\0.evil/"), BYTE);
	assert_int_equal(url_guard_check_url(guard, SV_LIT("x"), NULL), -1);
	url_guard_free(&guard);
}

static bool allows(const struct url_guard *guard, const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return url_guard_allows_address(guard, (struct sockaddr *)&in);
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return url_guard_allows_address(guard, (struct sockaddr *)&in6);
}

static void TEST(resolved_addresses_are_judged)
{
	static const struct {
		const char *address;
		bool production;
		bool development;
	} cases[] = {
		{"8.8.8.8", true, true},
		{"2606:4700::1111", true, true},
		{"127.0.0.1", false, true},
		{"127.9.9.9", false, true},
		{"::1", false, true},
		{"::ffff:127.0.0.1", false, true},
		{"0.0.0.0", false, false},
		{"::", false, false},
		{"169.254.169.254", false, false},
		{"10.0.0.1", false, false},
		{"192.168.7.8", false, false},
		{"fe80::1", false, false},
		{"10.1.2.3", true, true},
		{"::ffff:10.1.2.3", true, true},
		{"::ffff:10.2.2.3", false, false},
		{"64:ff9b::10.1.2.3", true, true},
		{"192.168.7.7", true, true},
		{"fd77::1", true, true},
		{"fc77::1", false, false},
	};
	struct url_guard *production = guard_new(false, ALLOWED);
	struct url_guard *development = guard_new(true, ALLOWED);
	for (size_t i = 0; i < array_len(cases); i++) {
		if (allows(production, cases[i].address) != cases[i].production ||
			allows(development, cases[i].address) != cases[i].development)
			fail_msg("%s is judged wrongly", cases[i].address);
	}
	struct sockaddr other = {.sa_family = AF_UNIX};
	assert_false(url_guard_allows_address(development, &other));
	url_guard_free(&production);
	url_guard_free(&development);
}

static void TEST(nothing_is_allowed_without_a_list)
{
	static const char *const empty[] = {NULL, "", " "};
	for (size_t i = 0; i < array_len(empty); i++) {
		struct url_guard *guard = guard_new(false, empty[i]);
		assert_false(allows(guard, "10.1.2.3"));
		assert_true(allows(guard, "8.8.8.8"));
		url_guard_free(&guard);
	}
}

static void TEST(bad_lists_are_refused)
{
	static const char *const bad[] = {
		"10.0.0.0/8,", ",", "10.0.0.0/8,x", "10.0.0.1/8", "::/200"};
	struct err err = {""};
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_null(url_guard_new(false, sv_from(bad[i]), &err));
		assert_true(err.text[0] != '\0');
		assert_null(url_guard_new(false, sv_from(bad[i]), NULL));
	}
	char many[65 * 8] = "";
	for (int i = 0; i < 65; i++)
		(void)strcat(many, i == 0 ? "1.1.1.1" : ",1.1.1.1");
	assert_null(url_guard_new(false, sv_from(many), &err));
	assert_string_equal(err.text, "more than 64 address ranges");
	many[strlen(many) - 8] = '\0';
	struct url_guard *guard = guard_new(false, many);
	url_guard_free(&guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_judged),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(resolved_addresses_are_judged),
		cmocka_unit_test(nothing_is_allowed_without_a_list),
		cmocka_unit_test(bad_lists_are_refused),
	};
	return cmocka_run_group_tests_name("url_guard", tests, NULL, NULL);
}
