/* No config file and no value gets through that does not fit; what fits is written and read again
 * as the same. */
#include <string.h>

#include "common/base/check.h"
#include "common/daemon/setting_value.h"
#include "common/daemon/settings_file.h"
#include "tests/fuzz/fuzz.h"

static void check_bounds(const struct setting_def *def, const struct setting_value *value)
{
	if (def->kind == SETTING_KIND_INT || def->kind == SETTING_KIND_DURATION)
		ASSERT(value->number >= def->min && value->number <= def->max);
	if (def->kind == SETTING_KIND_TEXT || def->kind == SETTING_KIND_SECRET)
		ASSERT((int64_t)strlen(value->text) >= def->min &&
			(int64_t)strlen(value->text) <= def->max);
}

static void check_round_trip(const struct setting_def *def, const struct setting_value *value)
{
	struct setting_value again;
	struct strbuf text = STRBUF_INIT;

	if (def->kind == SETTING_KIND_SECRET)
		return;
	setting_value_format(def, value, &text);
	ASSERT(setting_value_parse(def, strbuf_view(&text), &again, NULL) == 0);
	ASSERT(again.number == value->number);
	ASSERT(memcmp(&again.schedule, &value->schedule, sizeof(again.schedule)) == 0);
	setting_value_deinit(&again);
	strbuf_deinit(&text);
}

static void check_value(const struct setting_def *def, struct strview text)
{
	struct setting_value value;
	struct err err = {""};

	if (setting_value_parse(def, text, &value, &err) != 0) {
		ASSERT(strncmp(err.text, def->name, strlen(def->name)) == 0);
		ASSERT(sv_is_utf8(sv_from(err.text)));
		ASSERT(strchr(err.text, '\n') == NULL);
		return;
	}
	check_bounds(def, &value);
	check_round_trip(def, &value);
	setting_value_deinit(&value);
}

static int on_setting(void *ctx, struct strview name, struct strview value, struct err *err)
{
	int *n_settings = ctx;

	(void)err;
	(void)setting_def_guess(name);
	for (int i = 0; i < setting_defs_count; i++)
		if (sv_eq_cstr(name, setting_defs[i].name))
			check_value(&setting_defs[i], value);
	return ++*n_settings > 1000 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct strview text = sv_make(data, size_bytes);
	struct err err = {""};
	int n_settings = 0;

	if (settings_file_parse(text, on_setting, &n_settings, &err) != 0)
		ASSERT(sv_starts_with(sv_from(err.text), "line "));
	for (int i = 0; i < setting_defs_count; i++)
		check_value(&setting_defs[i], text);
	return 0;
}
