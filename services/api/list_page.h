/* The page of a list that a query string asks for, and the Link to the next. Pure. */
#ifndef WA_API_LIST_PAGE_H
#define WA_API_LIST_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/pool.h"
#include "common/base/strview.h"
#include "services/api/cursor.h"
#include "services/api/field_errors.h"

#define LIST_DEFAULT_LIMIT 50
#define LIST_MAX_LIMIT     100

struct list_page {
	int limit;
	struct strview
		after; /* position of the last item that the caller has; SV_NULL: the first page */
	bool bad_cursor; /* the only mistake that is 400, not 422 */
};

/* list: what the cursor is bound to. 0, or -1 with the mistakes in errors. */
int list_page_read(struct strview query, const struct cursor_key *key, struct strview list,
	struct pool *pool, struct field_errors *errors, struct list_page *ret_page);
/* The value of a Link header: the same request with a cursor after `position`. */
struct strview list_page_link(struct strview path, struct strview query,
	const struct cursor_key *key, struct strview list, struct strview position,
	struct pool *pool);

/*
 * A query parameter as text: decoded, UTF-8, 1 to 512 bytes; SV_NULL when absent. False with a
 * mistake noted. All of these work alike.
 */
bool query_text(struct strview query, const char *name, struct pool *pool,
	struct field_errors *errors, struct strview *ret_text);
/* ret_id: 0 when absent; INT64_MAX for what no id can be. */
bool query_id(struct strview query, const char *name, struct pool *pool,
	struct field_errors *errors, int64_t *ret_id);
/* A path segment as an id below 2^31: false for anything else, which is then "not found". */
bool path_id(struct strview segment, int32_t *ret_id);

#endif
