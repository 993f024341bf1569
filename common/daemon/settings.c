/* Settings from the environment and a config file. */
#include "common/daemon/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/strbuf.h"
#include "common/daemon/setting_value.h"
#include "common/daemon/settings_file.h"

#define SECRET_FILE_MAX_BYTES ((size_t)64 * 1024)

/* A later source wins over an earlier one. */
enum source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT };

struct settings {
	char service; /* its letter */
	enum source source[SETTING_COUNT];
	struct setting_value values[SETTING_COUNT];
};

/* What is given for each setting, before it is judged. */
struct given {
	enum source source; /* of what is being read */
	struct {
		enum source source;
		char *text;
		bool is_path; /* text names the file that has the value */
	} of[SETTING_COUNT];
};

static char letter_of(const char *service)
{
	static const char *const names[] = {"api", "sender", "gateway", "webhooker"};

	for (size_t i = 0; i < array_len(names); i++)
		if (strcmp(service, names[i]) == 0)
			return names[i][0];
	WRONG("no service has this name");
}

static bool is_of(const struct setting_def *def, char service)
{
	return strchr(def->services, service) != NULL;
}

/* --- what is given --- */

static int find_exact(struct strview name)
{
	for (int i = 0; i < SETTING_COUNT; i++)
		if (sv_eq_cstr(name, setting_defs[i].name))
			return i;
	return -1;
}

/* The setting that a name means, and whether it is the form NAME_FILE. -1 with err when it means
 * none. */
static int find_setting(struct strview name, bool *ret_is_path, struct err *err)
{
	int id = find_exact(name);

	*ret_is_path = false;
	if (id >= 0)
		return id;
	if (name.len > 5 && memcmp(name.ptr + name.len - 5, "_FILE", 5) == 0) {
		id = find_exact(sv_make(name.ptr, name.len - 5));
		*ret_is_path = true;
		if (id >= 0 && setting_defs[id].kind == SETTING_KIND_SECRET)
			return id;
		if (id >= 0)
			return err_set(err,
				"%s is no secret: only secrets may come from a file of their own",
				setting_defs[id].name);
	}
	if (name.len > 64)
		name.len = 64;
	const struct setting_def *guess = setting_def_guess(name);
	return err_set(err, "%.*s is no setting%s%s%s", SV_ARG(name),
		guess != NULL ? "; did you mean " : "", guess != NULL ? guess->name : "",
		guess != NULL ? "?" : "");
}

static void forget(char **text)
{
	if (*text != NULL)
		mem_wipe(*text, strlen(*text));
	mem_free(*text);
	*text = NULL;
}

static int take(void *ctx, struct strview name, struct strview value, struct err *err)
{
	struct given *given = ctx;
	bool is_path;
	int id = find_setting(name, &is_path, err);

	if (id < 0)
		return -1;
	/* Container tools pass what is not set as empty. */
	if (setting_defs[id].kind == SETTING_KIND_SECRET && value.len == 0)
		return 0;
	if (memchr(value.ptr, '\0', value.len) != NULL)
		return err_set(err, "%s has a control byte in it", setting_defs[id].name);
	if (given->of[id].source == given->source && given->of[id].is_path != is_path)
		return err_set(err, "%s and %s_FILE are both given", setting_defs[id].name,
			setting_defs[id].name);
	if (given->of[id].source == given->source)
		return err_set(err, "%s is given twice", setting_defs[id].name);
	forget(&given->of[id].text);
	given->of[id].source = given->source;
	given->of[id].text = mem_strndup(value.ptr, value.len);
	given->of[id].is_path = is_path;
	return 0;
}

static int read_whole(const char *path, size_t max_bytes, struct strbuf *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n = -1;
	struct stat stat;

	if (fd < 0)
		return err_set(err, "cannot open %s: %s", path, strerror(errno));
	if (fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode))
		errno = EISDIR;
	else
		do {
			strbuf_reserve(out, 4096);
			n = read(fd, out->data + out->len, 4096);
			if (n > 0)
				out->len += (size_t)n;
		} while (n > 0 && out->len <= max_bytes);
	close(fd);
	if (n < 0)
		return err_set(err, "cannot read %s: %s", path, strerror(errno));
	if (out->len > max_bytes)
		return err_set(err, "%s has more than %zu bytes", path, max_bytes);
	return 0;
}

static void forget_buf(struct strbuf *buf)
{
	if (buf->data != NULL)
		mem_wipe(buf->data, buf->cap);
	strbuf_deinit(buf);
}

static int take_file(struct given *given, const char *path, struct err *err)
{
	struct strbuf text = STRBUF_INIT;
	int result = read_whole(path, SETTINGS_FILE_MAX_BYTES, &text, err);

	given->source = SOURCE_FILE;
	if (result == 0) {
		result = settings_file_parse(strbuf_view(&text), take, given, err);
		if (result != 0)
			err_prefix(err, "%s", path);
	}
	forget_buf(&text);
	return result;
}

static int take_environment(struct given *given, char **environ_list, struct err *err)
{
	given->source = SOURCE_ENVIRONMENT;
	for (char **entry = environ_list; entry != NULL && *entry != NULL; entry++) {
		struct strview value = sv_from(*entry);
		struct strview name;

		if (!sv_starts_with(value, "WA_") || !sv_split(&value, '=', &name) ||
			sv_is_null(value))
			continue;
		if (take(given, name, value, err) != 0)
			return -1;
	}
	return 0;
}

/* --- judged --- */

static int judge_file(const struct setting_def *def, const char *path, struct setting_value *value,
	struct err *err)
{
	struct strbuf text = STRBUF_INIT;
	int result = read_whole(path, SECRET_FILE_MAX_BYTES, &text, err);

	if (result != 0)
		err_prefix(err, "%s_FILE", def->name);
	else
		result = setting_value_parse(def, strbuf_view(&text), value, err);
	forget_buf(&text);
	return result;
}

static int judge(struct settings *settings, const struct given *given, struct err *err)
{
	for (int id = 0; id < SETTING_COUNT; id++) {
		const struct setting_def *def = &setting_defs[id];
		struct setting_value *value = &settings->values[id];
		const char *text = given->of[id].text;
		int result;

		if (!is_of(def, settings->service))
			continue;
		if (text == NULL)
			result = setting_value_parse(def, setting_def_default(def), value, err);
		else if (given->of[id].is_path)
			result = judge_file(def, text, value, err);
		else
			result = setting_value_parse(def, sv_from(text), value, err);
		if (result != 0)
			return -1;
		settings->source[id] = given->of[id].source;
	}
	return 0;
}

struct settings *settings_load(
	const char *service, char **environ_list, const char *config_file, struct err *err)
{
	struct settings *settings = mem_new(struct settings);
	struct given *given = mem_new(struct given);

	settings->service = letter_of(service);
	if ((config_file != NULL && take_file(given, config_file, err) != 0) ||
		take_environment(given, environ_list, err) != 0 || judge(settings, given, err) != 0)
		settings_free(&settings);
	for (int id = 0; id < SETTING_COUNT; id++)
		forget(&given->of[id].text);
	mem_free(given);
	return settings;
}

void settings_free(struct settings **settings)
{
	if (*settings == NULL)
		return;
	for (int id = 0; id < SETTING_COUNT; id++)
		setting_value_deinit(&(*settings)->values[id]);
	mem_free(*settings);
	*settings = NULL;
}

/* --- asked --- */

static const struct setting_value *get(const struct settings *settings, enum setting_id id)
{
	ASSERT(id < SETTING_COUNT);
	ASSERT(is_of(&setting_defs[id], settings->service));
	return &settings->values[id];
}

const char *setting_text(const struct settings *settings, enum setting_id id)
{
	return get(settings, id)->text;
}

int64_t setting_int(const struct settings *settings, enum setting_id id)
{
	ASSERT(setting_defs[id].kind == SETTING_KIND_INT);
	return get(settings, id)->number;
}

bool setting_bool(const struct settings *settings, enum setting_id id)
{
	ASSERT(setting_defs[id].kind == SETTING_KIND_BOOL);
	return get(settings, id)->number != 0;
}

int64_t setting_ms(const struct settings *settings, enum setting_id id)
{
	ASSERT(setting_defs[id].kind == SETTING_KIND_DURATION);
	return get(settings, id)->number;
}

struct schedule setting_schedule(const struct settings *settings, enum setting_id id)
{
	ASSERT(setting_defs[id].kind == SETTING_KIND_SCHEDULE);
	return get(settings, id)->schedule;
}

bool setting_is_set(const struct settings *settings, enum setting_id id)
{
	(void)get(settings, id);
	return settings->source[id] != SOURCE_DEFAULT;
}

/* --- printed --- */

void settings_print(const struct settings *settings, FILE *out)
{
	struct strbuf value = STRBUF_INIT;

	for (int id = 0; id < SETTING_COUNT; id++) {
		if (!is_of(&setting_defs[id], settings->service))
			continue;
		strbuf_reset(&value);
		setting_value_format(&setting_defs[id], &settings->values[id], &value);
		fprintf(out, "# %s\n%s=%s\n\n", setting_defs[id].help, setting_defs[id].name,
			strbuf_cstr(&value));
	}
	strbuf_deinit(&value);
}

void settings_print_help(const char *service, FILE *out)
{
	struct strbuf range = STRBUF_INIT;
	char letter = letter_of(service);

	for (int id = 0; id < SETTING_COUNT; id++) {
		const struct setting_def *def = &setting_defs[id];

		if (!is_of(def, letter))
			continue;
		strbuf_reset(&range);
		setting_def_format_range(def, &range);
		fprintf(out, "  %s\n      %s\n      %s", def->name, def->help, strbuf_cstr(&range));
		if (setting_def_is_required(def))
			fputs("; required", out);
		else if (setting_def_default(def).len > 0)
			fprintf(out, "; default %.*s", SV_ARG(setting_def_default(def)));
		if (def->kind == SETTING_KIND_SECRET)
			fprintf(out, "; or the path of a file that has it in %s_FILE", def->name);
		fputs("\n", out);
	}
	strbuf_deinit(&range);
}
