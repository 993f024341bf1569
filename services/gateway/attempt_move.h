/* How the end of an attempt moves its message: back to the queue, to waiting for a late receipt, or
 * to failed. Pure. */
#ifndef WA_GATEWAY_ATTEMPT_MOVE_H
#define WA_GATEWAY_ATTEMPT_MOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/schedule.h"
#include "common/model/message.h"
#include "common/model/stream_codec.h"
#include "common/model/verdict.h"

#define ATTEMPT_CODE_SIZE  48
#define ATTEMPT_ERROR_SIZE 256

struct attempt_move {
	enum outcome_kind kind;         /* RETRY, UNKNOWN or FINAL: what the sender is told */
	enum message_status status;     /* QUEUED, SENDING (its outcome is unknown) or FAILED */
	int64_t delay_ms;               /* until the next attempt; 0 with FINAL */
	char code[ATTEMPT_CODE_SIZE];   /* of FAILED, or why it is held; else "" */
	char error[ATTEMPT_ERROR_SIZE]; /* the same, for people */
};

struct attempt_end {
	enum verdict verdict; /* not OK */
	const char *code;     /* stable; NULL or "" = "rejected" */
	const char *text;     /* may be NULL */
	int64_t held_ms; /* above 0: WhatsApp wants to hear nothing of it before; it says why */
};

/*
 * attempts: made so far, this one included. ever_unknown: the end of an earlier one was never
 * known, so that no failure is certain any more: the message keeps waiting as unknown, and ends as
 * `outcome_unknown`.
 */
void attempt_move_decide(struct attempt_end end, int attempts, bool ever_unknown,
	const struct schedule *schedule, struct attempt_move *ret_move);
/* Nothing more will be tried for a message whose outcome is unknown; why is said in its error. */
void attempt_move_close_unknown(const char *why, struct attempt_move *ret_move);
/* Its gateways died of it, as it seems. */
void attempt_move_set_aside(int deaths_alone, struct attempt_move *ret_move);
/* Attempts that a schedule allows. */
int attempt_budget(const struct schedule *schedule);

#endif
