/*
 * All SQL of the sender. Each call runs one statement and gives its rows, typed, to a callback:
 * never before the call has returned, and not at all once the store is freed. With a status other
 * than PG_OK there are no rows and err says why.
 */
#ifndef WA_SENDER_SENDER_STORE_H
#define WA_SENDER_SENDER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/pool.h"
#include "common/io/pg_pool.h"
#include "services/sender/send_queue.h"

struct sender_store;

struct sender_store *sender_store_new(
	struct pg_pool *pool); /* borrowed; must be freed first: it drops what is in flight */
void sender_store_free(struct sender_store **store);
int sender_store_in_flight(const struct sender_store *store);

/* One open message of a conversation, or (without a message) a conversation that has only scheduled
   ones. */
struct store_message {
	struct conversation_key key;
	bool has_message;
	struct send_message message;
};
typedef void (*store_messages_fn)(void *ctx, enum pg_status status, const struct err *err,
	const struct store_message *rows, int n);

/* The conversations of a partition that come after (session_id, phone), at most max_conversations
   of them, each with its first max_messages; conversation by conversation, messages in order. */
void sender_store_read_page(struct sender_store *store, int partition, int32_t after_session_id,
	struct strview after_phone, int max_conversations, int max_messages, store_messages_fn fn,
	void *ctx);
/* The first max_messages of these conversations, in the same form; one without any does not appear.
 */
void sender_store_read_conversations(struct sender_store *store,
	const struct conversation_key *keys, int n, int max_messages, store_messages_fn fn,
	void *ctx);

/* A session's or a tenant's limits. */
struct store_limits {
	bool is_session;
	int32_t id;
	bool is_sandbox;      /* sessions: the engine */
	bool is_alive;        /* sessions: some gateway has it */
	bool is_connected;    /* sessions */
	int64_t rate_per_min; /* -1: no figure of its own; the same below */
	int64_t burst;
	int64_t recipient_interval_ms;
	int64_t recipient_burst;
};
typedef void (*store_limits_fn)(void *ctx, enum pg_status status, const struct err *err,
	const struct store_limits *rows, int n);
/* Of those that exist. */
void sender_store_read_limits(struct sender_store *store, const int64_t *session_ids,
	int n_sessions, const int64_t *tenant_ids, int n_tenants, store_limits_fn fn, void *ctx);

/* Whose partitions these are; Postgres checks that they still are. */
struct store_ownership {
	const char *owner;
	const int64_t *partitions;
	const int64_t *epochs;
	int n;
};
/* Scheduled messages whose time has come join the queue, at most `most`. */
void sender_store_queue_due(struct sender_store *store, const struct store_ownership *ownership,
	int most, store_messages_fn fn, void *ctx);
/* ms until the next message is due or runs out, whosever it is; -1 when none is. */
typedef void (*store_wait_fn)(
	void *ctx, enum pg_status status, const struct err *err, int64_t wait_ms);
void sender_store_read_next_due(struct sender_store *store, store_wait_fn fn, void *ctx);

/* A message that expired; has_event: and an endpoint that is owed the event, one row each. */
struct store_expired {
	struct conversation_key key;
	struct strview message_id;
	int32_t tenant_id;
	int32_t contact_id;
	bool has_event;
	int64_t sequence;
	int64_t created_at_ms;
	int32_t webhook_id;
};
typedef void (*store_expired_fn)(void *ctx, enum pg_status status, const struct err *err,
	const struct store_expired *rows, int n);
/* Messages that are past valid_until and certainly not sent become `expired`, with their events; at
   most `most`. Rows of one message follow each other. */
void sender_store_expire(struct sender_store *store, const struct store_ownership *ownership,
	int most, store_expired_fn fn, void *ctx);

typedef void (*store_done_fn)(void *ctx, enum pg_status status, const struct err *err);
/* Keep an entry that cannot be taken in. id: chosen by the caller, the same when it is tried again.
 */
void sender_store_set_aside(struct sender_store *store, const char *id, const char *kind,
	const char *stream, struct strview payload, const char *reason, store_done_fn fn,
	void *ctx);

#endif
