/* An error as a value with text. Functions that take one return 0, or -1 with it filled. */
#ifndef WA_BASE_ERR_H
#define WA_BASE_ERR_H

#include "common/base/attr.h"

struct err {
	char text[256]; /* one line of UTF-8 for a person; never a secret */
};

/* Set the text (cut to fit). Always returns -1, so that `return err_set(err, …)` reads well. err
 * may be NULL. */
#define err_set(...) err_minus_one(err_write(__VA_ARGS__))
/* Put "<prefix>: " before the text that is there. Always returns -1. */
#define err_prefix(...) err_minus_one(err_write_prefix(__VA_ARGS__))

int err_write(struct err *err, const char *fmt, ...) PRINTF_AT(2, 3);
int err_write_prefix(struct err *err, const char *fmt, ...) PRINTF_AT(2, 3);

/* Shows the compiler that it is always -1: it warns of unset out-parameters else. */
static inline int err_minus_one(int ignored)
{
	(void)ignored;
	return -1;
}

#endif
