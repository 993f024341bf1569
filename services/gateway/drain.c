/* Half of the time that a drain may take is for what is in flight; the rest is for writing down
 * what did not end, and for leases. */
#include "services/gateway/drain.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/gateway/dispatch_intake.h"
#include "services/gateway/gateway.h"
#include "services/gateway/session_set.h"

struct drain {
	struct gateway *gateway;
	int64_t timeout_ms;
	bool is_started;
	bool is_releasing;
	struct loop_turn *turn;
};

static void on_released(void *ctx)
{
	struct drain *drain = ctx;
	log_info("drained");
	daemon_drained(drain->gateway->daemon);
}

static void on_turn(void *ctx)
{
	struct drain *drain = ctx;
	if (!drain->is_started || drain->is_releasing ||
		session_set_count(drain->gateway->sessions) > 0)
		return;
	drain->is_releasing = true;
	lease_release_all(drain->gateway->leases, drain->timeout_ms / 4, on_released, drain);
}

struct drain *drain_new(struct gateway *gateway)
{
	struct drain *drain = mem_new(struct drain);
	drain->gateway = gateway;
	drain->timeout_ms = setting_ms(daemon_settings(gateway->daemon), SETTING_DRAIN_TIMEOUT);
	drain->turn = loop_turn_new(gateway->loop, "drain", on_turn, drain);
	return drain;
}

void drain_free(struct drain **drain)
{
	if (*drain == NULL)
		return;
	loop_turn_free(&(*drain)->turn);
	mem_free(*drain);
	*drain = NULL;
}

void drain_start(struct drain *drain)
{
	drain->is_started = true;
	drain->gateway->is_draining = true;
	dispatch_intake_pause(drain->gateway->intake, true);
	session_set_wind_down(drain->gateway->sessions, drain->timeout_ms / 2);
	loop_turn_request(drain->turn);
}

void drain_look(struct drain *drain)
{
	if (drain != NULL && drain->is_started)
		loop_turn_request(drain->turn);
}
