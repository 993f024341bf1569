/* Sealing and unsealing; a query every few seconds for what is to come back. */
#include "services/gateway/inbound_asides.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/secret_box.h"
#include "common/model/id.h"
#include "services/gateway/gateway.h"
#include "services/gateway/inbound.h"
#include "services/gateway/inbound_aside.h"
#include "services/gateway/session_set.h"

#define POLL_MS      3000
#define BACK_AT_ONCE 20
#define MAX_SESSIONS 1024

struct inbound_asides {
	struct gateway *gateway;
	struct secret_box *box; /* NULL: there is no key */
	struct loop_timer *timer;
};

static void put_context(struct strbuf *out, int32_t session_id)
{
	strbuf_printf(out, "inbound:%d", session_id);
}

static void seal(const struct inbound_asides *asides, const struct gateway_inbound *inbound,
	struct strbuf *out)
{
	struct strbuf context = STRBUF_INIT;
	struct strbuf plain = STRBUF_INIT;
	put_context(&context, inbound->session_id);
	inbound_aside_format(inbound, &plain);
	secret_box_seal(asides->box, strbuf_view(&context), strbuf_view(&plain), out);
	mem_wipe(plain.data, plain.len);
	strbuf_deinit(&plain);
	strbuf_deinit(&context);
}

void inbound_asides_keep(struct inbound_asides *asides, const struct gateway_inbound *inbound,
	const char *reason, pg_done_fn fn, void *ctx)
{
	char id[ID_SIZE];
	struct strbuf sealed = STRBUF_INIT;
	bool has_content = inbound->kind != ENGINE_INBOUND_NOTHING && asides->box != NULL;
	id_new("sa", clock_wall_ms(), id);
	if (has_content)
		seal(asides, inbound, &sealed);
	struct gateway_aside aside = {
		.id = id,
		.reason = reason,
		.sealed = has_content ? strbuf_view(&sealed) : SV_NULL,
	};
	log_warn("inbound_set_aside", log_int("session", inbound->session_id),
		log_sv("wa_message_id", inbound->wa_message_id), log_text("set_aside", id),
		log_text("reason", reason));
	gateway_store_inbound_aside(asides->gateway->session_conn, inbound, &aside, fn, ctx);
	strbuf_deinit(&sealed);
}

static int open_sealed(const struct inbound_asides *asides, int32_t session_id,
	struct strview sealed, struct strbuf *out, struct err *err)
{
	if (asides->box == NULL)
		return err_set(err, "WA_MASTER_KEY is needed to open it");
	struct strbuf context = STRBUF_INIT;
	put_context(&context, session_id);
	int status = secret_box_open(asides->box, strbuf_view(&context), sealed, out, err);
	strbuf_deinit(&context);
	return status;
}

static void take_back(struct inbound_asides *asides, int32_t session_id, struct strview sealed)
{
	const struct session *session = session_set_find(asides->gateway->sessions, session_id);
	if (session == NULL)
		return;
	struct strbuf plain = STRBUF_INIT;
	struct pool *pool = pool_new();
	struct engine_inbound message;
	struct err err;
	if (open_sealed(asides, session_id, sealed, &plain, &err) < 0 ||
		inbound_aside_parse(strbuf_view(&plain), pool, &message, &err) < 0)
		log_error("inbound_not_put_back", log_int("session", session_id), log_err(&err));
	else /* a full lane: the next query finds it again */
		(void)inbound_push(asides->gateway->inbound, session_id, session->epoch, &message);
	if (plain.data != NULL)
		mem_wipe(plain.data, plain.len);
	strbuf_deinit(&plain);
	pool_free(&pool);
}

static void on_back(void *ctx, const struct pg_result *result)
{
	struct inbound_asides *asides = ctx;
	loop_timer_arm(asides->timer, POLL_MS);
	for (int row = 0; row < pg_rows(result); row++)
		take_back(asides, (int32_t)pg_int(result, row, 0), pg_bytes(result, row, 1));
}

/* What was taken back already is in the lane until it is empty. */
static void on_timer(void *ctx)
{
	struct inbound_asides *asides = ctx;
	int64_t ids[MAX_SESSIONS];
	int n = session_set_open_ids(asides->gateway->sessions, ids, MAX_SESSIONS);
	if (n == 0 || inbound_waiting(asides->gateway->inbound) > 0)
		loop_timer_arm(asides->timer, POLL_MS);
	else
		gateway_store_inbound_put_back(
			asides->gateway->session_conn, ids, n, BACK_AT_ONCE, on_back, asides);
}

struct inbound_asides *inbound_asides_new(struct gateway *gateway)
{
	struct inbound_asides *asides = mem_new(struct inbound_asides);
	struct err err;
	asides->gateway = gateway;
	asides->box = secret_box_new(
		sv_from(setting_text(daemon_settings(gateway->daemon), SETTING_MASTER_KEY)), &err);
	asides->timer = loop_timer_new(gateway->loop, "inbound_asides", on_timer, asides);
	loop_timer_arm(asides->timer, POLL_MS);
	return asides;
}

void inbound_asides_free(struct inbound_asides **asides)
{
	if (*asides == NULL)
		return;
	pg_conn_forget((*asides)->gateway->session_conn, *asides);
	loop_timer_free(&(*asides)->timer);
	secret_box_free(&(*asides)->box);
	mem_free(*asides);
	*asides = NULL;
}
