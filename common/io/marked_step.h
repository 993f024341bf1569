/*
 * Points at which a test can end or stop this process: between a commit and what follows from it,
 * where a crash would hurt most. Only in builds with -Dmarked_steps=true; in all others a step is
 * nothing, neither code nor a name in the binary.
 *
 * MARKED_STEPS in the environment (no setting of the product) names a folder. A file ARM.arm in it
 * holds one line: <who> <step> <hit> <kill|stop> <once|always> [<subject>] who: an instance
 * (gateway-1), a service (gateway: any instance of it) or *. The process that reaches the step for
 * that time (counted by itself, from 1; for this subject, when there is one) gets SIGKILL or
 * SIGSTOP, from itself, there and then. With `once` it renames the file to ARM.fired.<pid> before,
 * so that of all who match only one is hit; with `always` it makes that file and the arm stays.
 */
#ifndef WA_IO_MARKED_STEP_H
#define WA_IO_MARKED_STEP_H

#ifdef WA_MARKED_STEPS

#include <stdint.h>

#include "common/base/strview.h"

/* subject: what it is about, a message id for example; SV_NULL: no single thing. */
#define MARKED_STEP(name, subject)       marked_step_reach("marked_step." name, (subject))
#define MARKED_STEP_NUMBER(name, number) marked_step_reach_number("marked_step." name, (number))

void marked_step_reach(const char *name, struct strview subject);
void marked_step_reach_number(const char *name, int64_t number); /* the subject in digits */

#else

#define MARKED_STEP(name, subject)       ((void)0)
#define MARKED_STEP_NUMBER(name, number) ((void)0)

#endif

#endif
