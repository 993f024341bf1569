/* What Postgres says, weighed against what was heard since it was asked. */
#include "common/base/check.h"
#include "services/sender/send_queue.h"
#include "services/sender/send_queue_internal.h"

#define REFUSED_WAIT_MS     250
#define REFUSED_WAIT_MAX_MS 5000

int64_t send_queue_read_begin(struct send_queue *queue)
{
	queue->reads++;
	return ++queue->stamp;
}

void send_queue_read_end(struct send_queue *queue)
{
	ASSERT(queue->reads > 0);
	queue->reads--;
	queue_free_idle(queue);
}

/* One conversation's rows, while they are merged. */
struct merge {
	struct send_queue *queue;
	struct conversation *c;
	const struct send_message *rows;
	int n;
	bool whole;
	int64_t read_stamp;
	int64_t now_ms;
	bool is_settling; /* it was in doubt, and these rows are what it waited for */
	bool has_changed; /* something that its state rests on */
	bool has_inserted;
	bool has_left_some; /* for lack of room */
};

static bool is_in_rows(const struct merge *merge, const struct queued_message *m)
{
	for (int i = 0; i < merge->n; i++) {
		if (merge->rows[i].queue_seq == m->queue_seq) {
			return true;
		}
	}
	return false;
}

static int64_t last_row_seq(const struct merge *merge)
{
	return merge->n > 0 ? merge->rows[merge->n - 1].queue_seq : 0;
}

static void drop(struct merge *merge, struct queued_message *m)
{
	if (m == merge->c->first || m == merge->c->tried) {
		merge->has_changed = true;
	}
	queue_remove(merge->queue, merge->c, m);
}

/* What was known before the read and is not in it is no longer open. */
static void drop_absent(struct merge *merge)
{
	struct queued_message *next;
	for (struct queued_message *m = merge->c->first; m != NULL; m = next) {
		next = m->next;
		bool is_covered = merge->whole || m->queue_seq <= last_row_seq(merge);
		if (is_covered && m->stamp <= merge->read_stamp && !is_in_rows(merge, m)) {
			drop(merge, m);
		}
	}
}

static void take_facts(
	struct merge *merge, struct queued_message *m, const struct send_message *row)
{
	m->attempts = row->attempts;
	m->claimed = row->claimed;
	m->due_ms = merge->now_ms + row->due_in_ms;
	if (m == merge->c->first) {
		merge->has_changed = true;
	}
}

static void update(struct merge *merge, struct queued_message *m, const struct send_message *row)
{
	if (m->stamp > merge->read_stamp || row->attempts < m->attempts) {
		return; /* the read is older than what was heard */
	}
	if (merge->is_settling) {
		take_facts(merge, m, row);
		return;
	}
	bool is_ahead = row->attempts > m->attempts;
	if (m == merge->c->tried) {
		if (row->claimed) {
			m->claimed = true;
			m->attempts = row->attempts;
		} else if (is_ahead ||
			   m->claimed) { /* the attempt has ended, its outcome was lost */
			take_facts(merge, m, row);
			merge->c->tried = NULL;
		}
	} else if (is_ahead || row->claimed != m->claimed) {
		take_facts(merge, m, row);
	}
}

static void insert(struct merge *merge, const struct send_message *row)
{
	struct conversation *c = merge->c;
	bool is_behind = c->last == NULL || row->queue_seq > c->last->queue_seq;
	if (!queue_has_room_in(merge->queue, c)) {
		merge->has_left_some = true;
		if (is_behind || c->last == c->tried || c->n_messages < 2) {
			return;
		}
		drop(merge, c->last);
	}
	struct queued_message *first = c->first;
	if (queue_insert(merge->queue, c, row, merge->read_stamp, merge->now_ms)) {
		merge->has_inserted = true;
		merge->has_changed = merge->has_changed || c->first != first;
	}
}

static void take_rows(struct merge *merge)
{
	struct conversation *c = merge->c;
	for (int i = 0; i < merge->n; i++) {
		const struct send_message *row = &merge->rows[i];
		struct queued_message *m = conversation_find(c, row->id);
		if (m != NULL) {
			update(merge, m, row);
		} else if (c->done_stamp <= merge->read_stamp || !sv_eq_cstr(row->id, c->done_id)) {
			insert(merge, row);
		}
	}
}

/* When rows were news and more lie behind them, what is known further back may have a gap before
   it. */
static void cut_gap(struct merge *merge)
{
	struct conversation *c = merge->c;
	if (merge->whole || !merge->has_inserted) {
		return;
	}
	while (c->last != NULL && c->last->queue_seq > last_row_seq(merge) && c->last != c->tried) {
		merge->has_left_some = true;
		drop(merge, c->last);
	}
}

static void note_more(struct merge *merge)
{
	struct conversation *c = merge->c;
	bool reaches_further = c->last != NULL && c->last->queue_seq > last_row_seq(merge);
	if (merge->has_left_some) {
		c->more_in_store = true;
		c->left_stamp = merge->queue->stamp;
	} else if (merge->whole) {
		c->more_in_store = c->left_stamp > merge->read_stamp;
	} else if (!reaches_further) {
		c->more_in_store = true;
	}
}

/* A claim that was refused again and again must not spin. */
static void wait_after_refusals(struct merge *merge)
{
	struct conversation *c = merge->c;
	if (c->refusals < 2 || c->first == NULL || c->first->claimed) {
		return;
	}
	int64_t wait_ms = REFUSED_WAIT_MS;
	for (int i = 2; i < c->refusals && wait_ms < REFUSED_WAIT_MAX_MS; i++) {
		wait_ms *= 2;
	}
	int64_t due_ms =
		merge->now_ms + (wait_ms < REFUSED_WAIT_MAX_MS ? wait_ms : REFUSED_WAIT_MAX_MS);
	c->first->due_ms = c->first->due_ms > due_ms ? c->first->due_ms : due_ms;
}

static void settle(struct merge *merge)
{
	struct conversation *c = merge->c;
	bool must = false;
	switch (c->state) {
	case CONVERSATION_IDLE:
		must = c->first != NULL;
		break;
	case CONVERSATION_WAITING:
	case CONVERSATION_READY:
	case CONVERSATION_HELD:
		must = merge->has_changed;
		break;
	case CONVERSATION_DISPATCHED:
		must = c->tried == NULL;
		break;
	case CONVERSATION_REREADING:
		must = merge->is_settling;
		wait_after_refusals(merge);
		break;
	case CONVERSATION_PACING:
		break; /* looked at when the limiters have answered */
	}
	if (must) {
		queue_settle(merge->queue, c, merge->now_ms);
	}
}

bool send_queue_merge(struct send_queue *queue, const struct conversation_key *key,
	const struct send_message *messages, int n, bool whole, int64_t read_stamp, int64_t now_ms)
{
	struct conversation *c = conversation_map_find(&queue->map, key->session_id, key->phone);
	if (c == NULL && n == 0) {
		return true;
	}
	c = c != NULL ? c : queue_find_or_make(queue, key);
	if (c == NULL) {
		return false;
	}
	struct merge merge = {
		.queue = queue,
		.c = c,
		.rows = messages,
		.n = n,
		.whole = whole,
		.read_stamp = read_stamp,
		.now_ms = now_ms,
		.is_settling = c->state == CONVERSATION_REREADING && read_stamp > c->doubt_stamp,
	};
	c->seen_stamp = read_stamp;
	drop_absent(&merge);
	take_rows(&merge);
	cut_gap(&merge);
	note_more(&merge);
	settle(&merge);
	return true;
}

struct conversation *send_queue_reread_next(struct send_queue *queue)
{
	struct conversation *c = TAILQ_FIRST(&queue->rereads);
	if (c != NULL) {
		TAILQ_REMOVE(&queue->rereads, c, in_list);
		c->is_listed = false;
		c->pins++;
	}
	return c;
}

void send_queue_reread_end(struct send_queue *queue, struct conversation *conversation)
{
	struct conversation *c = conversation;
	/* Another read of it may still be under way: the last one sees to it that it is asked for
	   again. */
	bool is_last = c->pins == 1;
	if (is_last && !c->is_dropped && c->state == CONVERSATION_REREADING && !c->is_listed) {
		TAILQ_INSERT_TAIL(&queue->rereads, c, in_list);
		c->is_listed = true;
	}
	queue_unpin(queue, c);
}

void send_queue_scan_end(struct send_queue *queue, int partition, int64_t scan_stamp)
{
	struct conversation *c;
	TAILQ_FOREACH(c, &queue->partitions[partition].conversations, in_partition)
	{
		bool is_quiet = c->state == CONVERSATION_WAITING ||
				c->state == CONVERSATION_READY || c->state == CONVERSATION_HELD;
		if (is_quiet && c->seen_stamp < scan_stamp && c->born_stamp < scan_stamp) {
			queue_set_doubtful(queue, c);
		}
	}
}

bool send_queue_take_missed(struct send_queue *queue, int partition)
{
	bool missed = queue->partitions[partition].missed;
	queue->partitions[partition].missed = false;
	return missed;
}

void send_queue_set_missed(struct send_queue *queue, int partition)
{
	queue->partitions[partition].missed = true;
}

bool send_queue_has_room(const struct send_queue *queue)
{
	return queue->n_messages < queue->options.max_messages * 3 / 8;
}

bool send_queue_has_rereads(const struct send_queue *queue)
{
	return !TAILQ_EMPTY(&queue->rereads);
}
