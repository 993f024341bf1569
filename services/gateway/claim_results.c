/* What the claim let through goes to the engines; about all else the sender is told. */
#include <string.h>

#include "common/base/log.h"
#include "common/io/marked_step.h"
#include "services/gateway/claim_internal.h"
#include "services/gateway/dispatch_intake.h"
#include "services/gateway/in_flight.h"
#include "services/gateway/media.h"
#include "services/gateway/moves.h"
#include "services/gateway/publish.h"
#include "services/gateway/session_set.h"

#define NO_MEDIA_MS 500 /* until a message is worth another try whose media is being fetched */

void claim_ack(struct claim *claim, const struct claim_item *item)
{
	dispatch_intake_ack(claim->gateway->intake, item->node.scope, item->entry_id);
}

void claim_say(struct claim *claim, const struct claim_item *item, enum outcome_kind kind,
	int64_t next_in_ms)
{
	struct publish_outcome outcome = {
		.partition = item->partition,
		.message_id = item->node.key,
		.session_id = item->node.scope,
		.phone = item->phone,
		.queue_seq = item->queue_seq,
		.kind = kind,
		.attempts = item->attempt,
		.next_in_ms = next_in_ms,
	};
	publish_outcome(claim->gateway->publish, &outcome);
}

/* It was claimed, and the session lost its connection meanwhile: certainly not sent. */
static void move_unsent(struct claim *claim, const struct claimed *claimed, int64_t session_epoch)
{
	struct attempt_move move;
	struct attempt_end end = {
		.verdict = VERDICT_RETRY,
		.code = "not_connected",
		.text = "the session lost its connection before it was sent",
	};
	struct moves_subject subject = {
		.message_id = claimed->message_id,
		.wa_message_id = claimed->wa_message_id,
		.session_id = claimed->session_id,
		.session_epoch = session_epoch,
		.phone = claimed->phone,
		.partition = claimed->partition,
		.queue_seq = claimed->queue_seq,
		.attempts = claimed->attempts,
	};
	attempt_move_decide(end, claimed->attempts, claimed->ever_unknown,
		&claim->gateway->retry_schedule, &move);
	moves_push(claim->gateway->moves, &subject, &move);
}

void claim_hand_over(struct claim *claim, const struct claimed *claimed, int64_t session_epoch)
{
	struct gateway *gateway = claim->gateway;
	if (!session_set_owns(gateway->sessions, claimed->session_id, session_epoch))
		return; /* the next owner settles it */
	struct session *session = session_set_find(gateway->sessions, claimed->session_id);
	if (claimed->alone)
		claim_trial_begin(claim, claimed);
	if (!session_is_ready(session)) {
		move_unsent(claim, claimed, session_epoch);
		return;
	}
	in_flight_add(gateway->in_flight, claimed, session_epoch);
	session_send(session, claimed);
	MARKED_STEP("gateway_handed_over", claimed->phone);
	metric_add(gateway->stats.handed_over, 1);
}

void claim_take_rows(struct claim *claim, const struct pg_result *result)
{
	metric_add(claim->gateway->stats.claimed, pg_rows(result));
	for (int row = 0; row < pg_rows(result); row++) {
		struct claimed claimed;
		gateway_store_claimed(result, row, &claimed);
		struct claim_item *item =
			claim_batch_find(&claim->batch, claimed.session_id, claimed.message_id);
		if (item == NULL || item->is_dropped || item->is_answered)
			continue;
		item->is_answered = true;
		claim_batch_forget(&claim->doubts, claimed.session_id, claimed.message_id);
		MARKED_STEP("gateway_claim_committed", claimed.phone);
		claim_ack(claim, item);
		claim_hand_over(claim, &claimed, item->session_epoch);
	}
}

static void move_unknown(
	struct claim *claim, const struct claim_item *item, const struct attempt_move *move)
{
	struct moves_subject subject = {
		.message_id = item->node.key,
		.wa_message_id = SV_NULL,
		.session_id = item->node.scope,
		.session_epoch = item->session_epoch,
		.phone = item->phone,
		.partition = item->partition,
		.queue_seq = item->queue_seq,
		.attempts = item->attempt,
		.was_unknown = true,
	};
	moves_push(claim->gateway->moves, &subject, move);
}

static void close_unknown(struct claim *claim, const struct claim_item *item, const char *why)
{
	struct attempt_move move;
	attempt_move_close_unknown(why, &move);
	move_unknown(claim, item, &move);
}

static void set_aside(struct claim *claim, const struct claim_item *item, int deaths_alone)
{
	struct attempt_move move;
	attempt_move_set_aside(deaths_alone, &move);
	move_unknown(claim, item, &move);
}

void claim_answer_item(
	struct claim *claim, struct claim_item *item, const struct claim_finding *finding)
{
	switch (claim_answer_of(
		finding, attempt_budget(&claim->gateway->retry_schedule), claim->batch_is_alone)) {
	case CLAIM_ANSWER_NOTHING:
		break;
	case CLAIM_ANSWER_SENT:
		claim_say(claim, item, OUTCOME_SENT, 0);
		break;
	case CLAIM_ANSWER_FINAL:
		claim_say(claim, item, OUTCOME_FINAL, 0);
		break;
	case CLAIM_ANSWER_REFUSED:
		claim_say(claim, item, OUTCOME_REFUSED, 0);
		break;
	case CLAIM_ANSWER_NO_MEDIA:
		media_hurry(claim->gateway->media);
		claim_say(claim, item, OUTCOME_NO_MEDIA, NO_MEDIA_MS);
		break;
	case CLAIM_ANSWER_ALONE:
		log_warn("message_suspect", log_sv("message", item->node.key),
			log_int("deaths", finding->deaths),
			log_int("deaths_alone", finding->deaths_alone));
		item->is_suspect = true;
		return;
	case CLAIM_ANSWER_CLOSE_EXPIRED:
		close_unknown(claim, item, "it was valid until a time that has passed");
		break;
	case CLAIM_ANSWER_CLOSE_SPENT:
		close_unknown(claim, item, "its attempts are spent");
		break;
	case CLAIM_ANSWER_SET_ASIDE:
		set_aside(claim, item, finding->deaths_alone);
		break;
	}
	item->is_answered = true;
	claim_ack(claim, item);
}
