/* "<xid>:<sequence>". */
#include "services/api/event_cursor.h"

#include <inttypes.h>
#include <stdio.h>

void event_cursor_format(const struct event_cursor *cursor, char ret_text[EVENT_CURSOR_SIZE])
{
	(void)snprintf(
		ret_text, EVENT_CURSOR_SIZE, "%" PRId64 ":%" PRId64, cursor->xid, cursor->sequence);
}

int event_cursor_parse(struct strview text, struct event_cursor *ret_cursor)
{
	struct event_cursor cursor;
	struct strview xid;

	if (!sv_split(&text, ':', &xid) || sv_to_i64(xid, &cursor.xid) != 0 ||
		sv_to_i64(text, &cursor.sequence) != 0)
		return -1;
	*ret_cursor = cursor;
	return 0;
}
