/* Who calls: an API key, the operator's token, a link that we signed, or, in development, anybody
 * on this very machine. */
#ifndef WA_API_AUTH_H
#define WA_API_AUTH_H

#include "services/api/api_call.h"

/* Find out who calls and go on with api_call_authenticated(), now or later; or answer 401, 403,
 * 410, 503 and end the call. */
void auth_begin(struct api_call *call);

#endif
