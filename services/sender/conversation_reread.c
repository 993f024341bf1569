/* Batches of doubtful conversations. */
#include "services/sender/conversation_reread.h"

#include <sys/queue.h>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/sender/sender_limits.h"

#define MAX_BATCHES 4

TAILQ_HEAD(reread_batch_list, reread_batch);

struct reread_batch {
	TAILQ_ENTRY(reread_batch) in_flight;
	struct conversation_reread *reread;
	int64_t stamp;
	int n;
	struct conversation *conversations[MAX_REREAD]; /* pinned */
};

struct conversation_reread {
	struct sender_store *store;
	struct send_queue *queue;
	struct loop_timer *retry; /* armed: Postgres has failed, not before */
	struct backoff backoff;
	loop_fn on_change;
	void *ctx;
	struct reread_batch_list in_flight;
	int n_in_flight;
};

static void on_retry(void *ctx)
{
	conversation_reread_run(ctx);
}

struct conversation_reread *conversation_reread_new(struct loop *loop, struct sender_store *store,
	struct send_queue *queue, loop_fn on_change, void *ctx)
{
	struct conversation_reread *reread = mem_new(struct conversation_reread);
	reread->store = store;
	reread->queue = queue;
	reread->on_change = on_change;
	reread->ctx = ctx;
	TAILQ_INIT(&reread->in_flight);
	backoff_init(&reread->backoff, 100, 3000);
	reread->retry = loop_timer_new(loop, "reread_retry", on_retry, reread);
	return reread;
}

static void batch_end(struct reread_batch *batch)
{
	struct conversation_reread *reread = batch->reread;
	for (int i = 0; i < batch->n; i++) {
		send_queue_reread_end(reread->queue, batch->conversations[i]);
	}
	send_queue_read_end(reread->queue);
	TAILQ_REMOVE(&reread->in_flight, batch, in_flight);
	reread->n_in_flight--;
	mem_free(batch);
}

void conversation_reread_free(struct conversation_reread **reread)
{
	if (*reread == NULL) {
		return;
	}
	while (!TAILQ_EMPTY(&(*reread)->in_flight)) {
		batch_end(TAILQ_FIRST(&(*reread)->in_flight));
	}
	loop_timer_free(&(*reread)->retry);
	mem_free(*reread);
	*reread = NULL;
}

static struct conversation_key key_of(const struct conversation *c)
{
	return (struct conversation_key){
		conversation_partition(c), conversation_session(c), conversation_phone(c)};
}

static bool is_of(const struct store_message *row, const struct conversation_key *key)
{
	return row->key.session_id == key->session_id && sv_eq(row->key.phone, key->phone);
}

/* Rows come in the order of the conversations; one without rows has nothing open. */
static void merge_all(struct reread_batch *batch, const struct store_message *rows, int n)
{
	int at = 0;
	for (int i = 0; i < batch->n; i++) {
		struct conversation_key key = key_of(batch->conversations[i]);
		struct send_message messages[MAX_MESSAGES_READ];
		int count = 0;
		for (; at < n && is_of(&rows[at], &key); at++) {
			if (count < MAX_MESSAGES_READ) {
				messages[count++] = rows[at].message;
			}
		}
		if (!conversation_is_dropped(batch->conversations[i])) {
			(void)send_queue_merge(batch->reread->queue, &key, messages, count,
				count < MAX_MESSAGES_READ, batch->stamp, clock_mono_ms());
		}
	}
}

static void on_rows(void *ctx, enum pg_status status, const struct err *err,
	const struct store_message *rows, int n)
{
	struct reread_batch *batch = ctx;
	struct conversation_reread *reread = batch->reread;
	if (status == PG_OK) {
		backoff_succeed(&reread->backoff);
		merge_all(batch, rows, n);
	} else {
		if (reread->backoff.failures == 0) {
			log_warn("conversation_reread", log_text("status", pg_status_name(status)),
				log_err(err));
		}
		loop_timer_arm(reread->retry, backoff_fail_ms(&reread->backoff));
	}
	batch_end(batch);
	reread->on_change(reread->ctx);
}

static void ask(struct conversation_reread *reread)
{
	struct reread_batch *batch = mem_new(struct reread_batch);
	struct conversation_key keys[MAX_REREAD];
	batch->reread = reread;
	batch->stamp = send_queue_read_begin(reread->queue);
	while (batch->n < MAX_REREAD) {
		struct conversation *c = send_queue_reread_next(reread->queue);
		if (c == NULL) {
			break;
		}
		keys[batch->n] = key_of(c);
		batch->conversations[batch->n++] = c;
	}
	TAILQ_INSERT_TAIL(&reread->in_flight, batch, in_flight);
	reread->n_in_flight++;
	sender_store_read_conversations(
		reread->store, keys, batch->n, MAX_MESSAGES_READ, on_rows, batch);
}

void conversation_reread_run(struct conversation_reread *reread)
{
	while (reread->n_in_flight < MAX_BATCHES && send_queue_has_rereads(reread->queue) &&
		!loop_timer_is_armed(reread->retry)) {
		ask(reread);
	}
}

void conversation_reread_wake(struct conversation_reread *reread)
{
	loop_timer_disarm(reread->retry);
	backoff_succeed(&reread->backoff);
	conversation_reread_run(reread);
}
