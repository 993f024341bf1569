/* Three queues in the order of their times, one timer. */
#include "services/gateway/sandbox_receipts.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/gateway/sandbox.h"
#include "services/gateway/sandbox_store.h"

#define RECEIPTS_MAX    200000
#define ACK_BATCH_MAX   1000
#define ACK_PATIENCE_MS 500 /* after the ledger refused */

enum step { STEP_ACK, STEP_DELIVER, STEP_READ, STEP_COUNT };

struct receipt {
	TAILQ_ENTRY(receipt) link; /* in the queue of its step */
	struct keyed_node node;    /* key: the bytes of number */
	int64_t number;
	int64_t due_ms; /* of its step, monotonic */
	enum step step; /* STEP_COUNT: all was said */
	bool has_receipts;
	size_t wa_len;
	char wa_message_id[];
};
TAILQ_HEAD(receipt_list, receipt);

struct sandbox_receipts {
	struct sandbox_line *line;
	struct receipt_list queues[STEP_COUNT];
	struct keyed *by_number; /* those with receipts */
	int64_t next_number;
	struct loop_timer *timer;
};

int64_t sandbox_token(int64_t number, enum sandbox_token_kind kind)
{
	return number * 4 + (int64_t)kind;
}

enum sandbox_token_kind sandbox_token_kind(int64_t token)
{
	return (enum sandbox_token_kind)(token & 3);
}

int64_t sandbox_token_number(int64_t token)
{
	return token / 4;
}

static struct strview number_key(const int64_t *number)
{
	return sv_make(number, sizeof(*number));
}

static void receipt_free(struct sandbox_receipts *receipts, struct receipt *receipt)
{
	if (receipt->step != STEP_COUNT)
		TAILQ_REMOVE(&receipts->queues[receipt->step], receipt, link);
	keyed_remove(receipts->by_number, &receipt->node);
	mem_free(receipt);
}

static void receipt_set_step(
	struct sandbox_receipts *receipts, struct receipt *receipt, enum step step, int64_t due_ms)
{
	if (receipt->step != STEP_COUNT)
		TAILQ_REMOVE(&receipts->queues[receipt->step], receipt, link);
	receipt->step = step;
	receipt->due_ms = due_ms;
	if (step != STEP_COUNT)
		TAILQ_INSERT_TAIL(&receipts->queues[step], receipt, link);
}

/* Say what is due; false when the receipt is gone. */
static bool receipt_say(struct sandbox_receipts *receipts, struct receipt *receipt, int64_t now_ms)
{
	const struct sandbox_line *line = receipts->line;
	struct strview wa = sv_make(receipt->wa_message_id, receipt->wa_len);
	if (receipt->step == STEP_ACK) {
		line->events->on_acked(line->ctx, wa, clock_wall_ms());
		if (!receipt->has_receipts) {
			receipt_free(receipts, receipt);
			return false;
		}
		receipt_set_step(
			receipts, receipt, STEP_DELIVER, now_ms + line->sandbox->delays.deliver_ms);
		return true;
	}
	bool is_read = receipt->step == STEP_READ;
	struct engine_receipt told = {
		.wa_message_id = wa,
		.level = is_read ? ENGINE_RECEIPT_READ : ENGINE_RECEIPT_DELIVERED,
		.at_ms = clock_wall_ms(),
		.token = sandbox_token(
			receipt->number, is_read ? SANDBOX_TOKEN_READ : SANDBOX_TOKEN_DELIVERED),
	};
	receipt_set_step(receipts, receipt, is_read ? STEP_COUNT : STEP_READ,
		now_ms + line->sandbox->delays.read_ms);
	line->events->on_receipt(line->ctx, &told);
	return true;
}

/* With delays of zero all three steps are said here, in one go. */
static void receipt_say_all_due(
	struct sandbox_receipts *receipts, struct receipt *receipt, int64_t now_ms)
{
	while (receipt->step != STEP_COUNT && receipt->due_ms <= now_ms) {
		if (!receipt_say(receipts, receipt, now_ms))
			return;
	}
}

static void arm(struct sandbox_receipts *receipts, int64_t now_ms)
{
	int64_t due_ms = INT64_MAX;
	for (int step = 0; step < STEP_COUNT; step++) {
		const struct receipt *first = TAILQ_FIRST(&receipts->queues[step]);
		if (first != NULL && first->due_ms < due_ms)
			due_ms = first->due_ms;
	}
	if (due_ms == INT64_MAX)
		loop_timer_disarm(receipts->timer);
	else
		loop_timer_arm(receipts->timer, due_ms > now_ms ? due_ms - now_ms : 0);
}

static void on_due(void *ctx)
{
	struct sandbox_receipts *receipts = ctx;
	int64_t now_ms = clock_mono_ms();
	for (int step = 0; step < STEP_COUNT; step++) {
		struct receipt *first;
		while ((first = TAILQ_FIRST(&receipts->queues[step])) != NULL &&
			first->due_ms <= now_ms)
			receipt_say_all_due(receipts, first, now_ms);
	}
	arm(receipts, now_ms);
}

struct sandbox_receipts *sandbox_receipts_new(struct sandbox_line *line)
{
	struct sandbox_receipts *receipts = mem_new(struct sandbox_receipts);
	receipts->line = line;
	for (int step = 0; step < STEP_COUNT; step++)
		TAILQ_INIT(&receipts->queues[step]);
	receipts->by_number = keyed_new();
	receipts->next_number = 1;
	receipts->timer = loop_timer_new(line->sandbox->loop, "sandbox_receipts", on_due, receipts);
	return receipts;
}

static void free_node(UNUSED void *ctx, struct keyed_node *node)
{
	mem_free(container_of(node, struct receipt, node));
}

void sandbox_receipts_free(struct sandbox_receipts **receipts)
{
	if (*receipts == NULL)
		return;
	keyed_each((*receipts)->by_number, free_node, NULL);
	keyed_free(&(*receipts)->by_number);
	loop_timer_free(&(*receipts)->timer);
	mem_free(*receipts);
	*receipts = NULL;
}

static struct receipt *receipt_new(
	struct sandbox_receipts *receipts, struct strview wa_message_id, bool has_receipts)
{
	struct receipt *receipt = mem_zalloc(sizeof(*receipt) + wa_message_id.len + 1);
	receipt->number = receipts->next_number++;
	receipt->step = STEP_COUNT;
	receipt->has_receipts = has_receipts;
	receipt->wa_len = wa_message_id.len;
	memcpy(receipt->wa_message_id, wa_message_id.ptr, wa_message_id.len);
	keyed_insert(receipts->by_number, &receipt->node, 0, number_key(&receipt->number));
	return receipt;
}

void sandbox_receipts_taken(
	struct sandbox_receipts *receipts, struct strview wa_message_id, bool has_receipts)
{
	int64_t now_ms = clock_mono_ms();
	struct receipt *receipt = receipt_new(receipts, wa_message_id, has_receipts);
	receipt_set_step(
		receipts, receipt, STEP_ACK, now_ms + receipts->line->sandbox->delays.ack_ms);
	receipt_say_all_due(receipts, receipt, now_ms);
	if (!loop_timer_is_armed(receipts->timer))
		arm(receipts, now_ms);
}

void sandbox_receipts_pending(struct sandbox_receipts *receipts, struct strview wa_message_id,
	int64_t received_at_ms, int level)
{
	const struct sandbox_delays *delays = &receipts->line->sandbox->delays;
	int64_t now_ms = clock_mono_ms();
	int64_t wait_ms = received_at_ms - clock_wall_ms() + delays->ack_ms + delays->deliver_ms;
	if (level > 0)
		wait_ms += delays->read_ms;
	struct receipt *receipt = receipt_new(receipts, wa_message_id, true);
	receipt_set_step(receipts, receipt, level > 0 ? STEP_READ : STEP_DELIVER,
		now_ms + (wait_ms > 0 ? wait_ms : 0));
	if (!loop_timer_is_armed(receipts->timer))
		arm(receipts, now_ms);
}

bool sandbox_receipts_are_full(const struct sandbox_receipts *receipts)
{
	return keyed_count(receipts->by_number) >= RECEIPTS_MAX;
}

/* --- what the ledger is told --- */

struct ack {
	TAILQ_ENTRY(ack) link;
	struct keyed_node node; /* while waiting; scope: session id, key: WhatsApp message id */
	int32_t session_id;
	int level;
	size_t wa_len;
	char wa_message_id[];
};
TAILQ_HEAD(ack_list, ack);

struct sandbox_acks {
	struct sandbox *sandbox;
	struct keyed *by_wa; /* those that wait */
	struct ack_list waiting;
	struct ack_list in_flight;
	bool is_busy;
	struct loop_timer *patience;
};

static void on_patience(void *ctx)
{
	struct sandbox_acks *acks = ctx;
	sandbox_request_turn(acks->sandbox);
}

struct sandbox_acks *sandbox_acks_new(struct sandbox *sandbox)
{
	struct sandbox_acks *acks = mem_new(struct sandbox_acks);
	acks->sandbox = sandbox;
	acks->by_wa = keyed_new();
	TAILQ_INIT(&acks->waiting);
	TAILQ_INIT(&acks->in_flight);
	acks->patience = loop_timer_new(sandbox->loop, "sandbox_acks", on_patience, acks);
	return acks;
}

static void acks_drop(struct ack_list *list)
{
	struct ack *ack;
	while ((ack = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, ack, link);
		mem_free(ack);
	}
}

void sandbox_acks_free(struct sandbox_acks **acks)
{
	if (*acks == NULL)
		return;
	pg_conn_forget((*acks)->sandbox->conn, *acks);
	acks_drop(&(*acks)->waiting);
	acks_drop(&(*acks)->in_flight);
	keyed_free(&(*acks)->by_wa);
	loop_timer_free(&(*acks)->patience);
	mem_free(*acks);
	*acks = NULL;
}

static void acks_push(
	struct sandbox_acks *acks, int32_t session_id, const struct receipt *receipt, int level)
{
	struct strview wa = sv_make(receipt->wa_message_id, receipt->wa_len);
	struct keyed_node *node = keyed_find(acks->by_wa, session_id, wa);
	struct ack *ack = node != NULL ? container_of(node, struct ack, node) : NULL;
	if (ack == NULL) {
		ack = mem_zalloc(sizeof(*ack) + wa.len + 1);
		ack->session_id = session_id;
		ack->wa_len = wa.len;
		memcpy(ack->wa_message_id, wa.ptr, wa.len);
		keyed_insert(
			acks->by_wa, &ack->node, session_id, sv_make(ack->wa_message_id, wa.len));
		TAILQ_INSERT_TAIL(&acks->waiting, ack, link);
	}
	if (level > ack->level)
		ack->level = level;
	sandbox_request_turn(acks->sandbox);
}

void sandbox_receipts_acknowledge(struct sandbox_receipts *receipts, int64_t token)
{
	int64_t number = sandbox_token_number(token);
	struct keyed_node *node = keyed_find(receipts->by_number, 0, number_key(&number));
	if (node == NULL)
		return;
	struct receipt *receipt = container_of(node, struct receipt, node);
	bool is_read = sandbox_token_kind(token) == SANDBOX_TOKEN_READ;
	acks_push(receipts->line->sandbox->acks, receipts->line->session_id, receipt,
		is_read ? 2 : 1);
	if (is_read)
		receipt_free(receipts, receipt);
}

static void on_acknowledged(void *ctx, const struct pg_result *result)
{
	struct sandbox_acks *acks = ctx;
	acks->is_busy = false;
	if (pg_status(result) == PG_OK) {
		acks_drop(&acks->in_flight);
		sandbox_request_turn(acks->sandbox);
		return;
	}
	/* Writing them again is harmless: levels only rise. One for the same message may wait
	 * already; both are written. */
	struct ack *ack;
	while ((ack = TAILQ_LAST(&acks->in_flight, ack_list)) != NULL) {
		TAILQ_REMOVE(&acks->in_flight, ack, link);
		struct strview wa = sv_make(ack->wa_message_id, ack->wa_len);
		struct keyed_node *node = keyed_find(acks->by_wa, ack->session_id, wa);
		if (node != NULL) {
			struct ack *newer = container_of(node, struct ack, node);
			newer->level = ack->level > newer->level ? ack->level : newer->level;
			mem_free(ack);
			continue;
		}
		keyed_insert(acks->by_wa, &ack->node, ack->session_id, wa);
		TAILQ_INSERT_HEAD(&acks->waiting, ack, link);
	}
	loop_timer_arm(acks->patience, ACK_PATIENCE_MS);
}

void sandbox_acks_flush(struct sandbox_acks *acks)
{
	if (acks->is_busy || loop_timer_is_armed(acks->patience) || TAILQ_EMPTY(&acks->waiting))
		return;
	int64_t sessions[ACK_BATCH_MAX];
	int64_t levels[ACK_BATCH_MAX];
	struct strview was[ACK_BATCH_MAX];
	int n = 0;
	struct ack *ack;
	while (n < ACK_BATCH_MAX && (ack = TAILQ_FIRST(&acks->waiting)) != NULL) {
		TAILQ_REMOVE(&acks->waiting, ack, link);
		keyed_remove(acks->by_wa, &ack->node);
		TAILQ_INSERT_TAIL(&acks->in_flight, ack, link);
		sessions[n] = ack->session_id;
		levels[n] = ack->level;
		was[n++] = sv_make(ack->wa_message_id, ack->wa_len);
	}
	acks->is_busy = true;
	sandbox_store_acknowledge(
		acks->sandbox->conn, sessions, was, levels, n, on_acknowledged, acks);
}
