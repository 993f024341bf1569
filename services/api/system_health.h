/*
 * The health of the whole deployment, asked of Postgres and Redis at most twice a second however
 * many ask. ok: messages leave and reports arrive. degraded: they do in part, or later. down: no
 * message can leave.
 */
#ifndef WA_API_SYSTEM_HEALTH_H
#define WA_API_SYSTEM_HEALTH_H

#include "services/api/api_call.h"

struct system_health;

struct system_health *system_health_new(struct api *api);
void system_health_free(struct system_health **health);
/* Answer the call with the document: 200, or 503 when down. */
void system_health_answer(struct system_health *health, struct api_call *call);

#endif
