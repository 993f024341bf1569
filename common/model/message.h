/* A message's types and states, and the moves between states that are legal. The numbers stand in
   Postgres: never renumber. */
#ifndef WA_MODEL_MESSAGE_H
#define WA_MODEL_MESSAGE_H

#include <stdbool.h>

#include "common/base/strview.h"

enum message_direction { MESSAGE_OUTGOING = 0, MESSAGE_INCOMING = 1 };

enum message_type {
	MESSAGE_TEXT = 1,
	MESSAGE_IMAGE = 2,
	MESSAGE_DOCUMENT = 3,
	MESSAGE_AUDIO = 4,
	MESSAGE_VIDEO = 5,
	MESSAGE_LOCATION = 6, /* incoming only, as the last two */
	MESSAGE_CONTACTS = 7,
	MESSAGE_OTHER = 8,
};

/* Drawn in docs/state/message.dot. */
enum message_status {
	MESSAGE_SCHEDULED = 1, /* waits for send_at */
	MESSAGE_QUEUED = 2,  /* waits for its turn, a limit, or the next attempt after a failure */
	MESSAGE_SENDING = 3, /* claimed; or its last attempt's outcome is unknown */
	MESSAGE_SENT = 4,    /* WhatsApp has acknowledged it */
	MESSAGE_DELIVERED = 5,
	MESSAGE_READ = 6,
	MESSAGE_FAILED = 7,
	MESSAGE_CANCELLED = 8,
	MESSAGE_EXPIRED = 9,
	MESSAGE_RECEIVED = 10, /* incoming */
};

const char *message_type_name(enum message_type type); /* "text", … */
/* The five that can be sent. 0 or -1. */
int message_type_parse(struct strview text, enum message_type *ret_type);
bool message_type_is_media(enum message_type type);
const char *message_status_name(enum message_status status); /* "scheduled", … */
int message_status_parse(struct strview text, enum message_status *ret_status);
const char *message_direction_name(enum message_direction direction); /* "outgoing", "incoming" */
/* Neither sent nor final: it holds up its conversation. */
bool message_status_is_open(enum message_status status);
bool message_may_move(enum message_status from, enum message_status to, bool outcome_unknown);

/* Stable error codes (messages.error_code, message_failed events). */
#define ERROR_NOT_ON_WHATSAPP "not_on_whatsapp"
#define ERROR_OUTCOME_UNKNOWN "outcome_unknown"
#define ERROR_ATTEMPTS_SPENT  "attempts_spent"
#define ERROR_EXPIRED         "expired"
#define ERROR_MEDIA_FAILED    "media_failed"
#define ERROR_SET_ASIDE       "set_aside"
#define ERROR_REJECTED        "rejected"
#define ERROR_ERASED          "erased"
/* While it is queued: WhatsApp takes nothing for this contact from this number for now (463). */
#define ERROR_REACH_OUT_LIMITED "reach_out_limited"

#endif
