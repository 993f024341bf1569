/* From claimed to prepared. */
#include "services/webhooker/delivery_prepare.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/io/marked_step.h"

#define MAX_BATCH 500
#define AGAIN_MS  250

struct delivery_prepare {
	struct delivery_prepare_options options;
	struct store_key keys[MAX_BATCH];
	uint64_t claims[MAX_BATCH];
	int n_keys; /* 0: nothing is under way */
	int64_t rest_until_ms;
	int64_t n_stale;
};

static struct delivery *claimed(const struct delivery_prepare *prepare, int index)
{
	const struct store_key *key = &prepare->keys[index];

	return delivery_queue_find(
		prepare->options.queue, key->webhook_id, key->sequence, prepare->claims[index]);
}

/* The first of these sequences ("12,15") that the queue does not know; -1: it knows all. */
static int64_t find_unknown(
	const struct delivery_prepare *prepare, int32_t webhook_id, struct strview sequences)
{
	struct strview part;
	int64_t sequence;

	while (sv_split(&sequences, ',', &part)) {
		if (sv_to_i64(part, &sequence) == 0 &&
			!delivery_queue_knows(prepare->options.queue, webhook_id, sequence))
			return sequence;
	}
	return -1;
}

static void put_back(struct delivery_prepare *prepare, struct delivery *delivery,
	const struct store_prepared *row, int64_t now_ms)
{
	struct delivery_facts facts = {
		.attempts = row->attempts,
		.due_in_ms = row->due_in_ms,
		.tried_ago_ms = row->tried_ago_ms,
		.tried_for_ms = row->tried_for_ms,
	};

	delivery_queue_put_back(prepare->options.queue, delivery, &facts, 0, now_ms);
}

static void render(const struct delivery_prepare *prepare, struct delivery *delivery,
	const struct store_prepared *row)
{
	struct event_reader endpoint = {
		.links = prepare->options.links,
		.may_read_media = true,
		.now_wall_ms = clock_wall_ms(),
	};
	struct err err;

	if (!row->has_event)
		(void)err_set(&err, "the event's row is missing");
	else if (event_render(&row->event, &endpoint, &delivery->body, &err) == 0)
		return;
	log_error("delivery_render", log_int("webhook", delivery->webhook_id),
		log_int("sequence", delivery->sequence), log_err(&err));
	delivery->fault = mem_strdup(err.text);
}

static void take_row(struct delivery_prepare *prepare, struct delivery *delivery,
	const struct store_prepared *row, int64_t now_ms)
{
	struct delivery_queue *queue = prepare->options.queue;

	if (!row->exists || !row->is_open) {
		prepare->n_stale++;
		delivery_queue_remove(queue, delivery, now_ms);
		return;
	}
	if (row->attempts != delivery->attempts) {
		put_back(prepare, delivery, row, now_ms);
		return;
	}
	int64_t unknown = find_unknown(prepare, delivery->webhook_id, row->earlier);
	if (unknown >= 0) {
		log_debug("delivery_earlier", log_int("webhook", delivery->webhook_id),
			log_int("sequence", delivery->sequence), log_int("earlier", unknown));
		delivery_queue_resync(
			queue, delivery->webhook_id, delivery->partition, unknown, now_ms);
		return;
	}
	render(prepare, delivery, row);
	MARKED_STEP_NUMBER("webhooker_delivery_rendered", delivery->contact_id);
	delivery_queue_prepared(queue, delivery, now_ms);
}

static void on_failed(
	struct delivery_prepare *prepare, const struct pg_result *result, int64_t now_ms)
{
	log_warn("delivery_prepare", log_int("deliveries", prepare->n_keys),
		log_text("status", pg_status_name(pg_status(result))), log_err(pg_err(result)));
	prepare->rest_until_ms = now_ms + AGAIN_MS;
	for (int i = 0; i < prepare->n_keys; i++) {
		struct delivery *delivery = claimed(prepare, i);
		if (delivery != NULL)
			delivery_queue_put_back(
				prepare->options.queue, delivery, NULL, AGAIN_MS, now_ms);
	}
}

static void on_read(void *ctx, const struct pg_result *result)
{
	struct delivery_prepare *prepare = ctx;
	int64_t now_ms = clock_mono_ms();

	if (pg_status(result) != PG_OK)
		on_failed(prepare, result, now_ms);
	for (int i = 0; i < pg_rows(result); i++) {
		struct store_prepared row;
		store_prepared_row(result, i, &row);
		struct delivery *delivery = claimed(prepare, row.index);
		if (delivery != NULL)
			take_row(prepare, delivery, &row, now_ms);
	}
	prepare->n_keys = 0;
	prepare->options.on_change(prepare->options.ctx);
}

static void add_key(struct delivery_prepare *prepare, const struct delivery *delivery)
{
	prepare->claims[prepare->n_keys] = delivery->claim;
	prepare->keys[prepare->n_keys++] = (struct store_key){
		.webhook_id = delivery->webhook_id,
		.sequence = delivery->sequence,
		.created_at_wall_ms = delivery->created_at_wall_ms,
		.contact_id = delivery->contact_id,
		.look_back_ms =
			prepare->options.look_back_ms(prepare->options.ctx, delivery->partition),
	};
}

/* Up to a suspect, which is tried alone. */
static void claim_batch(struct delivery_prepare *prepare, int64_t now_ms)
{
	struct delivery_trial *trial = prepare->options.trial;
	struct delivery *delivery;

	while (prepare->n_keys < MAX_BATCH && !delivery_trial_is_on(trial) &&
		(delivery = delivery_queue_claim(prepare->options.queue, now_ms)) != NULL) {
		if (delivery_trial_takes(trial, delivery, now_ms))
			continue;
		delivery_hands_take(prepare->options.hands, delivery);
		add_key(prepare, delivery);
	}
}

void delivery_prepare_run(struct delivery_prepare *prepare, int64_t now_ms)
{
	if (prepare->n_keys > 0 || now_ms < prepare->rest_until_ms ||
		!webhooker_store_is_up(prepare->options.store))
		return;
	struct delivery *alone = delivery_trial_run(prepare->options.trial, now_ms);
	if (alone != NULL)
		add_key(prepare, alone);
	else
		claim_batch(prepare, now_ms);
	delivery_hands_flush(prepare->options.hands);
	if (prepare->n_keys > 0)
		store_prepare(
			prepare->options.store, prepare->keys, prepare->n_keys, on_read, prepare);
}

int64_t delivery_prepare_stale_count(const struct delivery_prepare *prepare)
{
	return prepare->n_stale;
}

struct delivery_prepare *delivery_prepare_new(const struct delivery_prepare_options *options)
{
	struct delivery_prepare *prepare = mem_new(struct delivery_prepare);

	prepare->options = *options;
	return prepare;
}

void delivery_prepare_free(struct delivery_prepare **prepare)
{
	mem_free(*prepare);
	*prepare = NULL;
}
