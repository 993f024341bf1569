/* ip_address: literals, prefixes, and which addresses are public. */
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "common/base/ip_address.h"

static struct ip_address address_of(const char *text)
{
	struct ip_address address = {.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};
	if (inet_pton(address.family, text, address.bytes) != 1)
		fail_msg("%s is no address", text);
	return address;
}

static const struct {
	const char *address;
	bool public;
} addresses[] = {
	/* The first and last of every special range, and their neighbours where those are public.
	 */
	{"0.0.0.0", false},
	{"0.255.255.255", false},
	{"1.0.0.0", true},
	{"8.8.8.8", true},
	{"9.255.255.255", true},
	{"10.0.0.0", false},
	{"10.255.255.255", false},
	{"11.0.0.0", true},
	{"100.63.255.255", true},
	{"100.64.0.0", false},
	{"100.127.255.255", false},
	{"100.128.0.0", true},
	{"126.255.255.255", true},
	{"127.0.0.0", false},
	{"127.0.0.1", false},
	{"127.255.255.255", false},
	{"128.0.0.0", true},
	{"169.253.255.255", true},
	{"169.254.0.0", false},
	{"169.254.169.254", false},
	{"169.254.255.255", false},
	{"169.255.0.0", true},
	{"172.15.255.255", true},
	{"172.16.0.0", false},
	{"172.31.255.255", false},
	{"172.32.0.0", true},
	{"191.255.255.255", true},
	{"192.0.0.0", false},
	{"192.0.0.255", false},
	{"192.0.1.0", true},
	{"192.0.2.0", false},
	{"192.0.2.255", false},
	{"192.0.3.0", true},
	{"192.31.196.0", false},
	{"192.31.196.255", false},
	{"192.31.195.255", true},
	{"192.31.197.0", true},
	{"192.52.192.255", true},
	{"192.52.193.0", false},
	{"192.52.193.255", false},
	{"192.52.194.0", true},
	{"192.88.98.255", true},
	{"192.88.99.0", false},
	{"192.88.99.255", false},
	{"192.88.100.0", true},
	{"192.167.255.255", true},
	{"192.168.0.0", false},
	{"192.168.255.255", false},
	{"192.169.0.0", true},
	{"192.175.47.255", true},
	{"192.175.48.0", false},
	{"192.175.48.255", false},
	{"192.175.49.0", true},
	{"198.17.255.255", true},
	{"198.18.0.0", false},
	{"198.19.255.255", false},
	{"198.20.0.0", true},
	{"198.51.99.255", true},
	{"198.51.100.0", false},
	{"198.51.100.255", false},
	{"198.51.101.0", true},
	{"203.0.112.255", true},
	{"203.0.113.0", false},
	{"203.0.113.255", false},
	{"203.0.114.0", true},
	{"223.255.255.255", true},
	{"224.0.0.0", false},
	{"239.255.255.255", false},
	{"240.0.0.0", false},
	{"255.255.255.255", false},
	/* IPv6. */
	{"::", false},
	{"::1", false},
	{"100::", false},
	{"100:0:0:1::1", false},
	{"64:ff9b:1::1", false},
	{"64:ff9b:1:ffff::8.8.8.8", false},
	{"1fff:ffff::1", false},
	{"2000::1", true},
	{"2001::1", false}, /* Teredo */
	{"2001:0:4136:e378::1", false},
	{"2001:1::1", false},
	{"2001:2::1", false},     /* benchmarking */
	{"2001:3::1", false},     /* AMT */
	{"2001:4:112::1", false}, /* AS112 */
	{"2001:10::1", false},    /* ORCHID */
	{"2001:20::1", false},    /* ORCHIDv2 */
	{"2001:30::1", false},    /* drone remote ID */
	{"2001:1ff:ffff::1", false},
	{"2001:200::1", true},
	{"2001:4860:4860::8888", true},
	{"2001:db7:ffff::1", true},
	{"2001:db8::1", false},
	{"2001:db8:ffff:ffff::1", false},
	{"2001:db9::1", true},
	{"2606:4700::1111", true},
	{"2620:4f:7fff::1", true},
	{"2620:4f:8000::1", false},
	{"2620:4f:8001::1", true},
	{"2a00:1450:4001:80b::200e", true},
	{"3ffe:ffff::1", true},
	{"3fff::1", false},
	{"3fff:fff::1", false},
	{"3fff:1000::1", true},
	{"4000::1", false},
	{"5f00::1", false},
	{"8000::1", false},
	{"fc00::1", false},
	{"fd12:3456::1", false},
	{"fe80::1", false},
	{"fec0::1", false},
	{"ff02::1", false},
	{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
	/* IPv6 around IPv4. */
	{"::ffff:8.8.8.8", true},
	{"::ffff:10.0.0.1", false},
	{"::ffff:127.0.0.1", false},
	{"::ffff:169.254.169.254", false},
	{"::8.8.8.8", true},
	{"::10.0.0.1", false},
	{"::127.0.0.1", false},
	{"::ffff:0:8.8.8.8", false}, /* translated (RFC 2765): no longer anything */
	{"64:ff9b::8.8.8.8", true},
	{"64:ff9b::10.0.0.1", false},
	{"64:ff9b::127.0.0.1", false},
	{"64:ff9b::1:8.8.8.8", false},
	{"2002:808:808::1", true},
	{"2002:a00:1::1", false},
	{"2002:7f00:1::1", false},
	{"2002:c0a8:101::", false},
	{"2a00:1450::5efe:8.8.8.8", false}, /* ISATAP */
	{"2a00:1450::200:5efe:10.0.0.1", false},
	{"2a00:1450::100:5efe:10.0.0.1", true}, /* merely looks like it */
	{"2a00:1450::5eff:10.0.0.1", true},
};

static void TEST(public_and_special_addresses)
{
	for (size_t i = 0; i < array_len(addresses); i++) {
		struct ip_address address = address_of(addresses[i].address);
		if (ip_address_is_public(&address) != addresses[i].public)
			fail_msg("%s is judged wrongly", addresses[i].address);
	}
}

static void TEST(loose_v4_literals)
{
	static const struct {
		const char *text;
		const char *want;
	} good[] = {
		{"1.2.3.4", "1.2.3.4"},
		{"255.255.255.255", "255.255.255.255"},
		{"0", "0.0.0.0"},
		{"2130706433", "127.0.0.1"},
		{"4294967295", "255.255.255.255"},
		{"0x7f000001", "127.0.0.1"},
		{"0X7F.1", "127.0.0.1"},
		{"0xA9FEa9fe", "169.254.169.254"},
		{"0xA.0xF.0xa.0xf", "10.15.10.15"},
		{"017700000001", "127.0.0.1"},
		{"0177.0.0.01", "127.0.0.1"},
		{"127.1", "127.0.0.1"},
		{"127.0.1", "127.0.0.1"},
		{"10.65535", "10.0.255.255"},
		{"10.16777215", "10.255.255.255"},
		{"10.1.65535", "10.1.255.255"},
		{"0x", "0.0.0.0"},
		{"0x.0x.0", "0.0.0.0"},
		{"00000000000000000000000012", "0.0.0.10"},
		{"0x00000000000000000000007f.0.0.1", "127.0.0.1"},
	};
	for (size_t i = 0; i < array_len(good); i++) {
		struct ip_address got = {.family = 0};
		struct ip_address want = address_of(good[i].want);
		assert_int_equal(ip_address_parse_v4_loose(sv_from(good[i].text), &got), 0);
		assert_int_equal(got.family, AF_INET);
		assert_memory_equal(got.bytes, want.bytes, sizeof(want.bytes));
	}
	static const char *const bad[] = {"", ".", "1.", ".1", "1..2", "1.2.3.4.5", "256.1.1.1",
		"1.256.1.1", "1.1.256.1", "1.1.1.256", "1.16777216", "1.1.65536", "4294967296",
		"99999999999999999999", "0x100000000", "0xg", "08", "0199", "1.2.3.x", "-1", "+1",
		" 1", "1 ", "1.2.3.4/8"};
	for (size_t i = 0; i < array_len(bad); i++) {
		struct ip_address got = {.family = 77};
		if (ip_address_parse_v4_loose(sv_from(bad[i]), &got) != -1)
			fail_msg("accepted %s", bad[i]);
		assert_int_equal(got.family, 77);
	}
	struct ip_address got;
	assert_int_equal(ip_address_parse_v4_loose(SV_NULL, &got), -1);
}

static void TEST(v6_literals)
{
	struct ip_address got;
	assert_int_equal(ip_address_parse_v6(SV_LIT("::ffff:1.2.3.4"), &got), 0);
	assert_int_equal(got.family, AF_INET6);
	assert_int_equal(got.bytes[15], 4);
	static const char *const bad[] = {"", ":", ":::", "1::2::3", "1.2.3.4", "[::1]", "::1%eth0",
		"fe80::1%1", "12345::", "::g", "1:2:3:4:5:6:7:8:9", " ::1",
		"1111:1111:1111:1111:1111:1111:111.111.111.1111111111111111111111"};
	for (size_t i = 0; i < array_len(bad); i++)
		assert_int_equal(ip_address_parse_v6(sv_from(bad[i]), &got), -1);
	assert_int_equal(ip_address_parse_v6(SV_NULL, &got), -1);
	assert_int_equal(ip_address_parse_v6(SV_LIT("::1\0"), &got), -1);
}

static void TEST(prefixes_hold_their_addresses)
{
	static const struct {
		const char *prefix;
		const char *address;
		bool held;
	} cases[] = {
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{" 172.16.0.0/12 ", "172.31.255.255", true},
		{"172.16.0.0/12", "172.32.0.0", false},
		{"192.168.1.7", "192.168.1.7", true},
		{"192.168.1.7", "192.168.1.6", false},
		{"192.168.1.6/31", "192.168.1.7", true},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "fd00::1", true},
		{"::/0", "10.0.0.1", false},
		{"fd00::/8", "fdff::1", true},
		{"fd00::/8", "fc00::1", false},
		{"fd00::1", "fd00::1", true},
		{"fd00::1", "fd00::2", false},
		{"2001:db8::/33", "2001:db8:7fff::", true},
		{"2001:db8::/33", "2001:db8:8000::", false},
	};
	for (size_t i = 0; i < array_len(cases); i++) {
		struct ip_prefix prefix;
		struct ip_address address = address_of(cases[i].address);
		assert_int_equal(ip_prefix_parse(sv_from(cases[i].prefix), &prefix, NULL), 0);
		if (ip_prefix_contains(&prefix, &address) != cases[i].held)
			fail_msg("%s and %s", cases[i].prefix, cases[i].address);
	}
}

static void TEST(what_is_no_prefix)
{
	static const struct {
		const char *text;
		const char *want;
	} bad[] = {
		{"", "no address range"},
		{"/8", "no address range"},
		{"10.0.0/8", "no address range"},
		{"010.0.0.0/8", "no address range"},
		{"localhost", "no address range"},
		{"10.0.0.0/", "prefix length"},
		{"10.0.0.0/33", "prefix length"},
		{"10.0.0.0/-1", "prefix length"},
		{"10.0.0.0/8/8", "prefix length"},
		{"10.0.0.0/255.0.0.0", "prefix length"},
		{"::/129", "prefix length"},
		{"10.0.0.1/8", "beyond its prefix"},
		{"fd00::1/64", "beyond its prefix"},
		{"128.0.0.0/0", "beyond its prefix"},
	};
	for (size_t i = 0; i < array_len(bad); i++) {
		struct ip_prefix prefix = {.length = 77};
		struct err err = {""};
		assert_int_equal(ip_prefix_parse(sv_from(bad[i].text), &prefix, &err), -1);
		if (strstr(err.text, bad[i].want) == NULL)
			fail_msg("%s: %s", bad[i].text, err.text);
		assert_int_equal(prefix.length, 77);
	}
}

static void TEST(sockaddrs)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(0x01020304)}};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr other = {.sa_family = AF_UNIX};
	struct ip_address address = {.family = 77};
	assert_int_equal(ip_address_from_sockaddr(&other, &address), -1);
	assert_int_equal(address.family, 77);
	assert_int_equal(ip_address_from_sockaddr((struct sockaddr *)&in, &address), 0);
	assert_memory_equal(address.bytes, "\1\2\3\4\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_false(ip_address_is_loopback(&address));
	assert_int_equal(ip_address_from_sockaddr((struct sockaddr *)&in6, &address), 0);
	assert_int_equal(address.family, AF_INET6);
	assert_true(ip_address_is_loopback(&address));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(public_and_special_addresses),
		cmocka_unit_test(loose_v4_literals),
		cmocka_unit_test(v6_literals),
		cmocka_unit_test(prefixes_hold_their_addresses),
		cmocka_unit_test(what_is_no_prefix),
		cmocka_unit_test(sockaddrs),
	};
	return cmocka_run_group_tests_name("ip_address", tests, NULL, NULL);
}
