/* The sandbox takes messages: the ledger first, then the acknowledgement. One statement in flight,
 * the next grows meanwhile. */
#ifndef WA_GATEWAY_SANDBOX_TAKE_H
#define WA_GATEWAY_SANDBOX_TAKE_H

#include "services/gateway/engine.h"

struct sandbox;
struct sandbox_line;
struct sandbox_take;

struct sandbox_take *sandbox_take_new(struct sandbox *sandbox);
void sandbox_take_free(struct sandbox_take **take);
/* A message was sent on this line. An id that is on its way already is not taken twice at once: the
 * first one's end answers. */
void sandbox_take_push(
	struct sandbox_take *take, struct sandbox_line *line, const struct engine_message *message);
void sandbox_take_flush(struct sandbox_take *take);
void sandbox_take_forget(struct sandbox_take *take,
	const struct sandbox_line *line); /* nobody hears of its messages any more */

#endif
