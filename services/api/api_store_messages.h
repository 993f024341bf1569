/* Messages as callers see them. */
#ifndef WA_API_STORE_MESSAGES_H
#define WA_API_STORE_MESSAGES_H

#include <stdbool.h>

#include "common/model/message.h"
#include "services/api/api_store.h"

struct store_message {
	struct strview id;
	int32_t contact_id;
	struct strview phone; /* "" after erasure */
	enum message_direction direction;
	enum message_type type;
	enum message_status status;
	bool is_open;
	bool outcome_unknown;
	bool behind_another; /* something earlier of its conversation is open; only from
				store_message_get() */
	int32_t session_id;
	int attempts;
	struct strview body; /* texts: SV_NULL when not set */
	struct strview caption;
	struct strview media_url;
	struct strview media_sha256;
	struct strview filename;
	struct strview external_ref;
	struct strview metadata;
	struct strview error;
	struct strview error_code;
	int64_t created_at; /* times: PG_TIME_NULL for none */
	int64_t send_at;
	int64_t valid_until;
	int64_t queued_at;
	int64_t sending_at;
	int64_t sent_at;
	int64_t delivered_at;
	int64_t read_at;
	int64_t failed_at;
	int64_t cancelled_at;
	int64_t expired_at;
	int64_t next_attempt_at;
	int64_t edited_at;       /* body is the newest text then */
	int64_t deleted_at;      /* by who wrote it */
	struct strview detail;   /* JSON, of a location or contacts */
	struct strview reply_to; /* id of the message that it answers, when that is known */
};

void store_message_get(
	struct api_store *store, int32_t tenant_id, struct strview id, pg_done_fn fn, void *ctx);

struct store_message_filter {
	int32_t tenant_id;
	int32_t contact_id;          /* 0: any */
	struct strview external_ref; /* SV_NULL: any */
	int status;                  /* 0: any */
	struct strview after;        /* SV_NULL, or the last id of the page before */
	int limit;
};
/* Newest first. */
void store_message_list(struct api_store *store, const struct store_message_filter *filter,
	pg_done_fn fn, void *ctx);
/* Cancel it if that is still certain to stop it. No row: no such message. One: store_cancelled_at()
 * tells. */
void store_message_cancel(
	struct api_store *store, int32_t tenant_id, struct strview id, pg_done_fn fn, void *ctx);

struct store_cancelled {
	bool happened; /* the rest is filled only then */
	int32_t session_id;
	int partition;
	struct strview phone; /* borrowed from the result */
	int64_t queue_seq;    /* 0: it was scheduled and stood in no queue */
};
struct store_cancelled store_cancelled_at(const struct pg_result *result);
/* Texts are copied into pool. */
struct store_message store_message_at(const struct pg_result *result, int row, struct pool *pool);

#endif
