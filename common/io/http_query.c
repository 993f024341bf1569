/* Query strings and percent-encoding (RFC 3986, 2.1; application/x-www-form-urlencoded). Declared
 * in http_server.h. */
#include <string.h>

#include "common/base/digest.h"
#include "common/io/http_server.h"

static int decode(
	struct strview text, bool plus_is_space, struct pool *pool, struct strview *ret_value)
{
	char *value = pool_alloc(pool, text.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '%') {
			if (text.len - i < 3)
				return -1;
			int high = hex_digit(text.ptr[i + 1]);
			int low = hex_digit(text.ptr[i + 2]);
			if (high < 0 || low < 0)
				return -1;
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if (c == '\0')
			return -1;
		value[len++] = c;
	}
	*ret_value = sv_make(value, len);
	return 0;
}

int http_percent_decode(struct strview text, struct pool *pool, struct strview *ret_value)
{
	return decode(text, false, pool, ret_value);
}

int http_query_get(
	struct strview query, const char *name, struct pool *pool, struct strview *ret_value)
{
	struct strview pair, key, decoded;

	while (sv_split(&query, '&', &pair)) {
		if (!sv_split(&pair, '=', &key) || key.len == 0)
			continue;
		/* Nearly all names are written plainly; only the others cost memory. */
		if (memchr(key.ptr, '%', key.len) != NULL ||
			memchr(key.ptr, '+', key.len) != NULL) {
			if (decode(key, true, pool, &decoded) != 0)
				return -1;
			key = decoded;
		}
		if (sv_eq_cstr(key, name))
			return decode(pair, true, pool, ret_value);
	}
	*ret_value = SV_NULL;
	return 0;
}
