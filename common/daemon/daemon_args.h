/* A daemon's command line. Pure. */
#ifndef WA_DAEMON_DAEMON_ARGS_H
#define WA_DAEMON_DAEMON_ARGS_H

#include "common/base/attr.h"
#include "common/base/err.h"

enum daemon_act {
	DAEMON_ACT_RUN,
	DAEMON_ACT_HELP,
	DAEMON_ACT_VERSION,
	DAEMON_ACT_PRINT_SETTINGS,
	DAEMON_ACT_CHECK,
};

struct daemon_args {
	enum daemon_act act;
	const char *config_file; /* borrowed from argv; NULL: none */
};

int daemon_args_parse(
	int argc, char **argv, struct daemon_args *ret_args, struct err *err) MUST_CHECK;

#endif
