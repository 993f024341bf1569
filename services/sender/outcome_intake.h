/* Entries of outcome.{p}: how attempts ended. */
#ifndef WA_SENDER_OUTCOME_INTAKE_H
#define WA_SENDER_OUTCOME_INTAKE_H

#include "common/base/err.h"
#include "common/base/pool.h"
#include "services/sender/send_queue.h"

/* Tell the queue; what it does not know of changes nothing. -1 with err when it is no outcome, or
   of another partition. */
int outcome_intake_take(struct send_queue *queue, int partition, struct strview payload,
	struct pool *scratch, int64_t now_ms, enum outcome_kind *ret_kind, struct err *err);
const char *outcome_kind_name(enum outcome_kind kind);

#endif
