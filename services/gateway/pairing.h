/*
 * Between a person who pairs a session and its engine, through the table session_pairing: the
 * engine's codes go there for the api to show, and what the api was asked for is looked for a few
 * times a second, while there is a session that can be paired.
 */
#ifndef WA_GATEWAY_PAIRING_H
#define WA_GATEWAY_PAIRING_H

#include "services/gateway/engine.h"

struct gateway;
struct pairing;

struct pairing *pairing_new(struct gateway *gateway);
void pairing_free(struct pairing **pairing);
/* A code of an engine, for whom it may concern. One that cannot be written is lost: the engine
 * gives new ones. */
void pairing_keep(
	struct pairing *pairing, int32_t session_id, int64_t epoch, const struct engine_code *code);

#endif
