/* Which URLs and addresses the product may call. */
#include "common/base/url_guard.h"

#include <string.h>

#include "common/base/ip_address.h"
#include "common/base/mem.h"

#define MAX_ALLOWED     64
#define HOST_MAX_BYTES  253
#define LABEL_MAX_BYTES 63

struct url_guard {
	bool development;
	int n_allowed;
	struct ip_prefix allowed[MAX_ALLOWED];
};

struct url_guard *url_guard_new(bool development, struct strview allow_cidrs, struct err *err)
{
	struct url_guard *guard = mem_new(struct url_guard);
	struct strview part;
	guard->development = development;
	if (sv_trim(allow_cidrs).len == 0)
		allow_cidrs = SV_NULL;
	while (sv_split(&allow_cidrs, ',', &part)) {
		if (guard->n_allowed == MAX_ALLOWED) {
			err_set(err, "more than %d address ranges", MAX_ALLOWED);
			url_guard_free(&guard);
			return NULL;
		}
		if (ip_prefix_parse(part, &guard->allowed[guard->n_allowed], err) < 0) {
			url_guard_free(&guard);
			return NULL;
		}
		guard->n_allowed++;
	}
	return guard;
}

void url_guard_free(struct url_guard **guard)
{
	mem_free(*guard);
	*guard = NULL;
}

static bool is_listed(const struct url_guard *guard, const struct ip_address *address)
{
	for (int i = 0; i < guard->n_allowed; i++) {
		if (ip_prefix_contains(&guard->allowed[i], address))
			return true;
	}
	return false;
}

/* The operator allowed it: by itself, or by the IPv4 address that it stands for. */
static bool is_allowed_by_operator(const struct url_guard *guard, const struct ip_address *address)
{
	struct ip_address inner;
	if (is_listed(guard, address))
		return true;
	return ip_address_unwrap(address, &inner) && is_listed(guard, &inner);
}

static bool is_any_loopback(const struct ip_address *address)
{
	struct ip_address inner;
	return ip_address_is_loopback(address) ||
	       (ip_address_unwrap(address, &inner) && ip_address_is_loopback(&inner));
}

static bool allows(const struct url_guard *guard, const struct ip_address *address)
{
	return ip_address_is_public(address) || is_allowed_by_operator(guard, address) ||
	       (guard->development && is_any_loopback(address));
}

bool url_guard_allows_address(const struct url_guard *guard, const struct sockaddr *address)
{
	struct ip_address ip;
	return ip_address_from_sockaddr(address, &ip) == 0 && allows(guard, &ip);
}

/* The parts of a URL that matter here. */
struct url {
	bool https;
	struct strview host; /* without brackets and port */
	bool bracketed;
};

static int check_port(struct strview port, struct err *err)
{
	int64_t number;
	if (port.len > 5 || sv_to_i64(port, &number) < 0 || number < 1 || number > 65535)
		return err_set(err, "the URL's port is not in 1..65535");
	return 0;
}

static int split_authority(struct strview authority, struct url *url, struct err *err)
{
	if (authority.len > 0 && memchr(authority.ptr, '@', authority.len) != NULL)
		return err_set(err, "the URL must not contain a user name or password");
	struct strview rest = authority;
	url->bracketed = sv_starts_with(rest, "[");
	if (!url->bracketed) {
		(void)sv_split(&rest, ':', &url->host);
		return sv_is_null(rest) ? 0 : check_port(rest, err);
	}
	rest.ptr++;
	rest.len--;
	(void)sv_split(&rest, ']', &url->host);
	if (sv_is_null(rest))
		return err_set(err, "the URL's host has no closing bracket");
	if (rest.len == 0)
		return 0;
	if (rest.ptr[0] != ':')
		return err_set(err, "the URL has text after its host's closing bracket");
	return check_port(sv_make(rest.ptr + 1, rest.len - 1), err);
}

static int check_characters(struct strview text, struct err *err)
{
	if (text.len > URL_MAX_BYTES)
		return err_set(err, "the URL is longer than %d bytes", URL_MAX_BYTES);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		/* A backslash is a slash to some readers of URLs and none to others. */
		if (c <= ' ' || c >= 0x7f || c == '\\')
			return err_set(err,
				"the URL has a space, backslash, control or non-ASCII byte at %zu",
				i + 1);
	}
	return 0;
}

static int parse_url(struct strview text, struct url *ret_url, struct err *err)
{
	struct strview scheme;
	struct strview rest = text;
	struct url url = {.https = false};

	if (!sv_split(&rest, ':', &scheme) || sv_is_null(rest) || !sv_starts_with(rest, "//") ||
		!(sv_ieq_cstr(scheme, "https") || sv_ieq_cstr(scheme, "http")))
		return err_set(err, "the URL must begin with https://");
	url.https = sv_ieq_cstr(scheme, "https");
	rest.ptr += 2;
	rest.len -= 2;
	size_t len = 0;
	while (len < rest.len && strchr("/?#", rest.ptr[len]) == NULL)
		len++;
	if (split_authority(sv_make(rest.ptr, len), &url, err) < 0)
		return -1;
	if (url.host.len == 0)
		return err_set(err, "the URL has no host");
	*ret_url = url;
	return 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
	       c == '_';
}

/* A host whose last label is a number can only be meant as an IPv4 address (WHATWG URL, "ends in a
 * number"). */
static bool is_numeric_label(struct strview label)
{
	if (label.len >= 2 && label.ptr[0] == '0' && (label.ptr[1] == 'x' || label.ptr[1] == 'X'))
		return true;
	for (size_t i = 0; i < label.len; i++) {
		if (!is_digit(label.ptr[i]))
			return false;
	}
	return label.len > 0;
}

/* Check a host's form, and hand out its last label. */
static int check_name(struct strview host, struct strview *ret_last, struct err *err)
{
	struct strview label = SV_NULL;
	if (host.len > HOST_MAX_BYTES)
		return err_set(err, "the URL's host is longer than %d bytes", HOST_MAX_BYTES);
	while (sv_split(&host, '.', &label)) {
		if (label.len == 0 || label.len > LABEL_MAX_BYTES)
			return err_set(err, "the URL's host has an empty or overlong label");
		for (size_t i = 0; i < label.len; i++) {
			if (!is_name_char(label.ptr[i]))
				return err_set(err,
					"the URL's host has a character that no host name has");
		}
	}
	*ret_last = label;
	return 0;
}

/* 1 when the host is a literal address, 0 when it is a name, -1 with err when malformed. */
static int parse_host(const struct url *url, struct ip_address *ret_address, struct err *err)
{
	struct strview host = url->host;
	struct strview last;
	if (url->bracketed) {
		if (ip_address_parse_v6(host, ret_address) < 0)
			return err_set(err, "the URL's host is no IPv6 address");
		return 1;
	}
	if (host.ptr[host.len - 1] == '.')
		host.len--;
	if (check_name(host, &last, err) < 0)
		return -1;
	if (!is_numeric_label(last))
		return 0;
	if (ip_address_parse_v4_loose(host, ret_address) < 0)
		return err_set(err, "the URL's host is no IPv4 address");
	return 1;
}

static bool is_localhost(struct strview host)
{
	static const char name[] = "localhost";
	size_t len = sizeof(name) - 1;
	if (host.len > 0 && host.ptr[host.len - 1] == '.')
		host.len--;
	if (host.len < len || !sv_ieq_cstr(sv_make(host.ptr + host.len - len, len), name))
		return false;
	return host.len == len || host.ptr[host.len - len - 1] == '.';
}

int url_guard_check_url(const struct url_guard *guard, struct strview url, struct err *err)
{
	struct url parts;
	struct ip_address address;

	if (check_characters(url, err) < 0 || parse_url(url, &parts, err) < 0)
		return -1;
	int literal = parse_host(&parts, &address, err);
	if (literal < 0)
		return -1;
	if (literal == 1 && !allows(guard, &address))
		return err_set(err, "the URL's address is not a public one");
	if (guard->development)
		return 0;
	if (literal == 0 && is_localhost(parts.host))
		return err_set(err, "the URL's host is this machine");
	if (!parts.https && !(literal == 1 && is_allowed_by_operator(guard, &address)))
		return err_set(err, "the URL must begin with https://");
	return 0;
}
