/* Names of a session's states, as they stand in Postgres and in the api's answers. */
#include "services/gateway/session_state.h"

#include "common/base/attr.h"
#include "common/base/check.h"

static const char *const names[] = {
	[SESSION_STARTING] = "starting",
	[SESSION_PAIRING] = "pairing",
	[SESSION_CONNECTED] = "connected",
	[SESSION_RECONNECTING] = "reconnecting",
	[SESSION_LOGGED_OUT] = "logged_out",
	[SESSION_REPLACED] = "replaced",
	[SESSION_BANNED] = "banned",
	[SESSION_FAILED] = "failed",
};

const char *session_state_name(enum session_state state)
{
	ASSERT(state >= SESSION_STARTING && state <= SESSION_FAILED);
	return names[state];
}

int session_state_parse(struct strview text, enum session_state *ret_state)
{
	for (size_t i = 0; i < array_len(names); i++) {
		if (sv_eq_cstr(text, names[i])) {
			*ret_state = (enum session_state)i;
			return 0;
		}
	}
	return -1;
}
