/* What is wrong with a request, field by field: all of it at once, so that a caller mends it in one
 * go. */
#ifndef WA_API_FIELD_ERRORS_H
#define WA_API_FIELD_ERRORS_H

#include "common/base/attr.h"
#include "common/base/pool.h"

#define FIELD_ERRORS_MAX 32

struct field_error {
	const char *field;   /* "message_body", "phone_numbers[0].number" */
	const char *message; /* a sentence for a person */
};

struct field_errors {
	struct pool *pool; /* the texts lie in it */
	int n;             /* what is beyond FIELD_ERRORS_MAX is dropped */
	struct field_error items[FIELD_ERRORS_MAX];
};

void field_errors_init(struct field_errors *errors, struct pool *pool);
/* field is copied and cut to 128 bytes. */
void field_errors_add(struct field_errors *errors, const char *field, const char *fmt, ...)
	PRINTF_AT(3, 4);

#endif
