/* The event log. */
#ifndef WA_API_STORE_EVENTS_H
#define WA_API_STORE_EVENTS_H

#include "common/model/event_render.h"
#include "services/api/api_store.h"
#include "services/api/event_cursor.h"

/*
 * A tenant's events after that place, in the order of their transactions' numbers: only of those
 * that are older than every one still running, so that no event appears later before a place that
 * was passed.
 */
void store_event_list(struct api_store *store, int32_t tenant_id, const struct event_cursor *after,
	int limit, pg_done_fn fn, void *ctx);
/* Views into the result. */
struct event_row store_event_at(
	const struct pg_result *result, int row, struct event_cursor *ret_place);

#endif
