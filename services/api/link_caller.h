/* A caller without a key, but with a link that we signed (common/model/media_link.h): it was shown
 * to somebody who had the permission. */
#ifndef WA_API_LINK_CALLER_H
#define WA_API_LINK_CALLER_H

#include <stdbool.h>

#include "services/api/api_call.h"

/* Has the query a part of what makes a link? Then it is judged as one, whatever key comes with it:
 * one that was cut short gets an answer that says so. */
bool link_caller_is(const struct api_call *call);
/* Go on with api_call_authenticated(), or answer 403, 410 and end the call. The path's first
 * parameter is the file. */
void link_caller_begin(struct api_call *call);

#endif
