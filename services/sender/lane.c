/* Lines, turns and windows. */
#include "services/sender/lane.h"

#include "common/base/attr.h"
#include "common/base/check.h"
#include "common/base/mem.h"

#define WINDOW_MIN       16
#define NOT_READY_STREAK 3
#define SHRINK_EVERY_MS  1000
#define ESTIMATE_MAX_MS  (24 * 3600 * INT64_C(1000))

const char *held_reason_name(enum held_reason reason)
{
	static const char *const names[] = {
		[HELD_NOT] = "none",
		[HELD_SESSION_PACE] = "session_pace",
		[HELD_RECIPIENT_PACE] = "recipient_pace",
		[HELD_TENANT_PACE] = "tenant_pace",
		[HELD_SESSION_NOT_READY] = "session_not_ready",
		[HELD_NO_MEDIA] = "media_pending",
	};
	return names[reason];
}

struct lane *lane_new(int32_t session_id, int max_window)
{
	struct lane *lane = mem_new(struct lane);
	lane->session_id = session_id;
	lane->window = max_window;
	lane->max_window = max_window;
	lane->max_asked = max_window;
	lane->is_alive = true;
	TAILQ_INIT(&lane->lines);
	int_map_init(&lane->lines_by_tenant);
	return lane;
}

static void line_free(struct lane *lane, struct tenant_line *line)
{
	int_map_remove(&lane->lines_by_tenant, line->tenant_id);
	mem_free(line);
}

void lane_free(struct lane **lane)
{
	if (*lane == NULL) {
		return;
	}
	ASSERT((*lane)->n_ready == 0 && !timer_node_is_set(&(*lane)->timer) &&
		!(*lane)->is_runnable);
	size_t place = 0;
	struct tenant_line *line;
	while ((line = int_map_next(&(*lane)->lines_by_tenant, &place)) != NULL) {
		mem_free(line);
	}
	int_map_deinit(&(*lane)->lines_by_tenant);
	mem_free(*lane);
	*lane = NULL;
}

static struct tenant_line *line_get(struct lane *lane, int32_t tenant_id)
{
	struct tenant_line *line = int_map_find(&lane->lines_by_tenant, tenant_id);
	if (line == NULL) {
		line = mem_new(struct tenant_line);
		line->tenant_id = tenant_id;
		TAILQ_INIT(&line->conversations);
		int_map_put(&lane->lines_by_tenant, tenant_id, line);
	}
	return line;
}

void lane_push(struct lane *lane, struct conversation *conversation, bool at_front)
{
	ASSERT(!conversation->is_listed && conversation->first != NULL);
	struct tenant_line *line = line_get(lane, conversation->first->tenant_id);
	if (TAILQ_EMPTY(&line->conversations)) {
		TAILQ_INSERT_TAIL(&lane->lines, line, in_lane);
	}
	if (at_front) {
		TAILQ_INSERT_HEAD(&line->conversations, conversation, in_list);
		conversation->ticket = line->called_ticket;
	} else {
		TAILQ_INSERT_TAIL(&line->conversations, conversation, in_list);
		conversation->ticket = line->next_ticket++;
	}
	conversation->line = line;
	conversation->is_listed = true;
	lane->n_ready++;
}

void lane_remove(struct lane *lane, struct conversation *conversation)
{
	struct tenant_line *line = conversation->line;
	ASSERT(conversation->is_listed && line != NULL);
	TAILQ_REMOVE(&line->conversations, conversation, in_list);
	conversation->is_listed = false;
	conversation->line = NULL;
	lane->n_ready--;
	if (TAILQ_EMPTY(&line->conversations)) {
		TAILQ_REMOVE(&lane->lines, line, in_lane);
		if (line->closed_until_ms == 0) {
			line_free(lane, line);
		}
	}
}

bool lane_has_candidate(const struct lane *lane)
{
	return lane->n_ready > 0 && lane->n_tried < lane->window && lane->n_asked < lane->max_asked;
}

bool lane_may_call(const struct lane *lane, int64_t now_ms)
{
	return lane_has_candidate(lane) && lane->closed_until_ms <= now_ms;
}

/* The line whose turn it is; NULL when all are closed. Closed ones that are met go behind the
   others. */
static struct tenant_line *open_line(struct lane *lane, int64_t now_ms, int64_t *ret_opens_ms)
{
	struct tenant_line *first_closed = NULL;
	struct tenant_line *line;
	int64_t opens_ms = INT64_MAX;
	while ((line = TAILQ_FIRST(&lane->lines)) != NULL && line != first_closed) {
		if (line->closed_until_ms <= now_ms) {
			line->closed_until_ms = 0;
			return line;
		}
		opens_ms = line->closed_until_ms < opens_ms ? line->closed_until_ms : opens_ms;
		first_closed = first_closed == NULL ? line : first_closed;
		TAILQ_REMOVE(&lane->lines, line, in_lane);
		TAILQ_INSERT_TAIL(&lane->lines, line, in_lane);
	}
	*ret_opens_ms = opens_ms;
	return NULL;
}

struct conversation *lane_call(struct lane *lane, int64_t now_ms)
{
	int64_t opens_ms = 0;
	ASSERT(lane_may_call(lane, now_ms));
	struct tenant_line *line = open_line(lane, now_ms, &opens_ms);
	if (line == NULL) {
		lane_close(lane, opens_ms, HELD_TENANT_PACE);
		return NULL;
	}
	struct conversation *conversation = TAILQ_FIRST(&line->conversations);
	line->called_ticket = conversation->ticket;
	TAILQ_REMOVE(&lane->lines, line, in_lane); /* the others first */
	TAILQ_INSERT_TAIL(&lane->lines, line, in_lane);
	lane_remove(lane, conversation);
	return conversation;
}

void lane_close(struct lane *lane, int64_t until_ms, enum held_reason reason)
{
	lane->closed_until_ms = until_ms;
	lane->reason = reason;
}

void lane_close_line(struct lane *lane, int32_t tenant_id, int64_t until_ms)
{
	line_get(lane, tenant_id)->closed_until_ms = until_ms;
}

void lane_grow(struct lane *lane)
{
	lane->not_ready_streak = 0;
	if (lane->window < lane->max_window) {
		lane->window++;
	}
	if (lane->reason == HELD_SESSION_NOT_READY) {
		lane->reason = HELD_NOT;
		lane->closed_until_ms = 0;
	}
}

void lane_shrink(struct lane *lane, int64_t now_ms)
{
	if (now_ms - lane->shrunk_ms < SHRINK_EVERY_MS || lane->window <= WINDOW_MIN) {
		return;
	}
	lane->shrunk_ms = now_ms;
	int window = lane->n_tried < lane->window ? lane->n_tried : lane->window;
	lane->window = window / 2 > WINDOW_MIN ? window / 2 : WINDOW_MIN;
}

bool lane_not_ready(struct lane *lane)
{
	if (++lane->not_ready_streak < NOT_READY_STREAK) {
		return false;
	}
	lane->window = 1;
	return true;
}

void lane_prune(struct lane *lane, int64_t now_ms)
{
	struct tenant_line *gone[64]; /* the rest next time */
	size_t n = 0;
	size_t place = 0;
	struct tenant_line *line;
	while (n < array_len(gone) &&
		(line = int_map_next(&lane->lines_by_tenant, &place)) != NULL) {
		if (TAILQ_EMPTY(&line->conversations) && line->closed_until_ms <= now_ms) {
			gone[n++] = line;
		}
	}
	for (size_t i = 0; i < n; i++) {
		line_free(lane, gone[i]);
	}
}

/* How many stand before it, over all lines: tenants take turns. */
static int64_t people_before(const struct lane *lane, const struct conversation *conversation)
{
	const struct tenant_line *line = conversation->line;
	uint64_t before = conversation->ticket > line->called_ticket
				  ? conversation->ticket - line->called_ticket
				  : 0;
	uint64_t all_before = before * (lane->lines_by_tenant.n > 0 ? lane->lines_by_tenant.n : 1);
	return (int64_t)(all_before < (uint64_t)lane->n_ready ? all_before
							      : (uint64_t)lane->n_ready);
}

enum held_reason lane_why(const struct lane *lane, const struct conversation *conversation,
	int64_t now_ms, int64_t *ret_until_ms)
{
	int64_t ahead_ms = people_before(lane, conversation) * lane->pace_interval_ms;
	if (ahead_ms > ESTIMATE_MAX_MS) {
		ahead_ms = ESTIMATE_MAX_MS;
	}
	if (conversation->line->closed_until_ms > now_ms) {
		*ret_until_ms = conversation->line->closed_until_ms;
		return HELD_TENANT_PACE;
	}
	if (lane->closed_until_ms > now_ms) {
		*ret_until_ms = lane->closed_until_ms + ahead_ms;
		return lane->reason;
	}
	if (lane->reason == HELD_SESSION_NOT_READY || !lane->is_alive) {
		*ret_until_ms = now_ms + 1000; /* one is finding out */
		return HELD_SESSION_NOT_READY;
	}
	if (ahead_ms > 0) {
		*ret_until_ms = now_ms + ahead_ms;
		return HELD_SESSION_PACE;
	}
	return HELD_NOT;
}
