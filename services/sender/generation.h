/* Watches Redis's generation key and run_id each second: when the key is gone or another, or it is
   another run of Redis (which may lack the end of what the last one had confirmed), Redis has lost
   what it held. */
#ifndef WA_SENDER_GENERATION_H
#define WA_SENDER_GENERATION_H

#include "common/io/redis_conn.h"

struct generation;

/* on_lost: what was on streams is gone. redis is borrowed. */
struct generation *generation_new(
	struct loop *loop, struct redis_conn *redis, loop_fn on_lost, void *ctx);
void generation_free(struct generation **generation);
void generation_look(struct generation *generation); /* now: the connection has come back */

#endif
