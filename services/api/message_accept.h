/*
 * POST /messages/send, from a good request to its answer. All that wait while a statement is in
 * flight go into the next one; 202 is said only after its commit. Bounded: what would wait behind
 * too many others is refused with 503.
 */
#ifndef WA_API_MESSAGE_ACCEPT_H
#define WA_API_MESSAGE_ACCEPT_H

#include "services/api/api_call.h"
#include "services/api/message_request.h"

struct message_accept;

struct message_accept *message_accept_new(
	struct api *api, const char *database_url, int64_t query_timeout_ms);
void message_accept_free(struct message_accept **accept);
/* Accept it, or say why not; the call ends later. request lies in the call's pool. */
void message_accept_push(struct message_accept *accept, struct api_call *call,
	const struct message_request *request);

#endif
