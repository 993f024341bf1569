/* Assertions stay on in production, so tests check that they strike. */
#ifndef WA_TESTS_SUPPORT_DEATH_H
#define WA_TESTS_SUPPORT_DEATH_H

#include <stdbool.h>

/* Whether fn(arg), run in a child process, ends in abort(). What it logs is dropped. */
bool death_by_abort(void (*fn)(void *arg), void *arg);

#endif
