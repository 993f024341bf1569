/* Sessions in SQL: their rows, what the last owner left in flight, and their states. */
#ifndef WA_GATEWAY_GATEWAY_STORE_SESSION_H
#define WA_GATEWAY_GATEWAY_STORE_SESSION_H

#include "common/io/pg_conn.h"
#include "services/gateway/engine.h"

struct gateway_session_row {
	struct strview engine;
	struct strview name;
	struct strview state;
	int32_t tenant_id; /* 0: the deployment's */
	bool is_deleted;
};

void gateway_store_session(
	struct pg_conn *conn, int32_t session_id, pg_done_fn fn, void *ctx); /* one row or none */
void gateway_store_session_row(const struct pg_result *result, struct gateway_session_row *ret_row);

/*
 * Settle what an earlier owner of the session had in flight, at most limit messages: their outcome
 * is unknown from now on, next tried after delay_ms. Each counts one death of its gateway, unless
 * its claim was of survived_epoch: this process had it then, lost its lease, and is alive. Gives a
 * row for each, read with gateway_store_settled().
 */
void gateway_store_settle(struct pg_conn *conn, int32_t session_id, int64_t epoch,
	int64_t survived_epoch, int64_t delay_ms, int limit, pg_done_fn fn, void *ctx);
struct gateway_settled {
	struct strview message_id;
	struct strview phone;
	int partition;
	int64_t queue_seq;
	int attempts;
	int deaths;
	int deaths_alone;
};
void gateway_store_settled(
	const struct pg_result *result, int row, struct gateway_settled *ret_settled);

/*
 * Write a session's state, if the lease still fits, and tell who wants to know of its coming and
 * going: the session's tenant, or for a shared one every tenant that listens and has no session of
 * its own, and the deployment's default tenant. Gives the rows of the events
 * (gateway_store_event_row).
 */
void gateway_store_session_state(struct pg_conn *conn, int32_t session_id, int64_t epoch,
	enum session_state state, struct strview reason, struct strview phone_number, pg_done_fn fn,
	void *ctx);

/* Take what was asked of these sessions: rows (session id, phone: digits, or empty for a code to
 * scan). */
void gateway_store_pairing_wanted(
	struct pg_conn *conn, const int64_t *session_ids, int n, pg_done_fn fn, void *ctx);
/* Show a code, if the lease still fits. */
void gateway_store_pairing_code(struct pg_conn *conn, int32_t session_id, int64_t epoch,
	const struct engine_code *code, pg_done_fn fn, void *ctx);

#endif
