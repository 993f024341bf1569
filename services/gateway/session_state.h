/* A WhatsApp session's states as customers see them (sessions.state). Drawn in
 * docs/state/session.dot. */
#ifndef WA_GATEWAY_SESSION_STATE_H
#define WA_GATEWAY_SESSION_STATE_H

#include "common/base/strview.h"

enum session_state {
	SESSION_STARTING,     /* its engine is getting ready */
	SESSION_PAIRING,      /* waits for a phone to scan its code */
	SESSION_CONNECTED,    /* can send and receive */
	SESSION_RECONNECTING, /* lost its connection, comes back by itself */
	SESSION_LOGGED_OUT,   /* the phone removed it: must be paired again */
	SESSION_REPLACED,     /* another process took the same login */
	SESSION_BANNED,
	SESSION_FAILED, /* cannot work, the reason says why */
};

const char *session_state_name(enum session_state state);                    /* "starting", … */
int session_state_parse(struct strview text, enum session_state *ret_state); /* 0 or -1 */

#endif
