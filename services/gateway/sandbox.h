/* The parts of the sandbox engine, as they see each other: what all sessions of this process share,
 * and one open session. */
#ifndef WA_GATEWAY_SANDBOX_H
#define WA_GATEWAY_SANDBOX_H

#include <sys/queue.h>

#include "common/io/pg_conn.h"
#include "services/gateway/engine.h"
#include "services/gateway/keyed.h"
#include "services/gateway/sandbox_inbox.h"
#include "services/gateway/sandbox_receipts.h"
#include "services/gateway/sandbox_take.h"

struct sandbox_delays {
	int64_t ack_ms;     /* from taking a message to its acknowledgement */
	int64_t deliver_ms; /* from that to its delivered receipt */
	int64_t read_ms;    /* from that to its read receipt */
};

enum sandbox_line_state {
	SANDBOX_LINE_WAITING, /* for the ledger's connection */
	SANDBOX_LINE_LOADING, /* reads what is pending in the ledger */
	SANDBOX_LINE_CONNECTED,
};

struct sandbox_line { /* one number's connection; owned by the gateway's session */
	TAILQ_ENTRY(sandbox_line) link;
	struct sandbox *sandbox;
	int32_t session_id;
	const struct engine_events *events;
	void *ctx;
	enum sandbox_line_state state;
	bool is_told;                      /* `starting` or `connected` was reported once */
	int64_t loaded_arrival;            /* while loading: how far */
	struct sandbox_receipts *receipts; /* while connected or loading */
	struct keyed *offered; /* incoming messages that the gateway has and did not acknowledge */
};
TAILQ_HEAD(sandbox_lines, sandbox_line);

struct sandbox { /* the one owner of its parts */
	struct loop *loop;
	struct pg_conn *conn; /* the ledger's own: the product's connections know nothing of it */
	struct sandbox_delays delays;
	struct sandbox_lines lines;
	struct sandbox_take *take;
	struct sandbox_acks *acks;
	struct sandbox_inbox *inbox;
	struct loop_turn *turn;
	struct loop_timer *retry; /* a line could not be loaded: try again */
	char *url;                /* of the ledger */
};

void sandbox_request_turn(struct sandbox *sandbox); /* the parts flush at the end of it */
struct sandbox_line *sandbox_find_line(
	struct sandbox *sandbox, int32_t session_id); /* a connected one, or NULL */

#endif
