/* Problem documents as JSON. */
#include "services/api/problem.h"

#include "common/base/check.h"
#include "common/base/json.h"

struct problem_kind {
	const char *code;
	int status;
	const char *title;
};

#define PROBLEM_ROW(name, code, status, title) [PROBLEM_##name] = {code, status, title},
static const struct problem_kind kinds[PROBLEM_COUNT] = {PROBLEM_KINDS(PROBLEM_ROW)};

static const struct problem_kind *kind_get(enum problem problem)
{
	ASSERT((int)problem >= 0 && problem < PROBLEM_COUNT);
	return &kinds[problem];
}

const char *problem_code(enum problem problem)
{
	return kind_get(problem)->code;
}

int problem_status(enum problem problem)
{
	return kind_get(problem)->status;
}

const char *problem_title(enum problem problem)
{
	return kind_get(problem)->title;
}

enum problem problem_of_status(int status)
{
	for (int i = 0; i < PROBLEM_COUNT; i++) {
		if (kinds[i].status == status)
			return (enum problem)i;
	}
	return status < 500 ? PROBLEM_MALFORMED : PROBLEM_INTERNAL;
}

static void member(struct strbuf *out, const char *name, struct strview text)
{
	strbuf_append_cstr(out, ",\"");
	strbuf_append_cstr(out, name);
	strbuf_append_cstr(out, "\":");
	json_escape(text, out);
}

static void errors_format(const struct field_errors *errors, struct strbuf *out)
{
	strbuf_append_cstr(out, ",\"errors\":[");
	for (int i = 0; i < errors->n; i++) {
		strbuf_append_cstr(out, i > 0 ? ",{\"field\":" : "{\"field\":");
		json_escape(sv_from(errors->items[i].field), out);
		member(out, "message", sv_from(errors->items[i].message));
		strbuf_append_char(out, '}');
	}
	strbuf_append_char(out, ']');
}

void problem_format(enum problem problem, const struct problem_text *text, struct strbuf *out)
{
	const struct problem_kind *kind = kind_get(problem);

	strbuf_printf(out, "{\"type\":\"/docs/errors#%s\"", kind->code);
	member(out, "title", sv_from(kind->title));
	strbuf_printf(out, ",\"status\":%d", kind->status);
	member(out, "detail", sv_from(text->detail));
	if (!sv_is_null(text->instance) && sv_is_utf8(text->instance))
		member(out, "instance", text->instance);
	member(out, "request_id", text->request_id);
	if (text->errors != NULL && text->errors->n > 0)
		errors_format(text->errors, out);
	strbuf_append_char(out, '}');
}
