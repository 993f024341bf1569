#include "process_spec.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool list_append(char **list, size_t list_max, char *word)
{
	size_t count = 0;

	while (list[count] != NULL)
		count++;
	if (count == list_max)
		return false;
	list[count] = word;
	return true;
}

static bool number_parse(const char *text, long max, int *ret_number)
{
	char *end = NULL;
	long number = strtol(text, &end, 10);

	if (end == text || *end != '\0' || number < 0 || number > max)
		return false;
	*ret_number = (int)number;
	return true;
}

static bool signal_parse(const char *text, int *ret_signal)
{
	static const struct {
		const char *name;
		int number;
	} known[] = {{"TERM", SIGTERM}, {"INT", SIGINT}, {"QUIT", SIGQUIT}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, text) == 0) {
			*ret_signal = known[i].number;
			return true;
		}
	}
	return false;
}

static bool text_set(const char **field, const char *value)
{
	*field = value;
	return true;
}

static bool spec_set(struct process_spec *spec, const char *key, char *value)
{
	if (strcmp(key, "stage") == 0)
		return number_parse(value, PROCESS_STAGES - 1, &spec->stage);
	if (strcmp(key, "user") == 0)
		return text_set(&spec->user, value);
	if (strcmp(key, "stop") == 0)
		return signal_parse(value, &spec->stop_signal);
	if (strcmp(key, "grace") == 0)
		return number_parse(value, 600, &spec->grace_s);
	if (strcmp(key, "log") == 0)
		return text_set(&spec->log_path, value);
	if (strcmp(key, "pid") == 0)
		return text_set(&spec->pid_path, value);
	if (strcmp(key, "env") == 0)
		return list_append(spec->env, PROCESS_ENV_MAX, value);
	if (strcmp(key, "arg") == 0)
		return list_append(spec->argv, PROCESS_ARGS_MAX, value);
	return false;
}

static bool spec_is_complete(const struct process_spec *spec)
{
	return spec->log_path != NULL && spec->pid_path != NULL && spec->argv[0] != NULL;
}

/* Takes one line; `*count` is the number of processes begun so far. */
static bool line_parse(char *line, struct process_spec *specs, size_t *count)
{
	char *value = strchr(line, ' ');

	if (value == NULL)
		return false;
	*value++ = '\0';
	if (strcmp(line, "process") != 0)
		return *count > 0 && spec_set(&specs[*count - 1], line, value);
	if (*count == PROCESS_MAX || (*count > 0 && !spec_is_complete(&specs[*count - 1])))
		return false;
	specs[(*count)++] = (struct process_spec){
		.name = value,
		.stop_signal = SIGTERM,
		.grace_s = 10,
	};
	return true;
}

int process_spec_parse(char *text, struct process_spec *ret_specs, size_t *ret_count)
{
	size_t count = 0;
	int line_number = 0;

	for (char *line = text; line != NULL && *line != '\0';) {
		char *next = strchr(line, '\n');

		if (next != NULL)
			*next++ = '\0';
		line_number++;
		if (*line != '\0' && *line != '#' && !line_parse(line, ret_specs, &count))
			return line_number;
		line = next;
	}
	if (count == 0 || !spec_is_complete(&ret_specs[count - 1]))
		return line_number + 1;
	*ret_count = count;
	return 0;
}
