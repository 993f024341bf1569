/* The claim, in SQL: the one point of truth before a hand-over. */
#ifndef WA_GATEWAY_GATEWAY_STORE_CLAIM_H
#define WA_GATEWAY_GATEWAY_STORE_CLAIM_H

#include "common/io/pg_conn.h"
#include "services/gateway/claim_answer.h"
#include "services/gateway/claim_entry.h"

/*
 * Claim what fits. Rows of the result are those that moved: read them with gateway_store_claimed().
 * budget: attempts that a message whose outcome is unknown may have made at most before this.
 * alone: n is 1, and deaths are no obstacle.
 */
void gateway_store_claim(struct pg_conn *conn, const struct claim_entry *entries, int n, int budget,
	bool alone, pg_done_fn fn, void *ctx);
/*
 * After a claim whose commit is unknown: waits for its end if it still runs, then gives the rows
 * that it moved, in the same form.
 */
void gateway_store_claim_check(
	struct pg_conn *conn, const struct claim_entry *entries, int n, pg_done_fn fn, void *ctx);
void gateway_store_claimed(const struct pg_result *result, int row, struct claimed *ret_claimed);

/* Why entries did not fit: one row each, read with gateway_store_finding(); its order is that of
 * the entries. */
void gateway_store_explain(
	struct pg_conn *conn, const struct claim_entry *entries, int n, pg_done_fn fn, void *ctx);
void gateway_store_finding(
	const struct pg_result *result, int row, struct claim_finding *ret_finding);

/* Keep a dispatch entry that killed its readers or could not be understood. */
void gateway_store_set_aside_entry(struct pg_conn *conn, const char *set_aside_id,
	const char *stream, struct strview payload, const char *reason, pg_done_fn fn, void *ctx);

#endif
