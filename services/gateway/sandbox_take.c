/* From send() to the ledger, by the fate of each number. */
#include "services/gateway/sandbox_take.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/io/marked_step.h"
#include "services/gateway/sandbox.h"
#include "services/gateway/sandbox_fate.h"
#include "services/gateway/sandbox_store.h"

#define BATCH_MAX 1000

#define CODE_TEMPORARY "temporary_error"

struct item { /* a copy of a message on its way; strings behind it in the same allocation */
	TAILQ_ENTRY(item) link;
	struct keyed_node node;    /* scope: session id, key: WhatsApp message id */
	struct sandbox_line *line; /* NULL when it was closed */
	enum sandbox_fate fate;
	struct sandbox_copy copy;
};
TAILQ_HEAD(items, item);

struct stage { /* items of one kind of statement */
	struct items waiting;
	struct items in_flight;
	bool is_busy;
};

struct sandbox_take {
	struct sandbox *sandbox;
	struct keyed *by_wa;
	struct items
		refused; /* of a fate that needs no statement: answered at the end of the turn */
	struct stage tries;
	struct stage takes;
};

static void stage_init(struct stage *stage)
{
	TAILQ_INIT(&stage->waiting);
	TAILQ_INIT(&stage->in_flight);
	stage->is_busy = false;
}

struct sandbox_take *sandbox_take_new(struct sandbox *sandbox)
{
	struct sandbox_take *take = mem_new(struct sandbox_take);
	take->sandbox = sandbox;
	take->by_wa = keyed_new();
	TAILQ_INIT(&take->refused);
	stage_init(&take->tries);
	stage_init(&take->takes);
	return take;
}

static void item_free(struct sandbox_take *take, struct items *list, struct item *item)
{
	TAILQ_REMOVE(list, item, link);
	keyed_remove(take->by_wa, &item->node);
	mem_free(item);
}

static void items_free(struct sandbox_take *take, struct items *list)
{
	struct item *item;
	while ((item = TAILQ_FIRST(list)) != NULL)
		item_free(take, list, item);
}

void sandbox_take_free(struct sandbox_take **take)
{
	if (*take == NULL)
		return;
	pg_conn_forget((*take)->sandbox->conn, &(*take)->tries);
	pg_conn_forget((*take)->sandbox->conn, &(*take)->takes);
	items_free(*take, &(*take)->refused);
	items_free(*take, &(*take)->tries.waiting);
	items_free(*take, &(*take)->tries.in_flight);
	items_free(*take, &(*take)->takes.waiting);
	items_free(*take, &(*take)->takes.in_flight);
	keyed_free(&(*take)->by_wa);
	mem_free(*take);
	*take = NULL;
}

static struct strview put(char **at, struct strview text)
{
	if (sv_is_null(text))
		return SV_NULL;
	struct strview copy = sv_make(*at, text.len);
	memcpy(*at, text.ptr, text.len);
	*at += text.len + 1;
	return copy;
}

static struct item *item_new(struct sandbox_line *line, const struct engine_message *message)
{
	const struct strview texts[] = {message->wa_message_id, message->phone, message->message_id,
		message->body, message->caption, message->media_sha256};
	size_t size = sizeof(struct item);
	for (size_t i = 0; i < array_len(texts); i++)
		size += texts[i].len + 1;
	struct item *item = mem_zalloc(size);
	char *at = (char *)(item + 1);
	item->line = line;
	item->fate = sandbox_fate_of(message->phone);
	item->copy = (struct sandbox_copy){
		.session_id = line->session_id,
		.tenant_id = message->tenant_id,
		.wa_message_id = put(&at, message->wa_message_id),
		.phone = put(&at, message->phone),
		.message_id = put(&at, message->message_id),
		.type = message->type,
		.body = put(&at, message->body),
		.caption = put(&at, message->caption),
		.media_sha256 = put(&at, message->media_sha256),
		.has_receipts_first = sandbox_fate_has_receipts(item->fate, 1),
		.has_receipts_again = sandbox_fate_has_receipts(item->fate, 2),
	};
	return item;
}

static struct items *first_list(struct sandbox_take *take, enum sandbox_fate fate)
{
	switch (fate) {
	case SANDBOX_FATE_NOT_ON_WHATSAPP:
	case SANDBOX_FATE_FAILS_ALWAYS:
		return &take->refused;
	case SANDBOX_FATE_FAILS_TWICE:
		return &take->tries.waiting;
	case SANDBOX_FATE_READ:
	case SANDBOX_FATE_NOT_DELIVERED:
	case SANDBOX_FATE_ACK_LOST:
		return &take->takes.waiting;
	}
	WRONG("no such fate");
}

void sandbox_take_push(
	struct sandbox_take *take, struct sandbox_line *line, const struct engine_message *message)
{
	if (keyed_find(take->by_wa, line->session_id, message->wa_message_id) != NULL)
		return;
	struct item *item = item_new(line, message);
	keyed_insert(take->by_wa, &item->node, line->session_id, item->copy.wa_message_id);
	TAILQ_INSERT_TAIL(first_list(take, item->fate), item, link);
	sandbox_request_turn(take->sandbox);
}

void sandbox_take_forget(struct sandbox_take *take, const struct sandbox_line *line)
{
	struct items *lists[] = {&take->refused, &take->tries.waiting, &take->tries.in_flight,
		&take->takes.waiting, &take->takes.in_flight};
	for (size_t i = 0; i < array_len(lists); i++) {
		struct item *item;
		TAILQ_FOREACH(item, lists[i], link)
		{
			if (item->line == line)
				item->line = NULL;
		}
	}
}

static void item_fail(
	const struct item *item, enum verdict verdict, const char *code, const char *text)
{
	if (item->line != NULL)
		item->line->events->on_failed(
			item->line->ctx, item->copy.wa_message_id, verdict, code, text);
}

static void answer_refused(struct sandbox_take *take)
{
	struct items refused;
	TAILQ_INIT(&refused);
	TAILQ_CONCAT(&refused, &take->refused, link);
	struct item *item;
	while ((item = TAILQ_FIRST(&refused)) != NULL) {
		if (item->fate == SANDBOX_FATE_NOT_ON_WHATSAPP)
			item_fail(item, VERDICT_GIVE_UP, ERROR_NOT_ON_WHATSAPP,
				"this number is not on WhatsApp");
		else
			item_fail(item, VERDICT_RETRY, CODE_TEMPORARY,
				"temporary error of the sandbox");
		item_free(take, &refused, item);
	}
}

/* The ledger said for certain that it took none of them, or (PG_UNKNOWN) nothing: then we say
 * nothing either. */
static void end_without_ledger(
	struct sandbox_take *take, struct stage *stage, const struct pg_result *result)
{
	struct item *item;
	while ((item = TAILQ_FIRST(&stage->in_flight)) != NULL) {
		if (pg_status(result) != PG_UNKNOWN)
			item_fail(item, VERDICT_RETRY, CODE_TEMPORARY,
				"the sandbox's ledger is away");
		item_free(take, &stage->in_flight, item);
	}
}

static struct item *item_of_row(struct sandbox_take *take, const struct sandbox_taken *row)
{
	struct keyed_node *node = keyed_find(take->by_wa, row->session_id, row->wa_message_id);
	return node != NULL ? container_of(node, struct item, node) : NULL;
}

static void item_was_taken(struct sandbox_take *take, struct item *item, int64_t copies)
{
	struct sandbox_line *line = item->line;
	MARKED_STEP("gateway_engine_took", item->copy.phone);
	if (line != NULL && line->receipts != NULL && sandbox_fate_is_acked(item->fate, copies))
		sandbox_receipts_taken(line->receipts, item->copy.wa_message_id,
			sandbox_fate_has_receipts(item->fate, copies));
	item_free(take, &take->takes.in_flight, item);
}

static void on_taken(void *ctx, const struct pg_result *result)
{
	struct stage *stage = ctx;
	struct sandbox_take *take = container_of(stage, struct sandbox_take, takes);
	stage->is_busy = false;
	for (int row = 0; row < pg_rows(result); row++) {
		struct sandbox_taken taken;
		sandbox_store_taken(result, row, &taken);
		struct item *item = item_of_row(take, &taken);
		if (item != NULL)
			item_was_taken(take, item, taken.copies);
	}
	end_without_ledger(take, stage, result);
	sandbox_request_turn(take->sandbox);
}

static void on_tried(void *ctx, const struct pg_result *result)
{
	struct stage *stage = ctx;
	struct sandbox_take *take = container_of(stage, struct sandbox_take, tries);
	stage->is_busy = false;
	for (int row = 0; row < pg_rows(result); row++) {
		struct sandbox_taken tried;
		sandbox_store_taken(result, row, &tried);
		struct item *item = item_of_row(take, &tried);
		if (item == NULL || tried.copies <= SANDBOX_TRIES_OF_FAILS_TWICE)
			continue;
		TAILQ_REMOVE(&stage->in_flight, item, link);
		TAILQ_INSERT_TAIL(&take->takes.waiting, item, link);
	}
	struct item *item;
	while ((item = TAILQ_FIRST(&stage->in_flight)) != NULL) {
		item_fail(item, VERDICT_RETRY, CODE_TEMPORARY, "temporary error of the sandbox");
		item_free(take, &stage->in_flight, item);
	}
	sandbox_request_turn(take->sandbox);
}

static int stage_cut(struct stage *stage)
{
	int n = 0;
	struct item *item;
	while (n < BATCH_MAX && (item = TAILQ_FIRST(&stage->waiting)) != NULL) {
		TAILQ_REMOVE(&stage->waiting, item, link);
		TAILQ_INSERT_TAIL(&stage->in_flight, item, link);
		n++;
	}
	stage->is_busy = n > 0;
	return n;
}

static void flush_tries(struct sandbox_take *take)
{
	struct stage *stage = &take->tries;
	int n = stage->is_busy ? 0 : stage_cut(stage);
	if (n == 0)
		return;
	int64_t *sessions = mem_array((size_t)n, sizeof(*sessions));
	struct strview *was = mem_array((size_t)n, sizeof(*was));
	int i = 0;
	const struct item *item;
	TAILQ_FOREACH(item, &stage->in_flight, link)
	{
		sessions[i] = item->copy.session_id;
		was[i++] = item->copy.wa_message_id;
	}
	sandbox_store_try(take->sandbox->conn, sessions, was, n, on_tried, stage);
	mem_free(sessions);
	mem_free(was);
}

static void flush_takes(struct sandbox_take *take)
{
	struct stage *stage = &take->takes;
	int n = stage->is_busy ? 0 : stage_cut(stage);
	if (n == 0)
		return;
	struct sandbox_copy *copies = mem_array((size_t)n, sizeof(*copies));
	int i = 0;
	const struct item *item;
	TAILQ_FOREACH(item, &stage->in_flight, link)
	{
		copies[i++] = item->copy;
	}
	sandbox_store_take(take->sandbox->conn, copies, n, on_taken, stage);
	mem_free(copies);
}

void sandbox_take_flush(struct sandbox_take *take)
{
	answer_refused(take);
	flush_tries(take);
	flush_takes(take);
}
