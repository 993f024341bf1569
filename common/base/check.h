/* Assertions for our own bugs. They stay on in production: the process logs, aborts and is started
 * again. */
#ifndef WA_BASE_CHECK_H
#define WA_BASE_CHECK_H

#include "common/base/attr.h"

NORETURN void check_failed(const char *file, int line, const char *what);

#define ASSERT(expr) ((expr) ? (void)0 : check_failed(__FILE__, __LINE__, #expr))
/* A place that cannot be reached, with the reason why not. */
#define WRONG(why) check_failed(__FILE__, __LINE__, why)

#endif
