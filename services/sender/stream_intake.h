/* Reads outbound.{p} and outcome.{p} of the partitions that are ours, and gives what it understood
   to the queue. */
#ifndef WA_SENDER_STREAM_INTAKE_H
#define WA_SENDER_STREAM_INTAKE_H

#include "common/io/stream_reader.h"
#include "services/sender/partitions.h"
#include "services/sender/sender_metrics.h"
#include "services/sender/suspects.h"

struct stream_intake;

struct stream_intake_parts { /* all borrowed */
	struct loop *loop;
	struct redis_conn *redis; /* for counts of suspects */
	struct sender_store *store;
	struct send_queue *queue;
	struct partitions *partitions;
	struct sender_metrics *metrics;
};

struct stream_intake_events {
	void (*on_change)(void *ctx); /* the queue may have candidates */
	void (*on_connection)(void *ctx, bool up, const struct err *err);
};

struct stream_intake *stream_intake_new(const char *redis_url,
	const struct stream_intake_parts *parts, const struct stream_intake_events *events,
	void *ctx, struct err *err);
void stream_intake_free(struct stream_intake **intake);
struct stream_reader *stream_intake_reader(struct stream_intake *intake);
void stream_intake_drop(struct stream_intake *intake, int partition); /* it is not ours any more */
void stream_intake_stop(struct stream_intake *intake);                /* read nothing more */
bool stream_intake_is_up(const struct stream_intake *intake);

#endif
