/*
 * Queues and batches. An item goes: unresolved (unless the caches know) → ready → in a batch →
 * answered, or explained and answered, or, when its contact or session changed under it, unresolved
 * again.
 */
#include "services/api/message_accept.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/partition.h"
#include "services/api/accept_answer.h"
#include "services/api/accept_item.h"
#include "services/api/api_reply.h"
#include "services/api/backlog.h"
#include "services/api/contact_cache.h"

#define FLIGHTS           2 /* statements at once, each on a connection of its own */
#define FLIGHT_MIN        16 /* rows for which another one is worth its cost while one is in flight */
#define MAX_WAITING       5000
#define MAX_WAITING_BYTES ((int64_t)64 << 20)
#define MAX_BATCH_BYTES   ((int64_t)4 << 20)
#define MAX_FAILURES      3
#define MAX_RESOLVES      4
#define EXPIRE_MS         100
#define MIN_DEADLINE_MS   500

struct flight {
	struct message_accept *accept;
	struct pg_conn *conn;
	int n_items; /* 0: none in flight */
	struct accept_item *items[STORE_ACCEPT_MAX];
};

struct message_accept {
	struct api *api;
	int64_t timeout_ms;
	struct loop_turn *turn;
	struct loop_timer *expire_timer;
	struct contact_cache *contacts;
	struct accept_queue unresolved;
	struct accept_queue ready;
	int n_waiting; /* items not yet answered */
	int64_t waiting_bytes;
	int n_resolving;
	struct accept_item *resolving[STORE_ACCEPT_MAX];
	struct flight flights[FLIGHTS];
	struct metric *batches;
	struct metric *accepted;
	struct metric *explained;
};

void accept_queue_push(struct accept_queue *queue, struct accept_item *item)
{
	item->next = NULL;
	if (queue->tail != NULL)
		queue->tail->next = item;
	else
		queue->head = item;
	queue->tail = item;
	queue->n++;
}

struct accept_item *accept_queue_pop(struct accept_queue *queue)
{
	struct accept_item *item = queue->head;
	if (item == NULL)
		return NULL;
	queue->head = item->next;
	if (queue->head == NULL)
		queue->tail = NULL;
	queue->n--;
	return item;
}

void accept_item_set_state(struct accept_item *item, enum accept_state state)
{
	/* Bit n: may come after state n. */
	static const unsigned from[] = {
		[ACCEPT_UNRESOLVED] =
			1u << ACCEPT_UNRESOLVED | 1u << ACCEPT_RESOLVING | 1u << ACCEPT_EXPLAINING,
		[ACCEPT_RESOLVING] = 1u << ACCEPT_UNRESOLVED | 1u << ACCEPT_RESOLVING,
		[ACCEPT_READY] =
			1u << ACCEPT_UNRESOLVED | 1u << ACCEPT_RESOLVING | 1u << ACCEPT_IN_FLIGHT,
		[ACCEPT_IN_FLIGHT] = 1u << ACCEPT_READY,
		[ACCEPT_EXPLAINING] = 1u << ACCEPT_IN_FLIGHT,
	};
	ASSERT((from[state] & 1u << item->state) != 0);
	item->state = state;
}

/* The item is about to be answered. */
static void item_leave(struct accept_item *item)
{
	item->accept->n_waiting--;
	item->accept->waiting_bytes -= (int64_t)http_request_body(item->call->http).len;
}

static void item_written(struct accept_item *item)
{
	item_leave(item);
	metric_add(item->accept->accepted, 1);
	accept_answer_written(item, item->queue_seq);
}

static void item_unavailable(struct accept_item *item)
{
	item_leave(item);
	accept_answer_unavailable(item);
}

static void item_make_ready(struct accept_item *item)
{
	item->row.phone = sv_from(item->phone);
	item->row.partition = partition_of_conversation(item->row.session_id, item->row.phone);
	accept_item_set_state(item, ACCEPT_READY);
	accept_queue_push(&item->accept->ready, item);
}

static void item_resolve_later(struct accept_item *item)
{
	accept_item_set_state(item, ACCEPT_UNRESOLVED);
	accept_queue_push(&item->accept->unresolved, item);
	loop_turn_request(item->accept->turn);
}

/* --- resolving contacts and sessions --- */

static struct store_resolve item_question(const struct accept_item *item)
{
	const struct message_request *request = item->request;
	return (struct store_resolve){
		.tenant_id = item->row.tenant_id,
		.contact_id = (int32_t)request->contact_id,
		.phone = item->row.any_number ? sv_from(request->phone) : SV_NULL,
		.session_id = item->named_session ? (int32_t)request->session_id : 0,
	};
}

static void on_contact_made(void *ctx, const struct pg_result *result)
{
	struct accept_item *item = ctx;
	/* Somebody else may have made it at the same time: looking again tells. */
	if (pg_status(result) == PG_OK)
		item_resolve_later(item);
	else
		item_unavailable(item);
}

/* Nobody has the number yet. */
static void item_make_contact(struct accept_item *item)
{
	struct store_resolve question = item_question(item);
	store_contacts_of_phones(item->call->api->store, &question, 1, on_contact_made, item);
}

static void item_no_session(struct accept_item *item)
{
	item_leave(item);
	if (item->named_session)
		api_reply_invalid_field(item->call, "session_id", "is no session of yours");
	else
		api_reply_problem(item->call, PROBLEM_CONFLICT,
			"There is no session to send through; make one with POST /sessions");
}

static void item_resolved(struct accept_item *item, const struct store_resolved *resolved)
{
	if (resolved->session_id == 0) {
		item_no_session(item);
		return;
	}
	item->row.session_id = resolved->session_id;
	if (resolved->contact_id != 0) {
		item->row.contact_id = resolved->contact_id;
		memcpy(item->phone, resolved->phone.ptr, resolved->phone.len);
		item->phone[resolved->phone.len] = '\0';
		if (!item->row.any_number)
			contact_cache_put(item->accept->contacts, item->row.tenant_id,
				item->row.contact_id, item->phone);
		item_make_ready(item);
	} else if (item->row.any_number) {
		item_make_contact(item);
	} else {
		item_leave(item);
		api_reply_not_found(item->call, "Contact");
	}
}

static void on_resolved(void *ctx, const struct pg_result *result)
{
	struct message_accept *accept = ctx;
	int n = accept->n_resolving;

	accept->n_resolving = 0;
	loop_turn_request(accept->turn);
	if (pg_status(result) != PG_OK) {
		for (int i = 0; i < n; i++)
			item_unavailable(accept->resolving[i]);
		return;
	}
	ASSERT(pg_rows(result) == n);
	for (int i = 0; i < n; i++) {
		struct store_resolved resolved = store_resolved_at(result, i);
		ASSERT(resolved.question >= 0 && resolved.question < n);
		ASSERT(resolved.phone.len < PHONE_SIZE);
		item_resolved(accept->resolving[resolved.question], &resolved);
	}
}

static void resolve_next(struct message_accept *accept)
{
	struct store_resolve questions[STORE_ACCEPT_MAX];
	int n = 0;

	if (accept->n_resolving > 0)
		return;
	while (n < STORE_ACCEPT_MAX && accept->unresolved.n > 0) {
		struct accept_item *item = accept_queue_pop(&accept->unresolved);
		if (item->resolves++ == MAX_RESOLVES) {
			item_leave(item);
			api_reply_retry(item->call, PROBLEM_OVERLOADED, 1,
				"This contact is being changed at the moment; try again");
			continue;
		}
		accept_item_set_state(item, ACCEPT_RESOLVING);
		questions[n] = item_question(item);
		accept->resolving[n++] = item;
	}
	if (n == 0)
		return;
	accept->n_resolving = n;
	store_resolve(accept->api->store, questions, n, on_resolved, accept);
}

/* --- batches --- */

static void on_explained(void *ctx, const struct pg_result *result)
{
	struct accept_item *item = ctx;
	struct message_accept *accept = item->accept;

	if (pg_status(result) != PG_OK) {
		item->unknown = true;
		item_unavailable(item);
		return;
	}
	struct store_explanation explanation = store_accept_explanation(result);
	if (!accept_answer_is_known(&explanation)) {
		contact_cache_drop(accept->contacts, item->row.tenant_id, item->row.contact_id);
		item_resolve_later(item);
		return;
	}
	item_leave(item);
	accept_answer_explained(item, &explanation);
}

static void item_explain(struct accept_item *item)
{
	accept_item_set_state(item, ACCEPT_EXPLAINING);
	metric_add(item->accept->explained, 1);
	store_accept_explain(item->call->api->store, &item->row, on_explained, item);
}

/* Back to the queue, to go with another batch. */
static void item_requeue(struct accept_item *item)
{
	accept_item_set_state(item, ACCEPT_READY);
	accept_queue_push(&item->accept->ready, item);
}

static void item_batch_failed(struct accept_item *item, int n_items, const struct pg_result *result)
{
	switch (pg_status(result)) {
	case PG_UNKNOWN:
		item->unknown = true;
		item_requeue(item);
		return;
	case PG_UNAVAILABLE:
		item_requeue(item); /* the turn refuses it, unless it waits to be told the truth */
		return;
	case PG_OK:
	case PG_FAILED:
		break;
	}
	if (pg_is_retryable(result) && item->failures++ < MAX_FAILURES) {
		item_requeue(item);
	} else if (n_items > 1) {
		item->alone = true; /* one of them is refused: not for the others to pay for */
		item_requeue(item);
	} else {
		item_leave(item);
		api_reply_pg(item->call, result);
	}
}

static struct accept_item *flight_find(const struct flight *flight, int n_items, struct strview id)
{
	int low = 0, high = n_items;
	while (low < high) {
		int middle = (low + high) / 2;
		int order = memcmp(flight->items[middle]->id, id.ptr, id.len);
		if (order == 0)
			return flight->items[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	WRONG("the statement gives back only ids that it was given");
}

/* Committed: what the statement gives back is written, the rest must be asked about. */
static void flight_land(struct flight *flight, int n_items, const struct pg_result *result)
{
	for (int i = 0; i < pg_rows(result); i++) {
		struct accept_item *item =
			flight_find(flight, n_items, store_accept_written_id(result, i));
		item->queue_seq = store_accept_written_seq(result, i);
		item->written = true;
	}
	for (int i = 0; i < n_items; i++) {
		if (flight->items[i]->written)
			item_written(flight->items[i]);
		else
			item_explain(flight->items[i]);
	}
}

static void on_flight(void *ctx, const struct pg_result *result)
{
	struct flight *flight = ctx;
	int n_items = flight->n_items;

	flight->n_items = 0;
	loop_turn_request(flight->accept->turn);
	if (pg_status(result) == PG_OK) {
		flight_land(flight, n_items, result);
		return;
	}
	log_warn("accept_batch_fail", log_int("messages", n_items),
		log_text("status", pg_status_name(pg_status(result))),
		log_text("sqlstate", pg_sqlstate(result)), log_err(pg_err(result)));
	for (int i = 0; i < n_items; i++)
		item_batch_failed(flight->items[i], n_items, result);
}

/* Items of a batch are in the order of their ids. Nearly always they come so; those that go a
 * second time do not. */
static void flight_add(struct flight *flight, struct accept_item *item)
{
	int at = flight->n_items++;
	while (at > 0 && strcmp(flight->items[at - 1]->id, item->id) > 0) {
		flight->items[at] = flight->items[at - 1];
		at--;
	}
	flight->items[at] = item;
}

static void flight_load(struct flight *flight, int64_t now_ms)
{
	struct accept_queue *ready = &flight->accept->ready;
	int64_t bytes = 0;

	while (flight->n_items < STORE_ACCEPT_MAX && ready->n > 0 && bytes < MAX_BATCH_BYTES) {
		if (ready->head->alone && flight->n_items > 0)
			return;
		struct accept_item *item = accept_queue_pop(ready);
		if (now_ms >= item->deadline_ms) {
			item_unavailable(item);
			continue;
		}
		accept_item_set_state(item, ACCEPT_IN_FLIGHT);
		bytes += (int64_t)http_request_body(item->call->http).len;
		flight_add(flight, item);
		if (item->alone)
			return;
	}
}

static void flight_start(struct flight *flight)
{
	const struct store_accept *rows[STORE_ACCEPT_MAX];
	int64_t now_ms = clock_mono_ms();
	int64_t deadline_ms = flight->accept->timeout_ms;
	bool again = false;

	flight_load(flight, now_ms);
	if (flight->n_items == 0)
		return;
	for (int i = 0; i < flight->n_items; i++) {
		struct accept_item *item = flight->items[i];
		rows[i] = &item->row;
		again |= item->unknown;
		if (item->deadline_ms - now_ms < deadline_ms)
			deadline_ms = item->deadline_ms - now_ms;
	}
	if (deadline_ms < MIN_DEADLINE_MS)
		deadline_ms = MIN_DEADLINE_MS;
	metric_add(flight->accept->batches, 1);
	store_accept_write(
		flight->conn, rows, flight->n_items, again, deadline_ms, on_flight, flight);
}

static bool is_up(const struct message_accept *accept)
{
	for (int i = 0; i < FLIGHTS; i++) {
		if (pg_conn_is_up(accept->flights[i].conn))
			return true;
	}
	return false;
}

/* Postgres is away. Who may have been accepted waits for the truth as long as it may; the others
 * are refused at once. */
static void refuse_waiting(struct message_accept *accept)
{
	int64_t now_ms = clock_mono_ms();

	for (int n = accept->ready.n; n > 0; n--) {
		struct accept_item *item = accept_queue_pop(&accept->ready);
		if (item->unknown && now_ms < item->deadline_ms)
			accept_queue_push(&accept->ready, item);
		else
			item_unavailable(item);
	}
	if (accept->ready.n > 0)
		loop_timer_arm(accept->expire_timer, EXPIRE_MS);
}

/* How many must wait for the next statement to start. */
static int least_rows(const struct message_accept *accept)
{
	for (int i = 0; i < FLIGHTS; i++) {
		if (accept->flights[i].n_items > 0)
			return FLIGHT_MIN;
	}
	return 1;
}

static void on_turn(void *ctx)
{
	struct message_accept *accept = ctx;

	resolve_next(accept);
	if (!is_up(accept)) {
		refuse_waiting(accept);
		return;
	}
	for (int i = 0; i < FLIGHTS && accept->ready.n >= least_rows(accept); i++) {
		struct flight *flight = &accept->flights[i];
		if (flight->n_items == 0 && pg_conn_is_up(flight->conn))
			flight_start(flight);
	}
}

static void on_conn_change(void *ctx, bool up, const struct err *err)
{
	struct message_accept *accept = ctx;
	(void)up;
	(void)err;
	loop_turn_request(accept->turn);
}

/* --- coming in --- */

static bool caller_may_use(const struct caller *caller, int64_t session_id)
{
	for (int i = 0; i < caller->n_sessions; i++) {
		if (caller->sessions[i] == session_id)
			return true;
	}
	return false;
}

static struct accept_item *item_new(
	struct message_accept *accept, struct api_call *call, const struct message_request *request)
{
	struct accept_item *item = pool_new_in(call->pool, struct accept_item);
	int64_t now = clock_wall_ms();
	bool is_scheduled = request->send_at != MESSAGE_NO_TIME && request->send_at > now;

	id_new("msg", now, item->id);
	id_new_wa_message(item->wa_message_id);
	item->accept = accept;
	item->call = call;
	item->request = request;
	item->deadline_ms = clock_mono_ms() + accept->timeout_ms;
	item->named_session = request->session_id != 0;
	item->row = (struct store_accept){
		.id = sv_from(item->id),
		.wa_message_id = sv_from(item->wa_message_id),
		.tenant_id = call->caller.tenant_id,
		.contact_id = (int32_t)request->contact_id,
		.any_number = request->phone[0] != '\0',
		.type = request->type,
		.created_at = now,
		.due_at = is_scheduled ? request->send_at : PG_TIME_NULL,
		.send_at = request->send_at,
		.valid_until = request->valid_until,
		.body = request->body,
		.caption = request->caption,
		.media_url = request->media_url,
		.filename = request->filename,
		.external_ref = request->external_ref,
		.metadata = request->metadata,
		.once = request->once,
		.key = call->idempotency.key,
		.fingerprint = sv_is_null(call->idempotency.key)
				       ? SV_NULL
				       : sv_make(call->idempotency.fingerprint, SHA256_SIZE),
	};
	return item;
}

/* Put it into the queue that it belongs to, as far as the caches know. */
static void item_enter(struct accept_item *item)
{
	struct message_accept *accept = item->accept;
	const struct caller *caller = &item->call->caller;
	int64_t session_id = item->request->session_id;

	if (!item->named_session && caller->n_sessions > 0)
		session_id = caller->sessions[0];
	bool knows_session = session_id != 0 && caller_may_use(caller, session_id);
	bool knows_contact =
		!item->row.any_number && contact_cache_find(accept->contacts, item->row.tenant_id,
						 item->row.contact_id, item->phone);
	if (knows_session && knows_contact) {
		item->row.session_id = (int32_t)session_id;
		item_make_ready(item);
	} else {
		accept_queue_push(&accept->unresolved, item);
	}
	loop_turn_request(accept->turn);
}

void message_accept_push(
	struct message_accept *accept, struct api_call *call, const struct message_request *request)
{
	if (accept->n_waiting >= MAX_WAITING || accept->waiting_bytes >= MAX_WAITING_BYTES) {
		api_reply_retry(call, PROBLEM_OVERLOADED, 1,
			"Too many messages are being accepted at the moment; this one was not");
		return;
	}
	if (!backlog_admits(
		    accept->api->backlog, call->caller.tenant_id, call->caller.backlog_cap)) {
		api_reply_retry(call, PROBLEM_BACKLOG_FULL, 5,
			"This tenant has as many messages waiting as it may have");
		return;
	}
	struct accept_item *item = item_new(accept, call, request);
	accept->n_waiting++;
	accept->waiting_bytes += (int64_t)http_request_body(call->http).len;
	item_enter(item);
}

static double waiting(void *ctx)
{
	const struct message_accept *accept = ctx;
	return accept->n_waiting;
}

static void make_metrics(struct message_accept *accept, struct metrics *metrics)
{
	accept->batches = metrics_counter(
		metrics, "wa_api_accept_batches_total", "", "Statements that accepted messages");
	accept->accepted =
		metrics_counter(metrics, "wa_api_messages_accepted_total", "", "Messages accepted");
	accept->explained = metrics_counter(metrics, "wa_api_messages_not_written_total", "",
		"Messages that a batch did not write: repeated keys and refs, changed contacts");
	metrics_gauge_fn(metrics, "wa_api_accept_waiting", "",
		"Messages between their request and their answer", waiting, accept);
}

struct message_accept *message_accept_new(
	struct api *api, const char *database_url, int64_t query_timeout_ms)
{
	struct message_accept *accept = mem_new(struct message_accept);
	struct pg_conn_options options = {
		.url = database_url, .app_name = daemon_instance(api->daemon)};

	accept->api = api;
	accept->timeout_ms = query_timeout_ms;
	accept->contacts = contact_cache_new();
	accept->turn = loop_turn_new(api->loop, "message_accept", on_turn, accept);
	accept->expire_timer = loop_timer_new(api->loop, "accept_expire", on_turn, accept);
	make_metrics(accept, daemon_metrics(api->daemon));
	for (int i = 0; i < FLIGHTS; i++) {
		accept->flights[i].accept = accept;
		accept->flights[i].conn = pg_conn_new(api->loop, &options, on_conn_change, accept);
	}
	return accept;
}

void message_accept_free(struct message_accept **accept)
{
	struct message_accept *gone = *accept;

	*accept = NULL;
	if (gone == NULL)
		return;
	for (int i = 0; i < FLIGHTS; i++)
		pg_conn_free(&gone->flights[i].conn);
	loop_turn_free(&gone->turn);
	loop_timer_free(&gone->expire_timer);
	contact_cache_free(&gone->contacts);
	mem_free(gone);
}
