/* Internet addresses as values: literals in all their forms, prefixes, and which of them are
 * public. Pure. */
#ifndef WA_BASE_IP_ADDRESS_H
#define WA_BASE_IP_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/base/attr.h"
#include "common/base/err.h"
#include "common/base/strview.h"

struct ip_address {
	int family;        /* AF_INET or AF_INET6 */
	uint8_t bytes[16]; /* network order; IPv4 in the first four */
};

struct ip_prefix {
	struct ip_address address;
	int length; /* bits */
};

/* 0, or -1 when it is neither IPv4 nor IPv6. */
int ip_address_from_sockaddr(const struct sockaddr *sockaddr, struct ip_address *ret_address);
/* An IPv6 literal without brackets and zone. 0 or -1. */
int ip_address_parse_v6(struct strview text, struct ip_address *ret_address);
/* An IPv4 literal in any form that inet_aton() takes: 1 to 4 numbers, decimal, octal (0…) or
 * hexadecimal (0x…). 0 or -1. */
int ip_address_parse_v4_loose(struct strview text, struct ip_address *ret_address);
/* "10.0.0.0/8", "fd00::/8", or one address. Bits beyond the length must be zero. */
int ip_prefix_parse(struct strview text, struct ip_prefix *ret_prefix, struct err *err);

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *address);
/* The IPv4 address that an IPv6 one stands for: mapped, compatible, NAT64 (64:ff9b::/96), 6to4.
 * False when it wraps none. */
bool ip_address_unwrap(const struct ip_address *address, struct ip_address *ret_inner);
bool ip_address_is_loopback(const struct ip_address *address); /* 127.0.0.0/8, ::1 */
/* In no range of the IANA special-purpose registries, not multicast, not reserved. Wrapped IPv4 is
 * judged by what is inside. */
bool ip_address_is_public(const struct ip_address *address);

#endif
