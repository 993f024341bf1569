/* POST /messages/send. */
#include "common/base/clock.h"
#include "services/api/api_reply.h"
#include "services/api/handlers.h"
#include "services/api/message_accept.h"
#include "services/api/message_request.h"

void handle_message_send(struct api_call *call)
{
	struct message_request *request = pool_new_in(call->pool, struct message_request);
	struct field_errors errors;

	field_errors_init(&errors, call->pool);
	bool has_key = !sv_is_null(call->idempotency.key);
	if (message_request_read(call->body, call->api->guard, clock_wall_ms(), has_key, call->pool,
		    &errors, request) != 0) {
		api_reply_invalid(call, &errors);
		return;
	}
	bool no_such_contact = request->phone[0] == '\0' &&
			       (request->contact_id == 0 || request->contact_id > INT32_MAX);
	if (no_such_contact) {
		api_reply_not_found(call, "Contact");
		return;
	}
	if (request->session_id > INT32_MAX) {
		api_reply_invalid_field(call, "session_id", "is no session of yours");
		return;
	}
	message_accept_push(call->api->accept, call, request);
}
