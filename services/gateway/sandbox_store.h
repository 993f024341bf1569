/* The sandbox's ledger (schema sandbox): WhatsApp's own servers, as it were. Nothing here knows of
 * the product's tables. */
#ifndef WA_GATEWAY_SANDBOX_STORE_H
#define WA_GATEWAY_SANDBOX_STORE_H

#include "common/io/pg_conn.h"
#include "common/model/message.h"

struct sandbox_copy { /* a message as it reaches the sandbox */
	int32_t session_id;
	int32_t tenant_id;
	struct strview wa_message_id;
	struct strview phone;
	struct strview message_id;
	enum message_type type;
	struct strview body;
	struct strview caption;
	struct strview media_sha256;
	bool has_receipts_first; /* will receipts follow, when this is its first copy, … */
	bool has_receipts_again; /* … and when it is not? */
};

/*
 * Take copies: an id that was taken before counts another copy and is shown no second time. Each
 * (session, id) at most once. A row for each, in any order: session id, WhatsApp id, copies,
 * receipt level.
 */
void sandbox_store_take(
	struct pg_conn *conn, const struct sandbox_copy *copies, int n, pg_done_fn fn, void *ctx);
struct sandbox_taken {
	int32_t session_id;
	struct strview wa_message_id;
	int64_t copies;
};
void sandbox_store_taken(const struct pg_result *result, int row, struct sandbox_taken *ret_taken);

/* Count a try of each id: rows session id, WhatsApp id, tries so far. Read with
 * sandbox_store_taken(). */
void sandbox_store_try(struct pg_conn *conn, const int64_t *session_ids,
	const struct strview *wa_message_ids, int n, pg_done_fn fn, void *ctx);

/* Receipts that the gateway has taken: level 1 delivered, 2 read (nothing more is pending then). */
void sandbox_store_acknowledge(struct pg_conn *conn, const int64_t *session_ids,
	const struct strview *wa_message_ids, const int64_t *levels, int n, pg_done_fn fn,
	void *ctx);

/* What is pending in a session after this arrival, oldest first, at most limit rows. */
void sandbox_store_pending(struct pg_conn *conn, int32_t session_id, int64_t after_arrival,
	int limit, pg_done_fn fn, void *ctx);
struct sandbox_pending {
	struct strview wa_message_id;
	int64_t arrival;
	int64_t received_at_ms;
	int receipt_level;
};
void sandbox_store_pending_row(
	const struct pg_result *result, int row, struct sandbox_pending *ret_pending);

/* What customers have written in these sessions and the gateway has not acknowledged, oldest first,
 * at most limit rows. */
void sandbox_store_inbound(struct pg_conn *conn, const int64_t *session_ids, int n, int limit,
	pg_done_fn fn, void *ctx);
struct sandbox_inbound {
	int64_t id;
	int32_t session_id;
	int32_t tenant_id;
	struct strview phone;
	struct strview wa_message_id;
	enum message_type type;
	struct strview body;
	struct strview media_url;
	int64_t created_at_ms;
};
void sandbox_store_inbound_row(
	const struct pg_result *result, int row, struct sandbox_inbound *ret_inbound);
void sandbox_store_forget_inbound(
	struct pg_conn *conn, const int64_t *ids, int n, pg_done_fn fn, void *ctx);

#endif
