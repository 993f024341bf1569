/* Dispatches that are claimed together. Pure. */
#ifndef WA_GATEWAY_CLAIM_BATCH_H
#define WA_GATEWAY_CLAIM_BATCH_H

#include "services/gateway/claim_entry.h"
#include "services/gateway/claim_queue.h"

#define CLAIM_BATCH_MAX 500

struct claim_batch { /* owns its items */
	struct claim_item *items[CLAIM_BATCH_MAX];
	int n;
	struct keyed *by_message;
};

void claim_batch_init(struct claim_batch *batch);
void claim_batch_deinit(struct claim_batch *batch);
void claim_batch_add(struct claim_batch *batch,
	struct claim_item *item); /* dropped when full, or when its message is there */
struct claim_item *claim_batch_find(const struct claim_batch *batch, int32_t session_id,
	struct strview message_id); /* or NULL */
void claim_batch_forget(struct claim_batch *batch, int32_t session_id,
	struct strview message_id); /* if it is there */
struct claim_item *claim_batch_pop_last(
	struct claim_batch *batch); /* the caller's; NULL when empty */
void claim_batch_clear(struct claim_batch *batch);
/* Drop what is answered or dropped; the order of the others stays. Gives how many are left. */
int claim_batch_keep_unanswered(struct claim_batch *batch);
void claim_batch_drop_session(struct claim_batch *batch, int32_t session_id); /* marks its items */
bool claim_batch_has_session(const struct claim_batch *batch, int32_t session_id);
/* For the store; the array is the caller's (mem_free), its texts are the items'. */
struct claim_entry *claim_batch_entries(const struct claim_batch *batch);

#endif
