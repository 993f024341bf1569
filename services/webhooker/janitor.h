/*
 * Housekeeping of the whole deployment, done by whoever holds event partition 0, at once and then
 * every hour: day partitions are made ahead and dropped when they are old, idempotency keys that
 * nobody can need any more are deleted, a bounded batch a second.
 */
#ifndef WA_WEBHOOKER_JANITOR_H
#define WA_WEBHOOKER_JANITOR_H

#include "services/webhooker/webhooker_store.h"

#define JANITOR_EVERY_MS  3600000
#define JANITOR_KEY_HOURS 48 /* the contract says 24 at least */

struct janitor;

struct janitor *janitor_new(struct loop *loop, struct webhooker_store *store, int keep_days);
void janitor_free(struct janitor **janitor);
void janitor_set_on_duty(struct janitor *janitor, bool on_duty);

#endif
