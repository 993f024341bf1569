/* Each stage's callback checks that every row moved, and begins the next stage. */
#include "tests/bench/replay_worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/mem.h"
#include "common/model/event_type.h"
#include "common/model/id.h"
#include "services/api/api_store_accept.h"
#include "services/gateway/gateway_store_claim.h"
#include "services/gateway/gateway_store_progress.h"
#include "services/gateway/sandbox_store.h"
#include "services/webhooker/webhooker_store.h"

#define DEADLINE_MS     10000
#define ATTEMPTS_BUDGET 10
#define LOOK_BACK_MS    60000
#define READ_LEVEL      2
#define ROUNDS          3 /* kinds of events that the endpoint is owed: one at a time for a contact */

#define TEXT "Payment Confirmed. Amount: $500. Transaction ID: TXN123456. Thank you!"

struct replayed { /* a message */
	const struct world_contact *contact;
	char id[ID_SIZE];
	char wa_message_id[WA_MESSAGE_ID_SIZE];
	char key[48];
	char external_ref[48];
	int partition;
};

struct owed {
	int32_t webhook_id;
	int32_t contact_id;
	int64_t sequence;
	int64_t created_at_ms;
};

struct worker {
	struct worker_options options;
	struct pg_conn *conn;
	struct webhooker_store *webhooker;
	bool is_ready;
	bool is_failed;
	int next_contact;
	int64_t serial;
	struct replayed batch[WORKER_BATCH];
	struct owed owed[ROUNDS][WORKER_BATCH];
	int n_owed[ROUNDS];
	int round;
	enum worker_stage stage;
	int64_t stage_begun_us;
	int64_t stage_us[WORKER_STAGES];
	int64_t stage_count[WORKER_STAGES];
};

static void round_begin(struct worker *worker);

const char *worker_stage_name(enum worker_stage stage)
{
	static const char *const names[] = {"accept", "claim", "ledger_take", "progress",
		"ledger_acknowledge", "prepare", "record"};
	return names[stage];
}

int64_t worker_stage_us(const struct worker *worker, enum worker_stage stage)
{
	return worker->stage_us[stage];
}

int64_t worker_stage_count(const struct worker *worker, enum worker_stage stage)
{
	return worker->stage_count[stage];
}

static void worker_fail(struct worker *worker, const struct err *err)
{
	if (worker->is_failed)
		return;
	worker->is_failed = true;
	worker->options.on_failed(worker->options.ctx, err);
}

static void stage_begin(struct worker *worker, enum worker_stage stage)
{
	worker->stage = stage;
	worker->stage_begun_us = clock_mono_us();
}

/* True when the stage's statement succeeded. */
static bool stage_end(struct worker *worker, const struct pg_result *result)
{
	worker->stage_us[worker->stage] += clock_mono_us() - worker->stage_begun_us;
	worker->stage_count[worker->stage]++;
	if (pg_status(result) == PG_OK)
		return true;
	struct err err = *pg_err(result);
	(void)err_prefix(&err, "%s: %s %s", worker_stage_name(worker->stage),
		pg_status_name(pg_status(result)), pg_sqlstate(result));
	worker_fail(worker, &err);
	return false;
}

/* True when all rows of the batch moved. */
static bool stage_moved(struct worker *worker, int64_t n_moved, int64_t n_batch)
{
	struct err err;
	if (n_moved == n_batch)
		return true;
	(void)err_set(&err, "%s: only %" PRId64 " of %" PRId64 " rows moved",
		worker_stage_name(worker->stage), n_moved, n_batch);
	worker_fail(worker, &err);
	return false;
}

/* --- webhooks --- */

static void on_recorded(void *ctx, const struct pg_result *result)
{
	struct worker *worker = ctx;
	if (!stage_end(worker, result) ||
		!stage_moved(worker, pg_rows(result), worker->n_owed[worker->round]))
		return;
	worker->round++;
	round_begin(worker);
}

static void record(struct worker *worker)
{
	struct store_end ends[WORKER_BATCH];
	int n = worker->n_owed[worker->round];
	for (int i = 0; i < n; i++) {
		const struct owed *owed = &worker->owed[worker->round][i];
		int partition = partition_of_contact(owed->contact_id);
		ends[i] = (struct store_end){
			.webhook_id = owed->webhook_id,
			.sequence = owed->sequence,
			.created_at_wall_ms = owed->created_at_ms,
			.partition = partition,
			.epoch = worker->options.world->event_epochs[partition],
			.status = DELIVERY_DELIVERED,
			.ago_ms = 1,
			.duration_ms = 1,
			.http_status = 200,
			.error = SV_NULL,
			.response = SV_NULL,
		};
	}
	stage_begin(worker, STAGE_RECORD);
	store_record(worker->webhooker, ends, n, on_recorded, worker);
}

static void on_prepared(void *ctx, const struct pg_result *result)
{
	struct worker *worker = ctx;
	int n_good = 0;
	if (!stage_end(worker, result))
		return;
	for (int row = 0; row < pg_rows(result); row++) {
		struct store_prepared prepared;
		store_prepared_row(result, row, &prepared);
		n_good += prepared.exists && prepared.is_open && prepared.has_event &&
			  prepared.event.has_message && sv_eq_cstr(prepared.event.body, TEXT) &&
			  sv_is_null(prepared.earlier);
	}
	if (stage_moved(worker, n_good, worker->n_owed[worker->round]))
		record(worker);
}

static void prepare(struct worker *worker)
{
	struct store_key keys[WORKER_BATCH];
	int n = worker->n_owed[worker->round];
	for (int i = 0; i < n; i++) {
		const struct owed *owed = &worker->owed[worker->round][i];
		keys[i] = (struct store_key){
			.webhook_id = owed->webhook_id,
			.sequence = owed->sequence,
			.created_at_wall_ms = owed->created_at_ms,
			.contact_id = owed->contact_id,
			.look_back_ms = LOOK_BACK_MS,
		};
	}
	stage_begin(worker, STAGE_PREPARE);
	store_prepare(worker->webhooker, keys, n, on_prepared, worker);
}

static void batch_begin(struct worker *worker);

/* The next kind of event that the endpoint is owed; behind the last, the next batch. */
static void round_begin(struct worker *worker)
{
	while (worker->round < ROUNDS && worker->n_owed[worker->round] == 0)
		worker->round++;
	if (worker->round < ROUNDS)
		prepare(worker);
	else if (worker->options.on_batch(worker->options.ctx))
		batch_begin(worker);
}

/* --- the gateway's part --- */

static void on_acknowledged(void *ctx, const struct pg_result *result)
{
	struct worker *worker = ctx;
	if (!stage_end(worker, result) || !stage_moved(worker, pg_affected(result), WORKER_BATCH))
		return;
	worker->round = 0;
	round_begin(worker);
}

static void acknowledge(struct worker *worker)
{
	int64_t session_ids[WORKER_BATCH];
	int64_t levels[WORKER_BATCH];
	struct strview was[WORKER_BATCH];
	for (int i = 0; i < WORKER_BATCH; i++) {
		session_ids[i] = worker->options.world->session_id;
		levels[i] = READ_LEVEL;
		was[i] = sv_from(worker->batch[i].wa_message_id);
	}
	stage_begin(worker, STAGE_ACKNOWLEDGE);
	sandbox_store_acknowledge(
		worker->conn, session_ids, was, levels, WORKER_BATCH, on_acknowledged, worker);
}

static void note_owed(struct worker *worker, const struct pg_result *result, int row)
{
	struct gateway_event_row event;
	gateway_store_event_row(result, row, &event);
	int round = event.type - EVENT_MESSAGE_SENT;
	if (round < 0 || round >= ROUNDS || worker->n_owed[round] == WORKER_BATCH)
		return; /* on_progressed() counts them */
	worker->owed[round][worker->n_owed[round]++] = (struct owed){
		.webhook_id = event.webhook_id,
		.contact_id = event.contact_id,
		.sequence = event.sequence,
		.created_at_ms = event.created_at_ms,
	};
}

static void on_progressed(void *ctx, const struct pg_result *result)
{
	struct worker *worker = ctx;
	int n_messages = 0;
	int n_events = 0;
	if (!stage_end(worker, result))
		return;
	memset(worker->n_owed, 0, sizeof(worker->n_owed));
	for (int row = 0; row < pg_rows(result); row++) {
		enum gateway_row_kind kind = gateway_store_row_kind(result, row);
		n_messages += kind == GATEWAY_ROW_MESSAGE;
		n_events += kind == GATEWAY_ROW_EVENT;
		if (kind == GATEWAY_ROW_EVENT)
			note_owed(worker, result, row);
	}
	int n_wanted = worker->options.world->is_full ? 3 * WORKER_BATCH : WORKER_BATCH;
	if (stage_moved(worker, n_messages, WORKER_BATCH) &&
		stage_moved(worker, n_events, n_wanted))
		acknowledge(worker);
}

static void progress(struct worker *worker)
{
	const struct world *world = worker->options.world;
	const struct progress_fact *facts[WORKER_BATCH];
	struct progress_batch *batch = progress_batch_new();
	const struct progress_fact *fact;
	int n = 0;
	for (int i = 0; i < WORKER_BATCH; i++) {
		for (enum progress_level level = PROGRESS_SENT; level <= PROGRESS_READ; level++)
			progress_batch_add(batch, world->session_id, world->session_epoch,
				sv_from(worker->batch[i].wa_message_id), level, clock_wall_ms(),
				PROGRESS_NO_TOKEN);
	}
	TAILQ_FOREACH(fact, progress_batch_facts(batch), link)
	{
		facts[n++] = fact;
	}
	stage_begin(worker, STAGE_PROGRESS);
	gateway_store_progress(worker->conn, facts, n, false, on_progressed, worker);
	progress_batch_free(&batch);
}

static void on_taken(void *ctx, const struct pg_result *result)
{
	struct worker *worker = ctx;
	if (stage_end(worker, result) && stage_moved(worker, pg_rows(result), WORKER_BATCH))
		progress(worker);
}

static void on_claimed(void *ctx, const struct pg_result *result)
{
	struct worker *worker = ctx;
	struct sandbox_copy copies[WORKER_BATCH];
	if (!stage_end(worker, result) || !stage_moved(worker, pg_rows(result), WORKER_BATCH))
		return;
	for (int row = 0; row < WORKER_BATCH; row++) {
		struct claimed claimed;
		gateway_store_claimed(result, row, &claimed);
		copies[row] = (struct sandbox_copy){
			.session_id = claimed.session_id,
			.tenant_id = claimed.tenant_id,
			.wa_message_id = claimed.wa_message_id,
			.phone = claimed.phone,
			.message_id = claimed.message_id,
			.type = claimed.type,
			.body = claimed.body,
			.caption = claimed.caption,
			.media_sha256 = claimed.media_sha256,
			.has_receipts_first = true,
			.has_receipts_again = true,
		};
	}
	stage_begin(worker, STAGE_TAKE);
	sandbox_store_take(worker->conn, copies, WORKER_BATCH, on_taken, worker);
}

static void claim(struct worker *worker)
{
	const struct world *world = worker->options.world;
	struct claim_entry entries[WORKER_BATCH];
	for (int i = 0; i < WORKER_BATCH; i++) {
		int partition = worker->batch[i].partition;
		entries[i] = (struct claim_entry){
			.message_id = sv_from(worker->batch[i].id),
			.partition = partition,
			.partition_epoch = world->partition_epochs[partition],
			.session_id = world->session_id,
			.session_epoch = world->session_epoch,
		};
	}
	stage_begin(worker, STAGE_CLAIM);
	gateway_store_claim(
		worker->conn, entries, WORKER_BATCH, ATTEMPTS_BUDGET, false, on_claimed, worker);
}

/* --- the api's part --- */

static void on_accepted(void *ctx, const struct pg_result *result)
{
	struct worker *worker = ctx;
	if (stage_end(worker, result) && stage_moved(worker, pg_rows(result), WORKER_BATCH))
		claim(worker);
}

static struct store_accept accept_row(const struct worker *worker, const struct replayed *message,
	const uint8_t fingerprint[SHA256_SIZE])
{
	bool is_full = worker->options.world->is_full;
	return (struct store_accept){
		.id = sv_from(message->id),
		.wa_message_id = sv_from(message->wa_message_id),
		.tenant_id = worker->options.world->tenant_id,
		.contact_id = message->contact->id,
		.session_id = worker->options.world->session_id,
		.partition = message->partition,
		.phone = sv_from(message->contact->phone),
		.type = MESSAGE_TEXT,
		.created_at = clock_wall_ms(),
		.due_at = PG_TIME_NULL,
		.send_at = PG_TIME_NULL,
		.valid_until = PG_TIME_NULL,
		.body = SV_LIT(TEXT),
		.external_ref = is_full ? sv_from(message->external_ref) : SV_NULL,
		.metadata = is_full ? SV_LIT("{\"invoice\":77}") : SV_NULL,
		.key = is_full ? sv_from(message->key) : SV_NULL,
		.fingerprint = is_full ? sv_make(fingerprint, SHA256_SIZE) : SV_NULL,
	};
}

static void make_message(struct worker *worker, struct replayed *message)
{
	const struct world *world = worker->options.world;
	int64_t number = worker->serial++;
	int place = worker->options.first_contact + worker->next_contact;
	message->contact = &world->contacts[place];
	worker->next_contact = (worker->next_contact + 1) % worker->options.n_contacts;
	id_new("msg", clock_wall_ms(), message->id);
	id_new_wa_message(message->wa_message_id);
	message->partition =
		partition_of_conversation(world->session_id, sv_from(message->contact->phone));
	(void)snprintf(message->key, sizeof(message->key), "r%d-%d-%" PRId64, world->tenant_id,
		worker->options.first_contact, number);
	(void)snprintf(message->external_ref, sizeof(message->external_ref), "INV-%d-%" PRId64,
		worker->options.first_contact, number);
}

static void batch_begin(struct worker *worker)
{
	static uint8_t fingerprints[WORKER_BATCH][SHA256_SIZE];
	struct store_accept rows[WORKER_BATCH];
	const struct store_accept *pointers[WORKER_BATCH];
	for (int i = 0; i < WORKER_BATCH; i++) {
		struct replayed *message = &worker->batch[i];
		make_message(worker, message);
		sha256(sv_from(message->key), fingerprints[i]);
		rows[i] = accept_row(worker, message, fingerprints[i]);
		pointers[i] = &rows[i];
	}
	stage_begin(worker, STAGE_ACCEPT);
	store_accept_write(
		worker->conn, pointers, WORKER_BATCH, false, DEADLINE_MS, on_accepted, worker);
}

/* --- from outside --- */

static void on_change(void *ctx, bool up, const struct err *err)
{
	struct worker *worker = ctx;
	if (!up && err != NULL) {
		worker_fail(worker, err);
	} else if (!worker->is_ready && worker->conn != NULL && worker->webhooker != NULL &&
		   pg_conn_is_up(worker->conn) && webhooker_store_is_up(worker->webhooker)) {
		worker->is_ready = true;
		worker->options.on_ready(worker->options.ctx);
	}
}

struct worker *worker_new(const struct worker_options *options)
{
	struct worker *worker = mem_new(struct worker);
	struct pg_conn_options conn_options = {.url = options->url, .app_name = "replay", .plan_once = true};
	worker->options = *options;
	worker->conn = pg_conn_new(options->loop, &conn_options, on_change, worker);
	worker->webhooker = webhooker_store_new(
		options->loop, options->url, "replay", options->world->owner, on_change, worker);
	return worker;
}

void worker_free(struct worker **worker)
{
	if (*worker == NULL)
		return;
	pg_conn_free(&(*worker)->conn);
	webhooker_store_free(&(*worker)->webhooker);
	mem_free(*worker);
	*worker = NULL;
}

void worker_start(struct worker *worker)
{
	batch_begin(worker);
}
