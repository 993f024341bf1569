/* Assertions for our own bugs. */
#include "common/base/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"

void check_failed(const char *file, int line, const char *what)
{
	log_error("assertion_failed", log_text("file", file), log_int("line", line),
		log_text("what", what));
	abort();
}
