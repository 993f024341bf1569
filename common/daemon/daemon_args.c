/* A daemon's command line. */
#include "common/daemon/daemon_args.h"

#include <stdbool.h>
#include <string.h>

static bool parse_act(const char *arg, enum daemon_act *ret_act)
{
	static const struct {
		const char *arg;
		enum daemon_act act;
	} acts[] = {
		{"--help", DAEMON_ACT_HELP},
		{"-h", DAEMON_ACT_HELP},
		{"--version", DAEMON_ACT_VERSION},
		{"--print-settings", DAEMON_ACT_PRINT_SETTINGS},
		{"--check", DAEMON_ACT_CHECK},
	};

	for (size_t i = 0; i < array_len(acts); i++) {
		if (strcmp(arg, acts[i].arg) == 0) {
			*ret_act = acts[i].act;
			return true;
		}
	}
	return false;
}

static int set_config_file(struct daemon_args *args, const char *path, struct err *err)
{
	if (path == NULL || path[0] == '\0')
		return err_set(err, "--config needs the path of a file");
	if (args->config_file != NULL)
		return err_set(err, "--config is given twice");
	args->config_file = path;
	return 0;
}

int daemon_args_parse(int argc, char **argv, struct daemon_args *ret_args, struct err *err)
{
	struct daemon_args args = {.act = DAEMON_ACT_RUN};

	for (int i = 1; i < argc; i++) {
		enum daemon_act act;

		if (strcmp(argv[i], "--config") == 0) {
			/* argv ends with NULL */
			if (set_config_file(&args, argv[++i], err) != 0)
				return -1;
		} else if (strncmp(argv[i], "--config=", 9) == 0) {
			if (set_config_file(&args, argv[i] + 9, err) != 0)
				return -1;
		} else if (!parse_act(argv[i], &act)) {
			return err_set(err, "unknown argument \"%.60s\"; see --help", argv[i]);
		} else if (args.act != DAEMON_ACT_RUN && args.act != act) {
			return err_set(err, "\"%s\" does not go with what is before it", argv[i]);
		} else {
			args.act = act;
		}
	}
	*ret_args = args;
	return 0;
}
