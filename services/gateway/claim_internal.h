/* The claim's lane as its files share it: claim.c drives it, claim_results.c acts on what Postgres
 * answered, claim_doubts.c looks again. */
#ifndef WA_GATEWAY_CLAIM_INTERNAL_H
#define WA_GATEWAY_CLAIM_INTERNAL_H

#include "services/gateway/alone.h"
#include "services/gateway/claim.h"
#include "services/gateway/claim_batch.h"
#include "services/gateway/claim_queue.h"
#include "services/gateway/gateway.h"
#include "services/gateway/gateway_store_claim.h"

#define CLAIM_WA_ID_MAX 128

enum claim_phase {
	CLAIM_IDLE,
	CLAIM_CLAIMING,
	CLAIM_CHECKING,   /* the claim's commit is unknown: reads what it moved */
	CLAIM_EXPLAINING, /* asks why the others did not fit */
};

struct claim {
	struct gateway *gateway;
	struct claim_queue *queue;
	struct alone alone;
	enum claim_phase phase;
	struct claim_batch batch;
	bool batch_is_alone;
	int n_explains; /* tries of the present explanation */
	struct loop_turn *turn;
	struct loop_timer *retry; /* armed: what the phase is about is tried again then */
	/* The trial whose message is in flight. */
	int32_t trial_session_id; /* 0: none */
	size_t trial_wa_len;
	char trial_wa_id[CLAIM_WA_ID_MAX];
	struct loop_timer *trial_timer;
	/* What a claim of unknown end had not moved when we looked: a server that was stalled may
	 * run it yet. Looked at once more. */
	struct claim_batch doubts;
	bool is_rechecking;
	struct loop_timer *doubt_timer;
};

/* claim.c */
void claim_trial_begin(struct claim *claim, const struct claimed *claimed);

/* claim_results.c */
void claim_ack(struct claim *claim, const struct claim_item *item);
void claim_say(struct claim *claim, const struct claim_item *item, enum outcome_kind kind,
	int64_t next_in_ms);
void claim_hand_over(struct claim *claim, const struct claimed *claimed, int64_t session_epoch);
void claim_take_rows(
	struct claim *claim, const struct pg_result *result); /* of the batch: what was moved */
/* Of an item that was not: answers it, or marks it as suspect and leaves it unanswered. */
void claim_answer_item(
	struct claim *claim, struct claim_item *item, const struct claim_finding *finding);

/* claim_doubts.c */
void claim_doubts_add(struct claim *claim); /* what is unanswered in the batch */
void claim_doubts_on_timer(void *ctx);

#endif
