/*
 * Work that was begun in one transaction and must be finished in many: blanking an erased contact's
 * messages, failing those of a deleted session. Whoever began it waits for a while; a janitor
 * finishes what nobody waits for, whichever api began it.
 */
#ifndef WA_API_WIND_DOWN_H
#define WA_API_WIND_DOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/io/loop.h"
#include "services/api/api_store.h"

struct wind_down;

enum wind_down_kind { WIND_DOWN_CONTACT, WIND_DOWN_SESSION };

/* finished: false when it goes on without you. */
typedef void (*wind_down_fn)(void *ctx, bool finished);

struct wind_down *wind_down_new(struct loop *loop, struct api_store *store);
void wind_down_free(struct wind_down **wind_down); /* without calling back */
/* Go on with it until it is finished or wait_ms went by. fn, later, may be NULL. */
void wind_down_run(struct wind_down *wind_down, enum wind_down_kind kind, int32_t id,
	int64_t wait_ms, wind_down_fn fn, void *ctx);

#endif
