/* Paths against patterns, segment by segment. */
#include "services/api/route_match.h"

#include <string.h>

#include "common/base/check.h"

static bool pattern_fits(const char *pattern, struct strview path, struct route_hit *ret_hit)
{
	const char *at = path.ptr;
	const char *end = path.ptr + path.len;
	int n_params = 0;

	while (*pattern != '\0') {
		if (*pattern != '{') {
			if (at == end || *at != *pattern)
				return false;
			at++;
			pattern++;
			continue;
		}
		const char *start = at;
		while (at < end && *at != '/')
			at++;
		if (at == start)
			return false;
		ASSERT(n_params < ROUTE_MAX_PARAMS);
		ret_hit->params[n_params++] = sv_make(start, (size_t)(at - start));
		pattern = strchr(pattern, '}') + 1;
	}
	return at == end;
}

enum route_found route_match(const struct route *routes, int n_routes, enum http_method method,
	struct strview path, struct route_hit *ret_hit)
{
	struct route_hit hit = {0};

	if (method == HTTP_HEAD)
		method = HTTP_GET;
	for (int i = 0; i < n_routes; i++) {
		if (!pattern_fits(routes[i].pattern, path, &hit))
			continue;
		if (routes[i].method == method) {
			hit.route = &routes[i];
			*ret_hit = hit;
			return ROUTE_FOUND;
		}
		hit.allowed |= 1u << routes[i].method;
	}
	if (hit.allowed == 0)
		return ROUTE_UNKNOWN_PATH;
	if ((hit.allowed & 1u << HTTP_GET) != 0)
		hit.allowed |= 1u << HTTP_HEAD;
	*ret_hit = hit;
	return ROUTE_WRONG_METHOD;
}
