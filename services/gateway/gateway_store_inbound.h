/* Incoming messages and media in SQL. */
#ifndef WA_GATEWAY_GATEWAY_STORE_INBOUND_H
#define WA_GATEWAY_GATEWAY_STORE_INBOUND_H

#include "common/io/pg_conn.h"
#include "common/model/message.h"
#include "services/gateway/engine.h"

struct gateway_inbound {
	enum engine_inbound_kind kind;
	bool is_from_me;           /* typed on the session's own phone */
	struct strview message_id; /* ours, new */
	struct strview wa_message_id;
	struct strview phone;
	int32_t session_id;
	int64_t session_epoch;
	int32_t tenant_id; /* 0, on a shared session: who last wrote there, else the default one */
	int partition;
	enum message_type type;
	struct strview body;
	struct strview filename;
	struct strview media_url;    /* kept with the row */
	struct strview media_sha256; /* SV_NULL: no media, or it could not be had */
	struct strview target_wa_id; /* of a change: which message is meant */
	struct strview reply_to;
	struct strview detail; /* JSON */
	int64_t at_ms;
	const struct engine_key *keys; /* committed with it */
	int n_keys;
};

/*
 * Keep each message once, with its contact (made when the number is unknown), its event and the
 * keys that it moved; of NOTHING only the keys. What was typed on the own phone is an outgoing
 * message that has been sent. Rows: HELD and EVENT as in gateway_store_progress.h; a session
 * without a HELD row has lost its lease and nothing of it was kept. HELD's number: messages that
 * were new.
 */
void gateway_store_inbound(struct pg_conn *conn, const struct gateway_inbound *inbound, int n,
	pg_done_fn fn, void *ctx);

/*
 * The same of reactions, edits and deletions. A change is kept once, and told of when the message
 * that it means is known; who did not write a message can neither edit nor delete it.
 */
void gateway_store_changes(struct pg_conn *conn, const struct gateway_inbound *changes, int n,
	pg_done_fn fn, void *ctx);

struct gateway_aside {
	const char *id;
	const char *reason;
	struct strview sealed; /* what came (inbound_aside.h); SV_NULL: nothing of it can be kept */
};

/* Keep what Postgres refuses to take among the messages for the operator, with the keys that it
 * moved. Rows: HELD. */
void gateway_store_inbound_aside(struct pg_conn *conn, const struct gateway_inbound *inbound,
	const struct gateway_aside *aside, pg_done_fn fn, void *ctx);
/* Up to limit of those of these sessions that the operator wants back among the messages: rows
 * (session, sealed). */
void gateway_store_inbound_put_back(struct pg_conn *conn, const int64_t *session_ids,
	int n_sessions, int limit, pg_done_fn fn, void *ctx);

/* Up to limit outgoing messages of these sessions whose media is wanted, without those in known:
 * rows (message id, media URL). */
void gateway_store_media_wanted(struct pg_conn *conn, const int64_t *session_ids, int n_sessions,
	const struct strview *known, int n_known, int limit, pg_done_fn fn, void *ctx);
/* Keep bytes by their hash. When message_id is not null: for that message, if it still wants them;
 * else for whoever refers to it. */
void gateway_store_media(struct pg_conn *conn, struct strview message_id, struct strview sha256,
	struct strview content_type, struct strview bytes, pg_done_fn fn, void *ctx);
/* The media of a message that has not been sent yet cannot be had: it fails. Gives MESSAGE and
 * EVENT rows. */
void gateway_store_media_failed(struct pg_conn *conn, struct strview message_id,
	struct strview error, pg_done_fn fn, void *ctx);

#endif
