/* What became of messages, in SQL: acknowledgements and receipts, and attempts that ended
 * otherwise. */
#ifndef WA_GATEWAY_GATEWAY_STORE_PROGRESS_H
#define WA_GATEWAY_GATEWAY_STORE_PROGRESS_H

#include "common/io/pg_conn.h"
#include "services/gateway/attempt_move.h"
#include "services/gateway/progress_batch.h"

/*
 * Both statements give rows of three kinds, told apart by gateway_store_row_kind():
 * HELD     a session whose lease still fits: only its facts were recorded. number: how many of them
 * found their message. MESSAGE  a message that this statement closed (progress) or moved (moves).
 * EVENT    an event and one endpoint that is owed it; an event's rows follow each other.
 */
enum gateway_row_kind { GATEWAY_ROW_HELD = 0, GATEWAY_ROW_MESSAGE = 1, GATEWAY_ROW_EVENT = 2 };

struct gateway_held_row {
	int32_t session_id;
	int64_t number;
};

struct gateway_message_row {
	struct strview message_id;
	struct strview phone;
	int32_t session_id;
	int partition;
	int64_t queue_seq;
	int attempts;
};

struct gateway_event_row {
	int64_t sequence;
	int64_t created_at_ms;
	int32_t tenant_id;
	int32_t contact_id; /* 0: none */
	struct strview message_id;
	int type;
	int32_t webhook_id;
};

enum gateway_row_kind gateway_store_row_kind(const struct pg_result *result, int row);
void gateway_store_held_row(
	const struct pg_result *result, int row, struct gateway_held_row *ret_row);
void gateway_store_message_row(
	const struct pg_result *result, int row, struct gateway_message_row *ret_row);
void gateway_store_event_row(
	const struct pg_result *result, int row, struct gateway_event_row *ret_row);

/* again: the statement may have been committed before: give a row for each message, though nothing
 * moved now. */
void gateway_store_progress(struct pg_conn *conn, const struct progress_fact *const *facts, int n,
	bool again, pg_done_fn fn, void *ctx);

struct gateway_move { /* an attempt that did not end well */
	struct strview message_id;
	int32_t session_id;
	int64_t session_epoch;
	int attempts;     /* the row's, or nothing moves */
	bool was_unknown; /* it waits as unknown; else it is in flight by our claim */
	const struct attempt_move *move;
	const char *set_aside_id; /* not NULL: keep it in set_aside under this id */
};

void gateway_store_moves(
	struct pg_conn *conn, const struct gateway_move *moves, int n, pg_done_fn fn, void *ctx);

#endif
