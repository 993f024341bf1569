/* Candidates to streams. */
#include "services/sender/dispatch.h"

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/io/marked_step.h"
#include "common/model/stream_codec.h"
#include "services/sender/held_notes.h"
#include "services/sender/sender_limits.h"

#define NOT_OURS_MS   250  /* a lease that ran out by our clock: it is dropped or renewed by then */
#define ASKED_MS      1000 /* limits that are being read */
#define NO_SESSION_MS 5000
#define DROPS_LOOK_MS 250

struct dispatch {
	struct dispatch_parts parts;
	struct loop_turn *turn;
	struct loop_timer *timer; /* the queue's next timer */
	struct loop_timer *drops; /* looks whether Redis refused entries */
	struct loop_timer *hold;  /* armed: Redis refuses entries, nothing is dispatched */
	struct backoff drops_backoff;
	struct pacing *pacing;
	struct strbuf payload;
	int64_t dropped; /* entries, when last looked at */
	int64_t added;
	bool is_stopped;
};

static void on_turn(void *ctx);
static void on_drops(void *ctx);

static void on_timer(void *ctx)
{
	dispatch_request(ctx);
}

struct dispatch *dispatch_new(struct loop *loop)
{
	struct dispatch *dispatch = mem_new(struct dispatch);
	dispatch->turn = loop_turn_new(loop, "dispatch", on_turn, dispatch);
	dispatch->timer = loop_timer_new(loop, "dispatch_timer", on_timer, dispatch);
	dispatch->drops = loop_timer_new(loop, "dispatch_drops", on_drops, dispatch);
	dispatch->hold = loop_timer_new(loop, "dispatch_hold", on_timer, dispatch);
	backoff_init(&dispatch->drops_backoff, 500, 10000);
	strbuf_init(&dispatch->payload);
	return dispatch;
}

void dispatch_free(struct dispatch **dispatch)
{
	if (*dispatch == NULL) {
		return;
	}
	(*dispatch)->is_stopped = true;
	pacing_free(&(*dispatch)->pacing);
	loop_turn_free(&(*dispatch)->turn);
	loop_timer_free(&(*dispatch)->timer);
	loop_timer_free(&(*dispatch)->drops);
	loop_timer_free(&(*dispatch)->hold);
	strbuf_deinit(&(*dispatch)->payload);
	mem_free(*dispatch);
	*dispatch = NULL;
}

void dispatch_request(struct dispatch *dispatch)
{
	loop_turn_request(dispatch->turn);
}

void dispatch_stop(struct dispatch *dispatch)
{
	dispatch->is_stopped = true;
}

void dispatch_on_held(
	void *ctx, struct conversation *conversation, enum held_reason reason, int64_t until_ms)
{
	struct dispatch *dispatch = ctx;
	const struct queued_message *first = conversation_first(conversation);
	if (first == NULL || dispatch->parts.redis == NULL) {
		return;
	}
	held_note_set(dispatch->parts.redis, first->id, reason, until_ms - clock_mono_ms());
	conversation_told(conversation);
}

/* It was allowed, or needs nobody's leave. */
static void send(struct dispatch *dispatch, struct conversation *c, int64_t now_ms)
{
	const struct dispatch_parts *parts = &dispatch->parts;
	const struct queued_message *m = conversation_first(c);
	int partition = conversation_partition(c);
	char stream[STREAM_NAME_SIZE];
	if (dispatch->is_stopped || !partitions_may_dispatch(parts->partitions, partition)) {
		send_queue_put_back(parts->queue, c, NOT_OURS_MS, now_ms);
		return;
	}
	struct dispatch_entry entry = {
		.message_id = sv_from(m->id),
		.partition = partition,
		.partition_epoch = partitions_epoch(parts->partitions, partition),
		.attempt = m->attempts,
		.phone = conversation_phone(c),
		.queue_seq = m->queue_seq,
	};
	strbuf_reset(&dispatch->payload);
	dispatch_entry_encode(&entry, &dispatch->payload);
	stream_name_dispatch(conversation_session(c), stream);
	MARKED_STEP("sender_dispatch_checked", conversation_phone(c));
	stream_writer_add(parts->writer, stream, strbuf_view(&dispatch->payload));
	if (conversation_untell(c)) {
		held_note_clear(parts->redis, m->id);
	}
	log_debug("message_dispatch", log_text("message", m->id), log_text("stream", stream),
		log_int("attempt", m->attempts));
	metric_add(parts->metrics->dispatched, 1);
	send_queue_dispatched(parts->queue, c, now_ms);
	MARKED_STEP("sender_dispatched", conversation_phone(c));
}

static void consider(struct dispatch *dispatch, struct conversation *c, int64_t now_ms)
{
	const struct dispatch_parts *parts = &dispatch->parts;
	struct pace_limits limits;
	int32_t session_id = conversation_session(c);
	switch (limits_cache_find(
		parts->limits, session_id, conversation_first(c)->tenant_id, &limits)) {
	case LIMITS_KNOWN:
		break;
	case LIMITS_ASKED:
		send_queue_close_lane(parts->queue, session_id, ASKED_MS, HELD_NOT, now_ms);
		send_queue_put_back(parts->queue, c, 0, now_ms);
		return;
	case LIMITS_NO_SESSION:
		send_queue_close_lane(
			parts->queue, session_id, NO_SESSION_MS, HELD_SESSION_NOT_READY, now_ms);
		send_queue_put_back(parts->queue, c, 0, now_ms);
		return;
	}
	if (!pace_limits_any(&limits)) {
		send(dispatch, c, now_ms);
		return;
	}
	send_queue_asked(parts->queue, c);
	pacing_ask(dispatch->pacing, c, &limits);
}

static void on_answer(void *ctx, struct conversation *c, enum held_reason reason, int64_t wait_ms)
{
	struct dispatch *dispatch = ctx;
	const struct dispatch_parts *parts = &dispatch->parts;
	int64_t now_ms = clock_mono_ms();
	if (wait_ms == 0) {
		if (send_queue_allowed(parts->queue, c, now_ms)) {
			send(dispatch, c, now_ms);
		}
		return;
	}
	if (reason == HELD_NOT) {
		send_queue_close_lane(
			parts->queue, conversation_session(c), wait_ms, HELD_NOT, now_ms);
	} else {
		metric_observe_ms(
			parts->metrics->pace_wait[reason == HELD_RECIPIENT_PACE], (double)wait_ms);
	}
	send_queue_denied(parts->queue, c, reason, wait_ms, now_ms);
}

static void on_answers_end(void *ctx)
{
	dispatch_request(ctx);
}

void dispatch_set_parts(struct dispatch *dispatch, const struct dispatch_parts *parts)
{
	struct pacing_events events = {on_answer, on_answers_end};
	dispatch->parts = *parts;
	dispatch->pacing = pacing_new(parts->redis, &events, dispatch);
	loop_timer_arm(dispatch->drops, DROPS_LOOK_MS);
}

static void arm_timer(struct dispatch *dispatch)
{
	int64_t at_ms = send_queue_next_timer_ms(dispatch->parts.queue);
	if (at_ms == INT64_MAX) {
		loop_timer_disarm(dispatch->timer);
		return;
	}
	int64_t wait_ms = at_ms - clock_mono_ms();
	loop_timer_arm(dispatch->timer, wait_ms > 0 ? wait_ms : 0);
}

static bool may_dispatch_now(const struct dispatch *dispatch)
{
	return !dispatch->is_stopped && redis_conn_is_up(dispatch->parts.redis) &&
	       !loop_timer_is_armed(dispatch->hold);
}

static void on_turn(void *ctx)
{
	struct dispatch *dispatch = ctx;
	const struct dispatch_parts *parts = &dispatch->parts;
	struct conversation *c;
	int64_t now_ms = clock_mono_ms();
	bool is_done = send_queue_run_timers(parts->queue, now_ms, MAX_TIMERS_A_TURN);
	if (!dispatch->is_stopped) {
		conversation_reread_run(parts->reread);
	}
	for (int i = 0;
		may_dispatch_now(dispatch) && (c = send_queue_next(parts->queue, now_ms)) != NULL;
		i++) {
		consider(dispatch, c, now_ms);
		if (i == MAX_DISPATCH_A_TURN) {
			is_done = false;
			break;
		}
	}
	pacing_flush(dispatch->pacing);
	if (is_done) {
		arm_timer(dispatch);
	} else {
		dispatch_request(dispatch);
	}
}

/* Entries that Redis refused or that were lost with a connection are not at their gateway: look
   their messages up, and when it goes on, wait before the next ones. */
static void on_drops(void *ctx)
{
	struct dispatch *dispatch = ctx;
	int64_t dropped = stream_writer_dropped(dispatch->parts.writer);
	int64_t added = stream_writer_added(dispatch->parts.writer);
	loop_timer_arm(dispatch->drops, DROPS_LOOK_MS);
	if (dropped != dispatch->dropped) {
		log_warn("dispatch_dropped", log_int("entries", dropped - dispatch->dropped));
		send_queue_doubt(dispatch->parts.queue, -1);
		loop_timer_arm(dispatch->hold, backoff_fail_ms(&dispatch->drops_backoff));
		dispatch_request(dispatch);
	} else if (added != dispatch->added) {
		backoff_succeed(&dispatch->drops_backoff);
	}
	dispatch->dropped = dropped;
	dispatch->added = added;
}
