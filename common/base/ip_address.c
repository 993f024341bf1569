/* Internet addresses as values. */
#include "common/base/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "common/base/digest.h"

struct range {
	uint8_t bytes[16];
	int length;
};

/* https://www.iana.org/assignments/iana-ipv4-special-registry, with multicast. */
static const struct range special_v4[] = {
	{{0}, 8},             /* this network */
	{{10}, 8},            /* private use */
	{{100, 64}, 10},      /* shared address space (carrier NAT) */
	{{127}, 8},           /* loopback */
	{{169, 254}, 16},     /* link local, cloud metadata */
	{{172, 16}, 12},      /* private use */
	{{192, 0, 0}, 24},    /* IETF protocol assignments */
	{{192, 0, 2}, 24},    /* documentation */
	{{192, 31, 196}, 24}, /* AS112 */
	{{192, 52, 193}, 24}, /* AMT */
	{{192, 88, 99}, 24},  /* 6to4 relay anycast */
	{{192, 168}, 16},     /* private use */
	{{192, 175, 48}, 24}, /* AS112 direct delegation */
	{{198, 18}, 15},      /* benchmarking */
	{{198, 51, 100}, 24}, /* documentation */
	{{203, 0, 113}, 24},  /* documentation */
	{{224}, 4},           /* multicast */
	{{240}, 4},           /* reserved, limited broadcast */
};

/*
 * https://www.iana.org/assignments/iana-ipv6-special-registry. Only what lies within 2000::/3
 * stands here: nothing outside of it is global unicast (loopback, 64:ff9b:1::/48, 100::/64,
 * 100:0:0:1::/64, 5f00::/16, fc00::/7, fe80::/10, fec0::/10, ff00::/8).
 */
static const struct range global_unicast_v6 = {{0x20}, 3};
static const struct range special_v6[] = {
	{{0x20, 0x01}, 23}, /* IETF protocol assignments: Teredo, benchmarking, ORCHID, DRIP … */
	{{0x20, 0x01, 0x0d, 0xb8}, 32},             /* documentation */
	{{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48}, /* AS112 direct delegation */
	{{0x3f, 0xff, 0x00}, 20},                   /* documentation */
};

/* IPv6 ranges that hold an IPv4 address, and the byte where it begins. */
static const struct {
	struct range range;
	int at;
} wrappings[] = {
	{{{[10] = 0xff, [11] = 0xff}, 96}, 12}, /* ::ffff:0:0/96, mapped */
	{{{0}, 96}, 12},                        /* ::/96, compatible */
	{{{0x00, 0x64, 0xff, 0x9b}, 96}, 12},   /* 64:ff9b::/96, NAT64 */
	{{{0x20, 0x02}, 16}, 2},                /* 2002::/16, 6to4 */
};

static bool bits_match(const uint8_t *a, const uint8_t *b, int n_bits)
{
	int n_bytes = n_bits / 8;
	int rest = n_bits % 8;
	if (memcmp(a, b, (size_t)n_bytes) != 0)
		return false;
	return rest == 0 || ((a[n_bytes] ^ b[n_bytes]) >> (8 - rest)) == 0;
}

static bool in_ranges(const struct ip_address *address, const struct range *ranges, size_t n_ranges)
{
	for (size_t i = 0; i < n_ranges; i++) {
		if (bits_match(address->bytes, ranges[i].bytes, ranges[i].length))
			return true;
	}
	return false;
}

static struct ip_address address_v4(const uint8_t bytes[4])
{
	struct ip_address address = {.family = AF_INET};
	memcpy(address.bytes, bytes, 4);
	return address;
}

int ip_address_from_sockaddr(const struct sockaddr *sockaddr, struct ip_address *ret_address)
{
	if (sockaddr->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sockaddr, sizeof(in));
		uint8_t bytes[4];
		memcpy(bytes, &in.sin_addr, sizeof(bytes));
		*ret_address = address_v4(bytes);
		return 0;
	}
	if (sockaddr->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sockaddr, sizeof(in6));
		*ret_address = (struct ip_address){.family = AF_INET6};
		memcpy(ret_address->bytes, &in6.sin6_addr, sizeof(ret_address->bytes));
		return 0;
	}
	return -1;
}

/* inet_pton() wants a NUL after the text. */
static int parse_strict(int family, struct strview text, struct ip_address *ret_address)
{
	char copy[INET6_ADDRSTRLEN];
	struct ip_address address = {.family = family};
	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len) != NULL)
		return -1;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (inet_pton(family, copy, address.bytes) != 1)
		return -1;
	*ret_address = address;
	return 0;
}

int ip_address_parse_v6(struct strview text, struct ip_address *ret_address)
{
	return parse_strict(AF_INET6, text, ret_address);
}

/* One number of a loose IPv4 literal; "0x" alone is 0, as browsers have it. */
static int parse_loose_number(struct strview text, uint32_t *ret_number)
{
	int base = 10;
	uint64_t number = 0;
	if (text.len == 0)
		return -1;
	if (text.len >= 2 && text.ptr[0] == '0') {
		bool hex = text.ptr[1] == 'x' || text.ptr[1] == 'X';
		base = hex ? 16 : 8;
		text.ptr += hex ? 2 : 1;
		text.len -= hex ? 2 : 1;
	}
	for (size_t i = 0; i < text.len; i++) {
		int digit = hex_digit(text.ptr[i]);
		if (digit < 0 || digit >= base)
			return -1;
		number = number * (unsigned)base + (unsigned)digit;
		if (number > UINT32_MAX)
			return -1;
	}
	*ret_number = (uint32_t)number;
	return 0;
}

int ip_address_parse_v4_loose(struct strview text, struct ip_address *ret_address)
{
	uint32_t value = 0;
	uint32_t number = 0;
	int n_parts = 0;
	struct strview part;

	while (sv_split(&text, '.', &part)) {
		/* Every number but the last is one byte. */
		if (n_parts == 4 || (n_parts > 0 && number > 255) ||
			parse_loose_number(part, &number) < 0)
			return -1;
		if (!sv_is_null(text))
			value = value << 8 | (number & 255);
		n_parts++;
	}
	/* The last one fills the bytes that are left. */
	int bits_left = 8 * (5 - n_parts);
	if (n_parts == 0 || (bits_left < 32 && number >> bits_left != 0))
		return -1;
	value = bits_left < 32 ? value << bits_left | number : number;
	uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
		(uint8_t)value};
	*ret_address = address_v4(bytes);
	return 0;
}

int ip_prefix_parse(struct strview text, struct ip_prefix *ret_prefix, struct err *err)
{
	struct strview length_text = sv_trim(text);
	struct strview shown = length_text;
	struct strview address_text = SV_LIT("");
	struct ip_prefix prefix;
	if (shown.len > 64)
		shown.len = 64;

	(void)sv_split(&length_text, '/', &address_text);
	if (parse_strict(AF_INET, address_text, &prefix.address) < 0 &&
		parse_strict(AF_INET6, address_text, &prefix.address) < 0)
		return err_set(err, "\"%.*s\" is no address range (such as 10.0.0.0/8 or fd00::/8)",
			SV_ARG(shown));
	int n_bits = prefix.address.family == AF_INET ? 32 : 128;
	int64_t length = n_bits;
	if (!sv_is_null(length_text) &&
		(sv_to_i64(length_text, &length) < 0 || length < 0 || length > n_bits))
		return err_set(
			err, "\"%.*s\": the prefix length is not in 0..%d", SV_ARG(shown), n_bits);
	prefix.length = (int)length;
	for (int bit = prefix.length; bit < n_bits; bit++) {
		if ((prefix.address.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0)
			return err_set(
				err, "\"%.*s\" has bits set beyond its prefix", SV_ARG(shown));
	}
	*ret_prefix = prefix;
	return 0;
}

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *address)
{
	return prefix->address.family == address->family &&
	       bits_match(prefix->address.bytes, address->bytes, prefix->length);
}

bool ip_address_unwrap(const struct ip_address *address, struct ip_address *ret_inner)
{
	if (address->family != AF_INET6)
		return false;
	for (size_t i = 0; i < array_len(wrappings); i++) {
		if (in_ranges(address, &wrappings[i].range, 1)) {
			*ret_inner = address_v4(address->bytes + wrappings[i].at);
			return true;
		}
	}
	return false;
}

bool ip_address_is_loopback(const struct ip_address *address)
{
	static const uint8_t v6[16] = {[15] = 1};
	if (address->family == AF_INET)
		return address->bytes[0] == 127;
	return memcmp(address->bytes, v6, sizeof(v6)) == 0;
}

/* RFC 5214, section 6.1: an interface identifier of 0000:5efe or 0200:5efe and an IPv4 address. */
static bool is_isatap(const struct ip_address *address)
{
	return (address->bytes[8] & ~2) == 0 && address->bytes[9] == 0 &&
	       address->bytes[10] == 0x5e && address->bytes[11] == 0xfe;
}

bool ip_address_is_public(const struct ip_address *address)
{
	struct ip_address inner;
	if (address->family == AF_INET)
		return !in_ranges(address, special_v4, array_len(special_v4));
	if (ip_address_unwrap(address, &inner))
		return ip_address_is_public(&inner);
	return in_ranges(address, &global_unicast_v6, 1) && !is_isatap(address) &&
	       !in_ranges(address, special_v6, array_len(special_v6));
}
