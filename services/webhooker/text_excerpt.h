/* A short piece of what an endpoint answered, fit to be kept and shown: UTF-8 without control
 * bytes. Pure. */
#ifndef WA_WEBHOOKER_TEXT_EXCERPT_H
#define WA_WEBHOOKER_TEXT_EXCERPT_H

#include <stddef.h>

#include "common/base/strbuf.h"
#include "common/base/strview.h"

/* Append at most max_bytes: whole characters; bytes that are no UTF-8 and control characters (but
 * tab and line feed) become '?'. */
void text_excerpt(struct strview bytes, size_t max_bytes, struct strbuf *out);

#endif
