/* Dispatches that wait to be claimed: ordinary ones and suspects, each message at most once. Pure.
 */
#ifndef WA_GATEWAY_CLAIM_QUEUE_H
#define WA_GATEWAY_CLAIM_QUEUE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "common/model/stream_codec.h"
#include "services/gateway/keyed.h"

struct claim_item {
	TAILQ_ENTRY(claim_item) link;
	struct keyed_node node; /* scope: session id, key: message id */
	int64_t session_epoch;
	int attempt;
	int partition;
	int64_t partition_epoch;
	int64_t queue_seq;
	bool is_suspect;
	bool is_dropped;  /* while being claimed: its session was lost meanwhile */
	bool is_answered; /* while being claimed: nothing is left to do about it */
	struct strview phone;
	const char *entry_id;
};

struct claim_item *claim_item_new(int32_t session_id, int64_t session_epoch,
	const struct dispatch_entry *entry, const char *entry_id);
struct claim_item *claim_item_copy(const struct claim_item *item);
void claim_item_free(struct claim_item **item);

struct claim_queue;

struct claim_queue *claim_queue_new(void);
void claim_queue_free(struct claim_queue **queue); /* with its items */
/* Takes the item, to the suspects if is_suspect. Gives the item of the same message that it
 * replaces (the caller's now), or NULL. */
struct claim_item *claim_queue_push(struct claim_queue *queue, struct claim_item *item);
void claim_queue_push_front(struct claim_queue *queue,
	struct claim_item *item); /* it was taken before; dropped if replaced since */
struct claim_item *claim_queue_pop(
	struct claim_queue *queue, bool suspect); /* oldest first, or NULL; the caller's */
int claim_queue_ordinary(const struct claim_queue *queue);
int claim_queue_suspects(const struct claim_queue *queue);
/* Forget all items of a session. */
void claim_queue_drop_session(struct claim_queue *queue, int32_t session_id);

#endif
