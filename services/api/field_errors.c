/* A bounded list of a request's mistakes. */
#include "services/api/field_errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIELD_MAX_BYTES 128

void field_errors_init(struct field_errors *errors, struct pool *pool)
{
	errors->pool = pool;
	errors->n = 0;
}

/* A caller's own field name may be long: cut it, but not within a character. */
static const char *field_copy(struct pool *pool, const char *field)
{
	size_t len = strlen(field);
	if (len > FIELD_MAX_BYTES) {
		len = FIELD_MAX_BYTES;
		while (len > 0 && ((unsigned char)field[len] & 0xc0) == 0x80)
			len--;
	}
	return pool_sv_cstr(pool, sv_make(field, len));
}

void field_errors_add(struct field_errors *errors, const char *field, const char *fmt, ...)
{
	char text[256];
	va_list args;

	if (errors->n == FIELD_ERRORS_MAX)
		return;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	errors->items[errors->n].field = field_copy(errors->pool, field);
	errors->items[errors->n].message = pool_strdup(errors->pool, text);
	errors->n++;
}
