/* One setting, from text and back. */
#include "common/daemon/setting_value.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"

#define SHOWN_BYTES      60 /* of a bad value, in an error */
#define GUESS_MAX_EDITS  4
#define GUESS_NAME_BYTES 64

const struct setting_def setting_defs[] = {
#define SETTING(id, name, kind, services, dflt, min, max, help)                                    \
	{name, SETTING_KIND_##kind, services, dflt, min, max, help},
#include "common/daemon/settings_catalog.h"
#undef SETTING
};
const int setting_defs_count = (int)array_len(setting_defs);

struct strview setting_def_default(const struct setting_def *def)
{
	struct strview dflt = sv_from(def->dflt);
	struct strview first;

	if (def->kind == SETTING_KIND_ENUM && sv_split(&dflt, '|', &first))
		return first;
	return dflt;
}

bool setting_def_is_required(const struct setting_def *def)
{
	return (def->kind == SETTING_KIND_TEXT || def->kind == SETTING_KIND_SECRET) &&
	       def->min > 0 && def->dflt[0] == '\0';
}

/* --- what is wanted --- */

static void format_duration(int64_t ms, struct strbuf *out)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};

	for (size_t i = 0; i < array_len(units); i++) {
		if (ms % units[i].ms == 0 && (ms > 0 || units[i].ms == 1000)) {
			strbuf_printf(out, "%" PRId64 "%s", ms / units[i].ms, units[i].unit);
			return;
		}
	}
}

static void format_enum_range(const struct setting_def *def, struct strbuf *out)
{
	struct strview rest = sv_from(def->dflt);
	struct strview word;
	const char *between = "";

	while (sv_split(&rest, '|', &word)) {
		strbuf_append_cstr(out, between);
		strbuf_append_sv(out, word);
		between = " or ";
	}
}

void setting_def_format_range(const struct setting_def *def, struct strbuf *out)
{
	switch (def->kind) {
	case SETTING_KIND_TEXT:
	case SETTING_KIND_SECRET:
		strbuf_printf(out, "%" PRId64 " to %" PRId64 " bytes", def->min, def->max);
		break;
	case SETTING_KIND_INT:
		strbuf_printf(
			out, "a whole number between %" PRId64 " and %" PRId64, def->min, def->max);
		break;
	case SETTING_KIND_BOOL:
		strbuf_append_cstr(out, "true or false");
		break;
	case SETTING_KIND_DURATION:
		strbuf_append_cstr(out, "a duration between ");
		format_duration(def->min, out);
		strbuf_append_cstr(out, " and ");
		format_duration(def->max, out);
		break;
	case SETTING_KIND_SCHEDULE:
		strbuf_printf(out, "up to %d durations with commas between, such as 5s,1m,2h",
			SCHEDULE_MAX_DELAYS);
		break;
	case SETTING_KIND_ENUM:
		format_enum_range(def, out);
		break;
	default:
		WRONG("a kind of setting");
	}
}

/* --- parsing --- */

static int unfit(const struct setting_def *def, struct strview text, struct err *err)
{
	struct strbuf range = STRBUF_INIT;
	struct strview shown = text;

	if (shown.len > SHOWN_BYTES)
		shown.len = SHOWN_BYTES;
	setting_def_format_range(def, &range);
	if (def->kind == SETTING_KIND_SECRET)
		err_set(err, "%s has %zu bytes, but must have %s", def->name, text.len,
			strbuf_cstr(&range));
	else if (text.len == 0)
		err_set(err, "%s is empty, but must be %s", def->name, strbuf_cstr(&range));
	else
		err_set(err, "%s is \"%.*s\"%s, but must be %s", def->name, SV_ARG(shown),
			text.len > shown.len ? "..." : "", strbuf_cstr(&range));
	strbuf_deinit(&range);
	return -1;
}

static bool has_control_byte(struct strview text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
			return true;
	return false;
}

static int parse_bool(struct strview text, int64_t *ret_number)
{
	static const struct {
		const char *word;
		int64_t number;
	} words[] = {{"true", 1}, {"false", 0}, {"yes", 1}, {"no", 0}, {"on", 1}, {"off", 0},
		{"1", 1}, {"0", 0}};

	for (size_t i = 0; i < array_len(words); i++) {
		if (sv_eq_cstr(text, words[i].word)) {
			*ret_number = words[i].number;
			return 0;
		}
	}
	return -1;
}

static bool is_enum_word(const struct setting_def *def, struct strview text)
{
	struct strview rest = sv_from(def->dflt);
	struct strview word;

	while (sv_split(&rest, '|', &word))
		if (sv_eq(word, text))
			return true;
	return false;
}

static bool is_within(const struct setting_def *def, int64_t number)
{
	return number >= def->min && number <= def->max;
}

/* Numbers and schedules; true when the text fits. */
static bool parse_kind(
	const struct setting_def *def, struct strview text, struct setting_value *value)
{
	switch (def->kind) {
	case SETTING_KIND_TEXT:
	case SETTING_KIND_SECRET:
		return is_within(def, (int64_t)text.len);
	case SETTING_KIND_INT:
		return sv_to_i64(text, &value->number) == 0 && is_within(def, value->number);
	case SETTING_KIND_BOOL:
		return parse_bool(text, &value->number) == 0;
	case SETTING_KIND_DURATION:
		return duration_parse(text, &value->number, NULL) == 0 &&
		       is_within(def, value->number);
	case SETTING_KIND_SCHEDULE:
		return schedule_parse(text, &value->schedule, NULL) == 0;
	case SETTING_KIND_ENUM:
		return is_enum_word(def, text);
	default:
		WRONG("a kind of setting");
	}
}

int setting_value_parse(const struct setting_def *def, struct strview text,
	struct setting_value *ret_value, struct err *err)
{
	struct setting_value value = {.text = NULL};

	text = sv_trim(text);
	if (has_control_byte(text) || !sv_is_utf8(text))
		return err_set(err, "%s has a control byte in it, or is not UTF-8", def->name);
	if (text.len == 0 && setting_def_is_required(def))
		return err_set(err, "%s is required", def->name);
	if (!parse_kind(def, text, &value))
		return unfit(def, text, err);
	value.text = mem_strndup(text.len > 0 ? text.ptr : "", text.len);
	*ret_value = value;
	return 0;
}

void setting_value_deinit(struct setting_value *value)
{
	if (value->text != NULL)
		mem_wipe(value->text, strlen(value->text));
	mem_free(value->text);
	value->text = NULL;
}

void setting_value_format(
	const struct setting_def *def, const struct setting_value *value, struct strbuf *out)
{
	switch (def->kind) {
	case SETTING_KIND_SECRET:
		strbuf_append_cstr(out, value->text[0] != '\0' ? "***" : "");
		break;
	case SETTING_KIND_INT:
		strbuf_printf(out, "%" PRId64, value->number);
		break;
	case SETTING_KIND_BOOL:
		strbuf_append_cstr(out, value->number != 0 ? "true" : "false");
		break;
	case SETTING_KIND_DURATION:
		format_duration(value->number, out);
		break;
	case SETTING_KIND_TEXT:
	case SETTING_KIND_SCHEDULE:
	case SETTING_KIND_ENUM:
	default:
		strbuf_append_cstr(out, value->text);
		break;
	}
}

/* --- mistyped names --- */

/* How many single letters must be put in, taken out or changed (Levenshtein). */
static int edits_between(struct strview a, struct strview b)
{
	int row[GUESS_NAME_BYTES + 1];

	if (a.len > GUESS_NAME_BYTES || b.len > GUESS_NAME_BYTES)
		return GUESS_NAME_BYTES;
	for (size_t j = 0; j <= b.len; j++)
		row[j] = (int)j;
	for (size_t i = 1; i <= a.len; i++) {
		int diagonal = row[0];
		row[0] = (int)i;
		for (size_t j = 1; j <= b.len; j++) {
			int above = row[j];
			int best = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[b.len];
}

const struct setting_def *setting_def_guess(struct strview name)
{
	const struct setting_def *best = NULL;
	int best_edits = GUESS_MAX_EDITS + 1;

	for (int i = 0; i < setting_defs_count; i++) {
		int edits = edits_between(name, sv_from(setting_defs[i].name));
		if (edits < best_edits) {
			best_edits = edits;
			best = &setting_defs[i];
		}
	}
	return best;
}
