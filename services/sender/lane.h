/*
 * What waits for its turn on one session. Conversations stand in lines, one per tenant, first come
 * first served; the tenants take turns. A lane has a window: how many of its conversations may be
 * tried at once. It shrinks to one when the session is not ready, and grows by one with each claim
 * that went through. Pure; part of the send queue, as conversation.h is.
 */
#ifndef WA_SENDER_LANE_H
#define WA_SENDER_LANE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "services/sender/conversation.h"
#include "services/sender/int_map.h"

enum held_reason {
	HELD_NOT, /* its turn just has not come */
	HELD_SESSION_PACE,
	HELD_RECIPIENT_PACE,
	HELD_TENANT_PACE,
	HELD_SESSION_NOT_READY,
	HELD_NO_MEDIA, /* its media is being fetched */
};
const char *held_reason_name(enum held_reason reason); /* "session_pace", … */

struct tenant_line {
	TAILQ_ENTRY(tenant_line) in_lane;
	struct conversation_list conversations;
	int32_t tenant_id;
	int64_t closed_until_ms; /* the tenant's own limit */
	uint64_t next_ticket;    /* tickets given to those that came, */
	uint64_t called_ticket;  /* and the last one that was called */
};

TAILQ_HEAD(tenant_line_list, tenant_line);
TAILQ_HEAD(lane_list, lane);

struct lane {
	struct timer_node timer; /* when it opens again */
	TAILQ_ENTRY(lane) in_runnable;
	bool is_runnable; /* in the list of those that may have a candidate */
	bool is_alive;    /* as far as is known, some gateway has the session */
	struct int_map lines_by_tenant;
	struct tenant_line_list lines; /* those where somebody stands, the next one's turn first */
	int32_t session_id;
	int n_messages;
	int n_conversations;
	int n_ready;
	int n_tried; /* PACING or DISPATCHED */
	int n_asked; /* PACING */
	int max_asked;
	int not_ready_streak; /* answers in a row that the session is not ready */
	int window;
	int max_window;
	int64_t shrunk_ms; /* when the window was last halved */
	int64_t closed_until_ms;
	enum held_reason reason;  /* why it is closed, or was last */
	int64_t pace_interval_ms; /* between two messages, for estimates; 0: no limit */
};

struct lane *lane_new(int32_t session_id, int max_window);
void lane_free(struct lane **lane); /* nobody may stand in it */
/* Conversations (not empty ones) come to the end of their tenant's line, or back to its front. */
void lane_push(struct lane *lane, struct conversation *conversation, bool at_front);
void lane_remove(struct lane *lane, struct conversation *conversation);
/* Is there somebody, and room in the window and with the limiters? */
bool lane_has_candidate(const struct lane *lane);
/* May somebody be called? Not when it is closed, either. */
bool lane_may_call(const struct lane *lane, int64_t now_ms);
/* Take out whose turn it is. NULL when all tenants' lines are closed; then the lane is closed until
   the first one opens. */
struct conversation *lane_call(struct lane *lane, int64_t now_ms);
void lane_close(struct lane *lane, int64_t until_ms, enum held_reason reason);
void lane_close_line(struct lane *lane, int32_t tenant_id, int64_t until_ms);
/* A claim went through. */
void lane_grow(struct lane *lane);
/* A dispatch was not looked at in time; counts once a second. */
void lane_shrink(struct lane *lane, int64_t now_ms);
/* The session was not ready. From the third time in a row on, one at a time finds out when it is:
   then true, and the lane should be closed. */
bool lane_not_ready(struct lane *lane);
/* Forget closed lines that opened with nobody there. */
void lane_prune(struct lane *lane, int64_t now_ms);
/* Why does this conversation of the lane wait, and until about when? */
enum held_reason lane_why(const struct lane *lane, const struct conversation *conversation,
	int64_t now_ms, int64_t *ret_until_ms);

#endif
