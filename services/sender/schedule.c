/* One round: queue what is due, expire what is late, look when to come again. */
#include "services/sender/schedule.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/io/marked_step.h"
#include "common/model/event_type.h"
#include "services/sender/sender_limits.h"

#define ROUND_MS     1000
#define ROUND_MIN_MS 20
#define WEBHOOKS_MAX 1024

struct schedule_watch {
	struct schedule_parts parts;
	struct loop_timer *timer;
	loop_fn on_change;
	void *ctx;
	struct strbuf payload;
	int n_busy;       /* statements under way */
	bool was_full;    /* there is more to do at once */
	bool has_failed;  /* in this round */
	bool was_failing; /* in the last one: said already */
	bool is_stopped;
};

static void begin_round(void *ctx);

struct schedule_watch *schedule_watch_new(
	const struct schedule_parts *parts, loop_fn on_change, void *ctx)
{
	struct schedule_watch *watch = mem_new(struct schedule_watch);
	watch->parts = *parts;
	watch->on_change = on_change;
	watch->ctx = ctx;
	strbuf_init(&watch->payload);
	watch->timer = loop_timer_new(parts->loop, "schedule", begin_round, watch);
	loop_timer_arm(watch->timer, ROUND_MS);
	return watch;
}

void schedule_watch_free(struct schedule_watch **watch)
{
	if (*watch == NULL) {
		return;
	}
	loop_timer_free(&(*watch)->timer);
	strbuf_deinit(&(*watch)->payload);
	mem_free(*watch);
	*watch = NULL;
}

void schedule_watch_stop(struct schedule_watch *watch)
{
	watch->is_stopped = true;
	loop_timer_disarm(watch->timer);
}

bool schedule_watch_is_busy(const struct schedule_watch *watch)
{
	return watch->n_busy > 0;
}

static void arm(struct schedule_watch *watch, int64_t wait_ms)
{
	if (!watch->is_stopped) {
		loop_timer_arm(watch->timer, wait_ms);
	}
}

static void on_next_due(void *ctx, enum pg_status status, const struct err *err, int64_t wait_ms)
{
	struct schedule_watch *watch = ctx;
	(void)err;
	watch->n_busy--;
	if (status != PG_OK || wait_ms < 0 || wait_ms > ROUND_MS) {
		wait_ms = ROUND_MS;
	}
	arm(watch, wait_ms > ROUND_MIN_MS ? wait_ms : ROUND_MIN_MS);
}

/* A statement has ended; after the last one, see when the next round is. */
static void end_one(struct schedule_watch *watch, const char *what, enum pg_status status,
	const struct err *err)
{
	if (status != PG_OK && !watch->has_failed && !watch->was_failing) {
		log_warn("schedule_round", log_text("what", what),
			log_text("status", pg_status_name(status)), log_err(err));
	}
	watch->has_failed = watch->has_failed || status != PG_OK;
	if (--watch->n_busy > 0) {
		return;
	}
	if (watch->was_full) {
		arm(watch, 0);
	} else if (watch->has_failed) {
		arm(watch, ROUND_MS);
	} else {
		watch->n_busy++;
		sender_store_read_next_due(watch->parts.store, on_next_due, watch);
	}
}

static void on_due(void *ctx, enum pg_status status, const struct err *err,
	const struct store_message *rows, int n)
{
	struct schedule_watch *watch = ctx;
	const struct schedule_parts *parts = &watch->parts;
	for (int i = 0; i < n; i++) {
		if (partitions_is_ours(parts->partitions, rows[i].key.partition)) {
			(void)send_queue_add(
				parts->queue, &rows[i].key, &rows[i].message, clock_mono_ms());
		}
	}
	metric_add(parts->metrics->scheduled, n);
	MARKED_STEP_NUMBER("sender_due_queued", n);
	watch->was_full = watch->was_full || n >= MAX_ROWS_CHANGED;
	if (n > 0) {
		watch->on_change(watch->ctx);
	}
	end_one(watch, "queue_due", status, err);
}

/* The event of the message at rows[0], which n_webhooks rows tell. */
static void publish_event(
	struct schedule_watch *watch, const struct store_expired *rows, int n_webhooks)
{
	int64_t webhook_ids[WEBHOOKS_MAX];
	char stream[STREAM_NAME_SIZE];
	int n = n_webhooks < WEBHOOKS_MAX ? n_webhooks : WEBHOOKS_MAX;
	for (int i = 0; i < n; i++) {
		webhook_ids[i] = rows[i].webhook_id;
	}
	struct event_entry entry = {
		.sequence = rows[0].sequence,
		.created_at = rows[0].created_at_ms,
		.tenant_id = rows[0].tenant_id,
		.contact_id = rows[0].contact_id,
		.message_id = rows[0].message_id,
		.type = EVENT_MESSAGE_FAILED,
		.webhook_ids = {webhook_ids, n},
	};
	strbuf_reset(&watch->payload);
	event_entry_encode(&entry, &watch->payload);
	stream_name_events(partition_of_contact(rows[0].contact_id), stream);
	stream_writer_add(watch->parts.writer, stream, strbuf_view(&watch->payload));
}

/* Tell of the message whose rows begin at `at`. Returns where the next one's do. */
static int tell_expired(
	struct schedule_watch *watch, const struct store_expired *rows, int n, int at)
{
	int end = at;
	while (end < n && sv_eq(rows[end].message_id, rows[at].message_id)) {
		end++;
	}
	if (rows[at].has_event) {
		publish_event(watch, &rows[at], end - at);
	}
	send_queue_ended(watch->parts.queue, &rows[at].key, rows[at].message_id, clock_mono_ms());
	log_info("message_expired", log_sv("message", rows[at].message_id));
	metric_add(watch->parts.metrics->expired, 1);
	return end;
}

static void on_expired(void *ctx, enum pg_status status, const struct err *err,
	const struct store_expired *rows, int n)
{
	struct schedule_watch *watch = ctx;
	int count = 0;
	MARKED_STEP_NUMBER("sender_expired", n);
	for (int at = 0; at < n; count++) {
		at = tell_expired(watch, rows, n, at);
	}
	watch->was_full = watch->was_full || count >= MAX_ROWS_CHANGED;
	if (n > 0) {
		watch->on_change(watch->ctx);
	}
	end_one(watch, "expire", status, err);
}

static void begin_round(void *ctx)
{
	struct schedule_watch *watch = ctx;
	const struct schedule_parts *parts = &watch->parts;
	struct store_ownership ownership = partitions_ownership(parts->partitions);
	if (watch->is_stopped || ownership.n == 0) {
		arm(watch, ROUND_MS);
		return;
	}
	watch->was_full = false;
	watch->was_failing = watch->has_failed;
	watch->has_failed = false;
	watch->n_busy = 2;
	sender_store_queue_due(parts->store, &ownership, MAX_ROWS_CHANGED, on_due, watch);
	sender_store_expire(parts->store, &ownership, MAX_ROWS_CHANGED, on_expired, watch);
}
