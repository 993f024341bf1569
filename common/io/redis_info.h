/* Reads the text that Redis answers to INFO (https://redis.io/docs/latest/commands/info/). Pure. */
#ifndef WA_IO_REDIS_INFO_H
#define WA_IO_REDIS_INFO_H

#include "common/base/strview.h"

/* The value of a field ("run_id"), a view into the text; SV_NULL when it is not there. */
struct strview redis_info_find(struct strview info, const char *field);

#endif
