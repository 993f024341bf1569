/* Reasons for waiting. */
#include "services/api/held.h"

#include <stdio.h>
#include <string.h>

static bool held_set(struct held *held, const char *reason, int64_t until)
{
	(void)snprintf(held->reason, sizeof(held->reason), "%s", reason);
	held->until = until;
	return true;
}

/* WhatsApp may have said why it wants to hear nothing of it yet. */
static const char *held_code(const struct store_message *message)
{
	return sv_eq_cstr(message->error_code, ERROR_REACH_OUT_LIMITED) ? ERROR_REACH_OUT_LIMITED
									: "retry";
}

bool held_of_message(const struct store_message *message, int64_t now, struct held *ret_held)
{
	if (!message->is_open)
		return false;
	if (message->status == MESSAGE_SCHEDULED)
		return held_set(ret_held, "scheduled", message->send_at);
	if (message->behind_another)
		return held_set(ret_held, "earlier_message", -1);
	if (message->next_attempt_at != PG_TIME_NULL && message->next_attempt_at > now)
		return held_set(ret_held, held_code(message), message->next_attempt_at);
	return false;
}

bool held_parse(struct strview text, struct held *ret_held)
{
	struct strview reason;
	int64_t until;

	if (!sv_split(&text, ' ', &reason) || sv_to_i64(text, &until) != 0)
		return false;
	if (reason.len == 0 || reason.len >= HELD_REASON_SIZE)
		return false;
	for (size_t i = 0; i < reason.len; i++) {
		if ((reason.ptr[i] < 'a' || reason.ptr[i] > 'z') && reason.ptr[i] != '_')
			return false;
	}
	memcpy(ret_held->reason, reason.ptr, reason.len);
	ret_held->reason[reason.len] = '\0';
	ret_held->until = until;
	return true;
}

struct json *held_view(const struct held *held)
{
	struct json *view = json_new_object();
	json_set_cstr(view, "reason", held->reason);
	json_set_time(view, "until", held->until);
	return view;
}
