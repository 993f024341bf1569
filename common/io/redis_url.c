#include "common/io/redis_url.h"

#include <string.h>

#include "common/base/digest.h"

static int percent_decode(struct strview text, struct pool *pool, const char **ret_text)
{
	char *out = pool_alloc(pool, text.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '%') {
			if (i + 2 >= text.len)
				return -1;
			int high = hex_digit(text.ptr[i + 1]);
			int low = hex_digit(text.ptr[i + 2]);
			if (high < 0 || low < 0)
				return -1;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (c == '\0')
			return -1;
		out[len++] = c;
	}
	*ret_text = out;
	return 0;
}

/* Cut *view at the last `separator`: what stands before it goes to *ret_before. False when there is
 * none. */
static bool split_last(struct strview *view, char separator, struct strview *ret_before)
{
	const char *at = memrchr(view->ptr, separator, view->len);
	if (at == NULL)
		return false;
	*ret_before = sv_make(view->ptr, (size_t)(at - view->ptr));
	view->len -= ret_before->len + 1;
	view->ptr = at + 1;
	return true;
}

static int parse_number(struct strview text, int64_t min, int64_t max, int *ret_number)
{
	int64_t number;
	if (sv_to_i64(text, &number) != 0 || number < min || number > max)
		return -1;
	*ret_number = (int)number;
	return 0;
}

static int parse_userinfo(
	struct strview info, struct pool *pool, struct redis_url *url, struct err *err)
{
	const char *colon = memchr(info.ptr, ':', info.len);
	if (colon == NULL)
		return err_set(err, "the Redis URL has a user without a password");
	struct strview user = sv_make(info.ptr, (size_t)(colon - info.ptr));
	struct strview password = sv_make(colon + 1, info.len - user.len - 1);
	if (user.len > 0 && percent_decode(user, pool, &url->user) != 0)
		return err_set(err, "the user in the Redis URL has a bad percent escape");
	if (percent_decode(password, pool, &url->password) != 0)
		return err_set(err, "the password in the Redis URL has a bad percent escape");
	return 0;
}

/* Neither a name nor an address has any of these: better refused here than looked up in vain. */
static bool host_is_sane(struct strview host)
{
	for (size_t i = 0; i < host.len; i++) {
		if (host.ptr[i] <= ' ' || host.ptr[i] == 0x7f ||
			strchr("[]@/?#\\", host.ptr[i]) != NULL)
			return false;
	}
	return host.len > 0;
}

static int parse_host(
	struct strview rest, struct pool *pool, struct redis_url *url, struct err *err)
{
	struct strview host = rest;
	struct strview port = SV_NULL;
	const char *close =
		rest.len > 0 && rest.ptr[0] == '[' ? memchr(rest.ptr, ']', rest.len) : NULL;
	if (close != NULL) {
		host = sv_make(rest.ptr + 1, (size_t)(close - rest.ptr) - 1);
		struct strview after = sv_make(close + 1, rest.len - host.len - 2);
		if (after.len > 0 && after.ptr[0] != ':')
			return err_set(
				err, "the Redis URL has something after the bracketed address");
		if (after.len > 0)
			port = sv_make(after.ptr + 1, after.len - 1);
	} else {
		struct strview before;
		port = rest;
		if (split_last(&port, ':', &before))
			host = before;
		else
			port = SV_NULL;
	}
	if (!host_is_sane(host) || (close == NULL && memchr(host.ptr, ':', host.len) != NULL))
		return err_set(err, "the Redis URL has no valid host");
	if (!sv_is_null(port) && parse_number(port, 1, 65535, &url->port) != 0)
		return err_set(err, "the port in the Redis URL is not 1..65535");
	url->host = pool_sv_cstr(pool, host);
	return 0;
}

int redis_url_parse(
	struct strview text, struct pool *pool, struct redis_url *ret_url, struct err *err)
{
	static const char scheme[] = "redis://";
	struct redis_url url = {.port = REDIS_DEFAULT_PORT};
	if (!sv_starts_with(text, scheme))
		return err_set(
			err, "the Redis URL does not begin with redis:// (TLS is not supported)");
	struct strview rest = sv_make(text.ptr + strlen(scheme), text.len - strlen(scheme));
	struct strview info;
	if (split_last(&rest, '@', &info) && parse_userinfo(info, pool, &url, err) != 0)
		return -1;
	const char *slash = memchr(rest.ptr, '/', rest.len);
	if (slash != NULL) {
		struct strview db = sv_make(slash + 1, rest.len - (size_t)(slash - rest.ptr) - 1);
		rest.len = (size_t)(slash - rest.ptr);
		if (db.len > 0 && parse_number(db, 0, 1000000, &url.db) != 0)
			return err_set(err, "the database in the Redis URL is not a number");
	}
	if (parse_host(rest, pool, &url, err) != 0)
		return -1;
	*ret_url = url;
	return 0;
}
