/* The development rule for calls without a token. */
#include "services/api/local_caller.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_port(struct strview text)
{
	int64_t port;
	return sv_to_i64(text, &port) == 0 && port > 0 && port <= 65535 && text.ptr[0] != '-';
}

/* Take an optional ":port" off the end. False when what stands there is none. */
static bool host_strip_port(struct strview *host)
{
	struct strview name = *host;

	if (name.len > 0 && name.ptr[0] == '[') {
		const char *close = memchr(name.ptr, ']', name.len);
		if (close == NULL)
			return false;
		struct strview rest =
			sv_make(close + 1, (size_t)(name.ptr + name.len - (close + 1)));
		*host = sv_make(name.ptr + 1, (size_t)(close - name.ptr - 1));
		return rest.len == 0 ||
		       (rest.ptr[0] == ':' && is_port(sv_make(rest.ptr + 1, rest.len - 1)));
	}
	const char *colon = memchr(name.ptr, ':', name.len);
	if (colon == NULL)
		return true;
	*host = sv_make(name.ptr, (size_t)(colon - name.ptr));
	return is_port(sv_make(colon + 1, (size_t)(name.ptr + name.len - (colon + 1))));
}

static bool host_is_loopback(struct strview host)
{
	char name[64];
	struct in_addr v4;
	struct in6_addr v6;

	if (sv_is_null(host) || !host_strip_port(&host) || host.len >= sizeof(name))
		return false;
	if (sv_ieq_cstr(host, "localhost"))
		return true;
	memcpy(name, host.ptr, host.len);
	name[host.len] = '\0';
	if (inet_pton(AF_INET, name, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	return inet_pton(AF_INET6, name, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool content_type_is_json(struct strview content_type)
{
	struct strview type;

	if (!sv_split(&content_type, ';', &type))
		return false;
	return sv_ieq_cstr(sv_trim(type), "application/json");
}

bool local_caller_is_trusted(const struct local_caller *caller)
{
	return caller->development && caller->peer_is_loopback && !caller->is_http10 &&
	       !caller->has_foreign_header && host_is_loopback(caller->host) &&
	       content_type_is_json(caller->content_type);
}
