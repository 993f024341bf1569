#include "process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	HEALTHY_MS = 10000,
	CRASH_LOOP_MS = 1000,
	PAUSE_FIRST_MS = 500,
	PAUSE_MAX_MS = 10000,
	LOG_MAX_BYTES = 50 * 1024 * 1024,
};

static bool state_may_follow(enum process_state from, enum process_state to)
{
	switch (from) {
	case PROCESS_STATE_IDLE:
		return to == PROCESS_STATE_WAITING || to == PROCESS_STATE_STOPPED;
	case PROCESS_STATE_WAITING:
		return to == PROCESS_STATE_RUNNING || to == PROCESS_STATE_STOPPED;
	case PROCESS_STATE_RUNNING:
		return to == PROCESS_STATE_WAITING || to == PROCESS_STATE_STOPPING;
	case PROCESS_STATE_STOPPING:
		return to == PROCESS_STATE_STOPPED;
	case PROCESS_STATE_STOPPED:
		return false;
	}
	return false;
}

static void process_set_state(struct process *process, enum process_state state)
{
	assert(state_may_follow(process->state, state));
	process->state = state;
}

void process_init(struct process *process, const struct process_spec *spec)
{
	*process = (struct process){.spec = spec, .state = PROCESS_STATE_IDLE};
}

void process_enable(struct process *process, int64_t now_ms)
{
	process_set_state(process, PROCESS_STATE_WAITING);
	process->due_ms = now_ms;
}

int pid_file_write(const char *path, pid_t pid)
{
	char temporary[PATH_MAX];
	FILE *file;
	bool written;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	file = fopen(temporary, "we");
	if (file == NULL)
		return -1;
	written = fprintf(file, "%ld\n", (long)pid) > 0;
	if (fclose(file) != 0 || !written)
		return -1;
	return rename(temporary, path);
}

static _Noreturn void child_fail(const char *what)
{
	fprintf(stderr, "level=error svc=supervisor at=process_exec what=%s error=\"%s\"\n", what,
		strerror(errno));
	_exit(127);
}

static void child_open_output(const struct process_spec *spec)
{
	int input = open("/dev/null", O_RDONLY);
	int output = open(spec->log_path, O_WRONLY | O_APPEND | O_CREAT, 0640);

	if (input < 0 || output < 0 || dup2(input, STDIN_FILENO) < 0)
		child_fail("open");
	if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
		child_fail("dup2");
	if (input > STDERR_FILENO)
		close(input);
	if (output > STDERR_FILENO)
		close(output);
}

static void child_reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL); /* KILL, STOP and libc's own refuse, rightly */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child_become_user(const char *user)
{
	const struct passwd *entry;

	if (user == NULL)
		return;
	errno = 0;
	entry = getpwnam(user);
	if (entry == NULL)
		child_fail("user");
	if (initgroups(user, entry->pw_gid) < 0 || setgid(entry->pw_gid) < 0 ||
		setuid(entry->pw_uid) < 0)
		child_fail("setuid");
	(void)setenv("HOME", entry->pw_dir, 1);
}

static _Noreturn void child_run(const struct process_spec *spec, pid_t supervisor)
{
	child_open_output(spec);
	(void)setsid();
	child_become_user(spec->user);
	/* After setuid(), which clears it. The supervisor may have died before, hence the second
	 * look. */
	if (prctl(PR_SET_PDEATHSIG, spec->stop_signal) < 0)
		child_fail("prctl");
	if (getppid() != supervisor)
		_exit(127);
	for (size_t i = 0; spec->env[i] != NULL; i++)
		(void)putenv(spec->env[i]);
	child_reset_signals();
	execv(spec->argv[0], spec->argv);
	child_fail(spec->argv[0]);
}

void process_start(struct process *process, int64_t now_ms)
{
	pid_t supervisor = getpid();
	pid_t pid = fork();

	if (pid < 0) {
		fprintf(stderr,
			"level=error svc=supervisor at=process_start name=%s error=\"%s\"\n",
			process->spec->name, strerror(errno));
		process->due_ms = now_ms + PAUSE_FIRST_MS;
		return;
	}
	if (pid == 0)
		child_run(process->spec, supervisor);
	process_set_state(process, PROCESS_STATE_RUNNING);
	process->pid = pid;
	process->started_ms = now_ms;
	if (pid_file_write(process->spec->pid_path, pid) < 0)
		fprintf(stderr,
			"level=error svc=supervisor at=pid_file_write name=%s error=\"%s\"\n",
			process->spec->name, strerror(errno));
}

static int64_t process_pause_ms(struct process *process, int64_t lived_ms)
{
	int64_t pause_ms = PAUSE_FIRST_MS;

	if (lived_ms >= HEALTHY_MS)
		process->failures = 0;
	else if (lived_ms >= CRASH_LOOP_MS && process->failures > 1)
		process->failures = 1;
	if (process->failures++ == 0)
		return 0;
	for (unsigned i = 2; i < process->failures && pause_ms < PAUSE_MAX_MS; i++)
		pause_ms *= 2;
	return pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
}

void process_reaped(struct process *process, int64_t now_ms)
{
	(void)unlink(process->spec->pid_path);
	process->pid = 0;
	if (process->state == PROCESS_STATE_STOPPING) {
		process_set_state(process, PROCESS_STATE_STOPPED);
		return;
	}
	process_set_state(process, PROCESS_STATE_WAITING);
	process->due_ms = now_ms + process_pause_ms(process, now_ms - process->started_ms);
}

void process_stop(struct process *process, int64_t now_ms)
{
	if (process->state != PROCESS_STATE_RUNNING) {
		process_set_state(process, PROCESS_STATE_STOPPED);
		return;
	}
	process_set_state(process, PROCESS_STATE_STOPPING);
	process->due_ms = now_ms + (int64_t)process->spec->grace_s * 1000;
	(void)kill(process->pid, process->spec->stop_signal);
	(void)kill(process->pid, SIGCONT); /* one that was halted could not hear it */
}

void process_kill(struct process *process)
{
	assert(process->state == PROCESS_STATE_STOPPING);
	(void)kill(process->pid, SIGKILL);
	(void)kill(-process->pid, SIGKILL);
}

static bool log_copy(int from, int to)
{
	char block[65536];
	ssize_t got;

	while ((got = read(from, block, sizeof(block))) > 0) {
		for (ssize_t done = 0; done < got;) {
			ssize_t put = write(to, block + done, (size_t)(got - done));

			if (put < 0)
				return false;
			done += put;
		}
	}
	return got == 0;
}

/* The writers hold the file open for appending, so it is copied and emptied, not renamed. */
void log_rotate(const char *path)
{
	char old_path[PATH_MAX];
	struct stat info;
	int from;
	int to;

	if (stat(path, &info) < 0 || info.st_size <= LOG_MAX_BYTES)
		return;
	if (snprintf(old_path, sizeof(old_path), "%s.1", path) >= (int)sizeof(old_path))
		return;
	from = open(path, O_RDWR | O_CLOEXEC);
	to = open(old_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (from >= 0 && to >= 0 && log_copy(from, to) && ftruncate(from, 0) < 0)
		fprintf(stderr, "level=error svc=supervisor at=log_rotate error=\"%s\"\n",
			strerror(errno));
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
}
