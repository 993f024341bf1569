/* Every call of the api: the table behind the router, the permissions and the check of
 * openapi.json. */
#ifndef WA_API_ROUTES_H
#define WA_API_ROUTES_H

#include "services/api/route_match.h"

#define ROUTES_MAX 64

const struct route *routes_get(int *ret_n);
int routes_index(const struct route *route); /* its place in the table */

#endif
