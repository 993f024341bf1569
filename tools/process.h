/*
 * One supervised process: started, seen to die, started again, stopped.
 *
 * Times are milliseconds of the caller's monotonic clock. Every process is the leader of a session
 * of its own, so that a terminal's Ctrl-C reaches the supervisor only, and is told to stop by the
 * kernel when the supervisor itself is killed.
 */
#ifndef TOOLS_PROCESS_H
#define TOOLS_PROCESS_H

#include "process_spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum process_state {
	PROCESS_STATE_IDLE,    /* its stage has not been reached */
	PROCESS_STATE_WAITING, /* to be started at `due_ms` */
	PROCESS_STATE_RUNNING,
	PROCESS_STATE_STOPPING, /* asked to end, killed at `due_ms` */
	PROCESS_STATE_STOPPED,  /* not to be started again */
};

struct process {
	const struct process_spec *spec;
	enum process_state state;
	pid_t pid; /* while RUNNING and STOPPING */
	int64_t due_ms;
	int64_t started_ms;
	unsigned failures; /* early deaths in a row */
};

void process_init(struct process *process, const struct process_spec *spec);

/* IDLE to WAITING, due at once. */
void process_enable(struct process *process, int64_t now_ms);

/* Starts a WAITING process and writes its pid file. A fork that fails is tried again later. */
void process_start(struct process *process, int64_t now_ms);

/*
 * Tells that the process was reaped: its pid file goes. RUNNING becomes WAITING: due at once the
 * first time, after half a second if it had not lived for ten seconds, and with doubling pauses of
 * up to ten seconds while it does not even live for one. STOPPING becomes STOPPED.
 */
void process_reaped(struct process *process, int64_t now_ms);

/* Asks a RUNNING process to end; what does not run becomes STOPPED. */
void process_stop(struct process *process, int64_t now_ms);

/* Kills a STOPPING process, with all that it started in its session's process group. */
void process_kill(struct process *process);

/* Empties a log that grew beyond 50 MB; what it held stands in PATH.1 then. */
void log_rotate(const char *path);

/* Writes `pid` into `path` so that a reader sees the old file or the new one. 0, or -1 with errno.
 */
int pid_file_write(const char *path, pid_t pid);

#endif
