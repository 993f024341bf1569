/* Kinds of events. The numbers stand in Postgres and in webhooks.event_mask (bit n): never
   renumber. */
#ifndef WA_MODEL_EVENT_TYPE_H
#define WA_MODEL_EVENT_TYPE_H

#include "common/base/strview.h"

enum event_type {
	EVENT_MESSAGE_RECEIVED = 1,
	EVENT_MESSAGE_REACTION = 2,
	EVENT_MESSAGE_EDITED = 3,
	EVENT_MESSAGE_DELETED = 4,
	EVENT_MESSAGE_SENT = 5,
	EVENT_MESSAGE_DELIVERED = 6,
	EVENT_MESSAGE_READ = 7,
	EVENT_MESSAGE_FAILED = 8,
	EVENT_SESSION_CONNECTED = 9,
	EVENT_SESSION_DISCONNECTED = 10,
	EVENT_TEST = 11, /* POST /webhooks/{id}/test; cannot be subscribed to */
};
#define EVENT_TYPE_LAST 11

const char *event_type_name(enum event_type type); /* "message_received", …, "test" */
/* The ten that can be subscribed to. 0 or -1. */
int event_type_parse(struct strview text, enum event_type *ret_type);

#endif
