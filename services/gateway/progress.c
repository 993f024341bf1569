/* The lane of receipts: one statement in flight. */
#include "services/gateway/progress.h"

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/io/marked_step.h"
#include "services/gateway/claim.h"
#include "services/gateway/gateway.h"
#include "services/gateway/gateway_store_progress.h"
#include "services/gateway/publish.h"
#include "services/gateway/ranges.h"
#include "services/gateway/session_set.h"

#define BATCH_MAX 1000

struct progress {
	struct gateway *gateway;
	struct progress_batch *waiting;
	struct progress_batch *in_flight;   /* NULL: none */
	const struct progress_fact **facts; /* of in_flight */
	struct ranges ranges;               /* of facts, not yet committed */
	bool is_busy;                       /* a statement is under way */
	bool again;                         /* it may have been committed before */
	struct loop_turn *turn;
	struct loop_timer *retry;
};

static void on_turn(void *ctx);
static void on_retry(void *ctx);

struct progress *progress_new(struct gateway *gateway)
{
	struct progress *progress = mem_new(struct progress);
	progress->gateway = gateway;
	progress->waiting = progress_batch_new();
	progress->turn = loop_turn_new(gateway->loop, "progress", on_turn, progress);
	progress->retry = loop_timer_new(gateway->loop, "progress_retry", on_retry, progress);
	return progress;
}

static void drop_in_flight(struct progress *progress)
{
	progress_batch_free(&progress->in_flight);
	mem_free(progress->facts);
	progress->facts = NULL;
	progress->again = false;
}

void progress_free(struct progress **progress)
{
	if (*progress == NULL)
		return;
	pg_conn_forget((*progress)->gateway->progress_conn, *progress);
	progress_batch_free(&(*progress)->waiting);
	drop_in_flight(*progress);
	loop_turn_free(&(*progress)->turn);
	loop_timer_free(&(*progress)->retry);
	mem_free(*progress);
	*progress = NULL;
}

void progress_add(struct progress *progress, int32_t session_id, int64_t session_epoch,
	struct strview wa_message_id, enum progress_level level, int64_t at_ms, int64_t token)
{
	progress_batch_add(
		progress->waiting, session_id, session_epoch, wa_message_id, level, at_ms, token);
	loop_turn_request(progress->turn);
}

int progress_waiting(const struct progress *progress)
{
	int in_flight = progress->in_flight != NULL ? progress_batch_count(progress->in_flight) : 0;
	return progress_batch_count(progress->waiting) + in_flight;
}

bool progress_has_session(const struct progress *progress, int32_t session_id)
{
	return progress_batch_has_session(progress->waiting, session_id) ||
	       (progress->in_flight != NULL &&
		       progress_batch_has_session(progress->in_flight, session_id));
}

void progress_drop_session(struct progress *progress, int32_t session_id)
{
	progress_batch_drop_session(progress->waiting, session_id);
}

static void publish_sent(struct progress *progress, const struct pg_result *result, int row)
{
	struct gateway_message_row message;
	gateway_store_message_row(result, row, &message);
	struct publish_outcome outcome = {
		.partition = message.partition,
		.message_id = message.message_id,
		.session_id = message.session_id,
		.phone = message.phone,
		.queue_seq = message.queue_seq,
		.kind = OUTCOME_SENT,
		.attempts = message.attempts,
	};
	publish_outcome(progress->gateway->publish, &outcome);
}

/* A session without a HELD row has lost its lease: nothing of it was written, and its next owner
 * hears it all again. */
static bool is_held(const struct pg_result *result, int32_t session_id)
{
	for (int row = 0; row < pg_rows(result); row++) {
		if (gateway_store_row_kind(result, row) != GATEWAY_ROW_HELD)
			return false; /* these rows come first */
		struct gateway_held_row held;
		gateway_store_held_row(result, row, &held);
		if (held.session_id == session_id)
			return true;
	}
	return false;
}

static void acknowledge(
	struct progress *progress, const struct pg_result *result, int begin, int count)
{
	int32_t last_id = 0;
	bool last_is_held = false;
	for (int i = begin; i < begin + count; i++) {
		const struct progress_fact *fact = progress->facts[i];
		if (fact->node.scope != last_id) {
			last_id = fact->node.scope;
			last_is_held = is_held(result, last_id);
		}
		if (!last_is_held)
			continue;
		for (int t = 0; t < fact->n_tokens; t++)
			session_set_acknowledge(progress->gateway->sessions, last_id,
				fact->session_epoch, fact->tokens[t]);
		claim_settled(progress->gateway->claim, last_id, fact->node.key);
	}
}

static void committed(
	struct progress *progress, const struct pg_result *result, int begin, int count)
{
	struct gateway *gateway = progress->gateway;
	int64_t n_unknown = 0;
	MARKED_STEP("gateway_progress_committed", SV_NULL);
	for (int row = 0; row < pg_rows(result); row++) {
		enum gateway_row_kind kind = gateway_store_row_kind(result, row);
		if (kind == GATEWAY_ROW_MESSAGE) {
			publish_sent(progress, result, row);
		} else if (kind == GATEWAY_ROW_HELD) {
			struct gateway_held_row held;
			gateway_store_held_row(result, row, &held);
			n_unknown -= held.number;
		}
	}
	publish_events(gateway->publish, result);
	acknowledge(progress, result, begin, count);
	n_unknown += count;
	if (n_unknown > 0)
		metric_add(gateway->stats.receipts_unknown, n_unknown);
}

static void on_written(void *ctx, const struct pg_result *result)
{
	struct progress *progress = ctx;
	struct gateway *gateway = progress->gateway;
	int begin;
	int count;
	bool is_part = ranges_peek(&progress->ranges, &begin, &count);
	ASSERT(is_part);
	progress->is_busy = false;
	if (pg_status(result) == PG_OK) {
		committed(progress, result, begin, count);
		ranges_pop(&progress->ranges);
		progress->again = false;
		loop_turn_request(progress->turn);
		return;
	}
	metric_add(gateway->stats.store_retries, 1);
	if (pg_status(result) == PG_UNKNOWN)
		progress->again = true;
	if (!pg_is_retryable(result) && !ranges_split(&progress->ranges)) {
		log_error("progress_left_out",
			log_int("session", progress->facts[begin]->node.scope),
			log_sv("wa_message_id", progress->facts[begin]->node.key),
			log_err(pg_err(result)));
		metric_add(gateway->stats.left_out, 1);
		ranges_pop(&progress->ranges);
	}
	loop_timer_arm(progress->retry, GATEWAY_RETRY_MS);
}

static void cut(struct progress *progress)
{
	progress->in_flight = progress_batch_cut(progress->waiting, BATCH_MAX);
	int n = progress_batch_count(progress->in_flight);
	progress->facts = mem_array((size_t)n, sizeof(*progress->facts));
	int i = 0;
	const struct progress_fact *fact;
	TAILQ_FOREACH(fact, progress_batch_facts(progress->in_flight), link)
	{
		progress->facts[i++] = fact;
	}
	ranges_init(&progress->ranges, n);
	metric_add(progress->gateway->stats.progress_batches, 1);
	metric_add(progress->gateway->stats.progress_facts, n);
}

static void write_next(struct progress *progress)
{
	int begin;
	int count;
	if (progress->in_flight != NULL && !ranges_peek(&progress->ranges, &begin, &count))
		drop_in_flight(progress);
	if (progress->in_flight == NULL) {
		if (progress_batch_count(progress->waiting) == 0)
			return;
		cut(progress);
	}
	if (!ranges_peek(&progress->ranges, &begin, &count))
		return;
	progress->is_busy = true;
	MARKED_STEP("gateway_progress_before_commit", SV_NULL);
	gateway_store_progress(progress->gateway->progress_conn, progress->facts + begin, count,
		progress->again, on_written, progress);
}

static void on_turn(void *ctx)
{
	struct progress *progress = ctx;
	if (!progress->is_busy && !loop_timer_is_armed(progress->retry))
		write_next(progress);
	claim_wake(progress->gateway->claim);
	session_set_poke(progress->gateway->sessions);
}

static void on_retry(void *ctx)
{
	struct progress *progress = ctx;
	loop_turn_request(progress->turn);
}
