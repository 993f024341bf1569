/*
 * Which URLs and addresses the product may call on behalf of others (webhooks, media). Pure.
 * The ranges are those of the IANA special-purpose registries; an IPv6 address that wraps an IPv4
 * one (mapped, compatible, 6to4, NAT64) is judged by the IPv4 inside.
 */
#ifndef WA_BASE_URL_GUARD_H
#define WA_BASE_URL_GUARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/base/attr.h"
#include "common/base/err.h"
#include "common/base/strview.h"

#define URL_MAX_BYTES 2048

struct url_guard; /* a policy */

/* allow_cidrs: "10.0.0.0/8,fd00::/8" or empty; development also allows loopback addresses and plain
   http everywhere. NULL with err on a bad CIDR. */
struct url_guard *url_guard_new(bool development, struct strview allow_cidrs, struct err *err);
void url_guard_free(struct url_guard **guard);
/* Is the URL of a kind that may be called at all? http(s) only (production: https only, unless its
   host is a literal address inside allow_cidrs), no userinfo, a host, no control bytes or spaces,
   at most URL_MAX_BYTES; a literal host address is judged as well (also in odd forms: 0x7f.1,
   2130706433). Names are judged when they are resolved. */
int url_guard_check_url(
	const struct url_guard *guard, struct strview url, struct err *err) MUST_CHECK;
/* May a socket be connected to this resolved address? */
bool url_guard_allows_address(const struct url_guard *guard, const struct sockaddr *address);

#endif
