/* What an engine reports about its session, taken in and passed on. */
#ifndef WA_GATEWAY_SESSION_REPORT_H
#define WA_GATEWAY_SESSION_REPORT_H

#include "services/gateway/engine.h"

struct session;

extern const struct engine_events session_report_events; /* ctx is the session */

void session_report_state(struct session *session, enum session_state state, const char *reason,
	const char *phone_number);
void session_report_lost(
	struct session *session); /* the engine was closed: what was in flight has an unknown end */
void session_report_on_timer(void *ctx); /* write the state again */

#endif
