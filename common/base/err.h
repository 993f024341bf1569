/* An error as a value with text. Functions that take one return 0, or -1 with it filled. */
#ifndef WA_BASE_ERR_H
#define WA_BASE_ERR_H

#include "common/base/attr.h"

struct err {
	char text[256]; /* one line for a person; never a secret */
};

/* Set the text (cut to fit). Always returns -1, so that `return err_set(err, …)` reads well. err may be NULL. */
int err_set(struct err *err, const char *fmt, ...) PRINTF_AT(2, 3);
/* Put "<prefix>: " before the text that is there. Always returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) PRINTF_AT(2, 3);

#endif
