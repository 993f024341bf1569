/*
 * From dispatches to engines: what waits is claimed with one statement at a time, what that moved
 * to `sending` is handed over, and for all else the sender is told why not. What two gateways died
 * of is claimed alone (alone.h).
 */
#ifndef WA_GATEWAY_CLAIM_H
#define WA_GATEWAY_CLAIM_H

#include <stdbool.h>

#include "common/model/stream_codec.h"

struct gateway;
struct claim;

struct claim *claim_new(struct gateway *gateway);
void claim_free(struct claim **claim);
/*
 * A dispatch for a session that this gateway owns. entry_id: its id in the stream, acknowledged
 * when the entry is of no more use. is_suspect: two readers died with it in their hands.
 */
void claim_push(struct claim *claim, int32_t session_id, int64_t session_epoch,
	const struct dispatch_entry *entry, const char *entry_id, bool is_suspect);
void claim_wake(struct claim *claim); /* something ended: there may be room now */
/* The end of an attempt is committed: a trial alone may be over. */
void claim_settled(struct claim *claim, int32_t session_id, struct strview wa_message_id);
/* Forget what waits for a session; unacknowledged, so that its next owner reads it. A claim under
 * way goes on. */
void claim_retire_session(struct claim *claim, int32_t session_id);
bool claim_has_session(const struct claim *claim,
	int32_t session_id); /* is one of its dispatches being claimed? */
/* The same, and nothing that is being claimed for it is handed over: its lease is lost. */
void claim_drop_session(struct claim *claim, int32_t session_id);
bool claim_is_idle(const struct claim *claim); /* nothing is under way */

#endif
