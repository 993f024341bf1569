/* Text from outside in a form that Postgres takes: UTF-8 without NUL. Pure. */
#ifndef WA_GATEWAY_TEXT_CLEAN_H
#define WA_GATEWAY_TEXT_CLEAN_H

#include "common/base/strbuf.h"
#include "common/base/strview.h"

/* Append text to out, at most max_bytes of it: each malformed byte becomes U+FFFD, NULs are
 * dropped, no character is cut. */
void text_clean(struct strview text, size_t max_bytes, struct strbuf *out);

#endif
