/* States go to the session's row, acknowledgements and receipts to progress, failures to moves,
 * messages to inbound. */
#include "services/gateway/session_report.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "services/gateway/gateway.h"
#include "services/gateway/gateway_store_session.h"
#include "services/gateway/in_flight.h"
#include "services/gateway/inbound.h"
#include "services/gateway/moves.h"
#include "services/gateway/pairing.h"
#include "services/gateway/progress.h"
#include "services/gateway/publish.h"
#include "services/gateway/session.h"

#define WA_ID_MAX 127
#define MAX_RECEIPTS                                                                               \
	(10 * GATEWAY_MAX_FACTS) /* more are dropped, and offered again after a reopening */
#define REOPEN_MS 1000

/* An engine passes on what others sent it. */
static bool is_wa_id(struct strview text)
{
	if (text.len == 0 || text.len > WA_ID_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
			return false;
	}
	return true;
}

static void must_reopen(struct session *session)
{
	session->must_reopen = true;
	if (!loop_timer_is_armed(session->reopen_timer))
		loop_timer_arm(session->reopen_timer, REOPEN_MS);
}

/* --- states --- */

static void write_state(struct session *session);

static void on_state_written(void *ctx, const struct pg_result *result)
{
	struct session *session = ctx;
	session->state_is_being_written = false;
	if (pg_status(result) == PG_OK) {
		publish_events(session->gateway->publish, result);
	} else {
		session->state_is_due = true;
		if (!pg_is_retryable(result))
			log_error("session_state_failed", log_int("session", session->id),
				log_err(pg_err(result)));
		loop_timer_arm(session->state_timer, GATEWAY_RETRY_MS);
		return;
	}
	if (session->state_is_due)
		write_state(session);
}

static void write_state(struct session *session)
{
	if (session->state_is_being_written || loop_timer_is_armed(session->state_timer))
		return;
	session->state_is_due = false;
	session->state_is_being_written = true;
	struct strview reason = session->reason[0] != '\0' ? sv_from(session->reason) : SV_NULL;
	struct strview phone =
		session->phone_number[0] != '\0' ? sv_from(session->phone_number) : SV_NULL;
	gateway_store_session_state(session->gateway->session_conn, session->id, session->epoch,
		session->state, reason, phone, on_state_written, session);
}

void session_report_on_timer(void *ctx)
{
	struct session *session = ctx;
	if (session->state_is_due && !session_is_ending(session))
		write_state(session);
}

static void attempt_is_unknown(void *ctx, struct attempt *attempt)
{
	session_attempt_is_late(ctx, attempt);
}

void session_report_lost(struct session *session)
{
	in_flight_each_of(session->gateway->in_flight, session->id, attempt_is_unknown, session);
}

void session_report_state(struct session *session, enum session_state state, const char *reason,
	const char *phone_number)
{
	if (state == SESSION_CONNECTED)
		session_begin_reading(session);
	else
		session_report_lost(session);
	if (state != session->state)
		log_info("session_state", log_int("session", session->id),
			log_text("from", session_state_name(session->state)),
			log_text("to", session_state_name(state)), log_text("reason", reason));
	session->state = state;
	(void)snprintf(
		session->reason, sizeof(session->reason), "%s", reason != NULL ? reason : "");
	if (!sv_is_utf8(sv_from(session->reason)))
		session->reason[0] = '\0';
	if (phone_number != NULL)
		(void)snprintf(
			session->phone_number, sizeof(session->phone_number), "%s", phone_number);
	session->state_is_due = true;
	if (!session_is_ending(session))
		write_state(session);
}

/* An engine that starts knows nothing of before. What was connected once comes back by itself, and
 * whoever is told that it went away is told why. */
static void on_state(
	void *ctx, enum session_state state, const char *reason, const char *phone_number)
{
	struct session *session = ctx;
	char why[SESSION_REASON_SIZE];
	if (state == SESSION_STARTING && reason == NULL &&
		(session->state == SESSION_CONNECTED || session->state == SESSION_RECONNECTING)) {
		state = SESSION_RECONNECTING;
		(void)snprintf(why, sizeof(why), "%s",
			session->reason[0] != '\0' ? session->reason
						   : "another gateway process has taken it over");
		reason = why;
	}
	session_report_state(session, state, reason, phone_number);
}

/* --- attempts --- */

static void end_badly(struct session *session, struct attempt *attempt, struct attempt_end end)
{
	struct gateway *gateway = session->gateway;
	struct attempt_move move;
	struct moves_subject subject = {
		.message_id = attempt->message_id,
		.wa_message_id = attempt->node.key,
		.session_id = session->id,
		.session_epoch = attempt->session_epoch,
		.phone = attempt->phone,
		.partition = attempt->partition,
		.queue_seq = attempt->queue_seq,
		.attempts = attempt->attempts,
	};
	attempt_move_decide(
		end, attempt->attempts, attempt->ever_unknown, &gateway->retry_schedule, &move);
	moves_push(gateway->moves, &subject, &move);
	in_flight_end(gateway->in_flight, attempt);
}

void session_attempt_is_late(struct session *session, struct attempt *attempt)
{
	end_badly(session, attempt, (struct attempt_end){.verdict = VERDICT_UNKNOWN});
}

static void on_acked(void *ctx, struct strview wa_message_id, int64_t at_ms)
{
	struct session *session = ctx;
	struct gateway *gateway = session->gateway;
	if (!is_wa_id(wa_message_id))
		return;
	struct attempt *attempt = in_flight_find(gateway->in_flight, session->id, wa_message_id);
	if (attempt != NULL) {
		metric_observe_ms(gateway->stats.ack_seconds,
			(double)(clock_mono_ms() - attempt->started_ms));
		in_flight_end(gateway->in_flight, attempt);
	} else {
		metric_add(gateway->stats.late_answers, 1);
	}
	progress_add(gateway->progress, session->id, session->epoch, wa_message_id, PROGRESS_SENT,
		at_ms, PROGRESS_NO_TOKEN);
}

static void attempt_failed(
	struct session *session, struct strview wa_message_id, struct attempt_end end)
{
	struct gateway *gateway = session->gateway;
	struct attempt *attempt = in_flight_find(gateway->in_flight, session->id, wa_message_id);
	if (attempt == NULL) {
		metric_add(gateway->stats.late_answers, 1);
		return;
	}
	log_info("attempt_failed", log_int("session", session->id),
		log_sv("message", attempt->message_id), log_int("attempt", attempt->attempts),
		log_text("verdict", verdict_name(end.verdict)), log_text("code", end.code),
		log_int("held_ms", end.held_ms));
	end_badly(session, attempt, end);
}

static void on_failed(void *ctx, struct strview wa_message_id, enum verdict verdict,
	const char *code, const char *text)
{
	attempt_failed(ctx, wa_message_id,
		(struct attempt_end){.verdict = verdict, .code = code, .text = text});
}

static void on_held(
	void *ctx, struct strview wa_message_id, const char *code, const char *text, int64_t for_ms)
{
	attempt_failed(ctx, wa_message_id,
		(struct attempt_end){
			.verdict = VERDICT_RETRY, .code = code, .text = text, .held_ms = for_ms});
}

static void on_receipt(void *ctx, const struct engine_receipt *receipt)
{
	struct session *session = ctx;
	struct gateway *gateway = session->gateway;
	if (!is_wa_id(receipt->wa_message_id))
		return;
	if (progress_waiting(gateway->progress) > MAX_RECEIPTS) {
		must_reopen(session);
		return;
	}
	struct attempt *attempt =
		in_flight_find(gateway->in_flight, session->id, receipt->wa_message_id);
	if (attempt != NULL) /* who has it needs no acknowledgement any more */
		in_flight_end(gateway->in_flight, attempt);
	metric_add(gateway->stats.receipts, 1);
	progress_add(gateway->progress, session->id, session->epoch, receipt->wa_message_id,
		receipt->level == ENGINE_RECEIPT_READ ? PROGRESS_READ : PROGRESS_DELIVERED,
		receipt->at_ms, receipt->token);
}

static void on_inbound(void *ctx, const struct engine_inbound *inbound)
{
	struct session *session = ctx;
	if (!is_wa_id(inbound->wa_message_id))
		return;
	struct engine_inbound owned = *inbound;
	if (owned.tenant_id == 0) /* what comes on a tenant's own number is its, whoever wrote */
		owned.tenant_id = session->tenant_id;
	if (inbound_push(session->gateway->inbound, session->id, session->epoch, &owned) < 0)
		must_reopen(session);
}

static void on_code(void *ctx, const struct engine_code *code)
{
	struct session *session = ctx;
	pairing_keep(session->gateway->pairing, session->id, session->epoch, code);
}

static void on_broken(void *ctx, const char *reason)
{
	struct session *session = ctx;
	session_report_state(session, SESSION_RECONNECTING, reason, NULL);
	must_reopen(session);
}

const struct engine_events session_report_events = {
	.on_state = on_state,
	.on_acked = on_acked,
	.on_failed = on_failed,
	.on_held = on_held,
	.on_receipt = on_receipt,
	.on_inbound = on_inbound,
	.on_code = on_code,
	.on_broken = on_broken,
};
