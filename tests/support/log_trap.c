/* Keeps the lines that are logged while it is set. */
#include "tests/support/log_trap.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/strbuf.h"

static struct {
	bool set;
	int n_lines;
	struct strbuf text; /* all lines, newlines between */
	size_t last;        /* where the last one begins */
} trap;

static void on_line(UNUSED void *ctx, const char *line)
{
	if (trap.n_lines++ > 0)
		strbuf_append_char(&trap.text, '\n');
	trap.last = trap.text.len;
	strbuf_append_cstr(&trap.text, line);
}

void log_trap_set(void)
{
	ASSERT(!trap.set);
	trap.set = true;
	trap.n_lines = 0;
	trap.last = 0;
	strbuf_init(&trap.text);
	log_capture(on_line, NULL);
}

void log_trap_release(void)
{
	ASSERT(trap.set);
	log_capture(NULL, NULL);
	strbuf_deinit(&trap.text);
	trap.set = false;
}

int log_trap_count(void)
{
	return trap.n_lines;
}

const char *log_trap_last(void)
{
	return strbuf_cstr(&trap.text) + trap.last;
}

bool log_trap_has(const char *text)
{
	return strstr(strbuf_cstr(&trap.text), text) != NULL;
}
