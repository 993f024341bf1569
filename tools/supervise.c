/*
 * supervise DATA STARTER [OWNER]: starts what DATA/run/supervisor.spec names (see process_spec.h),
 * starts again what dies, and leaves nothing behind.
 *
 * SIGUSR1  go on: start stage 1
 * SIGUSR2  outlive the process STARTER, whose end is an order to stop until then; that of OWNER
 * always is SIGTERM, SIGINT  stop: stage 1 first, then stage 0; then exit 0
 *
 * DATA/run/supervisor.pid holds its id, a lock on DATA/run/supervisor.lock lasts as long as it
 * lives: a second one for the same DATA ends at once with status 3. Its log is its standard error.
 *
 * It is the reaper of whatever its processes leave behind (the backends of a killed Postgres, the
 * worker of a killed gateway), and kills that before anything is started again.
 */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	TICK_MS = 500,
	ORPHAN_WAIT_MS = 20,
	LOG_CHECK_MS = 10000,
	SPEC_MAX_BYTES = 256 * 1024,
	OWNERS_MAX = 2,
	EXIT_ALREADY_RUNNING = 3,
};

struct supervisor {
	struct process_spec specs[PROCESS_MAX];
	struct process processes[PROCESS_MAX];
	size_t process_count;
	long owners[OWNERS_MAX]; /* STARTER, OWNER; 0: none */
	bool stopping;
	int stage; /* the highest one started; while stopping the one that ends now */
	int64_t log_check_ms;
	char pid_path[PATH_MAX];
	char log_path[PATH_MAX];
	char spec_text[SPEC_MAX_BYTES];
};

static struct supervisor supervisor;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Begins a log line with the time; the caller writes the rest and the line's end. */
static FILE *log_begin(const char *level, const char *at)
{
	struct timespec now;
	struct tm utc;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &now);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &utc));
	fprintf(stderr, "ts=%s.%03ldZ level=%s svc=supervisor at=%s", text, now.tv_nsec / 1000000,
		level, at);
	return stderr;
}

/* The parent and the state letter of a process. False when there is no such process. */
static bool process_look(long pid, long *ret_parent, char *ret_state)
{
	char path[64];
	char text[512];
	const char *after_name;
	FILE *file;
	size_t got;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	got = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[got] = '\0';
	after_name = strrchr(text, ')');
	return after_name != NULL && sscanf(after_name, ") %c %ld", ret_state, ret_parent) == 2;
}

static struct process *process_find(struct supervisor *self, pid_t pid)
{
	for (size_t i = 0; i < self->process_count; i++) {
		if (self->processes[i].pid == pid)
			return &self->processes[i];
	}
	return NULL;
}

/* Kills what was left behind by a process that ended. Returns whether there was anything. */
static bool orphans_kill(struct supervisor *self)
{
	DIR *directory = opendir("/proc");
	const struct dirent *entry;
	long self_pid = getpid();
	bool found = false;

	if (directory == NULL)
		return false;
	while ((entry = readdir(directory)) != NULL) {
		long pid = strtol(entry->d_name, NULL, 10);
		long parent;
		char state;

		if (pid <= 0 || !process_look(pid, &parent, &state) || parent != self_pid)
			continue;
		if (state == 'Z' || process_find(self, (pid_t)pid) != NULL)
			continue;
		(void)kill((pid_t)pid, SIGKILL);
		found = true;
	}
	closedir(directory);
	return found;
}

static void on_process_end(struct process *process, int status)
{
	int64_t now = now_ms();
	bool expected = process->state == PROCESS_STATE_STOPPING;
	FILE *log = log_begin(expected ? "info" : "warn", "process_end");

	fprintf(log, " name=%s pid=%ld lived_ms=%lld", process->spec->name, (long)process->pid,
		(long long)(now - process->started_ms));
	if (WIFSIGNALED(status))
		fprintf(log, " signal=%d", WTERMSIG(status));
	else
		fprintf(log, " exit=%d", WEXITSTATUS(status));
	process_reaped(process, now);
	if (process->state == PROCESS_STATE_WAITING)
		fprintf(log, " restart_in_ms=%lld", (long long)(process->due_ms - now));
	fputc('\n', log);
}

/* Returns whether one of the processes ended. */
static bool reap(struct supervisor *self)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct process *process = process_find(self, pid);

		if (process == NULL)
			continue; /* an orphan */
		on_process_end(process, status);
		ended = true;
	}
	return ended;
}

static void start_due(struct supervisor *self)
{
	int64_t now = now_ms();

	for (size_t i = 0; i < self->process_count; i++) {
		struct process *process = &self->processes[i];

		if (process->state != PROCESS_STATE_WAITING || process->due_ms > now)
			continue;
		/* A Postgres whose predecessor's backends still hold its shared memory would not
		 * start. */
		if (orphans_kill(self)) {
			process->due_ms = now + ORPHAN_WAIT_MS;
			continue;
		}
		process_start(process, now);
		if (process->state == PROCESS_STATE_RUNNING)
			fprintf(log_begin("info", "process_start"), " name=%s pid=%ld\n",
				process->spec->name, (long)process->pid);
	}
}

static void stage_enable(struct supervisor *self, int stage)
{
	self->stage = stage;
	for (size_t i = 0; i < self->process_count; i++) {
		if (self->specs[i].stage == stage)
			process_enable(&self->processes[i], now_ms());
	}
}

static void stage_stop(struct supervisor *self, int stage)
{
	self->stage = stage;
	for (size_t i = 0; i < self->process_count; i++) {
		if (self->specs[i].stage == stage)
			process_stop(&self->processes[i], now_ms());
	}
}

static bool stage_is_stopped(const struct supervisor *self, int stage)
{
	for (size_t i = 0; i < self->process_count; i++) {
		if (self->specs[i].stage == stage &&
			self->processes[i].state != PROCESS_STATE_STOPPED)
			return false;
	}
	return true;
}

static void kill_overdue(struct supervisor *self)
{
	int64_t now = now_ms();

	for (size_t i = 0; i < self->process_count; i++) {
		struct process *process = &self->processes[i];

		if (process->state != PROCESS_STATE_STOPPING || process->due_ms > now)
			continue;
		fprintf(log_begin("warn", "process_kill"), " name=%s pid=%ld\n",
			process->spec->name, (long)process->pid);
		process_kill(process);
		process->due_ms = now + TICK_MS;
	}
}

static void stop_begin(struct supervisor *self, const char *reason)
{
	if (self->stopping)
		return;
	fprintf(log_begin("info", "supervisor_stop"), " reason=%s\n", reason);
	self->stopping = true;
	stage_stop(self, PROCESS_STAGES - 1);
}

/* Returns whether everything has ended. */
static bool stop_step(struct supervisor *self)
{
	kill_overdue(self);
	while (stage_is_stopped(self, self->stage)) {
		if (self->stage == 0)
			return !orphans_kill(self);
		stage_stop(self, self->stage - 1);
	}
	return false;
}

static bool has_owner(const struct supervisor *self)
{
	return self->owners[0] != 0 || self->owners[1] != 0;
}

static bool owner_is_gone(const struct supervisor *self)
{
	for (size_t i = 0; i < OWNERS_MAX; i++) {
		long parent;
		char state;

		if (self->owners[i] == 0)
			continue;
		if (!process_look(self->owners[i], &parent, &state) || state == 'Z')
			return true;
	}
	return false;
}

static void on_signal(struct supervisor *self, int number)
{
	if (number == SIGTERM || number == SIGINT)
		stop_begin(self, "signal");
	else if (number == SIGUSR1 && !self->stopping && self->stage + 1 < PROCESS_STAGES)
		stage_enable(self, self->stage + 1);
	else if (number == SIGUSR2)
		self->owners[0] = 0;
}

static void logs_check(struct supervisor *self)
{
	int64_t now = now_ms();

	if (now < self->log_check_ms)
		return;
	self->log_check_ms = now + LOG_CHECK_MS;
	log_rotate(self->log_path);
	for (size_t i = 0; i < self->process_count; i++)
		log_rotate(self->specs[i].log_path);
}

static int64_t wait_ms(const struct supervisor *self)
{
	int64_t now = now_ms();
	int64_t until = self->log_check_ms;

	if (until > now + TICK_MS && (self->stopping || has_owner(self)))
		until = now + TICK_MS;
	for (size_t i = 0; i < self->process_count; i++) {
		const struct process *process = &self->processes[i];

		if (process->state != PROCESS_STATE_WAITING &&
			process->state != PROCESS_STATE_STOPPING)
			continue;
		if (process->due_ms < until)
			until = process->due_ms;
	}
	return until > now ? until - now : 0;
}

static void run(struct supervisor *self, const sigset_t *signals)
{
	stage_enable(self, 0);
	do {
		int64_t timeout_ms = wait_ms(self);
		struct timespec timeout = {
			.tv_sec = timeout_ms / 1000,
			.tv_nsec = timeout_ms % 1000 * 1000000,
		};
		int number = sigtimedwait(signals, NULL, &timeout);

		if (number > 0)
			on_signal(self, number);
		if (reap(self))
			(void)orphans_kill(self);
		if (!self->stopping && owner_is_gone(self))
			stop_begin(self, "owner_gone");
		if (!self->stopping)
			start_due(self);
		logs_check(self);
	} while (!self->stopping || !stop_step(self));
}

static void spec_load(struct supervisor *self, const char *path)
{
	FILE *file = fopen(path, "re");
	size_t got;
	int bad_line;

	if (file == NULL) {
		fprintf(stderr, "supervise: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	got = fread(self->spec_text, 1, sizeof(self->spec_text) - 1, file);
	fclose(file);
	self->spec_text[got] = '\0';
	bad_line = process_spec_parse(self->spec_text, self->specs, &self->process_count);
	if (bad_line != 0) {
		fprintf(stderr, "supervise: %s:%d: cannot be understood\n", path, bad_line);
		exit(2);
	}
	for (size_t i = 0; i < self->process_count; i++)
		process_init(&self->processes[i], &self->specs[i]);
}

static void path_join(char *ret_path, const char *directory, const char *name)
{
	if (snprintf(ret_path, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX) {
		fprintf(stderr, "supervise: path too long: %s\n", directory);
		exit(2);
	}
}

/* The lock's descriptor stays open, and with it the lock, until this process ends. */
static void lock_take(const char *path)
{
	int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0)
		return;
	fprintf(stderr, "supervise: %s: %s\n", path, strerror(errno));
	exit(errno == EWOULDBLOCK ? EXIT_ALREADY_RUNNING : 2);
}

static void arguments_read(struct supervisor *self, int argc, char **argv)
{
	char path[PATH_MAX];

	if (argc < 3 || argc > 2 + OWNERS_MAX) {
		fprintf(stderr, "usage: supervise DATA STARTER_PID [OWNER_PID]\n");
		exit(2);
	}
	for (int i = 2; i < argc; i++)
		self->owners[i - 2] = strtol(argv[i], NULL, 10);
	path_join(path, argv[1], "run/supervisor.lock");
	lock_take(path);
	path_join(path, argv[1], "run/supervisor.spec");
	spec_load(self, path);
	path_join(self->pid_path, argv[1], "run/supervisor.pid");
	path_join(self->log_path, argv[1], "log/supervisor.log");
}

int main(int argc, char **argv)
{
	static const int handled[] = {SIGCHLD, SIGTERM, SIGINT, SIGUSR1, SIGUSR2};
	sigset_t signals;

	setvbuf(stderr, NULL, _IOLBF, 0);
	sigemptyset(&signals);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
		sigaddset(&signals, handled[i]);
		(void)signal(handled[i],
			SIG_DFL); /* a shell starts its background jobs deaf to SIGINT */
	}
	sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	arguments_read(&supervisor, argc, argv);
	(void)setsid();
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ||
		pid_file_write(supervisor.pid_path, getpid()) < 0) {
		fprintf(stderr, "supervise: %s: %s\n", supervisor.pid_path, strerror(errno));
		return 2;
	}
	run(&supervisor, &signals);
	(void)unlink(supervisor.pid_path);
	fprintf(log_begin("info", "supervisor_end"), "\n");
	return 0;
}
