/* Literal addresses and ranges: what is taken agrees with the C library, and a range holds its own
 * address. */
#include <arpa/inet.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/ip_address.h"
#include "common/base/pool.h"
#include "tests/fuzz/fuzz.h"

static void check_literals(struct strview text, const char *as_cstr)
{
	struct ip_address address, inner;
	uint8_t theirs[16];
	struct in_addr loose;
	bool is_text = memchr(text.len > 0 ? text.ptr : "", '\0', text.len) == NULL;

	if (ip_address_parse_v6(text, &address) == 0) {
		ASSERT(is_text && inet_pton(AF_INET6, as_cstr, theirs) == 1);
		ASSERT(memcmp(theirs, address.bytes, 16) == 0);
		(void)ip_address_unwrap(&address, &inner);
		(void)ip_address_is_public(&address);
	} else {
		ASSERT(!is_text || inet_pton(AF_INET6, as_cstr, theirs) != 1);
	}
	/* inet_aton() stops at a space, and where it takes nothing ("0x") we may. */
	bool is_loose = is_text && strpbrk(as_cstr, " \t\r\n\v\f") == NULL &&
			inet_aton(as_cstr, &loose) == 1;
	if (ip_address_parse_v4_loose(text, &address) == 0) {
		ASSERT(is_text);
		ASSERT(!is_loose || memcmp(&loose, address.bytes, 4) == 0);
		ASSERT(!ip_address_is_loopback(&address) || !ip_address_is_public(&address));
	} else {
		ASSERT(!is_loose);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct pool *pool = pool_new();
	struct strview text = sv_make(data, size_bytes);
	struct ip_prefix prefix;
	struct err err = {""};

	check_literals(text, pool_sv_cstr(pool, text));
	if (ip_prefix_parse(text, &prefix, &err) == 0) {
		ASSERT(prefix.length >= 0);
		ASSERT(prefix.length <= (prefix.address.family == AF_INET ? 32 : 128));
		ASSERT(ip_prefix_contains(&prefix, &prefix.address));
	} else {
		ASSERT(err.text[0] != '\0');
	}
	pool_free(&pool);
	return 0;
}
