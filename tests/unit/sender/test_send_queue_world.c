/*
 * The queue in a small world: Postgres (the truth), streams that delay, lose and double what they
 * carry, a gateway that claims, and limiters that say no. Whatever the streams do, every message
 * ends, in order, and each is handed over no more often than an unknown outcome explains. When the
 * streams lose nothing, no claim is ever refused.
 */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "services/sender/send_queue.h"

#define CONVERSATIONS 24
#define SESSIONS      3
#define PARTITIONS    4
#define MESSAGES      600
#define WIRE          1024
#define PAGE          4 /* messages of a conversation that a read gives */

enum row_status { ROW_ABSENT, ROW_QUEUED, ROW_SENDING, ROW_ENDED };

struct row {
	enum row_status status;
	bool unknown;
	int conversation;
	int attempts;
	int hand_overs;
	int unknown_ends;
	int64_t next_ms;
};

enum wire_kind {
	WIRE_FREE,
	WIRE_OUTBOUND,
	WIRE_DISPATCH,
	WIRE_OUTCOME,
	WIRE_WORK,
	WIRE_PACE,
	WIRE_READ
};

/* Something under way, which arrives at a time. */
struct wire {
	enum wire_kind kind;
	int64_t at_ms;
	int row;
	int attempt;
	enum outcome_kind outcome;
	int64_t next_in_ms;
	struct conversation *pinned;
	int conversation; /* of a read; and what it saw: */
	int64_t stamp;
	int64_t asked_ms;
	struct send_message seen[PAGE];
	char seen_ids[PAGE][16];
	int n_seen;
	bool whole;
	bool last_of_scan;
};

struct world {
	struct send_queue *queue;
	struct row rows[MESSAGES];
	int n_rows;
	struct wire wires[WIRE];
	int64_t now_ms;
	int loss_percent;
	int double_percent;
	int late_percent; /* commits that become visible out of order */
	int refused;
	int swept_conversation;
	int64_t scan_stamp;
	int n_reads;
};

static char phones[CONVERSATIONS][32];

static int session_of(int conversation)
{
	return 1 + conversation % SESSIONS;
}

static int partition_of(int conversation)
{
	return conversation % PARTITIONS;
}

static struct conversation_key key_of(int conversation)
{
	return (struct conversation_key){partition_of(conversation), session_of(conversation),
		sv_from(phones[conversation])};
}

static int conversation_of(const struct conversation *c)
{
	for (int i = 0; i < CONVERSATIONS; i++) {
		if (sv_eq_cstr(conversation_phone(c), phones[i])) {
			return i;
		}
	}
	WRONG("unknown conversation");
}

static bool chance(int percent)
{
	return (int)rng_below(100) < percent;
}

static struct wire *send_wire(struct world *w, enum wire_kind kind, int row, int64_t delay_ms)
{
	for (int i = 0; i < WIRE; i++) {
		struct wire *wire = &w->wires[i];
		if (wire->kind == WIRE_FREE) {
			*wire = (struct wire){
				.kind = kind, .at_ms = w->now_ms + delay_ms, .row = row};
			return wire;
		}
	}
	WRONG("the wires are full");
}

/* Put an entry on a stream: it may be lost or doubled. */
static void send_entry(struct world *w, struct wire entry)
{
	if (chance(w->loss_percent)) {
		return;
	}
	int copies = chance(w->double_percent) ? 2 : 1;
	for (int i = 0; i < copies; i++) {
		/* Within one stream the order stays; the doubled one comes much later. */
		struct wire *wire =
			send_wire(w, entry.kind, entry.row, 5 + i * (int64_t)rng_below(3000));
		wire->attempt = entry.attempt;
		wire->outcome = entry.outcome;
		wire->next_in_ms = entry.next_in_ms;
	}
}

static void accept(struct world *w)
{
	int row = w->n_rows++;
	w->rows[row] = (struct row){
		.status = ROW_QUEUED, .conversation = (int)rng_below(1 + rng_below(CONVERSATIONS))};
	if (chance(w->late_percent) && row > 0 && w->rows[row - 1].status == ROW_QUEUED &&
		w->rows[row - 1].attempts == 0) {
		w->rows[row - 1].conversation =
			w->rows[row].conversation; /* the later one is heard of first */
	}
	send_entry(w, (struct wire){.kind = WIRE_OUTBOUND, .row = row});
}

static struct send_message as_message(const struct world *w, int row, char id[16])
{
	const struct row *r = &w->rows[row];
	(void)snprintf(id, 16, "m%d", row);
	bool certain_sending = r->status == ROW_SENDING && !r->unknown;
	return (struct send_message){
		.id = sv_from(id),
		.queue_seq = row + 1,
		.due_in_ms = r->next_ms > w->now_ms ? r->next_ms - w->now_ms : 0,
		.tenant_id = 1 + row % 2,
		.attempts = r->attempts,
		.claimed = certain_sending,
	};
}

static void take_outbound(struct world *w, int row)
{
	char id[16];
	struct conversation_key key = key_of(w->rows[row].conversation);
	struct send_message m = as_message(w, row, id);
	m.attempts = 0; /* as it was when it was accepted */
	m.due_in_ms = 0;
	m.claimed = false;
	(void)send_queue_add(w->queue, &key, &m, w->now_ms);
}

static void send_outcome(struct world *w, int row, enum outcome_kind kind, int64_t next_in_ms)
{
	send_entry(w, (struct wire){.kind = WIRE_OUTCOME,
			      .row = row,
			      .attempt = w->rows[row].attempts,
			      .outcome = kind,
			      .next_in_ms = next_in_ms});
}

static bool claim_fits(const struct world *w, int row, int attempt)
{
	const struct row *r = &w->rows[row];
	bool is_free = r->status == ROW_QUEUED || (r->status == ROW_SENDING && r->unknown);
	if (!is_free || r->attempts != attempt || r->next_ms > w->now_ms) {
		return false;
	}
	for (int i = 0; i < row; i++) {
		if (w->rows[i].conversation == r->conversation && w->rows[i].status != ROW_ENDED) {
			return false;
		}
	}
	return true;
}

static void gateway_take(struct world *w, const struct wire *entry)
{
	struct row *r = &w->rows[entry->row];
	if (chance(3)) {
		send_outcome(w, entry->row, OUTCOME_NOT_READY, 300);
		return;
	}
	if (!claim_fits(w, entry->row, entry->attempt)) {
		w->refused++;
		send_outcome(w, entry->row, OUTCOME_REFUSED, 0);
		return;
	}
	r->status = ROW_SENDING;
	r->unknown = false;
	r->attempts++;
	r->hand_overs++;
	(void)send_wire(w, WIRE_WORK, entry->row, (int64_t)rng_below(50));
}

static void gateway_end(struct world *w, int row)
{
	struct row *r = &w->rows[row];
	uint64_t fate = rng_below(100);
	int64_t next_in_ms = (int64_t)rng_below(4000);
	ASSERT(r->status == ROW_SENDING && !r->unknown);
	r->next_ms = w->now_ms + next_in_ms;
	if (fate < 10 && r->unknown_ends == 0) {
		r->status = ROW_QUEUED;
		send_outcome(w, row, OUTCOME_RETRY, next_in_ms);
	} else if (fate < 20) {
		r->unknown = true;
		r->unknown_ends++;
		send_outcome(w, row, OUTCOME_UNKNOWN, next_in_ms);
	} else {
		r->status = ROW_ENDED;
		send_outcome(w, row, fate < 25 ? OUTCOME_FINAL : OUTCOME_SENT, 0);
	}
}

/* A receipt settles a message whose outcome was unknown. */
static void late_receipt(struct world *w)
{
	int row = (int)rng_below((uint64_t)w->n_rows);
	if (w->rows[row].status == ROW_SENDING && w->rows[row].unknown) {
		w->rows[row].status = ROW_ENDED;
		send_outcome(w, row, OUTCOME_SENT, 0);
	}
}

static void cancel(struct world *w)
{
	int row = (int)rng_below((uint64_t)w->n_rows);
	if (w->rows[row].status == ROW_QUEUED) {
		w->rows[row].status = ROW_ENDED; /* nobody is told */
	}
}

static void take_outcome(struct world *w, const struct wire *entry)
{
	char id[16];
	(void)snprintf(id, sizeof(id), "m%d", entry->row);
	struct conversation_key key = key_of(w->rows[entry->row].conversation);
	struct send_outcome outcome = {
		sv_from(id), entry->outcome, entry->attempt, entry->next_in_ms};
	(void)send_queue_outcome(w->queue, &key, &outcome, w->now_ms);
}

/* Reading: what is seen is seen now, and told later. */
static void look(struct world *w, int conversation, int64_t stamp, struct conversation *pinned)
{
	struct wire *wire = send_wire(w, WIRE_READ, 0, 1 + (int64_t)rng_below(40));
	wire->conversation = conversation;
	wire->stamp = stamp;
	wire->pinned = pinned;
	wire->asked_ms = w->now_ms;
	wire->whole = true;
	w->n_reads++;
	for (int row = 0; row < w->n_rows; row++) {
		bool is_open =
			w->rows[row].status == ROW_QUEUED || w->rows[row].status == ROW_SENDING;
		if (w->rows[row].conversation != conversation || !is_open) {
			continue;
		}
		if (wire->n_seen == PAGE) {
			wire->whole = false;
			break;
		}
		int i = wire->n_seen++;
		wire->seen[i] = as_message(w, row, wire->seen_ids[i]);
	}
}

static void tell_read(struct world *w, struct wire *wire)
{
	struct conversation_key key = key_of(wire->conversation);
	bool failed = wire->pinned != NULL && chance(w->loss_percent);
	for (int i = 0; i < wire->n_seen; i++) {
		int64_t passed_ms = w->now_ms - wire->asked_ms;
		wire->seen[i].id = sv_from(wire->seen_ids[i]);
		wire->seen[i].due_in_ms -=
			wire->seen[i].due_in_ms < passed_ms ? wire->seen[i].due_in_ms : passed_ms;
	}
	if (!failed) {
		(void)send_queue_merge(w->queue, &key, wire->seen, wire->n_seen, wire->whole,
			wire->stamp, w->now_ms);
	}
	if (wire->pinned != NULL) {
		send_queue_reread_end(w->queue, wire->pinned);
	}
	if (wire->last_of_scan) {
		for (int p = 0; p < PARTITIONS; p++) {
			send_queue_scan_end(w->queue, p, w->scan_stamp);
		}
		w->scan_stamp = 0;
	}
	send_queue_read_end(w->queue);
}

static void reread(struct world *w)
{
	while (send_queue_has_rereads(w->queue)) {
		int64_t stamp = send_queue_read_begin(w->queue);
		struct conversation *c = send_queue_reread_next(w->queue);
		look(w, conversation_of(c), stamp, c);
	}
}

static void scan(struct world *w)
{
	if (w->scan_stamp != 0) {
		return;
	}
	struct wire *last = NULL;
	for (int i = 0; i < CONVERSATIONS; i++) {
		int64_t stamp = send_queue_read_begin(w->queue);
		w->scan_stamp = i == 0 ? stamp : w->scan_stamp;
		look(w, i, stamp, NULL);
	}
	for (int i = 0; i < WIRE; i++) {
		struct wire *wire = &w->wires[i];
		bool is_scan = wire->kind == WIRE_READ && wire->pinned == NULL;
		if (is_scan && (last == NULL || wire->at_ms >= last->at_ms)) {
			last = wire;
		}
	}
	last->at_ms++;
	last->last_of_scan = true;
}

static void dispatch(struct world *w, struct conversation *c)
{
	int row = 0;
	const struct queued_message *m = conversation_first(c);
	ASSERT(sscanf(m->id, "m%d", &row) == 1);
	ASSERT(m->due_ms <= w->now_ms);
	send_queue_dispatched(w->queue, c, w->now_ms);
	send_entry(w, (struct wire){.kind = WIRE_DISPATCH, .row = row, .attempt = m->attempts});
}

static void take_pace(struct world *w, struct conversation *c)
{
	static const enum held_reason reasons[] = {
		HELD_SESSION_PACE, HELD_RECIPIENT_PACE, HELD_TENANT_PACE, HELD_NOT};
	if (chance(80)) {
		if (send_queue_allowed(w->queue, c, w->now_ms)) {
			dispatch(w, c);
		}
		return;
	}
	send_queue_denied(w->queue, c, reasons[rng_below(4)], (int64_t)rng_below(500), w->now_ms);
}

static void take_turn(struct world *w)
{
	struct conversation *c;
	(void)send_queue_run_timers(w->queue, w->now_ms, 1000);
	reread(w);
	for (int i = 0; i < 20 && (c = send_queue_next(w->queue, w->now_ms)) != NULL; i++) {
		if (session_of(conversation_of(c)) == 2) {
			send_queue_asked(w->queue, c);
			send_wire(w, WIRE_PACE, 0, 1 + (int64_t)rng_below(3))->pinned = c;
		} else if (chance(2)) {
			send_queue_put_back(w->queue, c, 20, w->now_ms);
		} else {
			dispatch(w, c);
		}
	}
}

static void arrive(struct world *w, struct wire *slot)
{
	struct wire wire = *slot;
	slot->kind = WIRE_FREE;
	switch (wire.kind) {
	case WIRE_OUTBOUND:
		take_outbound(w, wire.row);
		return;
	case WIRE_DISPATCH:
		gateway_take(w, &wire);
		return;
	case WIRE_OUTCOME:
		take_outcome(w, &wire);
		return;
	case WIRE_WORK:
		gateway_end(w, wire.row);
		return;
	case WIRE_PACE:
		take_pace(w, wire.pinned);
		return;
	case WIRE_READ:
		tell_read(w, &wire);
		return;
	case WIRE_FREE:
		break;
	}
	WRONG("nothing arrives");
}

static int open_rows(const struct world *w)
{
	int n = 0;
	for (int i = 0; i < w->n_rows; i++) {
		n += w->rows[i].status != ROW_ENDED;
	}
	return n;
}

static void step(struct world *w, bool with_mishaps)
{
	w->now_ms++;
	for (int i = 0; i < WIRE; i++) {
		if (w->wires[i].kind != WIRE_FREE && w->wires[i].at_ms <= w->now_ms) {
			arrive(w, &w->wires[i]);
		}
	}
	if (w->n_rows > 0 && with_mishaps) {
		late_receipt(w);
		if (chance(2)) {
			cancel(w);
		}
	}
	if (w->now_ms % 2000 == 0 && with_mishaps) {
		scan(w);
	}
	take_turn(w);
	if (w->now_ms % 8 == 0) {
		send_queue_check(w->queue);
	}
}

static struct world *world_new(uint64_t seed, int max_messages)
{
	struct world *w = mem_new(struct world);
	struct send_queue_options options = {
		.max_messages = max_messages,
		.max_per_conversation = 6,
		.max_window = 8,
		.dispatch_deadline_ms = 3000,
		.tell_after_ms = 300,
	};
	rng_fake(seed);
	for (int i = 0; i < CONVERSATIONS; i++) {
		(void)snprintf(phones[i], sizeof(phones[i]), "+49%08d", i);
	}
	w->queue = send_queue_new(&options);
	return w;
}

static void world_free(struct world *w)
{
	/* Let what is under way come to its end, so that nothing is pinned. */
	for (int i = 0; i < WIRE; i++) {
		struct wire *wire = &w->wires[i];
		if (wire->kind == WIRE_READ) {
			tell_read(w, wire);
		} else if (wire->kind == WIRE_PACE) {
			send_queue_denied(w->queue, wire->pinned, HELD_NOT, 0, w->now_ms);
		}
	}
	send_queue_free(&w->queue);
	rng_fake_end();
	mem_free(w);
}

static void assert_handed_over_rightly(const struct world *w)
{
	for (int i = 0; i < w->n_rows; i++) {
		assert_true(w->rows[i].hand_overs <= w->rows[i].attempts);
		assert_int_equal(w->rows[i].status, ROW_ENDED);
	}
}

static void TEST(whatever_the_streams_do_every_message_ends)
{
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct world *w = world_new(seed, seed % 2 == 0 ? 40 : 1000);
		w->loss_percent = 15;
		w->double_percent = 10;
		w->late_percent = 5;
		while (w->n_rows < MESSAGES) {
			step(w, true);
			if (chance(30)) {
				accept(w);
			}
			if (chance(1) && chance(3)) { /* the partition goes, and comes back empty */
				send_queue_drop_partition(w->queue, (int)rng_below(PARTITIONS));
			}
		}
		int64_t start_ms = w->now_ms;
		while (open_rows(w) > 0 && w->now_ms < start_ms + 600000) {
			step(w, true);
		}
		assert_int_equal(open_rows(w), 0);
		assert_handed_over_rightly(w);
		world_free(w);
	}
}

static void TEST(without_losses_no_claim_is_refused_and_nothing_needs_a_scan)
{
	for (uint64_t seed = 100; seed < 106; seed++) {
		struct world *w = world_new(seed, 1000);
		while (w->n_rows < MESSAGES) {
			step(w, false);
			if (chance(20)) {
				accept(w);
			}
		}
		int64_t start_ms = w->now_ms;
		while (open_rows(w) > 0 && w->now_ms < start_ms + 300000) {
			step(w, false);
		}
		assert_int_equal(open_rows(w), 0);
		assert_int_equal(w->refused, 0);
		assert_handed_over_rightly(w);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_the_streams_do_every_message_ends),
		cmocka_unit_test(without_losses_no_claim_is_refused_and_nothing_needs_a_scan),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
