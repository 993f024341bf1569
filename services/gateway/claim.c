/* The lane of claims: one statement in flight; while it is, dispatches wait and become the next
 * batch. */
#include "services/gateway/claim.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/io/marked_step.h"
#include "services/gateway/attempt_move.h"
#include "services/gateway/claim_internal.h"
#include "services/gateway/in_flight.h"
#include "services/gateway/progress.h"
#include "services/gateway/session_set.h"

/* Until a dispatch is worth another try while its session cannot send. */
#define NOT_READY_MS     2000
#define EXPLAIN_TRIES    5
#define TRIAL_TIMEOUT_MS 30000 /* of a trial that nobody ended */

static void on_checked(void *ctx, const struct pg_result *result);
static void on_explained(void *ctx, const struct pg_result *result);

static void claim_set_phase(struct claim *claim, enum claim_phase phase)
{
	switch (phase) {
	case CLAIM_IDLE:
		break;
	case CLAIM_CLAIMING:
		ASSERT(claim->phase == CLAIM_IDLE);
		break;
	case CLAIM_CHECKING:
		ASSERT(claim->phase == CLAIM_CLAIMING || claim->phase == CLAIM_CHECKING);
		break;
	case CLAIM_EXPLAINING:
		ASSERT(claim->phase != CLAIM_IDLE);
		break;
	}
	claim->phase = phase;
}

/* --- trials --- */

void claim_trial_begin(struct claim *claim, const struct claimed *claimed)
{
	claim->trial_session_id = claimed->session_id;
	claim->trial_wa_len =
		claimed->wa_message_id.len < CLAIM_WA_ID_MAX ? claimed->wa_message_id.len : 0;
	memcpy(claim->trial_wa_id, claimed->wa_message_id.ptr, claim->trial_wa_len);
	loop_timer_arm(claim->trial_timer, TRIAL_TIMEOUT_MS);
}

static void trial_end(struct claim *claim)
{
	if (!claim->alone.is_trying)
		return;
	loop_timer_disarm(claim->trial_timer);
	claim->trial_session_id = 0;
	alone_end(&claim->alone, claim_queue_suspects(claim->queue), clock_mono_ms());
	loop_turn_request(claim->turn);
}

static void on_trial_timeout(void *ctx)
{
	struct claim *claim = ctx;
	log_error("trial_timeout", log_int("session", claim->trial_session_id));
	trial_end(claim);
}

void claim_settled(struct claim *claim, int32_t session_id, struct strview wa_message_id)
{
	if (session_id == claim->trial_session_id &&
		sv_eq(wa_message_id, sv_make(claim->trial_wa_id, claim->trial_wa_len)))
		trial_end(claim);
}

/* --- a batch's way --- */

static void put_back_suspect(struct claim *claim, struct claim_item *item)
{
	struct claim_item *replaced = claim_queue_push(claim->queue, item);
	if (replaced != NULL)
		claim_ack(claim, replaced);
	claim_item_free(&replaced);
}

static void batch_end(struct claim *claim)
{
	(void)claim_batch_keep_unanswered(&claim->batch);
	struct claim_item *item;
	while ((item = claim_batch_pop_last(&claim->batch)) != NULL)
		put_back_suspect(claim, item);
	if (claim->batch_is_alone && claim->trial_session_id == 0)
		trial_end(claim);
	claim_set_phase(claim, CLAIM_IDLE);
	loop_turn_request(claim->turn);
}

/* Nothing of it was done: its items wait again, in their order. */
static void batch_back(struct claim *claim)
{
	struct claim_item *item;
	while ((item = claim_batch_pop_last(&claim->batch)) != NULL) {
		if (item->is_dropped)
			claim_item_free(&item);
		else
			claim_queue_push_front(claim->queue, item);
	}
	if (claim->batch_is_alone)
		trial_end(claim);
	claim_set_phase(claim, CLAIM_IDLE);
	loop_timer_arm(claim->retry, GATEWAY_RETRY_MS);
}

static void explain(struct claim *claim)
{
	if (claim_batch_keep_unanswered(&claim->batch) == 0) {
		batch_end(claim);
		return;
	}
	claim_set_phase(claim, CLAIM_EXPLAINING);
	struct claim_entry *entries = claim_batch_entries(&claim->batch);
	gateway_store_explain(
		claim->gateway->claim_conn, entries, claim->batch.n, on_explained, claim);
	mem_free(entries);
}

static void refuse_all(struct claim *claim)
{
	for (int i = 0; i < claim->batch.n; i++) {
		struct claim_item *item = claim->batch.items[i];
		if (item->is_dropped)
			continue;
		claim_say(claim, item, OUTCOME_REFUSED, 0);
		claim_ack(claim, item);
		item->is_answered = true;
	}
	batch_end(claim);
}

static void on_explained(void *ctx, const struct pg_result *result)
{
	struct claim *claim = ctx;
	if (pg_status(result) != PG_OK) {
		if (++claim->n_explains < EXPLAIN_TRIES)
			loop_timer_arm(claim->retry, GATEWAY_RETRY_MS);
		else
			refuse_all(claim);
		return;
	}
	ASSERT(pg_rows(result) == claim->batch.n);
	for (int i = 0; i < claim->batch.n; i++) {
		struct claim_finding finding;
		gateway_store_finding(result, i, &finding);
		if (!claim->batch.items[i]->is_dropped)
			claim_answer_item(claim, claim->batch.items[i], &finding);
	}
	batch_end(claim);
}

static void on_claimed(void *ctx, const struct pg_result *result)
{
	struct claim *claim = ctx;
	MARKED_STEP("gateway_claim_answered", SV_NULL);
	switch (pg_status(result)) {
	case PG_OK:
		claim_take_rows(claim, result);
		claim->n_explains = 0;
		explain(claim);
		break;
	case PG_UNKNOWN:
		metric_add(claim->gateway->stats.store_retries, 1);
		claim_set_phase(claim, CLAIM_CHECKING);
		loop_timer_arm(claim->retry, GATEWAY_RETRY_MS);
		break;
	case PG_FAILED:
		if (!pg_is_retryable(result))
			log_error("claim_failed", log_err(pg_err(result)));
		metric_add(claim->gateway->stats.store_retries, 1);
		batch_back(claim);
		break;
	case PG_UNAVAILABLE:
		batch_back(claim);
		break;
	}
}

static void check(struct claim *claim)
{
	if (claim_batch_keep_unanswered(&claim->batch) == 0) {
		batch_end(claim);
		return;
	}
	struct claim_entry *entries = claim_batch_entries(&claim->batch);
	gateway_store_claim_check(
		claim->gateway->claim_conn, entries, claim->batch.n, on_checked, claim);
	mem_free(entries);
}

static void on_checked(void *ctx, const struct pg_result *result)
{
	struct claim *claim = ctx;
	if (pg_status(result) != PG_OK) {
		loop_timer_arm(claim->retry, GATEWAY_RETRY_MS);
		return;
	}
	claim_take_rows(claim, result);
	claim_doubts_add(claim);
	claim->n_explains = 0;
	explain(claim);
}

/* --- what may go now --- */

static bool item_may_go(struct claim *claim, struct claim_item *item)
{
	struct session *session = session_set_find(claim->gateway->sessions, item->node.scope);
	if (session == NULL || session->epoch != item->session_epoch ||
		!session_may_claim(session)) {
		claim_item_free(&item); /* unacknowledged: its next owner reads it */
		return false;
	}
	if (!session_is_ready(session)) {
		claim_say(claim, item, OUTCOME_NOT_READY, NOT_READY_MS);
		claim_ack(claim, item);
		claim_item_free(&item);
		return false;
	}
	return true;
}

static void cut(struct claim *claim, bool suspect, int max)
{
	struct claim_item *item;
	claim->batch_is_alone = suspect;
	while (claim->batch.n < max && (item = claim_queue_pop(claim->queue, suspect)) != NULL) {
		if (item_may_go(claim, item))
			claim_batch_add(&claim->batch, item);
	}
}

static void start(struct claim *claim)
{
	if (claim->batch.n == 0)
		return;
	if (claim->batch_is_alone)
		alone_begin(&claim->alone, clock_mono_ms());
	metric_add(claim->gateway->stats.claims, 1);
	claim_set_phase(claim, CLAIM_CLAIMING);
	struct claim_entry *entries = claim_batch_entries(&claim->batch);
	MARKED_STEP("gateway_claim_before_commit", claim->batch.items[0]->phone);
	gateway_store_claim(claim->gateway->claim_conn, entries, claim->batch.n,
		attempt_budget(&claim->gateway->retry_schedule), claim->batch_is_alone, on_claimed,
		claim);
	mem_free(entries);
}

static void start_next(struct claim *claim)
{
	struct gateway *gateway = claim->gateway;
	int n_in_flight = in_flight_count(gateway->in_flight);
	int room = GATEWAY_MAX_IN_FLIGHT - n_in_flight;
	if (gateway->is_draining || room <= 0 ||
		progress_waiting(gateway->progress) > GATEWAY_MAX_FACTS)
		return;
	int n_suspects = claim_queue_suspects(claim->queue);
	int n_ordinary = claim_queue_ordinary(claim->queue);
	switch (alone_next(&claim->alone, n_suspects, n_ordinary, n_in_flight, clock_mono_ms())) {
	case ALONE_ORDINARY:
		cut(claim, false, room < CLAIM_BATCH_MAX ? room : CLAIM_BATCH_MAX);
		break;
	case ALONE_TRY:
		cut(claim, true, 1);
		break;
	case ALONE_WAIT:
		return;
	}
	start(claim);
}

static void on_turn(void *ctx)
{
	struct claim *claim = ctx;
	if (claim->phase == CLAIM_IDLE && !loop_timer_is_armed(claim->retry) &&
		!claim->is_rechecking)
		start_next(claim);
}

static void on_retry(void *ctx)
{
	struct claim *claim = ctx;
	switch (claim->phase) {
	case CLAIM_IDLE:
		loop_turn_request(claim->turn);
		break;
	case CLAIM_CHECKING:
		check(claim);
		break;
	case CLAIM_EXPLAINING:
		explain(claim);
		break;
	case CLAIM_CLAIMING:
		WRONG("nothing is retried while the claim is under way");
	}
}

/* --- from outside --- */

struct claim *claim_new(struct gateway *gateway)
{
	struct claim *claim = mem_new(struct claim);
	claim->gateway = gateway;
	claim->queue = claim_queue_new();
	claim_batch_init(&claim->batch);
	claim_batch_init(&claim->doubts);
	claim->turn = loop_turn_new(gateway->loop, "claim", on_turn, claim);
	claim->retry = loop_timer_new(gateway->loop, "claim_retry", on_retry, claim);
	claim->trial_timer = loop_timer_new(gateway->loop, "claim_trial", on_trial_timeout, claim);
	claim->doubt_timer =
		loop_timer_new(gateway->loop, "claim_doubt", claim_doubts_on_timer, claim);
	return claim;
}

void claim_free(struct claim **claim)
{
	if (*claim == NULL)
		return;
	pg_conn_forget((*claim)->gateway->claim_conn, *claim);
	pg_conn_forget((*claim)->gateway->claim_conn, &(*claim)->doubts);
	claim_queue_free(&(*claim)->queue);
	claim_batch_deinit(&(*claim)->batch);
	claim_batch_deinit(&(*claim)->doubts);
	loop_turn_free(&(*claim)->turn);
	loop_timer_free(&(*claim)->retry);
	loop_timer_free(&(*claim)->trial_timer);
	loop_timer_free(&(*claim)->doubt_timer);
	mem_free(*claim);
	*claim = NULL;
}

void claim_push(struct claim *claim, int32_t session_id, int64_t session_epoch,
	const struct dispatch_entry *entry, const char *entry_id, bool is_suspect)
{
	struct claim_item *item = claim_item_new(session_id, session_epoch, entry, entry_id);
	item->is_suspect = is_suspect;
	struct claim_item *replaced = claim_queue_push(claim->queue, item);
	if (replaced != NULL)
		claim_ack(claim, replaced);
	claim_item_free(&replaced);
	loop_turn_request(claim->turn);
}

void claim_wake(struct claim *claim)
{
	loop_turn_request(claim->turn);
}

void claim_retire_session(struct claim *claim, int32_t session_id)
{
	claim_queue_drop_session(claim->queue, session_id);
}

bool claim_has_session(const struct claim *claim, int32_t session_id)
{
	return claim_batch_has_session(&claim->batch, session_id);
}

void claim_drop_session(struct claim *claim, int32_t session_id)
{
	claim_queue_drop_session(claim->queue, session_id);
	claim_batch_drop_session(&claim->batch, session_id);
	claim_batch_drop_session(&claim->doubts, session_id);
	if (claim->trial_session_id == session_id)
		trial_end(claim);
}

bool claim_is_idle(const struct claim *claim)
{
	return claim->phase == CLAIM_IDLE && !claim->is_rechecking;
}
