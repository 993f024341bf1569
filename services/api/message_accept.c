/*
 * Queues. An item goes: unresolved (unless the caches know) → ready → in a batch → answered, or
 * explained and answered, or, when its contact or session changed under it, unresolved again.
 */
#include "services/api/message_accept.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/model/partition.h"
#include "services/api/accept_answer.h"
#include "services/api/accept_item.h"
#include "services/api/api_reply.h"
#include "services/api/backlog.h"

#define MAX_WAITING       5000
#define MAX_WAITING_BYTES ((int64_t)64 << 20)
#define EXPIRE_MS         100

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
		[ACCEPT_RESOLVING] =
			1u << ACCEPT_UNRESOLVED | 1u << ACCEPT_RESOLVING | 1u << ACCEPT_EXPLAINING,
		[ACCEPT_READY] = 1u << ACCEPT_UNRESOLVED | 1u << ACCEPT_RESOLVING |
				 1u << ACCEPT_IN_FLIGHT | 1u << ACCEPT_EXPLAINING,
		[ACCEPT_IN_FLIGHT] = 1u << ACCEPT_READY,
		[ACCEPT_EXPLAINING] =
			1u << ACCEPT_UNRESOLVED | 1u << ACCEPT_RESOLVING | 1u << ACCEPT_IN_FLIGHT,
	};
	ASSERT((from[state] & 1u << item->state) != 0);
	item->state = state;
}

/* The item is about to be answered. */
void accept_item_leave(struct accept_item *item)
{
	item->accept->n_waiting--;
	item->accept->waiting_bytes -= (int64_t)http_request_body(item->call->http).len;
}

void accept_item_unavailable(struct accept_item *item)
{
	accept_item_leave(item);
	accept_answer_unavailable(item);
}

void accept_item_make_ready(struct accept_item *item)
{
	item->row.phone = sv_from(item->phone);
	item->row.partition = partition_of_conversation(item->row.session_id, item->row.phone);
	item->is_resolved = true;
	accept_item_set_state(item, ACCEPT_READY);
	accept_queue_push(&item->accept->ready, item);
	loop_turn_request(item->accept->turn);
}

void accept_item_resolve_later(struct accept_item *item)
{
	item->is_resolved = false;
	accept_item_set_state(item, ACCEPT_UNRESOLVED);
	accept_queue_push(&item->accept->unresolved, item);
	loop_turn_request(item->accept->turn);
}

static bool is_up(const struct message_accept *accept)
{
	for (int i = 0; i < ACCEPT_FLIGHTS; i++) {
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
			accept_item_unavailable(item);
	}
	if (accept->ready.n > 0)
		loop_timer_arm(accept->expire_timer, EXPIRE_MS);
}

static void on_turn(void *ctx)
{
	struct message_accept *accept = ctx;

	accept_resolve_next(accept);
	if (!is_up(accept)) {
		refuse_waiting(accept);
		return;
	}
	accept_flights_start(accept);
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
		accept_item_make_ready(item);
	} else {
		accept_queue_push(&accept->unresolved, item);
	}
	loop_turn_request(accept->turn);
}

static void item_backlog_full(struct accept_item *item)
{
	accept_item_leave(item);
	api_reply_retry(item->call, PROBLEM_BACKLOG_FULL, 5,
		"This tenant has as many messages waiting as it may have");
}

void message_accept_push(
	struct message_accept *accept, struct api_call *call, const struct message_request *request)
{
	if (accept->n_waiting >= MAX_WAITING || accept->waiting_bytes >= MAX_WAITING_BYTES) {
		api_reply_retry(call, PROBLEM_OVERLOADED, 1,
			"Too many messages are being accepted at the moment; this one was not");
		return;
	}
	struct accept_item *item = item_new(accept, call, request);
	accept->n_waiting++;
	accept->waiting_bytes += (int64_t)http_request_body(call->http).len;
	if (backlog_admits(accept->api->backlog, call->caller.tenant_id, call->caller.backlog_cap))
		item_enter(item);
	else
		accept_item_unless_repeated(item, item_backlog_full);
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
		.url = database_url, .app_name = daemon_instance(api->daemon), .plan_once = true};

	accept->api = api;
	accept->timeout_ms = query_timeout_ms;
	accept->contacts = contact_cache_new();
	accept->turn = loop_turn_new(api->loop, "message_accept", on_turn, accept);
	accept->expire_timer = loop_timer_new(api->loop, "accept_expire", on_turn, accept);
	make_metrics(accept, daemon_metrics(api->daemon));
	for (int i = 0; i < ACCEPT_FLIGHTS; i++) {
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
	for (int i = 0; i < ACCEPT_FLIGHTS; i++)
		pg_conn_free(&gone->flights[i].conn);
	loop_turn_free(&gone->turn);
	loop_timer_free(&gone->expire_timer);
	contact_cache_free(&gone->contacts);
	mem_free(gone);
}
