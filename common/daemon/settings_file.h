/* A config file: lines NAME=value, lines that start with #, blank lines. Pure. The inside of
 * settings.c. */
#ifndef WA_DAEMON_SETTINGS_FILE_H
#define WA_DAEMON_SETTINGS_FILE_H

#include "common/base/attr.h"
#include "common/base/err.h"
#include "common/base/strview.h"

#define SETTINGS_FILE_MAX_BYTES ((size_t)256 * 1024)

/* Called for each setting in the order of the file; not 0 stops. A value in "…" or '…' is given
 * without its quotes. */
typedef int (*settings_line_fn)(
	void *ctx, struct strview name, struct strview value, struct err *err);
/* 0, or -1 with err that starts with the number of the line. */
int settings_file_parse(
	struct strview text, settings_line_fn fn, void *ctx, struct err *err) MUST_CHECK;

#endif
