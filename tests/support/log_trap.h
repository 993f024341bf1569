/* Keeps the lines that are logged while it is set. One at a time. */
#ifndef WA_TESTS_SUPPORT_LOG_TRAP_H
#define WA_TESTS_SUPPORT_LOG_TRAP_H

#include <stdbool.h>

void log_trap_set(void); /* begins with no lines; nothing reaches stderr until the release */
void log_trap_release(void);
int log_trap_count(void);        /* lines so far */
const char *log_trap_last(void); /* "" when there is none; until the next line */
/* Whether any line has `text` in it. For secrets that must not be there, too. */
bool log_trap_has(const char *text);

#endif
