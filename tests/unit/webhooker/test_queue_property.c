/*
 * delivery_queue against a small world: Postgres as an array of rows, endpoints that die, refuse
 * and dawdle, entries that are late, doubled or lost, partitions that come and go, writes whose end
 * is not known. Whatever happens: each contact's events reach each endpoint in order, nothing is
 * lost, and bounds hold.
 */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "services/webhooker/delivery_queue.h"
#include "services/webhooker/delivery_shard.h"

#define MAX_ROWS           20000
#define N_ENDPOINTS        4
#define N_PARTITIONS       3
#define HOLD_MS            20000
#define PER_ENDPOINT       3
#define TOTAL              10
#define SWEEP_MS           5000
#define ENDPOINT_OF_POISON 2

struct row {
	int64_t sequence;
	int32_t webhook_id, contact_id;
	int partition;
	int64_t committed_ms;
	int64_t entry_ms; /* -1: lost */
	bool is_open, is_poison;
	int attempts;
	int64_t due_ms, first_try_ms;
	int64_t first_failed_ms; /* -1 */
	bool is_taken;           /* by the endpoint */
};

struct work { /* what is under way: a read, a POST, a write */
	enum { WORK_READ, WORK_POST, WORK_WRITE } kind;
	int64_t end_ms;
	int row;
	uint64_t claim;
	bool ok;
	struct delivery_end end;
	int attempts_before;
};

static struct world {
	struct delivery_queue *queue;
	struct schedule schedule;
	struct row rows[MAX_ROWS];
	int n_rows;
	struct work works[64];
	int n_works;
	int64_t now;
	int64_t dead_until[N_ENDPOINTS + 1];
	bool is_owned[N_PARTITIONS];
	bool is_loading[N_PARTITIONS];
	int64_t swept_ms[N_PARTITIONS];
	int n_posting[N_ENDPOINTS + 1];
	int most_held;
	int n_contacts;
	int64_t last_taken_ms[N_ENDPOINTS + 1];
	int n_left; /* times that something was left to Postgres */
} * w;

static bool chance(int percent)
{
	return rng_below(100) < (uint64_t)percent;
}

static int32_t contact_partition(int32_t contact_id)
{
	return contact_id % N_PARTITIONS;
}

/* Rows are in the order of their sequences; those of an event follow each other. */
static int row_find(int32_t webhook_id, int64_t sequence)
{
	int low = 0, high = w->n_rows - 1;
	while (low < high) {
		int middle = (low + high) / 2;
		if (w->rows[middle].sequence < sequence)
			low = middle + 1;
		else
			high = middle;
	}
	while (low < w->n_rows && w->rows[low].sequence == sequence) {
		if (w->rows[low].webhook_id == webhook_id)
			return low;
		low++;
	}
	fail_msg("no such row");
	return -1;
}

static struct delivery_facts facts_of(const struct row *row)
{
	return (struct delivery_facts){
		.sequence = row->sequence,
		.created_at_wall_ms = row->committed_ms,
		.webhook_id = row->webhook_id,
		.tenant_id = 1,
		.contact_id = row->contact_id,
		.partition = row->partition,
		.attempts = row->attempts,
		.due_in_ms = row->attempts > 0 ? row->due_ms - w->now : 0,
		.tried_ago_ms = row->attempts > 0 ? w->now - row->first_try_ms : 0,
	};
}

static void emit(void)
{
	static int64_t sequence;
	int32_t contact_id = 1 + (int32_t)rng_below((uint64_t)w->n_contacts);

	sequence++;
	for (int32_t webhook_id = 1; webhook_id <= N_ENDPOINTS; webhook_id++) {
		if (w->n_rows == MAX_ROWS || chance(30))
			continue;
		struct row *row = &w->rows[w->n_rows++];
		*row = (struct row){
			.sequence = sequence,
			.webhook_id = webhook_id,
			.contact_id = contact_id,
			.partition = contact_partition(contact_id),
			.committed_ms = w->now,
			.entry_ms = chance(8) ? -1
					      : w->now + (int64_t)rng_below(chance(10) ? 3000 : 20),
			.is_open = true,
			.is_poison = webhook_id == ENDPOINT_OF_POISON && chance(1),
			.first_failed_ms = -1,
		};
	}
}

static void add(struct row *row)
{
	struct delivery_facts facts = facts_of(row);
	/* An entry knows no more than that the event is there. */
	facts.attempts = 0;
	facts.due_in_ms = 0;
	(void)delivery_queue_add(w->queue, &facts, w->now);
	delivery_queue_set_outlet(w->queue, row->webhook_id, OUTLET_OPEN, false, 0, w->now);
}

static void entries(void)
{
	for (int i = w->n_rows > 3000 ? w->n_rows - 3000 : 0; i < w->n_rows; i++) {
		struct row *row = &w->rows[i];
		if (row->entry_ms < 0 || row->entry_ms > w->now)
			continue;
		if (w->is_owned[row->partition])
			add(row);
		row->entry_ms = chance(2) ? w->now + 500 : -1; /* some come twice */
	}
}

/* A pass over a partition's open rows, lowest sequence first within each endpoint; full: after it
 * was gained. */
static void sweep(int partition, bool is_full)
{
	for (int32_t webhook_id = 1; webhook_id <= N_ENDPOINTS; webhook_id++) {
		for (int i = 0; i < w->n_rows; i++) {
			struct row *row = &w->rows[i];
			if (!row->is_open || row->partition != partition ||
				row->webhook_id != webhook_id)
				continue;
			if (!is_full && row->committed_ms > w->now - 1000)
				continue;
			struct delivery_facts facts = facts_of(row);
			enum delivery_intake intake = delivery_queue_add(w->queue, &facts, w->now);
			delivery_queue_set_outlet(w->queue, webhook_id, OUTLET_OPEN,
				w->last_taken_ms[webhook_id] < w->now - 5000,
				w->now - w->last_taken_ms[webhook_id], w->now);
			if (intake == DELIVERY_BEYOND) {
				w->n_left++;
				break;
			}
		}
	}
	w->swept_ms[partition] = w->now;
}

static void refills(void)
{
	struct delivery_refill refill;

	while (delivery_queue_next_refill(w->queue, &refill)) {
		struct delivery_facts rows[100];
		int n = 0;
		if (chance(10)) {
			delivery_queue_refill(w->queue, &refill, NULL, -1, false, w->now);
			return;
		}
		for (int i = 0; i < w->n_rows && n < 100; i++) {
			struct row *row = &w->rows[i];
			if (row->is_open && row->partition == refill.partition &&
				row->webhook_id == refill.webhook_id &&
				row->sequence > refill.after)
				rows[n++] = facts_of(row);
		}
		if (chance(5))
			emit(); /* after the page's snapshot */
		entries();
		delivery_queue_refill(w->queue, &refill, rows, n, n < 100, w->now);
	}
}

static void work_add(struct work work)
{
	assert_true(w->n_works < (int)array_len(w->works));
	w->works[w->n_works++] = work;
}

/* --- the endpoint's side: here is checked what the whole is for --- */

static bool is_refused(const struct row *row)
{
	return w->now < w->dead_until[row->webhook_id] || row->is_poison;
}

static void check_order(const struct row *row)
{
	for (const struct row *before = w->rows; before < row; before++) {
		if (before->webhook_id != row->webhook_id ||
			before->contact_id != row->contact_id || before->is_taken ||
			!before->is_open)
			continue;
		/* It may only be passed when it was refused, and its hold is over. What is reread
		 * knows that time a bit less sharply. */
		if (before->first_failed_ms < 0 || w->now - before->first_failed_ms < HOLD_MS - 100)
			fail_msg("%lld to %d before %lld (failed at %lld of %lld)",
				(long long)row->sequence, row->webhook_id,
				(long long)before->sequence, (long long)before->first_failed_ms,
				(long long)w->now);
	}
}

static void post_begins(struct delivery *delivery)
{
	int index = row_find(delivery->webhook_id, delivery->sequence);
	struct row *row = &w->rows[index];

	check_order(row);
	assert_true(w->is_owned[row->partition] && !w->is_loading[row->partition]);
	assert_true(++w->n_posting[row->webhook_id] <= PER_ENDPOINT);
	int64_t takes_ms = 1 + (int64_t)rng_below(row->webhook_id == 3 ? 2500 : 30);
	work_add((struct work){.kind = WORK_POST,
		.end_ms = w->now + takes_ms,
		.row = index,
		.claim = delivery->claim,
		.ok = !is_refused(row)});
}

static void post_ends(const struct work *work)
{
	struct row *row = &w->rows[work->row];
	struct delivery *delivery =
		delivery_queue_find(w->queue, row->webhook_id, row->sequence, work->claim);

	w->n_posting[row->webhook_id]--;
	if (work->ok) {
		row->is_taken = true;
		w->last_taken_ms[row->webhook_id] = w->now;
	} else if (row->first_failed_ms < 0) {
		row->first_failed_ms = delivery->started_ms;
	}
	assert_non_null(delivery);
	struct delivery_result result = {.verdict = work->ok ? VERDICT_OK : VERDICT_RETRY,
		.is_charged = !work->ok,
		.retry_after_ms = -1};
	int attempts_before = delivery->attempts;
	delivery->call = NULL;
	struct delivery_news news = delivery_queue_finish(w->queue, delivery, &result, w->now);
	work_add((struct work){.kind = WORK_WRITE,
		.end_ms = w->now + 1 + (int64_t)rng_below(20),
		.row = work->row,
		.claim = work->claim,
		.end = news.end,
		.attempts_before = attempts_before,
		.ok = work->ok});
}

/* --- Postgres's side --- */

static bool write_row(const struct work *work, struct row *row)
{
	if (!row->is_open || row->attempts != work->attempts_before || !w->is_owned[row->partition])
		return false;
	row->attempts++;
	row->is_open = work->end.status == DELIVERY_PENDING;
	row->due_ms = w->now + work->end.wait_ms;
	if (row->attempts == 1)
		row->first_try_ms = w->now - 20;
	return true;
}

static void write_ends(const struct work *work)
{
	struct row *row = &w->rows[work->row];
	bool is_written = write_row(work, row);
	struct delivery *delivery =
		delivery_queue_find(w->queue, row->webhook_id, row->sequence, work->claim);

	if (chance(1)) /* the answer was lost; the repetition finds nothing to change */
		is_written = false;
	if (delivery == NULL)
		return;
	if (is_written) {
		delivery_queue_recorded(w->queue, delivery, w->now);
		return;
	}
	int partition = delivery->partition;
	delivery_queue_remove(w->queue, delivery, w->now);
	delivery_queue_resync(w->queue, row->webhook_id, partition, row->sequence, w->now);
}

/* The sequence of the lowest open row of that contact and endpoint that memory does not know; 0:
 * none. */
static int64_t find_missing(const struct row *row)
{
	for (const struct row *before = w->rows; before < row; before++) {
		if (before->webhook_id != row->webhook_id ||
			before->contact_id != row->contact_id || !before->is_open)
			continue;
		/* As the real query, which looks back as far as the last whole sweep only. */
		if (before->committed_ms < w->swept_ms[row->partition] - 2000)
			continue;
		if (!delivery_queue_knows(w->queue, before->webhook_id, before->sequence))
			return before->sequence;
	}
	return 0;
}

static void read_ends(const struct work *work)
{
	struct row *row = &w->rows[work->row];
	struct delivery *delivery =
		delivery_queue_find(w->queue, row->webhook_id, row->sequence, work->claim);

	if (delivery == NULL)
		return;
	if (chance(1)) {
		delivery_queue_put_back(w->queue, delivery, NULL, 50, w->now);
		return;
	}
	if (!row->is_open) {
		delivery_queue_remove(w->queue, delivery, w->now);
		return;
	}
	if (row->attempts != delivery->attempts) {
		struct delivery_facts facts = facts_of(row);
		delivery_queue_put_back(w->queue, delivery, &facts, 0, w->now);
		return;
	}
	int64_t missing = find_missing(row);
	if (missing != 0) {
		delivery_queue_resync(w->queue, row->webhook_id, row->partition, missing, w->now);
		return;
	}
	delivery_queue_prepared(w->queue, delivery, w->now);
}

static void works_end(void)
{
	for (int i = 0; i < w->n_works;) {
		struct work work = w->works[i];
		if (work.end_ms > w->now) {
			i++;
			continue;
		}
		w->works[i] = w->works[--w->n_works];
		if (work.kind == WORK_READ)
			read_ends(&work);
		else if (work.kind == WORK_POST)
			post_ends(&work);
		else
			write_ends(&work);
	}
}

static void works_begin(void)
{
	struct delivery *delivery;

	(void)delivery_queue_tick(w->queue, w->now);
	while ((delivery = delivery_queue_start(w->queue, w->now)) != NULL) {
		delivery->call = delivery;
		post_begins(delivery);
	}
	while (w->n_works < 30 && (delivery = delivery_queue_claim(w->queue, w->now)) != NULL)
		work_add((struct work){.kind = WORK_READ,
			.end_ms = w->now + 1 + (int64_t)rng_below(5),
			.row = row_find(delivery->webhook_id, delivery->sequence),
			.claim = delivery->claim});
}

/* --- leases --- */

/* The POST is broken off; the endpoint may have taken it all the same. */
static void on_cancelled(void *ctx, struct delivery *delivery)
{
	(void)ctx;
	delivery->call = NULL;
	for (int i = 0; i < w->n_works; i++) {
		if (w->works[i].kind != WORK_POST || w->works[i].claim != delivery->claim)
			continue;
		struct work work = w->works[i];
		w->works[i] = w->works[--w->n_works];
		w->n_posting[delivery->webhook_id]--;
		if (work.ok && chance(50))
			w->rows[work.row].is_taken = true;
		return;
	}
	fail_msg("no such POST");
}

static void lose(int partition)
{
	delivery_queue_drop_partition(w->queue, partition, on_cancelled, NULL);
	w->is_owned[partition] = false;
	w->is_loading[partition] = false;
}

static void gain(int partition)
{
	w->is_owned[partition] = true;
	w->is_loading[partition] = true;
}

static void load(int partition)
{
	sweep(partition, true);
	w->is_loading[partition] = false;
	delivery_queue_open_partition(w->queue, partition, w->now);
}

static void leases(bool is_quiet)
{
	for (int p = 0; p < N_PARTITIONS; p++) {
		if (w->is_loading[p] && chance(20))
			load(p);
		else if (!w->is_owned[p] && chance(10))
			gain(p);
		else if (w->is_owned[p] && !is_quiet && rng_below(4000) == 0)
			lose(p);
	}
}

/* --- the run --- */

static int n_open(void)
{
	int n = 0;
	for (int i = 0; i < w->n_rows; i++)
		n += w->rows[i].is_open;
	return n;
}

static void step(bool is_quiet, int emit_percent)
{
	w->now += 1 + (int64_t)rng_below(is_quiet ? 200 : 10);
	if (chance(emit_percent))
		emit();
	if (!is_quiet && rng_below(3000) == 0)
		w->dead_until[1 + rng_below(N_ENDPOINTS)] = w->now + (int64_t)rng_below(60000);
	leases(is_quiet);
	entries();
	works_end();
	for (int p = 0; p < N_PARTITIONS; p++) {
		if (w->is_owned[p] && !w->is_loading[p] && w->now - w->swept_ms[p] > SWEEP_MS)
			sweep(p, false);
	}
	refills();
	works_begin();
	int n_held = delivery_queue_figures(w->queue).n_deliveries;
	if (n_held > w->most_held)
		w->most_held = n_held;
}

static void check_ends(void)
{
	int n_given_up = 0;

	for (int i = 0; i < w->n_rows; i++) {
		const struct row *row = &w->rows[i];
		if (row->is_open || (!row->is_taken && row->attempts <= w->schedule.n_delays))
			fail_msg("%lld to %d: open %d, attempts %d", (long long)row->sequence,
				row->webhook_id, row->is_open, row->attempts);
		assert_true(row->attempts <= w->schedule.n_delays + 1);
		assert_false(row->is_poison && row->is_taken);
		n_given_up += !row->is_taken && !row->is_poison;
	}
	assert_true(n_given_up <= w->n_rows / 100);
}

static int run(uint64_t seed, int n_contacts, int n_steps, int emit_percent)
{
	struct err err;

	rng_fake(seed);
	w = mem_new(struct world);
	w->now = 1000000;
	w->n_contacts = n_contacts;
	assert_int_equal(
		schedule_parse(SV_LIT("500ms,1s,2s,4s,8s,8s,8s,8s,8s,8s,8s,8s,8s,8s,8s,8s,8s,8s"),
			&w->schedule, &err),
		0);
	struct delivery_queue_options options = {.per_endpoint = PER_ENDPOINT,
		.total = TOTAL,
		.hold_ms = HOLD_MS,
		.schedule = w->schedule};
	w->queue = delivery_queue_new(&options);
	for (int i = 0; i < n_steps; i++)
		step(false, emit_percent);
	/* Calm down: everything comes to its end. */
	for (int i = 0; i < 40000 && n_open() > 0; i++)
		step(true, 0);
	check_ends();
	assert_true(w->most_held <= N_ENDPOINTS * N_PARTITIONS * DELIVERY_SHARD_HARD);
	int n_left = w->n_left;
	for (int p = 0; p < N_PARTITIONS; p++) {
		if (w->is_owned[p])
			lose(p);
	}
	delivery_queue_free(&w->queue);
	mem_free(w);
	rng_fake_end();
	return n_left;
}

static int seed_offset(void)
{
	const char *text = getenv("SEED");
	return text == NULL ? 0 : atoi(text);
}

static void TEST(order_is_kept_and_nothing_is_lost)
{
	for (int seed = 1; seed <= 6; seed++)
		(void)run((uint64_t)(seed + seed_offset()), 7, 8000, 10);
}

static void TEST(many_contacts)
{
	for (int seed = 100; seed <= 101; seed++)
		(void)run((uint64_t)(seed + seed_offset()), 60, 10000, 25);
}

static void TEST(more_than_memory_takes)
{
	for (int seed = 200; seed <= 201; seed++)
		assert_true(run((uint64_t)(seed + seed_offset()), 4, 6000, 90) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_is_kept_and_nothing_is_lost),
		cmocka_unit_test(many_contacts),
		cmocka_unit_test(more_than_memory_takes),
	};
	return cmocka_run_group_tests_name("queue_property", tests, NULL, NULL);
}
