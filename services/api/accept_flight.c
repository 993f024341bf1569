/* Batches: what is written by one statement, and what becomes of each message when it has come
 * back. */
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/io/marked_step.h"
#include "services/api/accept_answer.h"
#include "services/api/accept_item.h"
#include "services/api/api_reply.h"

#define FLIGHT_MIN      16 /* rows for which another one is worth its cost while one is in flight */
#define MAX_BATCH_BYTES ((int64_t)4 << 20)
#define MAX_FAILURES    3
#define MIN_DEADLINE_MS 500

static void item_written(struct accept_item *item)
{
	accept_item_leave(item);
	metric_add(item->accept->accepted, 1);
	accept_answer_written(item, item->queue_seq);
}

/* Back to the queue, to go with another batch. */
static void item_requeue(struct accept_item *item)
{
	accept_item_set_state(item, ACCEPT_READY);
	accept_queue_push(&item->accept->ready, item);
}

/* It was left out, and no earlier call explains it: its contact or session are not what they were.
 */
static void item_changed(struct accept_item *item)
{
	contact_cache_drop(item->accept->contacts, item->row.tenant_id, item->row.contact_id);
	accept_item_resolve_later(item);
}

static void item_batch_failed(struct accept_item *item, int n_items, const struct pg_result *result)
{
	switch (pg_status(result)) {
	case PG_UNKNOWN:
		item->unknown = true;
		item_requeue(item);
		return;
	case PG_UNAVAILABLE:
		if (item->unknown)
			item_requeue(item); /* it waits to be told the truth */
		else
			accept_item_unavailable(item);
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
		accept_item_leave(item);
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
		MARKED_STEP("api_accept_committed", flight->items[i]->row.phone);
		if (flight->items[i]->written)
			item_written(flight->items[i]);
		else
			accept_item_explain(flight->items[i], item_changed);
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
			accept_item_unavailable(item);
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
	MARKED_STEP("api_accept_before_commit", flight->items[0]->row.phone);
	store_accept_write(
		flight->conn, rows, flight->n_items, again, deadline_ms, on_flight, flight);
}

/* How many must wait for the next statement to start. */
static int least_rows(const struct message_accept *accept)
{
	for (int i = 0; i < ACCEPT_FLIGHTS; i++) {
		if (accept->flights[i].n_items > 0)
			return FLIGHT_MIN;
	}
	return 1;
}

void accept_flights_start(struct message_accept *accept)
{
	for (int i = 0; i < ACCEPT_FLIGHTS && accept->ready.n >= least_rows(accept); i++) {
		struct flight *flight = &accept->flights[i];
		if (flight->n_items == 0 && pg_conn_is_up(flight->conn))
			flight_start(flight);
	}
}
