/* Batches of ends. */
#include "services/webhooker/delivery_record.h"

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/io/marked_step.h"

#define AGAIN_MS     100 /* while Postgres is away: how often to see whether it is back */
#define AGAIN_MAX_MS 5000

struct ends {
	struct pool *pool; /* of their texts */
	struct store_end *items;
	uint64_t *claims;
	bool *are_done;
	int n;
	int cap;
};

struct delivery_record {
	struct delivery_record_options options;
	struct ends *waiting;
	struct ends *writing;
	struct ends batches[2];
	bool is_writing; /* `writing` is not empty; a statement is under way, or will be repeated */
	struct loop_turn *turn;
	struct loop_timer *timer;
	struct backoff backoff;
	int64_t n_refused;
};

static void ends_grow(struct ends *ends)
{
	if (ends->n < ends->cap)
		return;
	ends->cap = ends->cap == 0 ? 64 : ends->cap * 2;
	ends->items = mem_realloc(ends->items, (size_t)ends->cap * sizeof(*ends->items));
	ends->claims = mem_realloc(ends->claims, (size_t)ends->cap * sizeof(*ends->claims));
	ends->are_done = mem_realloc(ends->are_done, (size_t)ends->cap * sizeof(*ends->are_done));
}

void delivery_record_add(struct delivery_record *record, const struct delivery *delivery,
	const struct store_end *end)
{
	struct ends *ends = record->waiting;

	ends_grow(ends);
	struct store_end *item = &ends->items[ends->n];
	*item = *end;
	item->error = pool_sv(ends->pool, end->error);
	item->response = pool_sv(ends->pool, end->response);
	ends->claims[ends->n] = delivery->claim;
	ends->are_done[ends->n] = false;
	ends->n++;
	loop_turn_request(record->turn);
}

static void ends_apply(struct delivery_record *record, struct ends *ends, int64_t now_ms)
{
	struct delivery_queue *queue = record->options.queue;

	for (int i = 0; i < ends->n; i++) {
		const struct store_end *item = &ends->items[i];
		struct delivery *delivery = delivery_queue_find(
			queue, item->webhook_id, item->sequence, ends->claims[i]);
		record->n_refused += !ends->are_done[i];
		if (delivery == NULL)
			continue; /* its partition was lost meanwhile */
		delivery_hands_clear(record->options.hands, item->webhook_id, item->sequence);
		if (ends->are_done[i]) {
			delivery_queue_recorded(queue, delivery, now_ms);
			continue;
		}
		log_info("delivery_refused", log_int("webhook", item->webhook_id),
			log_int("sequence", item->sequence), log_int("attempts", item->attempts));
		delivery_queue_remove(queue, delivery, now_ms);
		delivery_queue_resync(
			queue, item->webhook_id, item->partition, item->sequence, now_ms);
	}
	ends->n = 0;
	pool_reset(ends->pool);
}

static void on_written(void *ctx, const struct pg_result *result)
{
	struct delivery_record *record = ctx;

	if (pg_status(result) != PG_OK) {
		int64_t wait_ms = backoff_fail_ms(&record->backoff);
		log_warn("delivery_record", log_int("ends", record->writing->n),
			log_text("status", pg_status_name(pg_status(result))),
			log_err(pg_err(result)), log_int("again_ms", wait_ms));
		loop_timer_arm(record->timer, wait_ms);
		return;
	}
	backoff_succeed(&record->backoff);
	MARKED_STEP_NUMBER("webhooker_record_committed", pg_rows(result));
	for (int row = 0; row < pg_rows(result); row++)
		record->writing->are_done[store_recorded_index(result, row)] = true;
	ends_apply(record, record->writing, clock_mono_ms());
	record->is_writing = false;
	loop_turn_request(record->turn);
	record->options.on_change(record->options.ctx);
}

static void write_ends(void *ctx)
{
	struct delivery_record *record = ctx;

	if (!webhooker_store_is_up(record->options.store)) {
		loop_timer_arm(record->timer, AGAIN_MS);
		return;
	}
	MARKED_STEP_NUMBER("webhooker_record_before_commit", record->writing->n);
	store_record(record->options.store, record->writing->items, record->writing->n, on_written,
		record);
}

static void on_turn(void *ctx)
{
	struct delivery_record *record = ctx;
	struct ends *ends = record->waiting;

	if (record->is_writing || ends->n == 0)
		return;
	record->waiting = record->writing;
	record->writing = ends;
	record->is_writing = true;
	write_ends(record);
}

bool delivery_record_is_idle(const struct delivery_record *record)
{
	return !record->is_writing && record->waiting->n == 0;
}

int64_t delivery_record_refused_count(const struct delivery_record *record)
{
	return record->n_refused;
}

struct delivery_record *delivery_record_new(const struct delivery_record_options *options)
{
	struct delivery_record *record = mem_new(struct delivery_record);

	record->options = *options;
	record->waiting = &record->batches[0];
	record->writing = &record->batches[1];
	for (int i = 0; i < 2; i++)
		record->batches[i].pool = pool_new();
	record->turn = loop_turn_new(options->loop, "delivery_record", on_turn, record);
	record->timer = loop_timer_new(options->loop, "delivery_record", write_ends, record);
	backoff_init(&record->backoff, AGAIN_MS, AGAIN_MAX_MS);
	return record;
}

void delivery_record_free(struct delivery_record **record)
{
	if (*record == NULL)
		return;
	loop_turn_free(&(*record)->turn);
	loop_timer_free(&(*record)->timer);
	for (int i = 0; i < 2; i++) {
		struct ends *ends = &(*record)->batches[i];
		pool_free(&ends->pool);
		mem_free(ends->items);
		mem_free(ends->claims);
		mem_free(ends->are_done);
	}
	mem_free(*record);
	*record = NULL;
}
