/* Poll, offer once, delete what was acknowledged. */
#include "services/gateway/sandbox_inbox.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "services/gateway/sandbox.h"
#include "services/gateway/sandbox_store.h"

#define BATCH_MAX 500

struct offer {                  /* the gateway has it; it stays until its row is deleted */
	struct keyed_node node; /* key: the bytes of id */
	int64_t id;
};

struct sandbox_inbox {
	struct sandbox *sandbox;
	struct loop_timer *timer;
	bool is_polling;
	bool is_deleting;
	int n_acknowledged;
	int n_deleting;
	int64_t acknowledged[BATCH_MAX]; /* wait to be deleted */
	int64_t deleting[BATCH_MAX];
};

static struct strview id_key(const int64_t *id)
{
	return sv_make(id, sizeof(*id));
}

static void on_poll_due(void *ctx);

struct sandbox_inbox *sandbox_inbox_new(struct sandbox *sandbox)
{
	struct sandbox_inbox *inbox = mem_new(struct sandbox_inbox);
	inbox->sandbox = sandbox;
	inbox->timer = loop_timer_new(sandbox->loop, "sandbox_inbox", on_poll_due, inbox);
	return inbox;
}

void sandbox_inbox_free(struct sandbox_inbox **inbox)
{
	if (*inbox == NULL)
		return;
	pg_conn_forget((*inbox)->sandbox->conn, *inbox);
	pg_conn_forget((*inbox)->sandbox->conn, (*inbox)->deleting);
	loop_timer_free(&(*inbox)->timer);
	mem_free(*inbox);
	*inbox = NULL;
}

static void offer(struct sandbox_line *line, const struct sandbox_inbound *row)
{
	if (keyed_find(line->offered, 0, id_key(&row->id)) != NULL)
		return;
	struct offer *offer = mem_new(struct offer);
	offer->id = row->id;
	keyed_insert(line->offered, &offer->node, 0, id_key(&offer->id));
	struct engine_inbound inbound = {
		.wa_message_id = row->wa_message_id,
		.phone = row->phone,
		.tenant_id = row->tenant_id,
		.type = row->type,
		.body = row->body,
		.filename = SV_NULL,
		.media_url = row->media_url,
		.at_ms = row->created_at_ms,
		.token = sandbox_token(row->id, SANDBOX_TOKEN_INBOUND),
	};
	line->events->on_inbound(line->ctx, &inbound);
}

static void on_polled(void *ctx, const struct pg_result *result)
{
	struct sandbox_inbox *inbox = ctx;
	inbox->is_polling = false;
	for (int i = 0; i < pg_rows(result); i++) {
		struct sandbox_inbound row;
		sandbox_store_inbound_row(result, i, &row);
		struct sandbox_line *line = sandbox_find_line(inbox->sandbox, row.session_id);
		if (line != NULL)
			offer(line, &row);
	}
	loop_timer_arm(inbox->timer, SANDBOX_INBOX_POLL_MS);
	sandbox_request_turn(inbox->sandbox); /* a delete that failed is tried again */
}

static void on_poll_due(void *ctx)
{
	struct sandbox_inbox *inbox = ctx;
	int n = 0;
	const struct sandbox_line *line;
	TAILQ_FOREACH(line, &inbox->sandbox->lines, link)
	{
		n += line->state == SANDBOX_LINE_CONNECTED;
	}
	if (n == 0 || inbox->is_polling || !pg_conn_is_up(inbox->sandbox->conn))
		return; /* the next line that connects wakes us */
	int64_t *sessions = mem_array((size_t)n, sizeof(*sessions));
	int i = 0;
	TAILQ_FOREACH(line, &inbox->sandbox->lines, link)
	{
		if (line->state == SANDBOX_LINE_CONNECTED)
			sessions[i++] = line->session_id;
	}
	inbox->is_polling = true;
	sandbox_store_inbound(inbox->sandbox->conn, sessions, n, BATCH_MAX, on_polled, inbox);
	mem_free(sessions);
}

void sandbox_inbox_wake(struct sandbox_inbox *inbox)
{
	if (!inbox->is_polling)
		loop_timer_arm(inbox->timer, 0);
}

static void add_acknowledged(struct sandbox_inbox *inbox, int64_t id)
{
	if (inbox->n_acknowledged <
		BATCH_MAX) /* what does not fit is offered again after a reconnect */
		inbox->acknowledged[inbox->n_acknowledged++] = id;
}

void sandbox_inbox_acknowledge(struct sandbox_inbox *inbox, int64_t id)
{
	add_acknowledged(inbox, id);
	sandbox_request_turn(inbox->sandbox);
}

static void forget_offer(struct sandbox *sandbox, int64_t id)
{
	struct sandbox_line *line;
	TAILQ_FOREACH(line, &sandbox->lines, link)
	{
		struct keyed_node *node = keyed_find(line->offered, 0, id_key(&id));
		if (node == NULL)
			continue;
		keyed_remove(line->offered, node);
		mem_free(container_of(node, struct offer, node));
		return;
	}
}

static void on_deleted(void *ctx, const struct pg_result *result)
{
	struct sandbox_inbox *inbox = container_of(ctx, struct sandbox_inbox, deleting);
	inbox->is_deleting = false;
	for (int i = 0; i < inbox->n_deleting; i++) {
		if (pg_status(result) == PG_OK)
			forget_offer(inbox->sandbox, inbox->deleting[i]);
		else
			add_acknowledged(inbox, inbox->deleting[i]);
	}
	inbox->n_deleting = 0;
	if (pg_status(result) == PG_OK && !inbox->is_polling)
		loop_timer_arm(inbox->timer, 0); /* there may be more than one batch */
}

void sandbox_inbox_flush(struct sandbox_inbox *inbox)
{
	if (inbox->is_deleting || inbox->n_acknowledged == 0 ||
		!pg_conn_is_up(inbox->sandbox->conn))
		return;
	memcpy(inbox->deleting, inbox->acknowledged,
		(size_t)inbox->n_acknowledged * sizeof(int64_t));
	inbox->n_deleting = inbox->n_acknowledged;
	inbox->n_acknowledged = 0;
	inbox->is_deleting = true;
	sandbox_store_forget_inbound(inbox->sandbox->conn, inbox->deleting, inbox->n_deleting,
		on_deleted, inbox->deleting);
}

static void free_offer(UNUSED void *ctx, struct keyed_node *node)
{
	mem_free(container_of(node, struct offer, node));
}

void sandbox_inbox_forget(struct sandbox_line *line)
{
	keyed_each(line->offered, free_offer, NULL);
	keyed_free(&line->offered);
	line->offered = keyed_new();
}
