/* Message types, states and moves. The moves are drawn in docs/state/message.dot. */
#include "common/model/message.h"

#include "common/base/check.h"

static const char *const type_names[] = {
	[MESSAGE_TEXT] = "text",
	[MESSAGE_IMAGE] = "image",
	[MESSAGE_DOCUMENT] = "document",
	[MESSAGE_AUDIO] = "audio",
	[MESSAGE_VIDEO] = "video",
	[MESSAGE_LOCATION] = "location",
	[MESSAGE_CONTACTS] = "contacts",
	[MESSAGE_OTHER] = "other",
};

static const char *const status_names[] = {
	[MESSAGE_SCHEDULED] = "scheduled",
	[MESSAGE_QUEUED] = "queued",
	[MESSAGE_SENDING] = "sending",
	[MESSAGE_SENT] = "sent",
	[MESSAGE_DELIVERED] = "delivered",
	[MESSAGE_READ] = "read",
	[MESSAGE_FAILED] = "failed",
	[MESSAGE_CANCELLED] = "cancelled",
	[MESSAGE_EXPIRED] = "expired",
	[MESSAGE_RECEIVED] = "received",
};

const char *message_type_name(enum message_type type)
{
	ASSERT(type >= MESSAGE_TEXT && type <= MESSAGE_OTHER);
	return type_names[type];
}

int message_type_parse(struct strview text, enum message_type *ret_type)
{
	for (int type = MESSAGE_TEXT; type <= MESSAGE_VIDEO; type++) {
		if (sv_eq_cstr(text, type_names[type])) {
			*ret_type = (enum message_type)type;
			return 0;
		}
	}
	return -1;
}

bool message_type_is_media(enum message_type type)
{
	return type >= MESSAGE_IMAGE && type <= MESSAGE_VIDEO;
}

const char *message_status_name(enum message_status status)
{
	ASSERT(status >= MESSAGE_SCHEDULED && status <= MESSAGE_RECEIVED);
	return status_names[status];
}

int message_status_parse(struct strview text, enum message_status *ret_status)
{
	for (int status = MESSAGE_SCHEDULED; status <= MESSAGE_RECEIVED; status++) {
		if (sv_eq_cstr(text, status_names[status])) {
			*ret_status = (enum message_status)status;
			return 0;
		}
	}
	return -1;
}

const char *message_direction_name(enum message_direction direction)
{
	return direction == MESSAGE_INCOMING ? "incoming" : "outgoing";
}

bool message_status_is_open(enum message_status status)
{
	return status >= MESSAGE_SCHEDULED && status <= MESSAGE_SENDING;
}

#define TO(status) (1u << MESSAGE_##status)

/* Where each state leads; outcome_unknown narrows or widens it in message_may_move(). */
static const unsigned moves[] = {
	[MESSAGE_SCHEDULED] = TO(QUEUED) | TO(FAILED) | TO(CANCELLED) | TO(EXPIRED),
	[MESSAGE_QUEUED] = TO(SENDING) | TO(FAILED) | TO(CANCELLED) | TO(EXPIRED),
	[MESSAGE_SENDING] = TO(QUEUED) | TO(SENT) | TO(DELIVERED) | TO(READ) | TO(FAILED),
	[MESSAGE_SENT] = TO(DELIVERED) | TO(READ),
	[MESSAGE_DELIVERED] = TO(READ),
	[MESSAGE_READ] = 0,
	[MESSAGE_FAILED] = 0,
	[MESSAGE_CANCELLED] = 0,
	[MESSAGE_EXPIRED] = 0,
	[MESSAGE_RECEIVED] = 0,
};

bool message_may_move(enum message_status from, enum message_status to, bool outcome_unknown)
{
	ASSERT(from >= MESSAGE_SCHEDULED && from <= MESSAGE_RECEIVED);
	ASSERT(to >= MESSAGE_SCHEDULED && to <= MESSAGE_RECEIVED);
	unsigned reachable = moves[from];
	if (from == MESSAGE_SENDING && outcome_unknown) {
		/* Only the same id may be sent again; it never counts as certainly unsent any more.
		 */
		reachable = (reachable & ~TO(QUEUED)) | TO(SENDING);
	}
	if (from == MESSAGE_FAILED && outcome_unknown) {
		reachable = TO(DELIVERED) | TO(READ); /* a late receipt proves it */
	}
	return (reachable & (1u << to)) != 0;
}
