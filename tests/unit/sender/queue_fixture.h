/* A send queue of one session and short ways to tell it things. */
#ifndef WA_TESTS_SENDER_QUEUE_FIXTURE_H
#define WA_TESTS_SENDER_QUEUE_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "services/sender/send_queue.h"

#define DEADLINE_MS 15000

struct fixture {
	struct send_queue *queue;
	int n_held;
	enum held_reason held_reason;
	int64_t held_until_ms;
	char held_phone[PHONE_SIZE];
};

static void on_held(
	void *ctx, struct conversation *conversation, enum held_reason reason, int64_t until_ms)
{
	struct fixture *f = ctx;
	f->n_held++;
	f->held_reason = reason;
	f->held_until_ms = until_ms;
	(void)snprintf(f->held_phone, sizeof(f->held_phone), "%.*s",
		SV_ARG(conversation_phone(conversation)));
}

static inline int setup_sized(void **state, int max_messages, int max_per_conversation)
{
	struct fixture *f = mem_new(struct fixture);
	struct send_queue_options options = {
		.max_messages = max_messages,
		.max_per_conversation = max_per_conversation,
		.max_window = 100,
		.dispatch_deadline_ms = DEADLINE_MS,
		.tell_after_ms = 300,
		.on_held = on_held,
		.ctx = f,
	};
	f->queue = send_queue_new(&options);
	*state = f;
	return 0;
}

static inline int setup(void **state)
{
	return setup_sized(state, 1000, 64);
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	send_queue_check(f->queue);
	send_queue_free(&f->queue);
	mem_free(f);
	return 0;
}

static inline struct conversation_key key_of(const char *phone)
{
	return (struct conversation_key){.partition = 3, .session_id = 1, .phone = sv_from(phone)};
}

static inline struct send_message message(const char *id, int64_t queue_seq)
{
	return (struct send_message){.id = sv_from(id), .queue_seq = queue_seq, .tenant_id = 1};
}

static inline bool add(struct fixture *f, const char *phone, const char *id, int64_t queue_seq)
{
	struct conversation_key key = key_of(phone);
	struct send_message m = message(id, queue_seq);
	return send_queue_add(f->queue, &key, &m, 0);
}

static inline bool tell(struct fixture *f, const char *phone, const char *id,
	enum outcome_kind kind, int attempts, int64_t next_in_ms, int64_t now_ms)
{
	struct conversation_key key = key_of(phone);
	struct send_outcome outcome = {sv_from(id), kind, attempts, next_in_ms};
	return send_queue_outcome(f->queue, &key, &outcome, now_ms);
}

/* Dispatch what is next: its id, or "" when there is nothing. */
static inline const char *go(struct fixture *f, int64_t now_ms)
{
	struct conversation *c = send_queue_next(f->queue, now_ms);
	if (c == NULL) {
		return "";
	}
	send_queue_dispatched(f->queue, c, now_ms);
	return conversation_first(c)->id;
}

static inline void pass(struct fixture *f, int64_t now_ms)
{
	while (!send_queue_run_timers(f->queue, now_ms, 100)) {
	}
	send_queue_check(f->queue);
}

/* Answer the reread of the one conversation that is in doubt. */
static inline void reread(
	struct fixture *f, const struct send_message *rows, int n, bool whole, int64_t now_ms)
{
	int64_t stamp = send_queue_read_begin(f->queue);
	struct conversation *c = send_queue_reread_next(f->queue);
	ASSERT(c != NULL);
	char phone[PHONE_SIZE];
	(void)snprintf(phone, sizeof(phone), "%.*s", SV_ARG(conversation_phone(c)));
	struct conversation_key key = key_of(phone);
	(void)send_queue_merge(f->queue, &key, rows, n, whole, stamp, now_ms);
	send_queue_reread_end(f->queue, c);
	send_queue_read_end(f->queue);
	send_queue_check(f->queue);
}

#endif
