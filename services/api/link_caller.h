/* A caller without a key, but with a link that we signed (common/model/media_link.h): it was shown
 * to somebody who had the permission. */
#ifndef WA_API_LINK_CALLER_H
#define WA_API_LINK_CALLER_H

#include <stdbool.h>

#include "services/api/api_call.h"

/* True when the query has a part of what makes a link. Then it was judged as one, whatever key
 * comes with it (one that was cut short gets an answer that says so): it went on with
 * api_call_authenticated() or was answered with 403 or 410, and the call may be gone. The path's
 * first parameter is the file. False: nothing was done. */
bool link_caller_begin(struct api_call *call) MUST_CHECK;

#endif
