/* A config file of settings. */
#include "common/daemon/settings_file.h"

#include <string.h>

static struct strview unquote(struct strview value)
{
	if (value.len >= 2 && (value.ptr[0] == '"' || value.ptr[0] == '\'') &&
		value.ptr[value.len - 1] == value.ptr[0])
		return sv_make(value.ptr + 1, value.len - 2);
	return value;
}

static int parse_line(struct strview line, settings_line_fn fn, void *ctx, struct err *err)
{
	struct strview name;

	line = sv_trim(line);
	if (line.len == 0 || line.ptr[0] == '#')
		return 0;
	/* The line is not shown: it may be a secret whose name was forgotten. */
	if (memchr(line.ptr, '=', line.len) == NULL)
		return err_set(err, "there is no '=' after a name");
	(void)sv_split(&line, '=', &name);
	return fn(ctx, sv_trim(name), unquote(sv_trim(line)), err);
}

int settings_file_parse(struct strview text, settings_line_fn fn, void *ctx, struct err *err)
{
	struct strview line;

	for (int number = 1; sv_split(&text, '\n', &line); number++)
		if (parse_line(line, fn, ctx, err) != 0)
			return err_prefix(err, "line %d", number);
	return 0;
}
