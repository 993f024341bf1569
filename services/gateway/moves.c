/* The lane of attempts' ends: one statement in flight. */
#include "services/gateway/moves.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/io/marked_step.h"
#include "common/model/id.h"
#include "services/gateway/claim.h"
#include "services/gateway/gateway.h"
#include "services/gateway/gateway_store_progress.h"
#include "services/gateway/publish.h"
#include "services/gateway/ranges.h"
#include "services/gateway/session_set.h"

#define BATCH_MAX 500

struct pending {
	TAILQ_ENTRY(pending) link;
	struct moves_subject subject; /* its texts lie behind */
	struct attempt_move move;
	char set_aside_id[ID_SIZE]; /* "" but for what is set aside */
	bool is_moved;
};
TAILQ_HEAD(pending_list, pending);

struct moves {
	struct gateway *gateway;
	struct pending_list waiting;
	int n_waiting;
	struct pending *batch[BATCH_MAX];
	int n_batch;
	struct ranges ranges; /* of batch, not yet committed */
	bool is_busy;
	struct loop_turn *turn;
	struct loop_timer *retry;
};

static void on_turn(void *ctx);

static void on_retry(void *ctx)
{
	struct moves *moves = ctx;
	loop_turn_request(moves->turn);
}

struct moves *moves_new(struct gateway *gateway)
{
	struct moves *moves = mem_new(struct moves);
	moves->gateway = gateway;
	TAILQ_INIT(&moves->waiting);
	moves->turn = loop_turn_new(gateway->loop, "moves", on_turn, moves);
	moves->retry = loop_timer_new(gateway->loop, "moves_retry", on_retry, moves);
	return moves;
}

static void drop_batch(struct moves *moves)
{
	for (int i = 0; i < moves->n_batch; i++)
		mem_free(moves->batch[i]);
	moves->n_batch = 0;
}

void moves_free(struct moves **moves)
{
	if (*moves == NULL)
		return;
	pg_conn_forget((*moves)->gateway->progress_conn, *moves);
	drop_batch(*moves);
	struct pending *pending;
	while ((pending = TAILQ_FIRST(&(*moves)->waiting)) != NULL) {
		TAILQ_REMOVE(&(*moves)->waiting, pending, link);
		mem_free(pending);
	}
	loop_turn_free(&(*moves)->turn);
	loop_timer_free(&(*moves)->retry);
	mem_free(*moves);
	*moves = NULL;
}

static struct strview put(char **at, struct strview text)
{
	if (sv_is_null(text))
		return SV_NULL;
	struct strview copy = sv_make(*at, text.len);
	memcpy(*at, text.ptr, text.len);
	*at += text.len + 1;
	return copy;
}

void moves_push(
	struct moves *moves, const struct moves_subject *subject, const struct attempt_move *move)
{
	size_t texts_len =
		subject->message_id.len + subject->wa_message_id.len + subject->phone.len + 3;
	struct pending *pending = mem_zalloc(sizeof(*pending) + texts_len);
	char *at = (char *)(pending + 1);
	pending->subject = *subject;
	pending->subject.message_id = put(&at, subject->message_id);
	pending->subject.wa_message_id = put(&at, subject->wa_message_id);
	pending->subject.phone = put(&at, subject->phone);
	pending->move = *move;
	if (strcmp(move->code, ERROR_SET_ASIDE) == 0)
		id_new("sa", clock_wall_ms(), pending->set_aside_id);
	TAILQ_INSERT_TAIL(&moves->waiting, pending, link);
	moves->n_waiting++;
	loop_turn_request(moves->turn);
}

int moves_waiting(const struct moves *moves)
{
	return moves->n_waiting + moves->n_batch;
}

bool moves_has_session(const struct moves *moves, int32_t session_id)
{
	for (int i = 0; i < moves->n_batch; i++) {
		if (moves->batch[i]->subject.session_id == session_id)
			return true;
	}
	const struct pending *pending;
	TAILQ_FOREACH(pending, &moves->waiting, link)
	{
		if (pending->subject.session_id == session_id)
			return true;
	}
	return false;
}

void moves_drop_session(struct moves *moves, int32_t session_id)
{
	struct pending *next;
	for (struct pending *pending = TAILQ_FIRST(&moves->waiting); pending != NULL;
		pending = next) {
		next = TAILQ_NEXT(pending, link);
		if (pending->subject.session_id != session_id)
			continue;
		TAILQ_REMOVE(&moves->waiting, pending, link);
		moves->n_waiting--;
		mem_free(pending);
	}
}

static void publish_kind(struct moves *moves, const struct pending *pending, enum outcome_kind kind)
{
	const struct moves_subject *subject = &pending->subject;
	struct publish_outcome outcome = {
		.partition = subject->partition,
		.message_id = subject->message_id,
		.session_id = subject->session_id,
		.phone = subject->phone,
		.queue_seq = subject->queue_seq,
		.kind = kind,
		.attempts = subject->attempts,
		.next_in_ms = kind == pending->move.kind ? pending->move.delay_ms : 0,
	};
	publish_outcome(moves->gateway->publish, &outcome);
}

static void log_move(struct moves *moves, const struct pending *pending)
{
	if (pending->set_aside_id[0] != '\0') {
		log_warn("message_set_aside", log_sv("message", pending->subject.message_id),
			log_text("set_aside", pending->set_aside_id));
		metric_add(moves->gateway->stats.set_aside, 1);
	}
}

static struct pending *find_in_part(
	struct moves *moves, int begin, int count, struct strview message_id)
{
	for (int i = begin; i < begin + count; i++) {
		if (!moves->batch[i]->is_moved &&
			sv_eq(moves->batch[i]->subject.message_id, message_id))
			return moves->batch[i];
	}
	return NULL;
}

static void committed(struct moves *moves, const struct pg_result *result, int begin, int count)
{
	MARKED_STEP("gateway_move_committed", moves->batch[begin]->subject.phone);
	for (int row = 0; row < pg_rows(result); row++) {
		if (gateway_store_row_kind(result, row) != GATEWAY_ROW_MESSAGE)
			continue;
		struct gateway_message_row message;
		gateway_store_message_row(result, row, &message);
		struct pending *pending = find_in_part(moves, begin, count, message.message_id);
		if (pending == NULL)
			continue;
		pending->is_moved = true;
		log_move(moves, pending);
		publish_kind(moves, pending, pending->move.kind);
	}
	for (int i = begin; i < begin + count; i++) {
		const struct pending *pending = moves->batch[i];
		const struct moves_subject *subject = &pending->subject;
		if (!pending->is_moved && session_set_owns(moves->gateway->sessions,
						  subject->session_id, subject->session_epoch))
			publish_kind(moves, pending, OUTCOME_REFUSED);
		if (!sv_is_null(subject->wa_message_id))
			claim_settled(
				moves->gateway->claim, subject->session_id, subject->wa_message_id);
	}
	publish_events(moves->gateway->publish, result);
}

static void on_written(void *ctx, const struct pg_result *result)
{
	struct moves *moves = ctx;
	struct gateway *gateway = moves->gateway;
	int begin;
	int count;
	bool is_part = ranges_peek(&moves->ranges, &begin, &count);
	ASSERT(is_part);
	moves->is_busy = false;
	if (pg_status(result) == PG_OK) {
		committed(moves, result, begin, count);
		ranges_pop(&moves->ranges);
		loop_turn_request(moves->turn);
		return;
	}
	metric_add(gateway->stats.store_retries, 1);
	if (!pg_is_retryable(result) && !ranges_split(&moves->ranges)) {
		log_error("move_left_out",
			log_sv("message", moves->batch[begin]->subject.message_id),
			log_err(pg_err(result)));
		metric_add(gateway->stats.left_out, 1);
		ranges_pop(&moves->ranges);
	}
	loop_timer_arm(moves->retry, GATEWAY_RETRY_MS);
}

static void cut(struct moves *moves)
{
	struct pending *pending;
	while (moves->n_batch < BATCH_MAX && (pending = TAILQ_FIRST(&moves->waiting)) != NULL) {
		TAILQ_REMOVE(&moves->waiting, pending, link);
		moves->n_waiting--;
		moves->batch[moves->n_batch++] = pending;
	}
	ranges_init(&moves->ranges, moves->n_batch);
}

static void write_part(struct moves *moves, int begin, int count)
{
	struct gateway_move *rows = mem_array((size_t)count, sizeof(*rows));
	for (int i = 0; i < count; i++) {
		const struct pending *pending = moves->batch[begin + i];
		rows[i] = (struct gateway_move){
			.message_id = pending->subject.message_id,
			.session_id = pending->subject.session_id,
			.session_epoch = pending->subject.session_epoch,
			.attempts = pending->subject.attempts,
			.was_unknown = pending->subject.was_unknown,
			.move = &pending->move,
			.set_aside_id =
				pending->set_aside_id[0] != '\0' ? pending->set_aside_id : NULL,
		};
	}
	moves->is_busy = true;
	MARKED_STEP("gateway_move_before_commit", moves->batch[begin]->subject.phone);
	gateway_store_moves(moves->gateway->progress_conn, rows, count, on_written, moves);
	mem_free(rows);
}

static void on_turn(void *ctx)
{
	struct moves *moves = ctx;
	int begin;
	int count;
	if (moves->is_busy || loop_timer_is_armed(moves->retry))
		return;
	if (!ranges_peek(&moves->ranges, &begin, &count)) {
		drop_batch(moves);
		cut(moves);
	}
	if (ranges_peek(&moves->ranges, &begin, &count))
		write_part(moves, begin, count);
	claim_wake(moves->gateway->claim);
	session_set_poke(moves->gateway->sessions);
}
