#include "tests/support/test.h"

#include "tools/process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/test_process_XXXXXX";
static char log_path[64];
static char pid_path[64];

static int files_make(UNUSED void **state)
{
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(log_path, sizeof(log_path), "%s/log", directory);
	snprintf(pid_path, sizeof(pid_path), "%s/pid", directory);
	return 0;
}

static int files_remove(UNUSED void **state)
{
	(void)unlink(log_path);
	(void)unlink(pid_path);
	return rmdir(directory);
}

static struct process_spec spec_of(const char *script)
{
	static char shell[] = "/bin/sh", option[] = "-c", text[256];

	snprintf(text, sizeof(text), "%s", script);
	return (struct process_spec){
		.name = "x-1",
		.log_path = log_path,
		.pid_path = pid_path,
		.stop_signal = SIGTERM,
		.grace_s = 1,
		.argv = {shell, option, text},
	};
}

/* Starts it, lets it die, and tells of its death `lived_ms` later. Returns the pause until the next
 * start. */
static int64_t pause_after(struct process *process, int64_t *now_ms, int64_t lived_ms)
{
	*now_ms = process->due_ms;
	process_start(process, *now_ms);
	assert_int_equal(PROCESS_STATE_RUNNING, process->state);
	assert_int_equal(process->pid, waitpid(process->pid, NULL, 0));
	*now_ms += lived_ms;
	process_reaped(process, *now_ms);
	assert_int_equal(PROCESS_STATE_WAITING, process->state);
	return process->due_ms - *now_ms;
}

static void TEST(what_keeps_dying_is_started_more_and_more_slowly)
{
	static const int64_t expected_ms[] = {0, 500, 1000, 2000, 4000, 8000, 10000, 10000};
	struct process_spec spec = spec_of("exit 1");
	struct process process;
	int64_t now_ms = 5;

	process_init(&process, &spec);
	process_enable(&process, now_ms);
	for (size_t i = 0; i < sizeof(expected_ms) / sizeof(expected_ms[0]); i++)
		assert_int_equal(expected_ms[i], pause_after(&process, &now_ms, 10));
	assert_int_equal(500, pause_after(&process, &now_ms, 1000));
	assert_int_equal(500, pause_after(&process, &now_ms, 9999));
	assert_int_equal(0, pause_after(&process, &now_ms, 10000));
}

static void TEST(the_pid_file_is_true)
{
	struct process_spec spec = spec_of("exec sleep 30");
	struct process process;
	FILE *file;
	long written = 0;

	process_init(&process, &spec);
	process_enable(&process, 0);
	process_start(&process, 0);
	file = fopen(pid_path, "r");
	assert_non_null(file);
	assert_int_equal(1, fscanf(file, "%ld", &written));
	fclose(file);
	assert_int_equal(process.pid, written);
	process_stop(&process, 0);
	assert_int_equal(1000, process.due_ms);
	process_kill(&process);
	assert_int_equal(process.pid, waitpid(process.pid, NULL, 0));
	process_reaped(&process, 10);
	assert_int_equal(PROCESS_STATE_STOPPED, process.state);
	assert_int_not_equal(0, access(pid_path, F_OK));
}

static void TEST(a_program_that_is_not_there_ends_at_once)
{
	static char missing[] = "/does/not/exist";
	struct process_spec spec = spec_of("");
	struct process process;
	int64_t now_ms = 0;

	spec.argv[0] = missing;
	process_init(&process, &spec);
	process_enable(&process, 0);
	assert_int_equal(0, pause_after(&process, &now_ms, 1));
}

static void TEST(what_never_ran_is_stopped_at_once)
{
	struct process_spec spec = spec_of("");
	struct process idle;
	struct process waiting;

	process_init(&idle, &spec);
	process_stop(&idle, 0);
	assert_int_equal(PROCESS_STATE_STOPPED, idle.state);
	process_init(&waiting, &spec);
	process_enable(&waiting, 0);
	process_stop(&waiting, 0);
	assert_int_equal(PROCESS_STATE_STOPPED, waiting.state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_keeps_dying_is_started_more_and_more_slowly),
		cmocka_unit_test(the_pid_file_is_true),
		cmocka_unit_test(a_program_that_is_not_there_ends_at_once),
		cmocka_unit_test(what_never_ran_is_stopped_at_once),
	};

	return cmocka_run_group_tests_name("process", tests, files_make, files_remove);
}
