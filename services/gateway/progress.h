/*
 * Acknowledgements and receipts on their way to Postgres: what becomes known while a statement is
 * in flight goes into the next one. A batch is repeated until its end is known (writing it twice is
 * harmless); then outcomes and events are published, and the engines hear that their receipts are
 * safe.
 */
#ifndef WA_GATEWAY_PROGRESS_H
#define WA_GATEWAY_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/strview.h"
#include "services/gateway/progress_batch.h"

struct gateway;
struct progress;

struct progress *progress_new(struct gateway *gateway);
void progress_free(struct progress **progress);
/* As progress_batch_add(). */
void progress_add(struct progress *progress, int32_t session_id, int64_t session_epoch,
	struct strview wa_message_id, enum progress_level level, int64_t at_ms, int64_t token);
int progress_waiting(const struct progress *progress); /* facts that are not committed */
bool progress_has_session(const struct progress *progress, int32_t session_id);
void progress_drop_session(struct progress *progress, int32_t session_id);

#endif
