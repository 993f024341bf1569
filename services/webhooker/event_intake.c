/* From streams to the delivery queue. */
#include "services/webhooker/event_intake.h"

#include <stdio.h>
#include <sys/queue.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/io/marked_step.h"
#include "common/model/id.h"
#include "common/model/partition.h"

#define SET_ASIDE_AGAIN_MS 1000

/* An entry that is not simply taken in: suspected of killing its readers, or to be set aside. */
struct odd_entry {
	TAILQ_ENTRY(odd_entry) in_list;
	int partition;
	char stream[STREAM_NAME_SIZE];
	char entry_id[48];
	struct strbuf payload;
	char set_aside_id[ID_SIZE];
	struct err reason; /* of setting it aside */
};
TAILQ_HEAD(odd_list, odd_entry);

struct event_intake {
	struct event_intake_options options;
	struct stream_reader *reader;
	struct pool *pool;          /* of the entry that is being decoded */
	struct odd_list suspects;   /* one a turn */
	struct odd_list set_asides; /* the first is being written */
	struct loop_timer *suspect_timer;
	struct loop_timer *set_aside_timer;
	bool is_writing;
	int64_t n_taken;
	int64_t n_set_aside;
};

/* --- odd entries; the reader's bound on what is not acknowledged bounds their number --- */

static struct odd_entry *odd_new(const struct stream_entry *entry)
{
	struct odd_entry *odd = mem_new(struct odd_entry);

	odd->partition = entry->tag;
	stream_name_events(entry->tag, odd->stream);
	(void)snprintf(odd->entry_id, sizeof(odd->entry_id), "%s", entry->id);
	strbuf_append_sv(&odd->payload, entry->payload);
	return odd;
}

/* What cannot be decoded is kept for people to look at, and may be long. */
static void odd_cut(struct odd_entry *odd)
{
	struct strbuf whole = odd->payload;

	if (whole.len <= STREAM_SET_ASIDE_MAX_BYTES)
		return;
	odd->payload = (struct strbuf)STRBUF_INIT;
	strbuf_append(&odd->payload, whole.data, STREAM_SET_ASIDE_MAX_BYTES);
	strbuf_deinit(&whole);
}

static void odd_drop(struct odd_list *list, struct odd_entry *odd)
{
	TAILQ_REMOVE(list, odd, in_list);
	strbuf_deinit(&odd->payload);
	mem_free(odd);
}

static void drop_partition(struct odd_list *list, int partition, const struct odd_entry *but)
{
	struct odd_entry *odd, *next;

	for (odd = TAILQ_FIRST(list); odd != NULL; odd = next) {
		next = TAILQ_NEXT(odd, in_list);
		if (odd != but && (partition < 0 || odd->partition == partition))
			odd_drop(list, odd);
	}
}

static void set_aside(struct event_intake *intake, struct odd_entry *odd)
{
	id_new("sa", clock_wall_ms(), odd->set_aside_id);
	log_error("event_set_aside", log_text("stream", odd->stream),
		log_text("entry", odd->entry_id), log_text("set_aside", odd->set_aside_id),
		log_err(&odd->reason));
	TAILQ_INSERT_TAIL(&intake->set_asides, odd, in_list);
	if (!intake->is_writing && !loop_timer_is_armed(intake->set_aside_timer))
		loop_timer_arm(intake->set_aside_timer, 0);
}

static void on_set_aside(void *ctx, const struct pg_result *result)
{
	struct event_intake *intake = ctx;
	struct odd_entry *odd = TAILQ_FIRST(&intake->set_asides);

	intake->is_writing = false;
	if (pg_status(result) != PG_OK) {
		log_warn("event_set_aside", log_text("status", pg_status_name(pg_status(result))),
			log_err(pg_err(result)));
		loop_timer_arm(intake->set_aside_timer, SET_ASIDE_AGAIN_MS);
		return;
	}
	intake->n_set_aside++;
	stream_reader_ack(intake->reader, odd->stream, odd->entry_id);
	odd_drop(&intake->set_asides, odd);
	loop_timer_arm(intake->set_aside_timer, 0);
}

static void on_set_aside_timer(void *ctx)
{
	struct event_intake *intake = ctx;
	struct odd_entry *odd = TAILQ_FIRST(&intake->set_asides);

	if (odd == NULL || intake->is_writing)
		return;
	intake->is_writing = true;
	store_set_aside(intake->options.store, odd->set_aside_id, odd->stream,
		strbuf_view(&odd->payload), odd->reason.text, on_set_aside, intake);
}

/* --- taking in --- */

static int take(struct event_intake *intake, int partition, struct strview payload, struct err *err)
{
	struct event_entry entry;

	pool_reset(intake->pool);
	if (event_entry_decode(payload, intake->pool, &entry, err) < 0)
		return -1;
	if (partition_of_contact((int32_t)entry.contact_id) != partition)
		return err_set(err, "the event's contact belongs to another stream");
	intake->options.on_event(intake->options.ctx, partition, &entry);
	intake->n_taken++;
	return 0;
}

static void on_suspect_timer(void *ctx)
{
	struct event_intake *intake = ctx;
	struct odd_entry *odd = TAILQ_FIRST(&intake->suspects);

	if (odd == NULL) {
		stream_reader_pause(intake->reader, false);
		return;
	}
	loop_timer_arm(intake->suspect_timer, 0);
	if (take(intake, odd->partition, strbuf_view(&odd->payload), &odd->reason) < 0) {
		TAILQ_REMOVE(&intake->suspects, odd, in_list);
		set_aside(intake, odd);
		return;
	}
	stream_reader_ack(intake->reader, odd->stream, odd->entry_id);
	odd_drop(&intake->suspects, odd);
}

/* Nothing else is read while suspects are taken in, one a turn, so that what came before them has
 * been acknowledged by then. */
static void suspect(struct event_intake *intake, struct odd_entry *odd)
{
	if (TAILQ_EMPTY(&intake->suspects)) {
		stream_reader_pause(intake->reader, true);
		loop_timer_arm(intake->suspect_timer, 0);
	}
	TAILQ_INSERT_TAIL(&intake->suspects, odd, in_list);
}

static void on_entry(void *ctx, const struct stream_entry *entry)
{
	struct event_intake *intake = ctx;
	struct err err;

	if (entry->deliveries >= EVENT_SET_ASIDE_DELIVERIES) {
		struct odd_entry *odd = odd_new(entry);
		(void)err_set(&odd->reason, "%d readers died of it", entry->deliveries - 1);
		set_aside(intake, odd);
	} else if (entry->deliveries >= EVENT_ALONE_DELIVERIES) {
		suspect(intake, odd_new(entry));
	} else if (take(intake, entry->tag, entry->payload, &err) < 0) {
		struct odd_entry *odd = odd_new(entry);
		odd->reason = err;
		odd_cut(odd);
		set_aside(intake, odd);
	} else {
		MARKED_STEP("webhooker_entry_taken", sv_from(entry->stream));
		stream_reader_ack(intake->reader, entry->stream, entry->id);
	}
}

static void on_reset(void *ctx, const char *stream, int tag)
{
	struct event_intake *intake = ctx;

	log_warn("stream_lost", log_text("stream", stream));
	intake->options.on_lost(intake->options.ctx, tag);
}

static void on_change(void *ctx, bool up, const struct err *err)
{
	struct event_intake *intake = ctx;

	intake->options.on_change(intake->options.ctx, up, err);
}

/* --- life --- */

struct event_intake *event_intake_new(const struct event_intake_options *options, struct err *err)
{
	static const struct stream_reader_events events = {
		.on_entry = on_entry, .on_reset = on_reset, .on_change = on_change};
	struct stream_reader_options reader_options = {
		.redis_url = options->redis_url, .group = "webhooker"};
	struct event_intake *intake = mem_new(struct event_intake);

	intake->options = *options;
	intake->reader = stream_reader_new(options->loop, &reader_options, &events, intake, err);
	if (intake->reader == NULL) {
		mem_free(intake);
		return NULL;
	}
	intake->pool = pool_new();
	TAILQ_INIT(&intake->suspects);
	TAILQ_INIT(&intake->set_asides);
	intake->suspect_timer =
		loop_timer_new(options->loop, "event_suspect", on_suspect_timer, intake);
	intake->set_aside_timer =
		loop_timer_new(options->loop, "event_set_aside", on_set_aside_timer, intake);
	return intake;
}

void event_intake_free(struct event_intake **intake)
{
	if (*intake == NULL)
		return;
	stream_reader_free(&(*intake)->reader);
	drop_partition(&(*intake)->suspects, -1, NULL);
	drop_partition(&(*intake)->set_asides, -1, NULL);
	loop_timer_free(&(*intake)->suspect_timer);
	loop_timer_free(&(*intake)->set_aside_timer);
	pool_free(&(*intake)->pool);
	mem_free(*intake);
	*intake = NULL;
}

void event_intake_add(struct event_intake *intake, int partition)
{
	char stream[STREAM_NAME_SIZE];

	stream_name_events(partition, stream);
	stream_reader_add(intake->reader, stream, partition);
}

void event_intake_remove(struct event_intake *intake, int partition)
{
	char stream[STREAM_NAME_SIZE];

	stream_name_events(partition, stream);
	stream_reader_remove(intake->reader, stream);
	drop_partition(&intake->suspects, partition, NULL);
	drop_partition(&intake->set_asides, partition,
		intake->is_writing ? TAILQ_FIRST(&intake->set_asides) : NULL);
}

void event_intake_pause(struct event_intake *intake)
{
	loop_timer_disarm(intake->suspect_timer);
	stream_reader_pause(intake->reader, true);
}

int64_t event_intake_count(const struct event_intake *intake)
{
	return intake->n_taken;
}

int64_t event_intake_set_aside_count(const struct event_intake *intake)
{
	return intake->n_set_aside;
}
