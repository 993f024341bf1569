/* An entry is acknowledged as soon as the queue has it: what is held in memory can be read again
   from Postgres. */
#include "services/sender/stream_intake.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/io/marked_step.h"
#include "services/sender/outbound_intake.h"
#include "services/sender/outcome_intake.h"

struct stream_intake {
	struct stream_intake_parts parts;
	struct stream_intake_events events;
	void *ctx;
	struct stream_reader *reader;
	struct suspects *suspects;
	struct pool *scratch;
	bool is_stopped;
};

static int take(void *ctx, const char *stream, int tag, struct strview payload, struct err *err)
{
	struct stream_intake *intake = ctx;
	const struct stream_intake_parts *parts = &intake->parts;
	int partition = PARTITIONS_TAG_PARTITION(tag);
	enum outcome_kind kind = OUTCOME_SENT;
	(void)stream;
	pool_reset(intake->scratch);
	if (!PARTITIONS_TAG_IS_OUTCOME(tag)) {
		return outbound_intake_take(
			parts->queue, partition, payload, intake->scratch, clock_mono_ms(), err);
	}
	if (outcome_intake_take(parts->queue, partition, payload, intake->scratch, clock_mono_ms(),
		    &kind, err) < 0) {
		return -1;
	}
	metric_add(parts->metrics->outcomes[kind], 1);
	return 0;
}

static void on_entry(void *ctx, const struct stream_entry *entry)
{
	struct stream_intake *intake = ctx;
	struct err err = {""};
	if (intake->is_stopped || !partitions_is_ours(intake->parts.partitions,
					  PARTITIONS_TAG_PARTITION(entry->tag))) {
		return; /* unacknowledged: the next owner gets it */
	}
	if (entry->deliveries >= SUSPECTS_DELIVERIES) {
		suspects_add(intake->suspects, entry);
	} else if (take(intake, entry->stream, entry->tag, entry->payload, &err) < 0) {
		suspects_set_aside(intake->suspects, entry, err.text);
	} else {
		MARKED_STEP("sender_entry_taken", sv_from(entry->stream));
		stream_reader_ack(intake->reader, entry->stream, entry->id);
	}
}

static int take_alone(
	void *ctx, const char *stream, int tag, struct strview payload, struct err *err)
{
	struct stream_intake *intake = ctx;
	int result = take(intake, stream, tag, payload, err);
	intake->events.on_change(intake->ctx);
	return result;
}

static void on_batch_end(void *ctx)
{
	struct stream_intake *intake = ctx;
	intake->events.on_change(intake->ctx);
}

static void on_reset(void *ctx, const char *stream, int tag)
{
	struct stream_intake *intake = ctx;
	(void)stream;
	partitions_doubt(intake->parts.partitions, PARTITIONS_TAG_PARTITION(tag));
	intake->events.on_change(intake->ctx);
}

static void on_reader_change(void *ctx, bool up, const struct err *err)
{
	struct stream_intake *intake = ctx;
	intake->events.on_connection(intake->ctx, up, err);
}

struct stream_intake *stream_intake_new(const char *redis_url,
	const struct stream_intake_parts *parts, const struct stream_intake_events *events,
	void *ctx, struct err *err)
{
	struct stream_intake *intake = mem_new(struct stream_intake);
	struct stream_reader_options options = {.redis_url = redis_url, .group = "sender"};
	struct stream_reader_events reader_events = {
		on_entry, on_batch_end, on_reset, on_reader_change};
	struct suspects_events suspects_events = {take_alone};
	intake->parts = *parts;
	intake->events = *events;
	intake->ctx = ctx;
	intake->reader = stream_reader_new(parts->loop, &options, &reader_events, intake, err);
	if (intake->reader == NULL) {
		mem_free(intake);
		return NULL;
	}
	intake->scratch = pool_new();
	intake->suspects =
		suspects_new(parts->loop, parts->redis, parts->store, &suspects_events, intake);
	suspects_set_reader(intake->suspects, intake->reader);
	return intake;
}

void stream_intake_free(struct stream_intake **intake)
{
	if (*intake == NULL) {
		return;
	}
	suspects_free(&(*intake)->suspects);
	stream_reader_free(&(*intake)->reader);
	pool_free(&(*intake)->scratch);
	mem_free(*intake);
	*intake = NULL;
}

struct stream_reader *stream_intake_reader(struct stream_intake *intake)
{
	return intake->reader;
}

void stream_intake_drop(struct stream_intake *intake, int partition)
{
	suspects_drop(intake->suspects, PARTITIONS_TAG(partition, false));
	suspects_drop(intake->suspects, PARTITIONS_TAG(partition, true));
}

void stream_intake_stop(struct stream_intake *intake)
{
	intake->is_stopped = true;
	stream_reader_pause(intake->reader, true);
}

bool stream_intake_is_up(const struct stream_intake *intake)
{
	return stream_reader_is_up(intake->reader);
}
