/* Which route a method and a path belong to. Pure: the table is the caller's. */
#ifndef WA_API_ROUTE_MATCH_H
#define WA_API_ROUTE_MATCH_H

#include <stdbool.h>

#include "common/base/strview.h"
#include "common/io/http_server.h"

#define ROUTE_MAX_PARAMS 2

struct api_call;

enum route_auth {
	ROUTE_OPEN,     /* anybody */
	ROUTE_TENANT,   /* an API key with the route's permission */
	ROUTE_OPERATOR, /* the operator */
	ROUTE_LINK,     /* the same as ROUTE_TENANT, or a link that we signed */
};

enum route_body {
	ROUTE_NO_BODY,
	ROUTE_BODY,          /* a JSON object */
	ROUTE_OPTIONAL_BODY, /* the same, or nothing */
};

struct route {
	enum http_method method;
	const char *pattern;   /* "/api/v1/contacts/{contact_id}": a braced segment takes any one
				  segment */
	const char *operation; /* operationId in openapi.json, label in metrics and logs */
	enum route_auth auth;
	int permission; /* of common/model/permission.h; 0 for ROUTE_OPEN and ROUTE_OPERATOR */
	enum route_body body;
	bool makes; /* makes something: takes an Idempotency-Key */
	void (*handle)(struct api_call *call);
};

enum route_found { ROUTE_FOUND, ROUTE_UNKNOWN_PATH, ROUTE_WRONG_METHOD };

struct route_hit {
	const struct route *route;               /* ROUTE_FOUND only */
	struct strview params[ROUTE_MAX_PARAMS]; /* braced segments, in order; views into path, not
						    decoded, never empty */
	unsigned allowed; /* ROUTE_WRONG_METHOD: bit n for enum http_method n */
};

/* The first route of the table that fits wins. HEAD takes GET's routes. */
enum route_found route_match(const struct route *routes, int n_routes, enum http_method method,
	struct strview path, struct route_hit *ret_hit);

#endif
