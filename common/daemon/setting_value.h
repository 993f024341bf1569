/* One setting: what the catalogue says of it, and its value, from text and back. Pure. The inside
 * of settings.c. */
#ifndef WA_DAEMON_SETTING_VALUE_H
#define WA_DAEMON_SETTING_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attr.h"
#include "common/base/err.h"
#include "common/base/schedule.h"
#include "common/base/strbuf.h"
#include "common/base/strview.h"

enum setting_kind {
	SETTING_KIND_TEXT,
	SETTING_KIND_SECRET,
	SETTING_KIND_INT,
	SETTING_KIND_BOOL,
	SETTING_KIND_DURATION,
	SETTING_KIND_SCHEDULE,
	SETTING_KIND_ENUM,
};

struct setting_def {
	const char *name;
	enum setting_kind kind;
	const char *services; /* letters */
	const char *dflt;     /* as text; of an ENUM all values, the default first */
	int64_t min, max;     /* of a number, or of a text's length in bytes */
	const char *help;
};

struct setting_value {
	char *text; /* owned; of TEXT, SECRET, ENUM and SCHEDULE, else NULL */
	int64_t number;
	struct schedule schedule;
};

/* The catalogue, by enum setting_id. */
extern const struct setting_def setting_defs[];
extern const int setting_defs_count;

/* 0, or -1 with err that names the setting, what was given (never of a secret) and what is wanted.
 */
int setting_value_parse(const struct setting_def *def, struct strview text,
	struct setting_value *ret_value, struct err *err) MUST_CHECK;
void setting_value_deinit(struct setting_value *value); /* wipes */
struct strview setting_def_default(const struct setting_def *def);
/* A text or secret that may not be empty and has no default. */
bool setting_def_is_required(const struct setting_def *def);
/* Append the value as it would be written; a secret as ***. */
void setting_value_format(
	const struct setting_def *def, const struct setting_value *value, struct strbuf *out);
/* Append what values are good: "a whole number between 0 and 65535". */
void setting_def_format_range(const struct setting_def *def, struct strbuf *out);
/* Of all names, the one that is meant by a mistyped one; NULL when none is near. */
const struct setting_def *setting_def_guess(struct strview name);

#endif
