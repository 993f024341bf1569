/* limit, cursor, filters, Link. */
#include "services/api/list_page.h"

#include "common/base/strbuf.h"
#include "common/io/http_server.h"

#define QUERY_MAX_TEXT 512

/* An empty one is as good as none here: cursors and limits are often sent so by those who build
 * their query strings. */
static bool query_read(struct strview query, const char *name, struct pool *pool,
	struct field_errors *errors, struct strview *ret_text)
{
	struct strview text;

	if (http_query_get(query, name, pool, &text) != 0 || !sv_is_utf8(text)) {
		field_errors_add(errors, name, "is not properly encoded");
		return false;
	}
	if (text.len > QUERY_MAX_TEXT) {
		field_errors_add(errors, name, "must be at most %d bytes", QUERY_MAX_TEXT);
		return false;
	}
	*ret_text = text;
	return true;
}

bool query_text(struct strview query, const char *name, struct pool *pool,
	struct field_errors *errors, struct strview *ret_text)
{
	struct strview text;

	if (!query_read(query, name, pool, errors, &text))
		return false;
	/* Filtering nothing would show everybody to who meant one. */
	if (!sv_is_null(text) && text.len == 0) {
		field_errors_add(errors, name, "must not be empty");
		return false;
	}
	*ret_text = text;
	return true;
}

static bool is_digits(struct strview text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	}
	return text.len > 0;
}

bool query_id(struct strview query, const char *name, struct pool *pool,
	struct field_errors *errors, int64_t *ret_id)
{
	struct strview text;
	int64_t id = 0;

	if (!query_text(query, name, pool, errors, &text))
		return false;
	if (!sv_is_null(text)) {
		if (!is_digits(text)) {
			field_errors_add(errors, name, "must be an integer");
			return false;
		}
		if (sv_to_i64(text, &id) != 0 || id == 0)
			id = INT64_MAX;
	}
	*ret_id = id;
	return true;
}

bool path_id(struct strview segment, int32_t *ret_id)
{
	int64_t id;

	if (!is_digits(segment) || sv_to_i64(segment, &id) != 0 || id > INT32_MAX)
		return false;
	*ret_id = (int32_t)id;
	return true;
}

static int read_limit(struct strview query, struct pool *pool, struct field_errors *errors)
{
	struct strview text;
	int64_t limit = LIST_DEFAULT_LIMIT;

	if (!query_read(query, "limit", pool, errors, &text) || text.len == 0)
		return (int)limit;
	if (sv_to_i64(text, &limit) != 0 || limit < 1 || limit > LIST_MAX_LIMIT) {
		field_errors_add(
			errors, "limit", "must be an integer from 1 to %d", LIST_MAX_LIMIT);
		return LIST_DEFAULT_LIMIT;
	}
	return (int)limit;
}

int list_page_read(struct strview query, const struct cursor_key *key, struct strview list,
	struct pool *pool, struct field_errors *errors, struct list_page *ret_page)
{
	struct list_page page = {.after = SV_NULL};
	struct strview cursor = SV_NULL;
	int before = errors->n;

	page.limit = read_limit(query, pool, errors);
	bool readable = query_read(query, "cursor", pool, errors, &cursor);
	if (!readable ||
		(cursor.len > 0 && cursor_parse(key, list, cursor, pool, &page.after) != 0)) {
		page.bad_cursor = true;
		if (readable)
			field_errors_add(errors, "cursor", "is not a cursor of this list");
	}
	*ret_page = page;
	return errors->n > before ? -1 : 0;
}

struct strview list_page_link(struct strview path, struct strview query,
	const struct cursor_key *key, struct strview list, struct strview position,
	struct pool *pool)
{
	struct strbuf link = STRBUF_INIT;
	struct strview pair;

	strbuf_append_char(&link, '<');
	strbuf_append_sv(&link, path);
	strbuf_append_char(&link, '?');
	while (sv_split(&query, '&', &pair)) {
		if (pair.len == 0 || sv_starts_with(pair, "cursor="))
			continue;
		/* '>' would end the link early; a query string may hold it raw. */
		for (size_t i = 0; i < pair.len; i++) {
			if (pair.ptr[i] == '>' || pair.ptr[i] == '<')
				strbuf_printf(&link, "%%%02X", (unsigned)pair.ptr[i]);
			else
				strbuf_append_char(&link, pair.ptr[i]);
		}
		strbuf_append_char(&link, '&');
	}
	strbuf_append_cstr(&link, "cursor=");
	strbuf_append_sv(&link, cursor_format(key, list, position, pool));
	strbuf_append_cstr(&link, ">; rel=\"next\"");
	struct strview result = pool_sv(pool, strbuf_view(&link));
	strbuf_deinit(&link);
	return result;
}
