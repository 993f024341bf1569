/* The Retry-After header of an answer (RFC 9110, 10.2.3). Pure. */
#ifndef WA_IO_RETRY_AFTER_H
#define WA_IO_RETRY_AFTER_H

#include <stdint.h>

#include "common/base/strview.h"

/* Seconds or an HTTP date, as ms from now_wall_ms on: a past date is 0, more than 24 h is 24 h,
 * what is neither is -1. */
int64_t retry_after_parse_ms(struct strview value, int64_t now_wall_ms);

#endif
