/*
 * After a claim whose end was not known, rows that it had not moved when we looked: were its server
 * only stalled, it might run the statement yet, and nobody would hand over what it moves. So they
 * are looked at once more, some seconds later.
 */
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/gateway/claim_internal.h"
#include "services/gateway/in_flight.h"

#define DOUBT_MS 5000

void claim_doubts_add(struct claim *claim)
{
	for (int i = 0; i < claim->batch.n; i++) {
		const struct claim_item *item = claim->batch.items[i];
		if (!item->is_answered && !item->is_dropped)
			claim_batch_add(&claim->doubts, claim_item_copy(item));
	}
	if (claim->doubts.n > 0)
		loop_timer_arm(claim->doubt_timer, DOUBT_MS);
}

static void take_row(struct claim *claim, const struct claimed *claimed)
{
	const struct claim_item *item =
		claim_batch_find(&claim->doubts, claimed->session_id, claimed->message_id);
	if (item == NULL || item->is_dropped ||
		in_flight_find(claim->gateway->in_flight, claimed->session_id,
			claimed->wa_message_id) != NULL)
		return;
	log_warn("claim_found_late", log_sv("message", claimed->message_id));
	claim_hand_over(claim, claimed, item->session_epoch);
}

static void on_rechecked(void *ctx, const struct pg_result *result)
{
	struct claim *claim = container_of(ctx, struct claim, doubts);
	claim->is_rechecking = false;
	loop_turn_request(claim->turn);
	if (pg_status(result) != PG_OK) {
		loop_timer_arm(claim->doubt_timer, DOUBT_MS);
		return;
	}
	for (int row = 0; row < pg_rows(result); row++) {
		struct claimed claimed;
		gateway_store_claimed(result, row, &claimed);
		take_row(claim, &claimed);
	}
	claim_batch_clear(&claim->doubts);
}

void claim_doubts_on_timer(void *ctx)
{
	struct claim *claim = ctx;
	if (claim->phase != CLAIM_IDLE) {
		loop_timer_arm(claim->doubt_timer, GATEWAY_RETRY_MS);
		return;
	}
	if (claim->doubts.n == 0)
		return;
	struct claim_entry *entries = claim_batch_entries(&claim->doubts);
	claim->is_rechecking = true;
	gateway_store_claim_check(
		claim->gateway->claim_conn, entries, claim->doubts.n, on_rechecked, &claim->doubts);
	mem_free(entries);
}
