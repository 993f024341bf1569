/* No spec makes the supervisor's reader fill a process half or write beyond it. */
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "tests/fuzz/fuzz.h"
#include "tools/process_spec.h"

static size_t length_of(char *const *list, size_t most)
{
	size_t n = 0;
	while (list[n] != NULL)
		n++;
	ASSERT(n <= most);
	return n;
}

static void check_spec(const struct process_spec *spec)
{
	ASSERT(spec->name != NULL && spec->log_path != NULL && spec->pid_path != NULL);
	ASSERT(spec->stage >= 0 && spec->stage < PROCESS_STAGES);
	ASSERT(spec->grace_s >= 0 && spec->grace_s <= 600);
	ASSERT(length_of(spec->argv, PROCESS_ARGS_MAX) > 0);
	(void)length_of(spec->env, PROCESS_ENV_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	static struct process_spec specs[PROCESS_MAX];
	char *text = mem_alloc(size_bytes + 1);
	size_t count = 0;
	int n_lines = 1;

	if (size_bytes > 0)
		memcpy(text, data, size_bytes);
	text[size_bytes] = '\0';
	for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
		n_lines++;
	memset(specs, 0, sizeof(specs));
	int bad_line = process_spec_parse(text, specs, &count);
	if (bad_line == 0) {
		ASSERT(count > 0 && count <= PROCESS_MAX);
		for (size_t i = 0; i < count; i++)
			check_spec(&specs[i]);
	} else {
		ASSERT(bad_line > 0 && bad_line <= n_lines + 1);
	}
	mem_free(text);
	return 0;
}
