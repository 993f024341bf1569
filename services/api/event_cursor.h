/* A place in the event log: after this transaction's event of this number. As text, for cursors.
 * Pure. */
#ifndef WA_API_EVENT_CURSOR_H
#define WA_API_EVENT_CURSOR_H

#include <stdint.h>

#include "common/base/strview.h"

#define EVENT_CURSOR_SIZE 48

struct event_cursor {
	int64_t xid;
	int64_t sequence;
};

void event_cursor_format(const struct event_cursor *cursor, char ret_text[EVENT_CURSOR_SIZE]);
/* 0 or -1. */
int event_cursor_parse(struct strview text, struct event_cursor *ret_cursor);

#endif
