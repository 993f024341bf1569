/*
 * One session that this gateway owns: loads its row, settles what the last owner left in flight,
 * opens its engine, passes on what that reports, and gives it up in order.
 */
#ifndef WA_GATEWAY_SESSION_H
#define WA_GATEWAY_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "services/gateway/claim_entry.h"
#include "services/gateway/engine.h"
#include "services/gateway/keyed.h"

struct attempt;
struct gateway;

enum session_phase {
	SESSION_PHASE_LOADING,  /* reads its row */
	SESSION_PHASE_SETTLING, /* what an earlier owner had in flight gets an unknown outcome */
	SESSION_PHASE_OPEN,     /* its engine runs; dispatches are read */
	SESSION_PHASE_ENDING,   /* no new work; what is in flight may still end */
	SESSION_PHASE_CUTTING,  /* what had not ended is being written as unknown */
};

#define SESSION_REASON_SIZE 128
#define SESSION_PHONE_SIZE  24

struct session {                   /* owned by the session set */
	TAILQ_ENTRY(session) link; /* the set's, as the next */
	struct keyed_node node;
	struct gateway *gateway;
	int32_t id;
	int64_t epoch;
	int64_t survived_epoch; /* of this process's earlier time with it, 0 when there was none */
	enum session_phase phase;
	const struct engine_kind
		*kind; /* NULL until loaded, or when this process has no such engine */
	void *shared;  /* the kind's */
	void *engine;  /* NULL while it is not open */
	int32_t tenant_id;
	/* What the engine reported last. */
	enum session_state state;
	char reason[SESSION_REASON_SIZE];
	char phone_number[SESSION_PHONE_SIZE];
	bool state_is_due; /* it must be written */
	bool state_is_being_written;
	bool is_reading;  /* its dispatches are being read */
	bool must_reopen; /* something of the engine's was dropped: it has to offer it again */
	struct loop_timer *timer; /* of the phase: try again, or stop being patient */
	struct loop_timer *state_timer;
	struct loop_timer *reopen_timer;
	struct loop_turn *turn; /* while ending: look whether all has ended */
};

struct session *session_new(
	struct gateway *gateway, int32_t id, int64_t epoch, int64_t survived_epoch);
/* At once: what it had in flight is for the next owner to settle. */
void session_free(struct session **session, enum engine_close why);
/* May messages be claimed for it? (Whether they can be sent now is another question.) */
bool session_may_claim(const struct session *session);
bool session_is_ready(const struct session *session);
void session_send(struct session *session, const struct claimed *claimed); /* it must be ready */
/* Take no new work; wait for what is in flight, at most patience_ms; then session_set_released() is
 * called. */
void session_end(struct session *session, int64_t patience_ms);
bool session_is_ending(const struct session *session);
void session_begin_reading(struct session *session); /* its dispatches, if not yet */
void session_poke(struct session *session);          /* something ended: perhaps the last of it */
void session_attempt_is_late(struct session *session,
	struct attempt *attempt); /* its acknowledgement did not come in time */

#endif
