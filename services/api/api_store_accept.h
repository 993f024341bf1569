/* Accepting messages: the statements of the hot path, each over a batch. */
#ifndef WA_API_STORE_ACCEPT_H
#define WA_API_STORE_ACCEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/io/pg_conn.h"
#include "services/api/api_store.h"

#define STORE_ACCEPT_MAX 512 /* rows of one batch */

/* A message that is to be written. Absent texts are SV_NULL, absent times PG_TIME_NULL. */
struct store_accept {
	struct strview id;
	struct strview wa_message_id;
	int32_t tenant_id;
	int32_t contact_id;
	int32_t session_id;
	int partition;
	struct strview phone;
	bool any_number; /* phone may be any of the contact's numbers, not only the first */
	int type;
	int64_t created_at;
	int64_t due_at; /* PG_TIME_NULL: it joins the queue at once */
	int64_t send_at;
	int64_t valid_until;
	struct strview body;
	struct strview caption;
	struct strview media_url;
	struct strview filename;
	struct strview external_ref;
	struct strview metadata;
	bool once;
	struct strview key; /* Idempotency-Key */
	struct strview fingerprint;
};

/*
 * Write those whose contact still has that number, whose session is still there, whose valid_until
 * has not passed, whose key is new, and whose `once` is the first; one transaction. Rows: id, queue_seq (0 for scheduled) of each
 * message that was written. For the others ask store_accept_explain(). Doing it twice is harmless.
 */
void store_accept_write(struct pg_conn *conn, const struct store_accept *const *rows, int n_rows,
	bool again, int64_t deadline_ms, pg_done_fn fn, void *ctx);
struct strview store_accept_written_id(const struct pg_result *result, int row);
int64_t store_accept_written_seq(const struct pg_result *result, int row);

/* Why was it not written? One row. */
void store_accept_explain(
	struct api_store *store, const struct store_accept *row, pg_done_fn fn, void *ctx);

/* A message as far as an answer tells of it. */
struct store_accepted {
	struct strview id; /* SV_NULL: there is none */
	int32_t contact_id;
	int status; /* enum message_status: at acceptance, or for `first` the present one */
	int64_t created_at;
	int64_t queue_seq;
};

struct store_explanation {
	struct store_accepted own;   /* it was written after all, by an earlier try */
	bool has_key;                /* a row of its Idempotency-Key exists */
	bool key_is_own;             /* … written by an earlier try of this very message */
	struct strview fingerprint;  /* of that row */
	struct store_accepted keyed; /* the message of that row */
	struct store_accepted first; /* for `once`: the first message with its external_ref */
	bool is_too_late;            /* its valid_until has passed */
};
/* Views into the result. */
struct store_explanation store_accept_explanation(const struct pg_result *result);

/* A question about whom to write to and through which session. */
struct store_resolve {
	int32_t tenant_id;
	int32_t contact_id; /* used when phone is SV_NULL */
	struct strview phone;
	int32_t session_id; /* 0: the tenant's usual one */
};
/* One row for each question, with its number. */
void store_resolve(struct api_store *store, const struct store_resolve *questions, int n_questions,
	pg_done_fn fn, void *ctx);
struct store_resolved {
	int question;
	int32_t contact_id; /* 0: there is none */
	struct strview phone;
	int32_t session_id; /* 0: none that this tenant may use */
};
struct store_resolved store_resolved_at(const struct pg_result *result, int row);

/* Make contacts for those numbers of the questions that have none yet. */
void store_contacts_of_phones(struct api_store *store, const struct store_resolve *questions,
	int n_questions, pg_done_fn fn, void *ctx);

/* One row: the tenant's open messages, counted up to `limit`. */
void store_open_count(
	struct api_store *store, int32_t tenant_id, int64_t limit, pg_done_fn fn, void *ctx);

#endif
