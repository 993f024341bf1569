/*
 * Attempts that did not end with an acknowledgement, on their way to Postgres: back to the queue,
 * unknown, failed, set aside. One statement in flight, repeated until its end is known. What no
 * longer fits the row (a receipt was faster) moves nothing, and the sender is asked to read the
 * conversation again.
 */
#ifndef WA_GATEWAY_MOVES_H
#define WA_GATEWAY_MOVES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/strview.h"
#include "services/gateway/attempt_move.h"

struct gateway;
struct moves;

struct moves_subject {
	struct strview message_id;
	struct strview wa_message_id; /* SV_NULL when it was not claimed here */
	int32_t session_id;
	int64_t session_epoch;
	struct strview phone; /* for the answer when nothing moves; SV_NULL: nobody waits for one */
	int partition;
	int64_t queue_seq;
	int attempts;
	bool was_unknown; /* as in gateway_store_progress.h */
};

struct moves *moves_new(struct gateway *gateway);
void moves_free(struct moves **moves);
void moves_push(
	struct moves *moves, const struct moves_subject *subject, const struct attempt_move *move);
int moves_waiting(const struct moves *moves); /* not committed */
bool moves_has_session(const struct moves *moves, int32_t session_id);
void moves_drop_session(struct moves *moves, int32_t session_id);

#endif
