/*
 * Incoming messages that Postgres refuses among the messages, whatever it was asked: kept for the
 * operator in set_aside, sealed, and taken back into the lane when the operator has put them back.
 */
#ifndef WA_GATEWAY_INBOUND_ASIDES_H
#define WA_GATEWAY_INBOUND_ASIDES_H

#include "services/gateway/gateway_store_inbound.h"

struct gateway;
struct inbound_asides;

struct inbound_asides *inbound_asides_new(struct gateway *gateway);
void inbound_asides_free(struct inbound_asides **asides);
/* One statement on the session connection; fn as of gateway_store_inbound_aside(). Without
 * WA_MASTER_KEY only the fact is kept, for bodies are in no other table unsealed. */
void inbound_asides_keep(struct inbound_asides *asides, const struct gateway_inbound *inbound,
	const char *reason, pg_done_fn fn, void *ctx);

#endif
