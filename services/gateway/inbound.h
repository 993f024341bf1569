/*
 * Incoming messages on their way to Postgres: the message, its contact, its event and its key
 * against a second offer are one transaction, many messages at a time; only then is it
 * acknowledged. Media is fetched before, with a deadline; a phone's messages keep their order while
 * one of them waits for its media.
 */
#ifndef WA_GATEWAY_INBOUND_H
#define WA_GATEWAY_INBOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "services/gateway/engine.h"

struct gateway;
struct inbound;

struct inbound *inbound_new(struct gateway *gateway);
void inbound_free(struct inbound **inbound);
/* 0, or -1 when too many wait: it is not taken, and must be offered again. */
int inbound_push(struct inbound *inbound, int32_t session_id, int64_t session_epoch,
	const struct engine_inbound *message);
void inbound_drop_session(
	struct inbound *inbound, int32_t session_id); /* they will be offered again */
int inbound_waiting(const struct inbound *inbound);
/* A statement with something of the session is on its way: what it commits is not known yet. */
bool inbound_is_writing(const struct inbound *inbound, int32_t session_id);

#endif
