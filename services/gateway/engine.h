/*
 * The contract between the gateway and what speaks to WhatsApp: the sandbox inside this process,
 * Baileys in a process of its own, a native client later. An engine drives sessions; the gateway
 * decides what is sent, when it is tried again, and what is true.
 *
 * An engine MUST
 *  - return from every call at once: no blocking, no callback from inside a call (callbacks come in
 * a later turn of the loop).
 *  - copy what it keeps: everything behind the pointers that it is given is gone when the call
 * returns.
 *  - use the WhatsApp message id that it is given, for every attempt, and take an id that it has
 * sent before (a resend).
 *  - answer a send with at most one on_acked() or on_failed(). Nothing is an answer too: the
 * gateway's own timer then calls the outcome unknown. on_failed() with VERDICT_RETRY or
 * VERDICT_GIVE_UP says for certain that this attempt did not reach WhatsApp; whoever is not certain
 * says VERDICT_UNKNOWN, or nothing.
 *  - report an acknowledgement that comes late all the same, however late, after a resend, for ids
 * that it does not remember.
 *  - hold each receipt and each incoming message until acknowledge() is called with its token (only
 * then may WhatsApp hear an ack), and offer what it holds again, in the same order, after a
 * reconnect and after a restart.
 *  - report receipts of one message in any order, as often as it likes; incoming messages of one
 * phone in the order they came.
 *  - report every change of state with its reason, `connected` only when sends will be taken, and
 * leave `connected` before sends are no longer taken. Attempts in flight when it leaves `connected`
 * count as unknown from then on.
 *  - keep its bounds: is_ready() is false while its own queues are full.
 *
 * An engine MUST NOT
 *  - resend by itself, reorder the sends of one phone, or choose ids.
 *  - touch the product's tables: all that it knows goes through the callbacks. What it keeps for
 * itself (the sandbox's ledger, a client's keys) is in tables of its own.
 *  - call back after close() has returned.
 *  - let bodies, keys or full phone numbers into a reason, an error text or the log.
 *
 * The gateway, for its part, calls no function of an engine from within one of its callbacks, sends
 * only while is_ready(), and calls nothing after close().
 *
 * An engine with keys of its own (Baileys, native) keeps them sealed in `session_keys`. Those that
 * an incoming message moves go along with it (engine_inbound.keys) and are committed with it; all
 * others it writes itself, in a transaction that checks the lease's epoch. When it cannot know any
 * more what of that is committed it says on_broken().
 */
#ifndef WA_GATEWAY_ENGINE_H
#define WA_GATEWAY_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/strview.h"
#include "common/daemon/metrics.h"
#include "common/daemon/settings.h"
#include "common/io/loop.h"
#include "common/model/message.h"
#include "common/model/verdict.h"
#include "services/gateway/session_state.h"

struct media_keeper;

struct engine_session { /* the session's row */
	int32_t session_id;
	int64_t epoch;     /* of the lease: tells one owner's time from the next's */
	int32_t tenant_id; /* 0: the deployment's */
	struct strview name;
};

struct engine_message {
	struct strview message_id; /* ours, for logs */
	struct strview wa_message_id;
	struct strview phone; /* +E.164 */
	int32_t tenant_id;
	enum message_type type;
	struct strview body;    /* of MESSAGE_TEXT; else SV_NULL */
	struct strview caption; /* may be SV_NULL, as the next */
	struct strview filename;
	struct strview media_sha256; /* of media: key of its row in `media`; else SV_NULL */
	int attempt;                 /* 1 is the first */
};

enum engine_receipt_level { ENGINE_RECEIPT_DELIVERED, ENGINE_RECEIPT_READ };

struct engine_receipt {
	struct strview wa_message_id;
	enum engine_receipt_level level;
	int64_t at_ms; /* wall clock */
	int64_t token; /* the engine's own, unique within the session while it is open */
};

enum engine_inbound_kind {
	ENGINE_INBOUND_MESSAGE,
	ENGINE_INBOUND_REACTION, /* body: the emoji, empty: taken back; to target_wa_id, as the next
				  */
	ENGINE_INBOUND_EDIT,     /* body: the new text */
	ENGINE_INBOUND_DELETE,
	ENGINE_INBOUND_NOTHING, /* for the product: only its keys are to be committed */
};

struct engine_key { /* a row of session_keys that is to change */
	struct strview name;
	struct strview sealed; /* SV_NULL: it is to go */
};

#define ENGINE_NO_TOKEN (-1) /* nobody waits for its acknowledgement */

struct engine_inbound {
	enum engine_inbound_kind kind;
	bool is_from_me;              /* typed on the session's own phone */
	struct strview wa_message_id; /* the same whenever it is offered again */
	struct strview phone;     /* the other side of the conversation; +E.164; any for NOTHING */
	int32_t tenant_id;        /* whose test phone wrote (sandbox); 0: the gateway finds out */
	enum message_type type;   /* of a MESSAGE */
	struct strview body;      /* text, or the media's caption; may be SV_NULL */
	struct strview filename;  /* may be SV_NULL */
	struct strview media_url; /* fetched by the gateway under the guard; SV_NULL: none */
	struct strview media_sha256; /* the engine has kept it in `media` already; SV_NULL: none */
	struct strview target_wa_id; /* of the message that is meant; SV_NULL for a MESSAGE */
	struct strview reply_to;     /* WhatsApp id of the message it answers; may be SV_NULL */
	struct strview detail;       /* JSON, of a location or contacts; may be SV_NULL */
	int64_t at_ms;               /* wall clock, WhatsApp's time of it */
	int64_t token;               /* as of a receipt; from the same numbers */
	const struct engine_key *keys; /* that this message moved */
	int n_keys;
};

enum engine_code_kind {
	ENGINE_CODE_SCAN, /* a QR code's text */
	ENGINE_CODE_TYPE, /* to be typed on the phone */
};

struct engine_code { /* by which a person pairs the session; a newer one replaces it */
	enum engine_code_kind kind;
	struct strview text;
	struct strview phone; /* digits, of a code to type; else SV_NULL */
	int64_t until_ms;     /* wall clock */
};

struct engine_events {
	/* reason: one line for people, NULL when there is nothing to say. phone_number: the
	 * session's own once it is known, else NULL. */
	void (*on_state)(
		void *ctx, enum session_state state, const char *reason, const char *phone_number);
	void (*on_acked)(void *ctx, struct strview wa_message_id, int64_t at_ms);
	/* code: stable (common/model/message.h, or the engine's own snake_case); text: for people.
	 */
	void (*on_failed)(void *ctx, struct strview wa_message_id, enum verdict verdict,
		const char *code, const char *text);
	/* WhatsApp refused it for certain and for now: it must not be tried again before for_ms
	 * have passed. */
	void (*on_held)(void *ctx, struct strview wa_message_id, const char *code, const char *text,
		int64_t for_ms);
	void (*on_receipt)(void *ctx, const struct engine_receipt *receipt);
	void (*on_inbound)(void *ctx, const struct engine_inbound *inbound);
	/* While the session is to be paired. */
	void (*on_code)(void *ctx, const struct engine_code *code);
	/* All that it offered and that is not acknowledged is void: it wants to be closed and
	 * opened again. It counts as reconnecting. */
	void (*on_broken)(void *ctx, const char *reason);
};

struct engine_host { /* borrowed, lives as long as the process */
	struct loop *loop;
	const struct settings *settings;
	struct metrics *metrics;
	struct media_keeper *keeper; /* of the files that its users send */
};

enum engine_close {
	ENGINE_CLOSE_RELEASED, /* another process may open it next: stay logged in */
	ENGINE_CLOSE_DELETED,  /* the session is gone for good: log out */
};

/* One per engine; `shared` is what all its sessions in this process have in common. */
struct engine_kind {
	const char *name; /* sessions.engine */
	void *(*start)(const struct engine_host *host);
	void (*stop)(void *shared); /* every session was closed */
	/* Begin to drive a session. Its first on_state() follows in a later turn. Never fails: what
	 * is wrong is a state. */
	void *(*open)(void *shared, const struct engine_session *session,
		const struct engine_events *events, void *ctx);
	void (*close)(void *self, enum engine_close why);
	bool (*is_ready)(const void *self); /* would a send be taken now? */
	/* Only while is_ready(). */
	void (*send)(void *self, const struct engine_message *message);
	/* What the token stands for is committed: WhatsApp may hear so. A token that is not known
	 * (any more) is ignored. */
	void (*acknowledge)(void *self, int64_t token);
	/* Begin to pair, or anew: with a code to type on the phone of that number (digits), or,
	 * with SV_NULL, with one to scan. Ignored once paired. NULL: there is nothing to pair. */
	void (*pair)(void *self, struct strview phone);
};

extern const struct engine_kind engine_sandbox;
extern const struct engine_kind engine_baileys;

#endif
