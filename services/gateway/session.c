/* A session's phases, and what its engine reports. */
#include "services/gateway/session.h"

#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/io/marked_step.h"
#include "services/gateway/claim.h"
#include "services/gateway/dispatch_intake.h"
#include "services/gateway/gateway.h"
#include "services/gateway/gateway_store_session.h"
#include "services/gateway/in_flight.h"
#include "services/gateway/inbound.h"
#include "services/gateway/moves.h"
#include "services/gateway/progress.h"
#include "services/gateway/publish.h"
#include "services/gateway/session_report.h"
#include "services/gateway/session_set.h"

#define SETTLE_LIMIT 1000
/* What the engine still holds of receipts comes first, and may settle it. */
#define SETTLE_DELAY_MS 1500
#define CUT_PATIENCE_MS 1000
#define REOPEN_MS       1000
/* Until senders are told that it cannot send yet. */
#define CONNECT_PATIENCE_MS 1000

static void session_set_phase(struct session *session, enum session_phase phase)
{
	switch (phase) {
	case SESSION_PHASE_LOADING:
		WRONG("a session is loaded once");
	case SESSION_PHASE_SETTLING:
		ASSERT(session->phase == SESSION_PHASE_LOADING);
		break;
	case SESSION_PHASE_OPEN:
		ASSERT(session->phase == SESSION_PHASE_SETTLING);
		break;
	case SESSION_PHASE_ENDING:
		ASSERT(!session_is_ending(session));
		break;
	case SESSION_PHASE_CUTTING:
		ASSERT(session->phase == SESSION_PHASE_ENDING);
		break;
	}
	session->phase = phase;
}

/* --- opening --- */

static void open_engine(struct session *session)
{
	struct engine_session opened = {
		.session_id = session->id,
		.epoch = session->epoch,
		.tenant_id = session->tenant_id,
		.name = SV_NULL,
	};
	session->engine =
		session->kind->open(session->shared, &opened, &session_report_events, session);
}

static void begin_work(struct session *session)
{
	session_set_phase(session, SESSION_PHASE_OPEN);
	if (session->kind != NULL)
		open_engine(session);
	else
		session_report_state(
			session, SESSION_FAILED, "this gateway has no engine of that name", NULL);
	loop_timer_arm(session->timer, CONNECT_PATIENCE_MS);
	log_info("session_open", log_int("session", session->id), log_int("epoch", session->epoch),
		log_text("engine", session->kind != NULL ? session->kind->name : NULL));
}

static void on_settled(void *ctx, const struct pg_result *result);

static void settle(struct session *session)
{
	gateway_store_settle(session->gateway->session_conn, session->id, session->epoch,
		session->survived_epoch, SETTLE_DELAY_MS, SETTLE_LIMIT, on_settled, session);
}

static void publish_settled(struct session *session, const struct gateway_settled *settled)
{
	struct publish_outcome outcome = {
		.partition = settled->partition,
		.message_id = settled->message_id,
		.session_id = session->id,
		.phone = settled->phone,
		.queue_seq = settled->queue_seq,
		.kind = OUTCOME_UNKNOWN,
		.attempts = settled->attempts,
		.next_in_ms = SETTLE_DELAY_MS,
	};
	publish_outcome(session->gateway->publish, &outcome);
	log_info("message_settled", log_int("session", session->id),
		log_sv("message", settled->message_id), log_int("attempts", settled->attempts),
		log_int("deaths", settled->deaths), log_int("deaths_alone", settled->deaths_alone));
}

static void on_settled(void *ctx, const struct pg_result *result)
{
	struct session *session = ctx;
	if (pg_status(result) != PG_OK) {
		loop_timer_arm(session->timer, GATEWAY_RETRY_MS);
		return;
	}
	MARKED_STEP_NUMBER("gateway_settle_committed", pg_rows(result));
	for (int row = 0; row < pg_rows(result); row++) {
		struct gateway_settled settled;
		gateway_store_settled(result, row, &settled);
		publish_settled(session, &settled);
	}
	if (pg_rows(result) == SETTLE_LIMIT)
		settle(session);
	else
		begin_work(session);
}

static void on_loaded(void *ctx, const struct pg_result *result)
{
	struct session *session = ctx;
	if (pg_status(result) != PG_OK) {
		loop_timer_arm(session->timer, GATEWAY_RETRY_MS);
		return;
	}
	if (pg_rows(result) == 1) {
		struct gateway_session_row row;
		gateway_store_session_row(result, &row);
		session->tenant_id = row.tenant_id;
		if (!row.is_deleted)
			session->kind = session_set_kind(
				session->gateway->sessions, row.engine, &session->shared);
		if (session_state_parse(row.state, &session->state) < 0)
			session->state = SESSION_STARTING;
	}
	session_set_phase(session, SESSION_PHASE_SETTLING);
	MARKED_STEP_NUMBER("gateway_session_loaded", session->id);
	settle(session);
}

static void load(struct session *session)
{
	gateway_store_session(session->gateway->session_conn, session->id, on_loaded, session);
}

/* --- ending --- */

static void cut_attempt(void *ctx, struct attempt *attempt)
{
	session_attempt_is_late(ctx, attempt);
}

static void cut(struct session *session)
{
	session_set_phase(session, SESSION_PHASE_CUTTING);
	in_flight_each_of(session->gateway->in_flight, session->id, cut_attempt, session);
	loop_timer_arm(session->timer, CUT_PATIENCE_MS);
	loop_turn_request(session->turn);
}

static bool has_work(const struct session *session)
{
	const struct gateway *gateway = session->gateway;
	return in_flight_count_of(gateway->in_flight, session->id) > 0 ||
	       claim_has_session(gateway->claim, session->id) ||
	       moves_has_session(gateway->moves, session->id) ||
	       progress_has_session(gateway->progress, session->id);
}

static void on_turn(void *ctx)
{
	struct session *session = ctx;
	if (session_is_ending(session) && !has_work(session))
		session_set_released(session->gateway->sessions, session); /* frees it */
}

static void on_timer(void *ctx)
{
	struct session *session = ctx;
	switch (session->phase) {
	case SESSION_PHASE_LOADING:
		load(session);
		break;
	case SESSION_PHASE_SETTLING:
		settle(session);
		break;
	case SESSION_PHASE_OPEN:
		session_begin_reading(session);
		break;
	case SESSION_PHASE_ENDING:
		cut(session);
		break;
	case SESSION_PHASE_CUTTING:
		session_set_released(
			session->gateway->sessions, session); /* the next owner settles the rest */
		break;
	}
}

static void on_reopen(void *ctx)
{
	struct session *session = ctx;
	if (session->phase != SESSION_PHASE_OPEN || session->engine == NULL)
		return;
	if (progress_waiting(session->gateway->progress) > GATEWAY_MAX_FACTS ||
		inbound_is_writing(session->gateway->inbound, session->id)) {
		inbound_drop_session(session->gateway->inbound, session->id);
		loop_timer_arm(session->reopen_timer, REOPEN_MS);
		return;
	}
	log_warn("session_reopen", log_int("session", session->id));
	session->must_reopen = false;
	session->kind->close(session->engine, ENGINE_CLOSE_RELEASED);
	session_report_lost(session);
	inbound_drop_session(session->gateway->inbound, session->id);
	open_engine(session);
}

/* --- from outside --- */

struct session *session_new(
	struct gateway *gateway, int32_t id, int64_t epoch, int64_t survived_epoch)
{
	struct session *session = mem_new(struct session);
	session->gateway = gateway;
	session->id = id;
	session->epoch = epoch;
	session->survived_epoch = survived_epoch;
	session->phase = SESSION_PHASE_LOADING;
	session->timer = loop_timer_new(gateway->loop, "session", on_timer, session);
	session->state_timer =
		loop_timer_new(gateway->loop, "session_state", session_report_on_timer, session);
	session->reopen_timer = loop_timer_new(gateway->loop, "session_reopen", on_reopen, session);
	session->turn = loop_turn_new(gateway->loop, "session", on_turn, session);
	load(session);
	return session;
}

static void end_attempt(void *ctx, struct attempt *attempt)
{
	struct session *session = ctx;
	in_flight_end(session->gateway->in_flight, attempt);
}

void session_free(struct session **session_at, enum engine_close why)
{
	struct session *session = *session_at;
	struct gateway *gateway = session->gateway;
	if (session->engine != NULL)
		session->kind->close(session->engine, why);
	pg_conn_forget(gateway->session_conn, session);
	dispatch_intake_remove(gateway->intake, session->id);
	claim_drop_session(gateway->claim, session->id);
	in_flight_each_of(gateway->in_flight, session->id, end_attempt, session);
	progress_drop_session(gateway->progress, session->id);
	moves_drop_session(gateway->moves, session->id);
	inbound_drop_session(gateway->inbound, session->id);
	loop_timer_free(&session->timer);
	loop_timer_free(&session->state_timer);
	loop_timer_free(&session->reopen_timer);
	loop_turn_free(&session->turn);
	mem_free(session);
	*session_at = NULL;
}

bool session_is_ending(const struct session *session)
{
	return session->phase == SESSION_PHASE_ENDING || session->phase == SESSION_PHASE_CUTTING;
}

bool session_may_claim(const struct session *session)
{
	return session->phase == SESSION_PHASE_OPEN &&
	       lease_is_held(session->gateway->leases, session->id);
}

bool session_is_ready(const struct session *session)
{
	return session->engine != NULL && !session->must_reopen &&
	       session->kind->is_ready(session->engine);
}

void session_send(struct session *session, const struct claimed *claimed)
{
	struct engine_message message = {
		.message_id = claimed->message_id,
		.wa_message_id = claimed->wa_message_id,
		.phone = claimed->phone,
		.tenant_id = claimed->tenant_id,
		.type = claimed->type,
		.body = claimed->body,
		.caption = claimed->caption,
		.filename = claimed->filename,
		.media_sha256 = claimed->media_sha256,
		.attempt = claimed->attempts,
	};
	session->kind->send(session->engine, &message);
}

void session_end(struct session *session, int64_t patience_ms)
{
	if (session_is_ending(session))
		return;
	session_set_phase(session, SESSION_PHASE_ENDING);
	pg_conn_forget(session->gateway->session_conn, session);
	session->state_is_being_written = false;
	dispatch_intake_remove(session->gateway->intake, session->id);
	claim_retire_session(session->gateway->claim, session->id);
	loop_timer_arm(session->timer, patience_ms);
	loop_turn_request(session->turn);
}

void session_begin_reading(struct session *session)
{
	if (session->is_reading || session->phase != SESSION_PHASE_OPEN)
		return;
	session->is_reading = true;
	dispatch_intake_add(session->gateway->intake, session->id);
}

void session_poke(struct session *session)
{
	loop_turn_request(session->turn);
}
