/*
 * What a supervised process is: the shape of the supervisor's spec file.
 *
 * A spec is lines of `key value`; the value runs to the end of the line. Blank lines and lines that
 * begin with '#' are skipped. `process NAME` begins a process, these lines may follow it:
 *
 *   stage N        0 starts at once, 1 when the supervisor is told to go on; stops go the other way
 *   user NAME      run as this user (needs root); default: who started the supervisor
 *   stop SIGNAL    TERM (default), INT or QUIT: asks the process to end
 *   grace SECONDS  how long it may take to end before it is killed; default 10
 *   log PATH       where its output is appended
 *   pid PATH       holds its process id while it runs
 *   env NAME=VALUE added to the supervisor's own environment
 *   arg WORD       the program first, by full path, then its arguments
 */
#ifndef TOOLS_PROCESS_SPEC_H
#define TOOLS_PROCESS_SPEC_H

#include <stddef.h>

enum {
	PROCESS_STAGES = 2,
	PROCESS_MAX = 128,
	PROCESS_ARGS_MAX = 32,
	PROCESS_ENV_MAX = 32,
};

struct process_spec {
	const char *name;
	const char *user; /* NULL: unchanged */
	const char *log_path;
	const char *pid_path;
	int stage;
	int stop_signal;
	int grace_s;
	char *argv[PROCESS_ARGS_MAX + 1]; /* ends in NULL */
	char *env[PROCESS_ENV_MAX + 1];   /* ends in NULL */
};

/*
 * Parses `text`, which is cut up in place and must outlive the result. Fills at most PROCESS_MAX
 * entries of `ret_specs` and their number. Returns 0, or the number of the first bad line.
 */
int process_spec_parse(char *text, struct process_spec *ret_specs, size_t *ret_count);

#endif
