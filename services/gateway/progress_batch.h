/*
 * What became known of messages since the last statement (acknowledged, delivered, read), one fact
 * a message however many receipts told it. Pure.
 */
#ifndef WA_GATEWAY_PROGRESS_BATCH_H
#define WA_GATEWAY_PROGRESS_BATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/base/strview.h"
#include "services/gateway/keyed.h"

enum progress_level { PROGRESS_SENT, PROGRESS_DELIVERED, PROGRESS_READ };
#define PROGRESS_LEVELS 3

#define PROGRESS_MAX_TOKENS 4

struct progress_fact {
	TAILQ_ENTRY(progress_fact) link;
	struct keyed_node node; /* scope: session id, key: WhatsApp message id */
	int64_t session_epoch;
	int64_t at[PROGRESS_LEVELS]; /* wall ms, as first told; INT64_MIN: not known */
	int n_tokens;
	int64_t tokens[PROGRESS_MAX_TOKENS]; /* receipts to acknowledge once this is committed */
	char wa_message_id[];                /* what node.key views */
};
TAILQ_HEAD(progress_facts, progress_fact);

struct progress_batch;

#define PROGRESS_NO_TOKEN INT64_MIN

struct progress_batch *progress_batch_new(void);
void progress_batch_free(struct progress_batch **batch);
/*
 * Add what was told. token: of the receipt, or PROGRESS_NO_TOKEN. A fact of another epoch of the
 * session is forgotten first. A receipt that was told before under another token keeps both, up to
 * PROGRESS_MAX_TOKENS; more are not kept (the engine offers them again after a reconnect).
 */
void progress_batch_add(struct progress_batch *batch, int32_t session_id, int64_t session_epoch,
	struct strview wa_message_id, enum progress_level level, int64_t at_ms, int64_t token);
int progress_batch_count(const struct progress_batch *batch);
const struct progress_facts *progress_batch_facts(
	const struct progress_batch *batch); /* oldest first */
/* Move the oldest facts, at most max of them, to a batch of their own. */
struct progress_batch *progress_batch_cut(struct progress_batch *batch, int max);
bool progress_batch_has_session(const struct progress_batch *batch, int32_t session_id);
void progress_batch_drop_session(struct progress_batch *batch, int32_t session_id);

#endif
