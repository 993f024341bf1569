/* GET /health. */
#include "services/api/handlers.h"
#include "services/api/system_health.h"

void handle_health(struct api_call *call)
{
	system_health_answer(call->api->system_health, call);
}
