/* What the clock brings, on Postgres's clock: scheduled messages join the queue (send_at), messages
   that were not sent in time expire (valid_until). Each second, when the next one is due, and again
   at once after a full batch. */
#ifndef WA_SENDER_SCHEDULE_H
#define WA_SENDER_SCHEDULE_H

#include "common/io/stream_writer.h"
#include "services/sender/partitions.h"
#include "services/sender/sender_metrics.h"

struct schedule_watch;

struct schedule_parts { /* all borrowed */
	struct loop *loop;
	struct sender_store *store;
	struct send_queue *queue;
	struct partitions *partitions;
	struct stream_writer *writer;
	struct sender_metrics *metrics;
};

/* on_change: the queue may have candidates. */
struct schedule_watch *schedule_watch_new(
	const struct schedule_parts *parts, loop_fn on_change, void *ctx);
void schedule_watch_free(struct schedule_watch **watch);
void schedule_watch_stop(struct schedule_watch *watch); /* begin nothing more */
bool schedule_watch_is_busy(const struct schedule_watch *watch);

#endif
