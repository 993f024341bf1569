/* Functions that should abort, run in a child process. */
#include "tests/support/death.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"

static void drop_line(UNUSED void *ctx, UNUSED const char *line)
{
}

NORETURN static void run_child(void (*fn)(void *arg), void *arg)
{
	struct rlimit none = {0, 0};
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)signal(SIGABRT, SIG_DFL);
	log_capture(drop_line, NULL);
	fn(arg);
	_exit(0);
}

bool death_by_abort(void (*fn)(void *arg), void *arg)
{
	int status = 0;
	pid_t child = fork();
	ASSERT(child >= 0);
	if (child == 0)
		run_child(fn, arg);
	pid_t ended = waitpid(child, &status, 0);
	ASSERT(ended == child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}
