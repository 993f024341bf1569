/*
 * The sandbox engine: a WhatsApp that lives inside the gateway. Its ledger stands for WhatsApp's
 * own servers: it has a connection of its own, is written when the sandbox takes a message and not
 * when the product says so, and outlives every process.
 */
#include "services/gateway/engine.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "services/gateway/sandbox.h"
#include "services/gateway/sandbox_store.h"

#define PENDING_PAGE 1000
#define RETRY_MS     500
#define LEDGER_APP   "gateway sandbox"

void sandbox_request_turn(struct sandbox *sandbox)
{
	loop_turn_request(sandbox->turn);
}

struct sandbox_line *sandbox_find_line(struct sandbox *sandbox, int32_t session_id)
{
	struct sandbox_line *line;
	TAILQ_FOREACH(line, &sandbox->lines, link)
	{
		if (line->session_id == session_id && line->state == SANDBOX_LINE_CONNECTED)
			return line;
	}
	return NULL;
}

static void line_set_state(struct sandbox_line *line, enum sandbox_line_state state)
{
	switch (state) {
	case SANDBOX_LINE_WAITING:
		break;
	case SANDBOX_LINE_LOADING:
		ASSERT(line->state == SANDBOX_LINE_WAITING);
		break;
	case SANDBOX_LINE_CONNECTED:
		ASSERT(line->state == SANDBOX_LINE_LOADING);
		break;
	}
	line->state = state;
}

static void on_pending(void *ctx, const struct pg_result *result);

static void line_load_page(struct sandbox_line *line)
{
	sandbox_store_pending(line->sandbox->conn, line->session_id, line->loaded_arrival,
		PENDING_PAGE, on_pending, line);
}

static void line_connected(struct sandbox_line *line)
{
	line_set_state(line, SANDBOX_LINE_CONNECTED);
	line->is_told = true;
	line->events->on_state(line->ctx, SESSION_CONNECTED, NULL, NULL);
	sandbox_inbox_wake(line->sandbox->inbox);
}

static void line_wait(struct sandbox_line *line, const char *reason)
{
	bool was_connected = line->state == SANDBOX_LINE_CONNECTED;
	line_set_state(line, SANDBOX_LINE_WAITING);
	sandbox_receipts_free(&line->receipts);
	sandbox_inbox_forget(line);
	if (was_connected || !line->is_told)
		line->events->on_state(line->ctx,
			line->is_told ? SESSION_RECONNECTING : SESSION_STARTING, reason, NULL);
	line->is_told = true;
}

static void on_pending(void *ctx, const struct pg_result *result)
{
	struct sandbox_line *line = ctx;
	if (pg_status(result) != PG_OK) {
		line_wait(line, "the sandbox's ledger is away");
		loop_timer_arm(line->sandbox->retry, RETRY_MS);
		return;
	}
	int n = pg_rows(result);
	for (int row = 0; row < n; row++) {
		struct sandbox_pending pending;
		sandbox_store_pending_row(result, row, &pending);
		sandbox_receipts_pending(line->receipts, pending.wa_message_id,
			pending.received_at_ms, pending.receipt_level);
		line->loaded_arrival = pending.arrival;
	}
	if (n == PENDING_PAGE)
		line_load_page(line);
	else
		line_connected(line);
}

static void line_load(struct sandbox_line *line)
{
	line_set_state(line, SANDBOX_LINE_LOADING);
	line->loaded_arrival = 0;
	line->receipts = sandbox_receipts_new(line);
	line_load_page(line);
}

static void on_turn(void *ctx)
{
	struct sandbox *sandbox = ctx;
	bool is_up = pg_conn_is_up(sandbox->conn);
	struct sandbox_line *line;
	TAILQ_FOREACH(line, &sandbox->lines, link)
	{
		if (is_up && line->state == SANDBOX_LINE_WAITING &&
			!loop_timer_is_armed(sandbox->retry))
			line_load(line);
		else if (!is_up && !line->is_told)
			line_wait(line, "the sandbox's ledger is away");
	}
	sandbox_take_flush(sandbox->take);
	sandbox_acks_flush(sandbox->acks);
	sandbox_inbox_flush(sandbox->inbox);
}

static void on_retry(void *ctx)
{
	sandbox_request_turn(ctx);
}

static void on_ledger(void *ctx, bool up, UNUSED const struct err *err)
{
	struct sandbox *sandbox = ctx;
	struct sandbox_line *line;
	TAILQ_FOREACH(line, &sandbox->lines, link)
	{
		if (!up && line->state == SANDBOX_LINE_CONNECTED)
			line_wait(line, "the sandbox's ledger is away");
	}
	sandbox_request_turn(sandbox);
}

static void *sandbox_start(const struct engine_host *host)
{
	struct sandbox *sandbox = mem_new(struct sandbox);
	sandbox->loop = host->loop;
	sandbox->url = mem_strdup(setting_text(host->settings, SETTING_DATABASE_URL));
	sandbox->delays = (struct sandbox_delays){
		.ack_ms = setting_ms(host->settings, SETTING_SANDBOX_ACK_DELAY),
		.deliver_ms = setting_ms(host->settings, SETTING_SANDBOX_DELIVER_DELAY),
		.read_ms = setting_ms(host->settings, SETTING_SANDBOX_READ_DELAY),
	};
	TAILQ_INIT(&sandbox->lines);
	sandbox->turn = loop_turn_new(host->loop, "sandbox", on_turn, sandbox);
	sandbox->retry = loop_timer_new(host->loop, "sandbox_retry", on_retry, sandbox);
	struct pg_conn_options options = {
		.url = sandbox->url, .app_name = LEDGER_APP, .plan_once = true};
	sandbox->conn = pg_conn_new(host->loop, &options, on_ledger, sandbox);
	sandbox->take = sandbox_take_new(sandbox);
	sandbox->acks = sandbox_acks_new(sandbox);
	sandbox->inbox = sandbox_inbox_new(sandbox);
	return sandbox;
}

static void sandbox_stop(void *shared)
{
	struct sandbox *sandbox = shared;
	ASSERT(TAILQ_EMPTY(&sandbox->lines));
	sandbox_take_free(&sandbox->take);
	sandbox_acks_free(&sandbox->acks);
	sandbox_inbox_free(&sandbox->inbox);
	pg_conn_free(&sandbox->conn);
	loop_turn_free(&sandbox->turn);
	loop_timer_free(&sandbox->retry);
	mem_free(sandbox->url);
	mem_free(sandbox);
}

static void *sandbox_open(void *shared, const struct engine_session *session,
	const struct engine_events *events, void *ctx)
{
	struct sandbox_line *line = mem_new(struct sandbox_line);
	line->sandbox = shared;
	line->session_id = session->session_id;
	line->events = events;
	line->ctx = ctx;
	line->state = SANDBOX_LINE_WAITING;
	line->offered = keyed_new();
	TAILQ_INSERT_TAIL(&line->sandbox->lines, line, link);
	sandbox_request_turn(line->sandbox);
	return line;
}

static void sandbox_close(void *self, UNUSED enum engine_close why)
{
	struct sandbox_line *line = self;
	pg_conn_forget(line->sandbox->conn, line);
	sandbox_take_forget(line->sandbox->take, line);
	sandbox_receipts_free(&line->receipts);
	sandbox_inbox_forget(line);
	keyed_free(&line->offered);
	TAILQ_REMOVE(&line->sandbox->lines, line, link);
	mem_free(line);
}

static bool sandbox_is_ready(const void *self)
{
	const struct sandbox_line *line = self;
	return line->state == SANDBOX_LINE_CONNECTED && !sandbox_receipts_are_full(line->receipts);
}

static void sandbox_send(void *self, const struct engine_message *message)
{
	struct sandbox_line *line = self;
	sandbox_take_push(line->sandbox->take, line, message);
}

static void sandbox_acknowledge(void *self, int64_t token)
{
	struct sandbox_line *line = self;
	if (sandbox_token_kind(token) == SANDBOX_TOKEN_INBOUND)
		sandbox_inbox_acknowledge(line->sandbox->inbox, sandbox_token_number(token));
	else if (line->receipts != NULL)
		sandbox_receipts_acknowledge(line->receipts, token);
}

const struct engine_kind engine_sandbox = {
	.name = "sandbox",
	.start = sandbox_start,
	.stop = sandbox_stop,
	.open = sandbox_open,
	.close = sandbox_close,
	.is_ready = sandbox_is_ready,
	.send = sandbox_send,
	.acknowledge = sandbox_acknowledge,
};
