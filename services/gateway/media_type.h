/* A media file's content type, as a stranger's server said it, in a form that is safe to pass on.
 * Pure. */
#ifndef WA_GATEWAY_MEDIA_TYPE_H
#define WA_GATEWAY_MEDIA_TYPE_H

#include "common/base/strview.h"

#define MEDIA_TYPE_SIZE 128

/* "Image/JPEG; q=1" gives "image/jpeg"; what is no type/subtype of RFC 9110 tokens gives
 * "application/octet-stream". */
void media_type_clean(struct strview text, char ret_type[MEDIA_TYPE_SIZE]);

#endif
