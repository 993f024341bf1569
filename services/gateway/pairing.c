/* A query every 250 ms, and a statement for each code. */
#include "services/gateway/pairing.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/gateway/gateway.h"
#include "services/gateway/gateway_store_session.h"
#include "services/gateway/session_set.h"

#define POLL_MS      250
#define MAX_SESSIONS 1024

struct pairing {
	struct gateway *gateway;
	struct loop_timer *timer;
};

static void on_wanted(void *ctx, const struct pg_result *result)
{
	struct pairing *pairing = ctx;
	loop_timer_arm(pairing->timer, POLL_MS);
	for (int row = 0; row < pg_rows(result); row++) {
		const struct session *session = session_set_find(
			pairing->gateway->sessions, (int32_t)pg_int(result, row, 0));
		struct strview phone = pg_text(result, row, 1);
		if (session != NULL && session->engine != NULL && session->kind->pair != NULL)
			session->kind->pair(session->engine, phone.len > 0 ? phone : SV_NULL);
	}
}

static void on_timer(void *ctx)
{
	struct pairing *pairing = ctx;
	int64_t ids[MAX_SESSIONS];
	int n = session_set_pairable_ids(pairing->gateway->sessions, ids, MAX_SESSIONS);
	if (n == 0)
		loop_timer_arm(pairing->timer, POLL_MS);
	else
		gateway_store_pairing_wanted(
			pairing->gateway->session_conn, ids, n, on_wanted, pairing);
}

struct pairing *pairing_new(struct gateway *gateway)
{
	struct pairing *pairing = mem_new(struct pairing);
	pairing->gateway = gateway;
	pairing->timer = loop_timer_new(gateway->loop, "pairing", on_timer, pairing);
	loop_timer_arm(pairing->timer, POLL_MS);
	return pairing;
}

void pairing_free(struct pairing **pairing)
{
	if (*pairing == NULL)
		return;
	pg_conn_forget((*pairing)->gateway->session_conn, *pairing);
	loop_timer_free(&(*pairing)->timer);
	mem_free(*pairing);
	*pairing = NULL;
}

static void on_kept(UNUSED void *ctx, const struct pg_result *result)
{
	if (pg_status(result) != PG_OK)
		log_warn("pairing_code_lost", log_err(pg_err(result)));
}

void pairing_keep(
	struct pairing *pairing, int32_t session_id, int64_t epoch, const struct engine_code *code)
{
	gateway_store_pairing_code(
		pairing->gateway->session_conn, session_id, epoch, code, on_kept, pairing);
}
