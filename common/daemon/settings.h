/*
 * Settings from the environment, then from --config FILE. Each has a name, type, default, range and
 * a line of help; all of all services stand in settings_catalog.h. A WA_ name that is not in the
 * catalogue, or a value that does not fit, is refused by name.
 */
#ifndef WA_DAEMON_SETTINGS_H
#define WA_DAEMON_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/attr.h"
#include "common/base/err.h"
#include "common/base/schedule.h"
#include "common/base/strview.h"

enum setting_id {
#define SETTING(id, name, kind, services, dflt, min, max, help) SETTING_##id,
#include "common/daemon/settings_catalog.h"
#undef SETTING
	SETTING_COUNT
};

struct settings;

/* Read environment and file (NULL: none) for a service ("api", …). NULL with err, which names the
 * setting. */
struct settings *settings_load(const char *service, char **environ_list, const char *config_file,
	struct err *err) MUST_CHECK;
void settings_free(struct settings **settings); /* wipes secrets */
/* TEXT, SECRET, ENUM; "" when empty. */
const char *setting_text(const struct settings *settings, enum setting_id id);
int64_t setting_int(const struct settings *settings, enum setting_id id);
bool setting_bool(const struct settings *settings, enum setting_id id);
int64_t setting_ms(const struct settings *settings, enum setting_id id); /* DURATION, in ms */
struct schedule setting_schedule(const struct settings *settings, enum setting_id id);
/* Given, not its default. */
bool setting_is_set(const struct settings *settings, enum setting_id id);
/* Every setting of the service with its value (secrets as ***) and help, in the form of a config
 * file. */
void settings_print(const struct settings *settings, FILE *out);
/* Name, type, default, range, help of each setting of a service; for --help. */
void settings_print_help(const char *service, FILE *out);

#endif
