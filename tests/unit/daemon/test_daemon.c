/* daemon: a whole process, from its command line to its end. */
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/strbuf.h"
#include "common/daemon/daemon.h"
#include "common/daemon/daemon_args.h"

#define PATIENCE_MS 10000
#define KEY         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* --- the service --- */

enum manner { DRAIN_AT_ONCE, DRAIN_LATER, DRAIN_NEVER, CANNOT_START };

static enum manner manner;

struct service {
	struct daemon *daemon;
	struct loop_timer *timer;
};

static void on_drained(void *ctx)
{
	struct service *service = ctx;

	daemon_drained(service->daemon);
	daemon_drained(service->daemon);
}

static void *start(struct daemon *daemon, struct err *err)
{
	struct service *service;
	struct metric *metric =
		metrics_counter(daemon_metrics(daemon), "wa_sender_test_total", "", "Test.");

	if (manner == CANNOT_START) {
		err_set(err, "WA_MASTER_KEY is no key");
		return NULL;
	}
	service = mem_new(struct service);
	metric_add(metric, 42);
	service->daemon = daemon;
	service->timer = loop_timer_new(daemon_loop(daemon), "test", on_drained, service);
	health_part_set(health_part_new(daemon_health(daemon), "test"), true, NULL);
	return service;
}

static void drain(void *ctx)
{
	struct service *service = ctx;

	if (manner == DRAIN_AT_ONCE)
		daemon_drained(service->daemon);
	else if (manner == DRAIN_LATER)
		loop_timer_arm(service->timer, 200);
}

static void stop(void *ctx)
{
	struct service *service = ctx;

	fputs("service stopped\n", stderr);
	loop_timer_free(&service->timer);
	mem_free(service);
}

static const struct daemon_service service = {"sender", "sends for a test", start, drain, stop};

/* --- the process --- */

struct process {
	pid_t pid;
	int out, err; /* pipes */
	struct strbuf out_text, err_text;
	int status;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct process *run(enum manner how, char **argv)
{
	struct process *process = mem_new(struct process);
	int out[2], err[2];
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(err), 0);
	fflush(stdout);
	process->pid = fork();
	assert_true(process->pid >= 0);
	if (process->pid == 0) {
		dup2(out[1], 1);
		dup2(err[1], 2);
		close(out[0]);
		close(err[0]);
		manner = how;
		exit(daemon_main(&service, argc, argv)); /* with its check for leaks */
	}
	close(out[1]);
	close(err[1]);
	process->out = out[0];
	process->err = err[0];
	return process;
}

/* Read what comes until `text` is among it or the process has closed its end. */
static bool read_until(int fd, struct strbuf *buf, const char *text)
{
	int64_t until_ms = now_ms() + PATIENCE_MS;
	char bytes[4096];

	while (text == NULL || strstr(strbuf_cstr(buf), text) == NULL) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

		assert_true(now_ms() < until_ms);
		if (poll(&poll_fd, 1, 100) <= 0)
			continue;
		ssize_t n = read(fd, bytes, sizeof(bytes));
		if (n <= 0)
			return false;
		strbuf_append(buf, bytes, (size_t)n);
	}
	return true;
}

static void wait_log(struct process *process, const char *text)
{
	bool found = read_until(process->err, &process->err_text, text);

	if (!found)
		print_message("# %s\n", strbuf_cstr(&process->err_text));
	assert_true(found);
}

static int wait_exit(struct process *process)
{
	read_until(process->err, &process->err_text, NULL);
	read_until(process->out, &process->out_text, NULL);
	assert_int_equal(waitpid(process->pid, &process->status, 0), process->pid);
	assert_true(WIFEXITED(process->status));
	return WEXITSTATUS(process->status);
}

static void end(struct process **process)
{
	close((*process)->out);
	close((*process)->err);
	strbuf_deinit(&(*process)->out_text);
	strbuf_deinit(&(*process)->err_text);
	mem_free(*process);
	*process = NULL;
}

static bool has_err(const struct process *process, const char *text)
{
	return strstr(strbuf_cstr(&process->err_text), text) != NULL;
}

#define ARGS(...) ((char *[]){(char[]){"sender"}, __VA_ARGS__ __VA_OPT__(, ) NULL})
#define ARG(text) ((char[]){text})

static int private_port;

/* Whatever those who run the tests have in their environment. */
static void forget_settings(void)
{
	char name[128];

	for (char **entry = environ; *entry != NULL;) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*entry, "="), *entry);
		if (strncmp(name, "WA_", 3) == 0)
			unsetenv(name); /* what follows moves up */
		else
			entry++;
	}
}

static int set_up(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char port[16];

	(void)state;
	/* One that is free now. */
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	close(fd);
	private_port = ntohs(at.sin_port);
	snprintf(port, sizeof(port), "%d", private_port);
	forget_settings();
	setenv("WA_DATABASE_URL", "postgresql://secret-d", 1);
	setenv("WA_REDIS_URL", "redis://secret-r", 1);
	setenv("WA_MASTER_KEY", KEY, 1);
	setenv("WA_INSTANCE", "s-1", 1);
	setenv("WA_PRIVATE_PORT", port, 1);
	return 0;
}

static void ask(const char *path, struct strbuf *ret_answer)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)private_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char text[128];
	int len = snprintf(
		text, sizeof(text), "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(fd, text, (size_t)len, 0), len);
	strbuf_reset(ret_answer);
	read_until(fd, ret_answer, NULL);
	close(fd);
}

static void assert_answer(const char *path, const char *want)
{
	struct strbuf answer = STRBUF_INIT;

	ask(path, &answer);
	if (strstr(strbuf_cstr(&answer), want) == NULL)
		print_message("# %s\n", strbuf_cstr(&answer));
	assert_non_null(strstr(strbuf_cstr(&answer), want));
	strbuf_deinit(&answer);
}

/* --- the command line --- */

static const struct {
	char *args[4];
	enum daemon_act act;
	const char *file;
	const char *error;
} lines[] = {
	{{NULL}, DAEMON_ACT_RUN, NULL, NULL},
	{{ARG("--check")}, DAEMON_ACT_CHECK, NULL, NULL},
	{{ARG("--config"), ARG("f")}, DAEMON_ACT_RUN, "f", NULL},
	{{ARG("--print-settings"), ARG("--config=f")}, DAEMON_ACT_PRINT_SETTINGS, "f", NULL},
	{{ARG("--config")}, DAEMON_ACT_RUN, NULL, "--config needs the path of a file"},
	{{ARG("--config=")}, DAEMON_ACT_RUN, NULL, "--config needs the path of a file"},
	{{ARG("--config=f"), ARG("--config=g")}, DAEMON_ACT_RUN, NULL, "--config is given twice"},
	{{ARG("--check"), ARG("--help")}, DAEMON_ACT_RUN, NULL,
		"\"--help\" does not go with what is before it"},
	{{ARG("--chekc")}, DAEMON_ACT_RUN, NULL, "unknown argument \"--chekc\"; see --help"},
	{{ARG("file")}, DAEMON_ACT_RUN, NULL, "unknown argument \"file\"; see --help"},
	{{ARG("")}, DAEMON_ACT_RUN, NULL, "unknown argument \"\"; see --help"},
};

static void TEST(the_command_line_is_read)
{
	for (size_t i = 0; i < array_len(lines); i++) {
		char *argv[6] = {NULL};
		struct daemon_args args;
		struct err err = {""};
		int argc = 1;

		for (; argc < 5 && lines[i].args[argc - 1] != NULL; argc++)
			argv[argc] = lines[i].args[argc - 1];
		assert_int_equal(daemon_args_parse(argc, argv, &args, &err),
			lines[i].error != NULL ? -1 : 0);
		assert_string_equal(err.text, lines[i].error != NULL ? lines[i].error : "");
		if (lines[i].error != NULL)
			continue;
		assert_int_equal(args.act, lines[i].act);
		assert_true((args.config_file == NULL) == (lines[i].file == NULL));
		if (lines[i].file != NULL)
			assert_string_equal(args.config_file, lines[i].file);
	}
}

static void assert_ends(char **argv, int status, const char *out, const char *err)
{
	struct process *process = run(DRAIN_AT_ONCE, argv);

	assert_int_equal(wait_exit(process), status);
	assert_non_null(strstr(strbuf_cstr(&process->out_text), out));
	assert_non_null(strstr(strbuf_cstr(&process->err_text), err));
	assert_int_equal(process->out_text.len > 0, out[0] != '\0');
	assert_int_equal(process->err_text.len > 0, err[0] != '\0');
	assert_null(strstr(strbuf_cstr(&process->out_text), "secret-"));
	end(&process);
}

static void TEST(a_daemon_can_be_asked_about_itself)
{
	assert_ends(ARGS(ARG("--help")), 0, "sender: sends for a test\n", "");
	assert_ends(ARGS(ARG("--help")), 0, "  WA_SESSION_BURST\n", "");
	assert_ends(ARGS(ARG("--version")), 0, "sender ", "");
	assert_ends(ARGS(ARG("--check")), 0, "ok\n", "");
	assert_ends(ARGS(ARG("--print-settings")), 0, "\nWA_DATABASE_URL=***\n", "");
}

static void TEST(a_bad_start_says_why_and_ends_with_2)
{
	struct process *process;

	assert_ends(
		ARGS(ARG("--what")), 2, "", "sender: unknown argument \"--what\"; see --help\n");
	assert_ends(ARGS(ARG("--config"), ARG("/none")), 2, "", "sender: cannot open /none: ");
	setenv("WA_PRIVATE_PORT", "x", 1);
	assert_ends(ARGS(ARG("--check")), 2, "", "sender: WA_PRIVATE_PORT is \"x\", but must be");
	assert_ends(ARGS(), 2, "", "sender: WA_PRIVATE_PORT is \"x\", but must be");
	setenv("WA_PRIVATE_PORT", "0", 1);
	process = run(CANNOT_START, ARGS());
	assert_int_equal(wait_exit(process), 2);
	assert_true(has_err(process,
		"level=error svc=sender inst=s-1 at=daemon_start err=\"WA_MASTER_KEY is no key\""));
	end(&process);
}

static void TEST(a_private_port_in_use_is_a_bad_start)
{
	struct process *first = run(DRAIN_AT_ONCE, ARGS());
	struct process *second;

	wait_log(first, "at=daemon_start");
	second = run(DRAIN_AT_ONCE, ARGS());
	assert_int_equal(wait_exit(second), 2);
	assert_true(has_err(second, "err=\"WA_PRIVATE_PORT: cannot listen on 127.0.0.1 port "));
	end(&second);
	kill(first->pid, SIGTERM);
	assert_int_equal(wait_exit(first), 0);
	end(&first);
}

/* --- running --- */

static void TEST(operators_can_look_inside)
{
	struct process *process = run(DRAIN_LATER, ARGS());

	wait_log(process, "at=daemon_start");
	assert_true(has_err(process, "owner=s-1/"));
	assert_answer("GET /live", "HTTP/1.1 200 OK\r\n");
	assert_answer("GET /ready", "HTTP/1.1 200 OK\r\n");
	assert_answer("GET /ready", "{\"name\":\"test\",\"up\":true}");
	assert_answer("GET /metrics", "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
	assert_answer("GET /metrics", "\nwa_sender_test_total 42\n");
	assert_answer("GET /metrics", "\nprocess_resident_memory_bytes ");
	assert_answer("GET /metrics", "\nprocess_open_fds ");
	assert_answer("GET /metrics", "\nwa_ready ");
	assert_answer("GET /metrics", "# TYPE process_cpu_seconds_total counter\n");
	assert_answer("GET /metrics", "\nprocess_start_time_seconds ");
	assert_answer("GET /metrics", "\nwa_sender_loop_lag_seconds_count ");
	assert_answer("HEAD /metrics", "HTTP/1.1 200 OK\r\n");
	assert_answer("POST /metrics", "HTTP/1.1 405 Method Not Allowed\r\n");
	assert_answer("GET /", "HTTP/1.1 404 Not Found\r\n");
	kill(process->pid, SIGTERM);
	wait_log(process, "at=daemon_drain");
	assert_answer("GET /ready", "HTTP/1.1 503 Service Unavailable\r\n");
	assert_answer("GET /live", "HTTP/1.1 200 OK\r\n");
	assert_int_equal(wait_exit(process), 0);
	assert_true(has_err(process, "at=daemon_stop why=drained"));
	assert_true(has_err(process, "service stopped\n"));
	assert_int_equal(process->out_text.len, 0);
	assert_false(has_err(process, "secret-"));
	end(&process);
}

static void TEST(either_signal_drains)
{
	static const int signals[] = {SIGTERM, SIGINT};

	for (size_t i = 0; i < array_len(signals); i++) {
		struct process *process = run(DRAIN_AT_ONCE, ARGS());

		wait_log(process, "at=daemon_start");
		kill(process->pid, SIGPIPE); /* means nothing */
		kill(process->pid, signals[i]);
		assert_int_equal(wait_exit(process), 0);
		assert_true(has_err(process, "at=daemon_stop why=drained"));
		assert_true(has_err(process, "service stopped\n"));
		end(&process);
	}
}

static void TEST(draining_has_its_time)
{
	struct process *process;
	int64_t start_ms;

	setenv("WA_DRAIN_TIMEOUT", "200ms", 1);
	process = run(DRAIN_NEVER, ARGS());
	wait_log(process, "at=daemon_start");
	start_ms = now_ms();
	kill(process->pid, SIGTERM);
	assert_int_equal(wait_exit(process), 0);
	assert_in_range(now_ms() - start_ms, 200, 5000);
	assert_true(has_err(process, "at=daemon_stop why=drain_timeout"));
	assert_true(has_err(process, "service stopped\n"));
	end(&process);
}

static void TEST(a_second_signal_ends_the_draining)
{
	struct process *process;

	setenv("WA_DRAIN_TIMEOUT", "5m", 1);
	process = run(DRAIN_NEVER, ARGS());
	wait_log(process, "at=daemon_start");
	kill(process->pid, SIGTERM);
	wait_log(process, "at=daemon_drain");
	kill(process->pid, SIGINT);
	assert_int_equal(wait_exit(process), 0);
	assert_true(has_err(process, "at=daemon_stop why=second_signal"));
	assert_true(has_err(process, "service stopped\n"));
	end(&process);
}

static void TEST(a_process_without_a_name_has_one)
{
	struct process *process;
	char name[64];

	setenv("WA_INSTANCE", "", 1);
	process = run(DRAIN_AT_ONCE, ARGS());
	wait_log(process, "at=daemon_start");
	snprintf(name, sizeof(name), "inst=sender-%d ", (int)process->pid);
	assert_true(has_err(process, name));
	kill(process->pid, SIGTERM);
	assert_int_equal(wait_exit(process), 0);
	end(&process);
}

#define FRESH(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(the_command_line_is_read),
		FRESH(a_daemon_can_be_asked_about_itself),
		FRESH(a_bad_start_says_why_and_ends_with_2),
		FRESH(a_private_port_in_use_is_a_bad_start),
		FRESH(operators_can_look_inside),
		FRESH(either_signal_drains),
		FRESH(draining_has_its_time),
		FRESH(a_second_signal_ends_the_draining),
		FRESH(a_process_without_a_name_has_one),
	};

	return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
