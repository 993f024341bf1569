/* What every process does alike. */
#include "common/daemon/daemon.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/digest.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/daemon/daemon_args.h"
#include "common/daemon/private_port.h"
#include "common/daemon/process_metrics.h"

#define EXIT_BAD_SETTING 2
#define MAX_OPEN_FILES                                                                             \
	((rlim_t)1024 *                                                                            \
		1024) /* containers are given 2^30, which costs memory in what counts by it */
#define OWNER_DIGITS 11
#define MAX_HOST_NAME 48 /* WA_INSTANCE may have 64 bytes */

/* Only set_state() changes it. */
enum daemon_state {
	DAEMON_STARTING,
	DAEMON_RUNNING,
	DAEMON_DRAINING, /* SIGTERM came; drain_timer is armed */
	DAEMON_STOPPING, /* the loop ends with this turn */
};

struct daemon {
	const struct daemon_service *service;
	void *running; /* what service->start() gave */
	enum daemon_state state;
	struct settings *settings;
	char *instance;
	char *owner;
	struct loop *loop;
	struct health *health;
	struct metrics *metrics;
	struct process_metrics *process_metrics;
	struct private_port *private_port; /* NULL: none */
	struct loop_signal *signals[2];
	struct loop_timer *drain_timer;
};

static void set_state(struct daemon *daemon, enum daemon_state state)
{
	ASSERT(state > daemon->state);
	daemon->state = state;
}

/* --- what a service asks --- */

struct loop *daemon_loop(struct daemon *daemon)
{
	return daemon->loop;
}

const struct settings *daemon_settings(struct daemon *daemon)
{
	return daemon->settings;
}

const char *daemon_instance(struct daemon *daemon)
{
	return daemon->instance;
}

const char *daemon_owner(struct daemon *daemon)
{
	return daemon->owner;
}

struct health *daemon_health(struct daemon *daemon)
{
	return daemon->health;
}

struct metrics *daemon_metrics(struct daemon *daemon)
{
	return daemon->metrics;
}

/* --- the end --- */

static void stop_loop(struct daemon *daemon, const char *why)
{
	loop_timer_disarm(daemon->drain_timer);
	log_info("daemon_stop", log_text("why", why));
	set_state(daemon, DAEMON_STOPPING);
	loop_stop(daemon->loop);
}

void daemon_drained(struct daemon *daemon)
{
	if (daemon->state == DAEMON_DRAINING)
		stop_loop(daemon, "drained");
}

static void on_drain_timeout(void *ctx)
{
	stop_loop(ctx, "drain_timeout");
}

static void on_signal(void *ctx)
{
	struct daemon *daemon = ctx;

	if (daemon->state == DAEMON_DRAINING)
		stop_loop(daemon, "second_signal");
	if (daemon->state != DAEMON_RUNNING)
		return;
	set_state(daemon, DAEMON_DRAINING);
	log_info("daemon_drain",
		log_int("timeout_ms", setting_ms(daemon->settings, SETTING_DRAIN_TIMEOUT)));
	health_set_draining(daemon->health);
	loop_timer_arm(daemon->drain_timer, setting_ms(daemon->settings, SETTING_DRAIN_TIMEOUT));
	daemon->service->drain(daemon->running); /* may call daemon_drained() */
}

/* --- the beginning --- */

/* In a container every process has number 1; what tells it from the others is the container's name. */
static void append_own_name(struct daemon *daemon, struct strbuf *text)
{
	char host[HOST_NAME_MAX + 1];

	strbuf_printf(text, "%s-", daemon->service->name);
	if (getpid() == 1 && gethostname(host, sizeof(host)) == 0 && host[0] != '\0')
		strbuf_printf(text, "%.*s", MAX_HOST_NAME, host);
	else
		strbuf_printf(text, "%ld", (long)getpid());
}

static void name_process(struct daemon *daemon)
{
	const char *given = setting_text(daemon->settings, SETTING_INSTANCE);
	struct strbuf text = STRBUF_INIT;
	char digits[OWNER_DIGITS];

	if (given[0] != '\0')
		strbuf_append_cstr(&text, given);
	else
		append_own_name(daemon, &text);
	daemon->instance = mem_strdup(strbuf_cstr(&text));
	base62_encode_u64(rng_u64(), OWNER_DIGITS, digits);
	strbuf_printf(&text, "/%.*s", OWNER_DIGITS, digits);
	daemon->owner = mem_strdup(strbuf_cstr(&text));
	strbuf_deinit(&text);
}

static void start_log(struct daemon *daemon)
{
	enum log_level level = LOG_LEVEL_INFO;

	ASSERT(log_level_parse(
		       sv_from(setting_text(daemon->settings, SETTING_LOG_LEVEL)), &level) == 0);
	log_init(daemon->service->name, daemon->instance, level);
}

/* Every connection is a file; the soft limit of 1024 is there for programs that use select(). */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	rlim_t want = limit.rlim_max < MAX_OPEN_FILES ? limit.rlim_max : MAX_OPEN_FILES;
	if (limit.rlim_cur >= want)
		return;
	limit.rlim_cur = want;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_private_port(struct daemon *daemon, struct err *err)
{
	int port = (int)setting_int(daemon->settings, SETTING_PRIVATE_PORT);

	if (port == 0)
		return 0;
	daemon->private_port =
		private_port_new(daemon->loop, setting_text(daemon->settings, SETTING_PRIVATE_ADDR),
			port, daemon->health, daemon->metrics, err);
	return daemon->private_port != NULL ? 0 : err_prefix(err, "WA_PRIVATE_PORT");
}

static int start(struct daemon *daemon, struct err *err)
{
	static const int signal_numbers[] = {SIGTERM, SIGINT};

	daemon->loop = loop_new();
	daemon->health = health_new();
	daemon->metrics = metrics_new();
	daemon->process_metrics =
		process_metrics_new(daemon->loop, daemon->metrics, daemon->service->name);
	daemon->drain_timer = loop_timer_new(daemon->loop, "drain", on_drain_timeout, daemon);
	for (size_t i = 0; i < array_len(signal_numbers); i++)
		daemon->signals[i] =
			loop_signal_new(daemon->loop, signal_numbers[i], on_signal, daemon);
	if (open_private_port(daemon, err) != 0)
		return -1;
	daemon->running = daemon->service->start(daemon, err);
	return daemon->running != NULL ? 0 : -1;
}

static void stop(struct daemon *daemon)
{
	if (daemon->running != NULL)
		daemon->service->stop(daemon->running);
	private_port_free(&daemon->private_port);
	for (size_t i = 0; i < array_len(daemon->signals); i++)
		loop_signal_free(&daemon->signals[i]);
	loop_timer_free(&daemon->drain_timer);
	process_metrics_free(&daemon->process_metrics);
	metrics_free(&daemon->metrics);
	health_free(&daemon->health);
	loop_free(&daemon->loop);
}

static int run(struct daemon *daemon)
{
	struct err err = {"no reason given"};
	int result;

	signal(SIGPIPE, SIG_IGN);
	raise_file_limit();
	name_process(daemon);
	start_log(daemon);
	result = start(daemon, &err);
	if (result == 0) {
		set_state(daemon, DAEMON_RUNNING);
		log_info("daemon_start", log_text("version", WA_VERSION),
			log_text("owner", daemon->owner), log_int("pid", getpid()));
		loop_run(daemon->loop);
	} else {
		log_error("daemon_start", log_err(&err));
	}
	stop(daemon);
	mem_free(daemon->instance);
	mem_free(daemon->owner);
	return result == 0 ? 0 : EXIT_BAD_SETTING;
}

/* --- the command line --- */

static void print_help(const struct daemon_service *service)
{
	printf("%s: %s\n\n"
	       "  --config FILE      settings from FILE, lines NAME=value; the environment wins\n"
	       "  --check            load the settings, say \"ok\" or what is wrong, and end\n"
	       "  --print-settings   every setting with its value, in the form of a config file\n"
	       "  --version\n"
	       "  --help\n\n"
	       "Settings:\n",
		service->name, service->what);
	settings_print_help(service->name, stdout);
}

static int fail(const struct daemon_service *service, const struct err *err)
{
	fprintf(stderr, "%s: %s\n", service->name, err->text);
	return EXIT_BAD_SETTING;
}

static int act_with_settings(struct daemon *daemon, enum daemon_act act)
{
	if (act == DAEMON_ACT_RUN)
		return run(daemon);
	if (act == DAEMON_ACT_PRINT_SETTINGS)
		settings_print(daemon->settings, stdout);
	else
		puts("ok");
	return fflush(stdout) == 0 ? 0 : 1;
}

int daemon_main(const struct daemon_service *service, int argc, char **argv)
{
	struct daemon daemon = {.service = service};
	struct daemon_args args;
	struct err err;

	if (daemon_args_parse(argc, argv, &args, &err) != 0)
		return fail(service, &err);
	if (args.act == DAEMON_ACT_HELP) {
		print_help(service);
		return 0;
	}
	if (args.act == DAEMON_ACT_VERSION) {
		printf("%s %s\n", service->name, WA_VERSION);
		return 0;
	}
	daemon.settings = settings_load(service->name, environ, args.config_file, &err);
	if (daemon.settings == NULL)
		return fail(service, &err);
	int result = act_with_settings(&daemon, args.act);
	settings_free(&daemon.settings);
	return result;
}
