/* Watches Redis's generation key (docs/streams.md): when it is gone or has changed, entries were
 * lost. */
#ifndef WA_WEBHOOKER_GENERATION_WATCH_H
#define WA_WEBHOOKER_GENERATION_WATCH_H

#include "common/io/redis_conn.h"

struct generation_watch;

/* conn is borrowed. on_lost is not called for what is found first: who starts rereads anyway. */
struct generation_watch *generation_watch_new(
	struct loop *loop, struct redis_conn *conn, void (*on_lost)(void *ctx), void *ctx);
void generation_watch_free(struct generation_watch **watch); /* after conn */

#endif
