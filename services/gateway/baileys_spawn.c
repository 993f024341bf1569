/* fork() and exec() of Node. */
#include "services/gateway/baileys_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/pool.h"

#define WORKER_FD   3
#define MAX_ENTRIES 8

struct command {
	char *arguments[4];
	char *environment[MAX_ENTRIES + 1];
};

static void pass_on(struct pool *pool, char **environment, int *n, const char *name)
{
	const char *value = getenv(name);
	if (value != NULL)
		environment[(*n)++] = pool_printf(pool, "%s=%s", name, value);
}

static void make_command(
	struct pool *pool, const struct baileys_program *program, struct command *ret_command)
{
	int n = 0;
	ret_command->arguments[0] = pool_strdup(pool, program->node);
	ret_command->arguments[1] =
		pool_printf(pool, "--max-old-space-size=%d", program->memory_mb);
	ret_command->arguments[2] = pool_printf(pool, "%s/main.mjs", program->folder);
	ret_command->arguments[3] = NULL;
	pass_on(pool, ret_command->environment, &n, "PATH");
	pass_on(pool, ret_command->environment, &n, "HOME");
	pass_on(pool, ret_command->environment, &n, "TZ");
	ret_command->environment[n++] = pool_strdup(pool, "NODE_ENV=production");
	if (program->ca_file[0] != '\0')
		ret_command->environment[n++] =
			pool_printf(pool, "NODE_EXTRA_CA_CERTS=%s", program->ca_file);
	ret_command->environment[n] = NULL;
}

/* Between fork and exec: only what is safe there. */
static _Noreturn void become_worker(const struct command *command, int fd, pid_t parent)
{
	int nothing = open("/dev/null", O_RDWR);
	sigset_t none;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || nothing < 0)
		_exit(126);
	if (dup2(nothing, 0) < 0 || dup2(nothing, 1) < 0 || dup2(nothing, 2) < 0)
		_exit(126);
	if (fd == WORKER_FD)
		(void)fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, WORKER_FD) < 0)
		_exit(126);
	(void)close_range(WORKER_FD + 1, ~0U, 0);
	(void)execvpe(command->arguments[0], command->arguments, command->environment);
	_exit(127);
}

int baileys_spawn(
	const struct baileys_program *program, pid_t *ret_pid, int *ret_fd, struct err *err)
{
	int ends[2];
	struct command command = {0};
	struct pool *pool = pool_new();
	make_command(pool, program, &command);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		pool_free(&pool);
		return err_set(err, "socketpair: %s", strerror(errno));
	}
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0)
		become_worker(&command, ends[1], parent);
	int fork_errno = errno;
	pool_free(&pool);
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		return err_set(err, "fork: %s", strerror(fork_errno));
	}
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	*ret_pid = pid;
	*ret_fd = ends[0];
	return 0;
}
