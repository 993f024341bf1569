/* An error as a value with text. */
#include "common/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/strview.h"

/* Room to format before the text is cleaned and cut. */
#define DRAFT_BYTES 1024

/* Copy, and keep the promises of err.h: one line, well-formed UTF-8, cut between characters. */
static void err_copy_clean(struct err *err, const char *draft)
{
	struct strview rest = sv_from(draft);
	size_t len = 0;

	while (rest.len > 0) {
		size_t step = sv_utf8_front(rest);
		bool control = (unsigned char)rest.ptr[0] < 0x20 || rest.ptr[0] == 0x7f;
		bool bad = step == 0 || control;
		if (bad)
			step = 1;
		if (len + step >= sizeof(err->text))
			break;
		if (bad)
			err->text[len] = '?';
		else
			memcpy(err->text + len, rest.ptr, step);
		len += step;
		rest.ptr += step;
		rest.len -= step;
	}
	err->text[len] = '\0';
}

int err_write(struct err *err, const char *fmt, ...)
{
	if (err == NULL)
		return -1;
	char draft[DRAFT_BYTES];
	va_list args;
	va_start(args, fmt);
	int len = vsnprintf(draft, sizeof(draft), fmt, args);
	va_end(args);
	ASSERT(len >= 0);
	err_copy_clean(err, draft);
	return -1;
}

int err_write_prefix(struct err *err, const char *fmt, ...)
{
	if (err == NULL)
		return -1;
	char draft[DRAFT_BYTES];
	va_list args;
	va_start(args, fmt);
	int len = vsnprintf(draft, sizeof(draft), fmt, args);
	va_end(args);
	ASSERT(len >= 0);
	size_t used = strlen(draft);
	(void)snprintf(draft + used, sizeof(draft) - used, ": %s", err->text);
	err_copy_clean(err, draft);
	return -1;
}
