/* Notes for callers of the api: held.<message id> says why a conversation's first message waits,
   and until about when. Only ever a hint: written without looking at the answer, gone by itself. */
#ifndef WA_SENDER_HELD_NOTES_H
#define WA_SENDER_HELD_NOTES_H

#include "common/io/redis_conn.h"
#include "services/sender/lane.h"

void held_note_set(
	struct redis_conn *redis, const char *message_id, enum held_reason reason, int64_t wait_ms);
void held_note_clear(struct redis_conn *redis, const char *message_id);

#endif
