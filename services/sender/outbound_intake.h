/* Entries of outbound.{p}: messages that were accepted. */
#ifndef WA_SENDER_OUTBOUND_INTAKE_H
#define WA_SENDER_OUTBOUND_INTAKE_H

#include "common/base/err.h"
#include "common/base/pool.h"
#include "services/sender/send_queue.h"

/* Take one entry of a partition into the queue; known ones and those for which there is no room
   change nothing. -1 with err when it is none, or one that belongs to another partition. */
int outbound_intake_take(struct send_queue *queue, int partition, struct strview payload,
	struct pool *scratch, int64_t now_ms, struct err *err);

#endif
