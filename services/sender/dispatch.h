/* One turn of the sender: what is due goes to its session's gateway, unless a limit says no. */
#ifndef WA_SENDER_DISPATCH_H
#define WA_SENDER_DISPATCH_H

#include "common/io/stream_writer.h"
#include "services/sender/conversation_reread.h"
#include "services/sender/limits_cache.h"
#include "services/sender/pacing.h"
#include "services/sender/partitions.h"
#include "services/sender/sender_metrics.h"

struct dispatch;

struct dispatch_parts { /* all borrowed */
	struct loop *loop;
	struct redis_conn *redis;
	struct stream_writer *writer;
	struct send_queue *queue;
	struct partitions *partitions;
	struct limits_cache *limits;
	struct conversation_reread *reread;
	struct sender_metrics *metrics;
};

struct dispatch *dispatch_new(struct loop *loop);
void dispatch_set_parts(struct dispatch *dispatch, const struct dispatch_parts *parts);
void dispatch_free(struct dispatch **dispatch); /* before the queue: it unpins */
/* The queue may have candidates: look at the end of this turn of the loop. */
void dispatch_request(struct dispatch *dispatch);
void dispatch_stop(struct dispatch *dispatch); /* dispatch nothing more */
/* For the queue: a message waits; note it for the api's callers. */
void dispatch_on_held(void *dispatch, struct conversation *conversation, enum held_reason reason,
	int64_t until_ms);

#endif
