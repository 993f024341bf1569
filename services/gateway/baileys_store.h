/*
 * What the Baileys engine keeps in Postgres: sealed keys of sessions, under the session's lease;
 * and what it reads of the product's tables for its worker.
 */
#ifndef WA_GATEWAY_BAILEYS_STORE_H
#define WA_GATEWAY_BAILEYS_STORE_H

#include "common/base/secret_box.h"
#include "common/io/pg_conn.h"
#include "common/model/message.h"
#include "services/gateway/engine.h"

/* The key that is the credentials. */
#define BAILEYS_CREDS "creds"

/* Seal a value for its place; into pool. */
struct strview baileys_store_seal(const struct secret_box *box, struct pool *pool,
	int32_t session_id, struct strview name, struct strview plain);
/* 0, or -1 with err. */
int baileys_store_open(const struct secret_box *box, int32_t session_id, struct strview name,
	struct strview sealed, struct strbuf *out, struct err *err) MUST_CHECK;

/* Rows (name, sealed) of those names that there are. */
void baileys_store_read(struct pg_conn *conn, int32_t session_id, const struct strview *names,
	int n, pg_done_fn fn, void *ctx);
/* One row: true when the session's lease still has this epoch, and then all of it is kept. */
void baileys_store_commit(struct pg_conn *conn, int32_t session_id, int64_t epoch,
	const struct engine_key *keys, int n, pg_done_fn fn, void *ctx);
/* Forget every key; the same row. */
void baileys_store_wipe(
	struct pg_conn *conn, int32_t session_id, int64_t epoch, pg_done_fn fn, void *ctx);
/* One row: are there sessions of this engine? */
void baileys_store_any(struct pg_conn *conn, pg_done_fn fn, void *ctx);
/* Forget the keys of sessions that were deleted. */
void baileys_store_sweep(struct pg_conn *conn, pg_done_fn fn, void *ctx);

/* One row: was this incoming message (or change) committed? */
void baileys_store_is_known(struct pg_conn *conn, int32_t session_id, struct strview wa_message_id,
	pg_done_fn fn, void *ctx);

struct baileys_sent { /* a message of ours */
	struct strview phone;
	enum message_type type;
	struct strview body;
	struct strview caption;
	struct strview filename;
	struct strview media_sha256;
};
/* A row or none; baileys_store_sent_row() reads it. */
void baileys_store_sent(struct pg_conn *conn, int32_t session_id, struct strview wa_message_id,
	pg_done_fn fn, void *ctx);
void baileys_store_sent_row(const struct pg_result *result, struct baileys_sent *ret_sent);

/* A row (size_bytes, content_type, bytes) or none. */
void baileys_store_media(struct pg_conn *conn, struct strview sha256, int64_t offset, int64_t size,
	pg_done_fn fn, void *ctx);

#endif
