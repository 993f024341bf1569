/* One at a time, by its key and claim: it may vanish at any moment, with its partition. */
#include "services/webhooker/delivery_trial.h"

#include <stdio.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/id.h"
#include "common/model/partition.h"
#include "common/model/stream_codec.h"

#define TRIALS_SLICE_MS   1000
#define ORDINARY_SLICE_MS 1000
#define AGAIN_MS          500

enum trial_state {
	TRIAL_NONE,
	TRIAL_DRAINING, /* what else is in flight ends */
	TRIAL_MARKING,  /* Redis is being told: a death from then on is its own */
	TRIAL_READY,    /* it may go */
	TRIAL_RUNNING,  /* until it is given back */
	TRIAL_FILING,   /* it is being set aside */
};

struct delivery_trial {
	struct delivery_trial_options options;
	enum trial_state state;
	int32_t webhook_id;
	int64_t sequence;
	uint64_t claim;
	int64_t since_ms;          /* when the present slice of trials began; 0: none */
	int64_t ordinary_until_ms; /* suspects wait until then */
	int64_t n_set_aside;
};

static void trial_set_state(struct delivery_trial *trial, enum trial_state state)
{
	switch (state) {
	case TRIAL_NONE:
		break;
	case TRIAL_DRAINING:
		ASSERT(trial->state == TRIAL_NONE);
		break;
	case TRIAL_MARKING:
	case TRIAL_FILING:
		ASSERT(trial->state == TRIAL_DRAINING);
		break;
	case TRIAL_READY:
		ASSERT(trial->state == TRIAL_MARKING);
		break;
	case TRIAL_RUNNING:
		ASSERT(trial->state == TRIAL_READY);
		break;
	}
	trial->state = state;
}

static struct delivery *subject(const struct delivery_trial *trial)
{
	return delivery_queue_find(
		trial->options.queue, trial->webhook_id, trial->sequence, trial->claim);
}

static void end(struct delivery_trial *trial, int64_t now_ms)
{
	trial_set_state(trial, TRIAL_NONE);
	if (now_ms - trial->since_ms >= TRIALS_SLICE_MS) {
		trial->since_ms = 0;
		trial->ordinary_until_ms = now_ms + ORDINARY_SLICE_MS;
	}
	trial->options.on_change(trial->options.ctx);
}

static void put_off(struct delivery_trial *trial, int64_t now_ms)
{
	struct delivery *delivery = subject(trial);

	if (delivery != NULL)
		delivery_queue_put_back(trial->options.queue, delivery, NULL, AGAIN_MS, now_ms);
	end(trial, now_ms);
}

bool delivery_trial_takes(struct delivery_trial *trial, struct delivery *delivery, int64_t now_ms)
{
	int deaths, deaths_alone;

	delivery_hands_deaths(trial->options.hands, delivery->webhook_id, delivery->sequence,
		&deaths, &deaths_alone);
	if (deaths < TRIAL_DEATHS_TILL_ALONE)
		return false;
	if (trial->state != TRIAL_NONE || now_ms < trial->ordinary_until_ms) {
		int64_t wait_ms = trial->ordinary_until_ms - now_ms;
		delivery_queue_put_back(trial->options.queue, delivery, NULL,
			wait_ms > 0 ? wait_ms : AGAIN_MS, now_ms);
		return true;
	}
	trial->webhook_id = delivery->webhook_id;
	trial->sequence = delivery->sequence;
	trial->claim = delivery->claim;
	if (trial->since_ms == 0)
		trial->since_ms = now_ms;
	trial_set_state(trial, TRIAL_DRAINING);
	return true;
}

bool delivery_trial_is_on(const struct delivery_trial *trial)
{
	return trial->state != TRIAL_NONE;
}

/* --- set aside --- */

static void on_filed(void *ctx, const struct pg_result *result)
{
	struct delivery_trial *trial = ctx;
	struct delivery *delivery = subject(trial);
	int64_t now_ms = clock_mono_ms();

	if (pg_status(result) != PG_OK) {
		log_warn("delivery_set_aside",
			log_text("status", pg_status_name(pg_status(result))),
			log_err(pg_err(result)));
		put_off(trial, now_ms);
		return;
	}
	trial->n_set_aside++;
	delivery_hands_clear(trial->options.hands, trial->webhook_id, trial->sequence);
	if (delivery != NULL)
		delivery_queue_remove(trial->options.queue, delivery, now_ms);
	end(trial, now_ms);
}

/* Its payload is the entry that wakes it again, should the operator put it back. */
static void write_aside(struct delivery_trial *trial, const struct delivery *delivery,
	const char *id, const char *reason)
{
	int64_t webhook_id = delivery->webhook_id;
	struct event_entry entry = {
		.sequence = delivery->sequence,
		.created_at = delivery->created_at_wall_ms,
		.tenant_id = delivery->tenant_id,
		.contact_id = delivery->contact_id,
		.message_id = SV_LIT(""),
		.type = delivery->event_type,
		.webhook_ids = {.items = &webhook_id, .n = 1},
	};
	char stream[STREAM_NAME_SIZE];
	struct strbuf payload = STRBUF_INIT;
	struct store_aside_delivery aside = {
		.delivery = delivery,
		.epoch = trial->options.epoch(trial->options.ctx, delivery->partition),
		.id = id,
		.stream = stream,
		.reason = reason,
	};

	stream_name_events(delivery->partition, stream);
	event_entry_encode(&entry, &payload);
	aside.payload = strbuf_view(&payload);
	store_set_aside_delivery(trial->options.store, &aside, on_filed, trial);
	strbuf_deinit(&payload);
}

static void file(struct delivery_trial *trial, const struct delivery *delivery, int deaths_alone)
{
	char id[ID_SIZE], reason[160];

	id_new("sa", clock_wall_ms(), id);
	(void)snprintf(reason, sizeof(reason),
		"set aside: the process that sent it died %d times while nothing else was in "
		"flight",
		deaths_alone);
	log_error("delivery_set_aside", log_int("webhook", delivery->webhook_id),
		log_int("sequence", delivery->sequence), log_text("set_aside", id),
		log_text("reason", reason));
	trial_set_state(trial, TRIAL_FILING);
	write_aside(trial, delivery, id, reason);
}

/* --- the way of a trial --- */

static void on_marked(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct delivery_trial *trial = ctx;

	(void)reply;
	if (status != REDIS_OK || subject(trial) == NULL) {
		put_off(trial, clock_mono_ms());
		return;
	}
	trial_set_state(trial, TRIAL_READY);
	trial->options.on_change(trial->options.ctx);
}

static bool is_alone(const struct delivery_trial *trial)
{
	int n_busy = 0;

	for (int p = 0; p < EVENT_PARTITIONS; p++)
		n_busy += delivery_queue_busy(trial->options.queue, p);
	return n_busy == 1;
}

static void drained(struct delivery_trial *trial, const struct delivery *delivery)
{
	int deaths, deaths_alone;

	delivery_hands_deaths(
		trial->options.hands, trial->webhook_id, trial->sequence, &deaths, &deaths_alone);
	if (deaths_alone >= TRIAL_DEATHS_TILL_SET_ASIDE) {
		file(trial, delivery, deaths_alone);
		return;
	}
	trial_set_state(trial, TRIAL_MARKING);
	delivery_hands_take_alone(trial->options.hands, delivery, on_marked, trial);
}

struct delivery *delivery_trial_run(struct delivery_trial *trial, int64_t now_ms)
{
	struct delivery *delivery = trial->state == TRIAL_NONE ? NULL : subject(trial);

	switch (trial->state) {
	case TRIAL_NONE:
	case TRIAL_MARKING: /* their answers come */
	case TRIAL_FILING:
		break;
	case TRIAL_DRAINING:
		if (delivery == NULL)
			end(trial, now_ms);
		else if (is_alone(trial))
			drained(trial, delivery);
		break;
	case TRIAL_READY:
		if (delivery == NULL) {
			end(trial, now_ms);
			break;
		}
		trial_set_state(trial, TRIAL_RUNNING);
		return delivery;
	case TRIAL_RUNNING:
		if (delivery == NULL)
			end(trial, now_ms);
		break;
	}
	return NULL;
}

int64_t delivery_trial_set_aside_count(const struct delivery_trial *trial)
{
	return trial->n_set_aside;
}

/* --- life --- */

struct delivery_trial *delivery_trial_new(const struct delivery_trial_options *options)
{
	struct delivery_trial *trial = mem_new(struct delivery_trial);

	trial->options = *options;
	return trial;
}

void delivery_trial_free(struct delivery_trial **trial)
{
	if (*trial == NULL)
		return;
	delivery_hands_forget((*trial)->options.hands, *trial);
	mem_free(*trial);
	*trial = NULL;
}
