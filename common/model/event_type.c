/* Names of event types, as customers see them. */
#include "common/model/event_type.h"

#include "common/base/attr.h"
#include "common/base/check.h"

static const char *const names[] = {
	[EVENT_MESSAGE_RECEIVED] = "message_received",
	[EVENT_MESSAGE_REACTION] = "message_reaction",
	[EVENT_MESSAGE_EDITED] = "message_edited",
	[EVENT_MESSAGE_DELETED] = "message_deleted",
	[EVENT_MESSAGE_SENT] = "message_sent",
	[EVENT_MESSAGE_DELIVERED] = "message_delivered",
	[EVENT_MESSAGE_READ] = "message_read",
	[EVENT_MESSAGE_FAILED] = "message_failed",
	[EVENT_SESSION_CONNECTED] = "session_connected",
	[EVENT_SESSION_DISCONNECTED] = "session_disconnected",
	[EVENT_TEST] = "test",
};

const char *event_type_name(enum event_type type)
{
	ASSERT(type >= EVENT_MESSAGE_RECEIVED && type <= EVENT_TEST);
	return names[type];
}

int event_type_parse(struct strview text, enum event_type *ret_type)
{
	for (int type = EVENT_MESSAGE_RECEIVED; type < EVENT_TEST; type++) {
		if (sv_eq_cstr(text, names[type])) {
			*ret_type = (enum event_type)type;
			return 0;
		}
	}
	return -1;
}
