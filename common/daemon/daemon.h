/*
 * What every process does alike: arguments (--help, --print-settings, --check, --config FILE,
 * --version), settings, log, loop, private port (/metrics, /live, /ready), signals, drain. A
 * service gives a table of functions and nothing else.
 */
#ifndef WA_DAEMON_DAEMON_H
#define WA_DAEMON_DAEMON_H

#include "common/base/err.h"
#include "common/daemon/health.h"
#include "common/daemon/metrics.h"
#include "common/daemon/settings.h"
#include "common/io/loop.h"

struct daemon; /* the running process */

struct daemon_service {
	const char *name; /* "sender" */
	const char *what; /* one line for --help */
	/* Settings are good, loop and log are ready: build everything. NULL with err when it cannot
	   work at all (a bad setting); a Postgres or Redis that is away is no reason. */
	void *(*start)(struct daemon *daemon, struct err *err);
	/* SIGTERM came: take no new work, finish what is in flight, then call daemon_drained().
	   Past WA_DRAIN_TIMEOUT the process ends anyway. */
	void (*drain)(void *service);
	void (*stop)(void *service); /* free everything */
};

int daemon_main(const struct daemon_service *service, int argc, char **argv);

struct loop *daemon_loop(struct daemon *daemon);
const struct settings *daemon_settings(struct daemon *daemon);
const char *daemon_instance(struct daemon *daemon);
/* <instance>/<random>, new at every start: for leases. */
const char *daemon_owner(struct daemon *daemon);
struct health *daemon_health(struct daemon *daemon);
struct metrics *daemon_metrics(struct daemon *daemon);
void daemon_drained(struct daemon *daemon);

#endif
