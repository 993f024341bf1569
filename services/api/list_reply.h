/* Lists: reading what page is asked for, answering an array with its Link header. */
#ifndef WA_API_LIST_REPLY_H
#define WA_API_LIST_REPLY_H

#include "services/api/api_call.h"
#include "services/api/list_page.h"

/* limit and cursor. The list is bound to the route and the tenant. errors: mistakes found so far in
   other parameters; may be NULL. False: the call was answered. */
bool list_read(
	struct api_call *call, struct field_errors *errors, struct list_page *ret_page) MUST_CHECK;
/* The same for a list whose page is all that its answer needs: the page becomes the call's state,
   where list_answer() looks for it. NULL: the call was answered. */
const struct list_page *list_begin(struct api_call *call, struct field_errors *errors) MUST_CHECK;
/* A row of the result as JSON, the caller's, and its place in the list. */
typedef struct json *(*list_item_fn)(
	struct api_call *call, const struct pg_result *result, int row, struct strview *ret_position);
/* Answer with the page's rows; that the query gave one more says that there is a next page. */
void list_answer(struct api_call *call, const struct pg_result *result, list_item_fn item);
/* Of lists whose position is a number; 0: the first page. */
int64_t list_position_id(const struct list_page *page);
struct strview list_id(struct api_call *call, int64_t id); /* as a position */
/* Say in the Link header that more follows after `position`. */
void list_link(struct api_call *call, struct strview position);
void list_link_id(struct api_call *call, int64_t position);

#endif
