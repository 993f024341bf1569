/* delivery_queue: one story a rule. Time is a number. */
#include "tests/support/test.h"

#include "common/base/rng.h"
#include "services/webhooker/delivery_queue.h"
#include "services/webhooker/delivery_shard.h"
#include "services/webhooker/delivery_slots.h"

#define HOLD_MS 3600000
#define DAY_MS  INT64_C(86400000)

static struct delivery_queue *queue;
static int64_t now;

static int setup(void **state)
{
	(void)state;
	struct delivery_queue_options options = {
		.per_endpoint = 4, .total = 16, .hold_ms = HOLD_MS};
	struct err err;
	assert_int_equal(
		schedule_parse(SV_LIT("5s,30s,2m,10m,30m,2h,5h"), &options.schedule, &err), 0);
	rng_fake(7);
	now = 1000000;
	queue = delivery_queue_new(&options);
	for (int p = 0; p < EVENT_PARTITIONS; p++)
		delivery_queue_open_partition(queue, p, now);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	delivery_queue_free(&queue);
	rng_fake_end();
	return 0;
}

static struct delivery_facts facts(int32_t webhook_id, int32_t contact_id, int64_t sequence)
{
	return (struct delivery_facts){
		.sequence = sequence,
		.created_at_wall_ms = 1,
		.webhook_id = webhook_id,
		.tenant_id = 1,
		.contact_id = contact_id,
		.partition = contact_id % EVENT_PARTITIONS,
	};
}

static enum delivery_intake add(int32_t webhook_id, int32_t contact_id, int64_t sequence)
{
	struct delivery_facts row = facts(webhook_id, contact_id, sequence);
	enum delivery_intake intake = delivery_queue_add(queue, &row, now);
	delivery_queue_set_outlet(queue, webhook_id, OUTLET_OPEN, false, 0, now);
	return intake;
}

/* Claim, prepare and start all that may be; gives the one that started last. */
static struct delivery *start_all(int *ret_n)
{
	struct delivery *delivery, *last = NULL;
	int n = 0;

	(void)delivery_queue_tick(queue, now);
	do {
		while ((delivery = delivery_queue_claim(queue, now)) != NULL)
			delivery_queue_prepared(queue, delivery, now);
		while ((delivery = delivery_queue_start(queue, now)) != NULL) {
			last = delivery;
			n++;
		}
		delivery = delivery_queue_claim(queue, now);
		if (delivery != NULL)
			delivery_queue_prepared(queue, delivery, now);
	} while (delivery != NULL);
	if (ret_n != NULL)
		*ret_n = n;
	return last;
}

static struct delivery *start_one(void)
{
	int n;
	struct delivery *delivery = start_all(&n);
	assert_int_equal(n, 1);
	return delivery;
}

static void start_none(void)
{
	int n;
	(void)start_all(&n);
	assert_int_equal(n, 0);
}

static struct delivery_news end(struct delivery *delivery, enum verdict verdict)
{
	struct delivery_result result = {
		.verdict = verdict, .is_charged = verdict != VERDICT_OK, .retry_after_ms = -1};
	struct delivery_news news = delivery_queue_finish(queue, delivery, &result, now);
	delivery_queue_recorded(queue, delivery, now);
	return news;
}

static int held(void)
{
	return delivery_queue_figures(queue).n_deliveries;
}

/* --- order --- */

static void TEST(one_at_a_time_in_order)
{
	assert_int_equal(add(1, 5, 12), DELIVERY_TAKEN);
	assert_int_equal(add(1, 5, 10), DELIVERY_TAKEN);
	assert_int_equal(add(1, 5, 11), DELIVERY_TAKEN);
	assert_int_equal(add(1, 5, 11), DELIVERY_KNOWN);
	for (int64_t sequence = 10; sequence <= 12; sequence++) {
		struct delivery *delivery = start_one();
		assert_int_equal(delivery->sequence, sequence);
		start_none();
		assert_int_equal(end(delivery, VERDICT_OK).end.status, DELIVERY_DELIVERED);
	}
	assert_int_equal(held(), 0);
}

static void TEST(an_earlier_one_that_comes_late_waits_for_the_one_in_flight)
{
	add(1, 5, 12);
	struct delivery *delivery = start_one();
	add(1, 5, 10);
	start_none();
	/* And goes before it, when that has to be tried again. */
	end(delivery, VERDICT_RETRY);
	assert_int_equal(start_one()->sequence, 10);
}

static void TEST(what_is_being_prepared_goes_back_when_an_earlier_one_comes)
{
	add(1, 5, 12);
	struct delivery *delivery = delivery_queue_claim(queue, now);
	add(1, 5, 10);
	delivery_queue_prepared(queue, delivery, now);
	assert_int_equal(delivery->state, DELIVERY_WAITING);
	assert_int_equal(start_one()->sequence, 10);
}

static void TEST(contacts_and_endpoints_do_not_wait_for_each_other)
{
	int n;
	add(1, 5, 10);
	add(1, 6, 11);
	add(2, 5, 10);
	(void)start_all(&n);
	assert_int_equal(n, 3);
}

static void TEST(the_next_goes_when_a_success_is_known_and_not_when_it_is_recorded)
{
	struct delivery_result ok = {.verdict = VERDICT_OK, .retry_after_ms = -1};
	add(1, 5, 10);
	add(1, 5, 11);
	struct delivery *first = start_one();
	(void)delivery_queue_finish(queue, first, &ok, now);
	struct delivery *second = start_one();
	assert_int_equal(second->sequence, 11);
	assert_int_equal(delivery_queue_busy(queue, 5), 2);
	delivery_queue_recorded(queue, first, now);
	assert_int_equal(end(second, VERDICT_OK).end.status, DELIVERY_DELIVERED);
	assert_int_equal(delivery_queue_busy(queue, 5), 0);
}

static void TEST(a_failure_is_tried_again_by_the_schedule_and_before_what_follows)
{
	add(1, 5, 10);
	add(1, 5, 11);
	struct delivery_news news = end(start_one(), VERDICT_RETRY);
	assert_int_equal(news.end.status, DELIVERY_PENDING);
	start_none();
	int64_t wait_ms = delivery_queue_tick(queue, now);
	assert_int_equal(wait_ms, news.end.wait_ms);
	now += wait_ms - 1;
	start_none();
	now += 1;
	struct delivery *again = start_one();
	assert_int_equal(again->sequence, 10);
	assert_int_equal(again->attempts, 1);
	end(again, VERDICT_OK);
	assert_int_equal(start_one()->sequence, 11);
}

static void TEST(out_of_attempts_lets_the_next_go)
{
	add(1, 5, 10);
	add(1, 5, 11);
	for (int attempt = 1; attempt <= 8; attempt++) {
		struct delivery *delivery = start_one();
		assert_int_equal(delivery->sequence, 10);
		/* Something else is taken, so that the endpoint does not count as one that takes
		 * nothing; the hold is long over. */
		struct delivery_news news = end(delivery, VERDICT_RETRY);
		assert_int_equal(
			news.end.status, attempt < 8 ? DELIVERY_PENDING : DELIVERY_OUT_OF_ATTEMPTS);
		if (attempt == 8)
			break;
		delivery->hold_until_ms = INT64_MAX;
		delivery_queue_close_partition(queue, 5, now);
		delivery_queue_open_partition(queue, 5, now);
		now = delivery->due_ms;
	}
	now += 60000; /* the breaker's wait for a fresh probe */
	assert_int_equal(start_one()->sequence, 11);
}

/* --- holding --- */

static void TEST(what_is_refused_alone_holds_its_contact_for_an_hour_from_its_first_failure)
{
	add(1, 5, 10);
	add(1, 5, 11);
	int64_t first = now;
	int64_t released = 0;
	end(start_one(), VERDICT_RETRY);
	for (int64_t sequence = 100; released == 0; sequence++) {
		/* Another contact's events are taken all the while. */
		add(1, 6, sequence);
		(void)delivery_queue_tick(queue, now);
		struct outlet *outlet = start_all(NULL)->outlet;
		struct delivery *delivery;
		while ((delivery = TAILQ_FIRST(&outlet->sending)) != NULL) {
			if (delivery->sequence == 11)
				released = now;
			end(delivery, delivery->sequence == 10 ? VERDICT_RETRY : VERDICT_OK);
		}
		now += 10000;
		assert_true(now < first + 2 * HOLD_MS);
	}
	assert_in_range(released, first + HOLD_MS, first + HOLD_MS + 20000);
}

static void TEST(with_one_contact_alone_the_next_is_tried_when_the_hold_ends)
{
	add(1, 5, 10);
	add(1, 5, 11);
	add(1, 5, 12);
	int64_t first = now;
	struct delivery *delivery;
	do {
		delivery = start_one();
		assert_true(delivery->sequence == 10 || now >= first + HOLD_MS);
		if (delivery->sequence != 10)
			break;
		end(delivery, VERDICT_RETRY);
		now += delivery_queue_tick(queue, now);
	} while (now < first + DAY_MS);
	assert_int_equal(delivery->sequence, 11);
	assert_in_range(now, first + HOLD_MS, first + HOLD_MS + 60000);
	/* It is taken: so the other was refused alone, and does not hold what follows either. */
	end(delivery, VERDICT_OK);
	delivery = start_one();
	assert_int_equal(delivery->sequence, 12);
	end(delivery, VERDICT_OK);
	/* It is still tried, by its own schedule. */
	now += delivery_queue_tick(queue, now);
	assert_int_equal(start_one()->sequence, 10);
}

static void TEST(an_endpoint_that_takes_nothing_holds_everything_in_order)
{
	add(1, 5, 10);
	add(1, 5, 11);
	int64_t first = now;
	int last = 10, tried_before = 0;
	/* Everything is refused for three hours. */
	while (now < first + 3 * HOLD_MS) {
		int n;
		struct delivery *delivery = start_all(&n);
		assert_true(n <= 1);
		if (n == 1) {
			tried_before += delivery->sequence == 11;
			end(delivery, VERDICT_RETRY);
		}
		int64_t wait_ms = delivery_queue_tick(queue, now);
		now += wait_ms > 0 ? wait_ms : 1;
	}
	assert_in_range(tried_before, 1,
		3); /* right after the first, to see whether that one is refused alone */
	/* Now all is taken: in order. */
	while (held() > 0) {
		int n;
		struct delivery *delivery = start_all(&n);
		if (n == 1) {
			assert_int_equal(delivery->sequence, last++);
			end(delivery, VERDICT_OK);
			continue;
		}
		now += delivery_queue_tick(queue, now);
	}
}

static void TEST(after_a_restart_nothing_passes_what_waits_for_a_dead_endpoint)
{
	struct delivery_facts row = facts(1, 5, 10);
	row.attempts = 7;
	row.due_in_ms = HOLD_MS * 2;
	row.tried_ago_ms = HOLD_MS * 3;
	delivery_queue_add(queue, &row, now);
	row = facts(1, 5, 11);
	delivery_queue_add(queue, &row, now);
	delivery_queue_set_outlet(queue, 1, OUTLET_OPEN, true, HOLD_MS * 3, now);
	while (now < 1000000 + HOLD_MS * 2) {
		start_none();
		now += delivery_queue_tick(queue, now);
	}
	struct delivery *delivery = start_one();
	assert_int_equal(delivery->sequence, 10);
	end(delivery, VERDICT_OK);
	assert_int_equal(start_one()->sequence, 11);
}

static void TEST(after_a_restart_a_hold_that_is_over_stays_over)
{
	struct delivery_facts row = facts(1, 5, 10);
	row.attempts = 7;
	row.due_in_ms = HOLD_MS * 2;
	row.tried_ago_ms = HOLD_MS * 3;
	row.tried_for_ms = HOLD_MS * 2;
	delivery_queue_add(queue, &row, now);
	row = facts(1, 5, 11);
	delivery_queue_add(queue, &row, now);
	delivery_queue_set_outlet(queue, 1, OUTLET_OPEN, false, 0, now);
	assert_int_equal(start_one()->sequence, 11);
}

static void TEST(after_a_restart_what_was_not_refused_since_its_hold_is_tried_before_others_pass)
{
	struct delivery_facts row = facts(1, 5, 10);
	row.attempts = 6;
	row.due_in_ms = HOLD_MS * 2;
	row.tried_ago_ms = HOLD_MS * 2;
	row.tried_for_ms = HOLD_MS / 2;
	delivery_queue_add(queue, &row, now);
	row = facts(1, 5, 11);
	delivery_queue_add(queue, &row, now);
	delivery_queue_set_outlet(queue, 1, OUTLET_OPEN, false, 0, now);
	/* It may have been refused only while the endpoint took nothing. */
	struct delivery *delivery = start_one();
	assert_int_equal(delivery->sequence, 10);
	add(1, 6, 20);
	end(start_one(), VERDICT_OK);
	end(delivery, VERDICT_RETRY);
	/* Now it is known to be refused alone: once was enough. */
	(void)delivery_queue_tick(queue, now);
	assert_int_equal(start_one()->sequence, 11);
}

/* --- sharing --- */

static void TEST(an_endpoint_gets_its_share_and_what_is_prepared_waits)
{
	int n;
	for (int c = 1; c <= 30; c++)
		add(1, c, c);
	struct delivery *delivery = start_all(&n);
	assert_int_equal(n, 4);
	assert_int_equal(delivery_queue_figures(queue).n_claimed,
		4 * SLOTS_PREPARED_FACTOR); /* the others are at hand */
	end(delivery, VERDICT_OK);
	assert_non_null(delivery_queue_start(queue, now));
	assert_null(delivery_queue_start(queue, now));
}

static void TEST(all_endpoints_together_fill_the_process)
{
	int n;
	for (int w = 1; w <= 10; w++)
		for (int c = 1; c <= 10; c++)
			add(w, c, c);
	(void)start_all(&n);
	assert_int_equal(n, 16);
	/* Nobody got all. */
	for (int w = 1; w <= 5; w++) {
		struct delivery_facts row = facts(w, 100, 1000 + w);
		assert_int_equal(delivery_queue_add(queue, &row, now), DELIVERY_TAKEN);
	}
}

static void TEST(slow_endpoints_leave_half_of_the_slots)
{
	int n;
	for (int w = 1; w <= 4; w++) { /* all are busy, none answers */
		add(w, 1, 1);
		(void)start_all(&n);
		assert_int_equal(n, 1);
	}
	now += SLOW_ENDPOINT_MS + 1;
	for (int w = 1; w <= 4; w++)
		for (int c = 2; c <= 20; c++)
			add(w, c, c);
	(void)start_all(&n);
	assert_in_range(n, 1, 8);
	for (int c = 1; c <= 8; c++)
		add(9, c, c);
	(void)start_all(&n);
	assert_int_equal(n, 4); /* the quick one has its whole share */
}

static void TEST(retries_take_half_of_an_endpoints_slots)
{
	int n;
	for (int c = 1; c <= 20; c++) {
		struct delivery_facts row = facts(1, c, c);
		row.attempts = 1;
		delivery_queue_add(queue, &row, now);
	}
	add(1, 30, 30);
	(void)start_all(&n);
	assert_int_equal(n, 3); /* two retries and the fresh one */
}

static void TEST(a_tripped_endpoint_is_probed_one_at_a_time_until_it_takes)
{
	int n;
	for (int c = 1; c <= 40; c++)
		add(1, c, c);
	struct delivery *delivery = start_all(&n);
	assert_int_equal(n, 4);
	struct outlet *outlet = delivery->outlet;
	int failures = 0;
	bool has_tripped = false;
	while ((delivery = TAILQ_FIRST(&outlet->sending)) != NULL ||
		failures < BREAKER_TRIP_FAILURES) {
		if (delivery == NULL)
			delivery = start_all(&n);
		assert_non_null(delivery);
		has_tripped |= end(delivery, VERDICT_RETRY).has_tripped;
		failures++;
	}
	assert_true(has_tripped);
	assert_int_equal(outlet->n_claimed, 0); /* what was prepared has gone back */
	start_none();
	now += 6000; /* the schedule's first wait and its jitter */
	delivery = start_one();
	assert_true(end(delivery, VERDICT_OK).has_recovered);
	(void)start_all(&n);
	assert_int_equal(n, 4);
}

static void TEST(our_own_faults_trip_nothing)
{
	struct delivery_result ours = {
		.verdict = VERDICT_RETRY, .is_charged = false, .retry_after_ms = -1};
	for (int c = 1; c <= 20; c++) {
		add(1, c, c);
		struct delivery *delivery = start_one();
		struct delivery_news news = delivery_queue_finish(queue, delivery, &ours, now);
		assert_false(news.has_tripped);
		assert_int_equal(news.failing_for_ms, -1);
		delivery_queue_recorded(queue, delivery, now);
	}
	assert_int_equal(delivery_queue_figures(queue).n_failing, 0);
}

/* --- endpoints and partitions --- */

static void TEST(nothing_goes_to_an_unknown_or_paused_endpoint)
{
	struct delivery_facts row = facts(1, 5, 10);
	delivery_queue_add(queue, &row, now);
	start_none();
	delivery_queue_set_outlet(queue, 1, OUTLET_PAUSED, false, 0, now);
	start_none();
	delivery_queue_set_outlet(queue, 1, OUTLET_OPEN, false, 0, now);
	assert_int_equal(start_one()->sequence, 10);
}

static void TEST(what_is_owed_to_a_gone_endpoint_is_forgotten)
{
	add(1, 5, 10);
	add(1, 6, 11);
	add(1, 6, 12);
	int n;
	struct delivery *delivery = start_all(&n);
	assert_int_equal(n, 2);
	delivery_queue_set_outlet(queue, 1, OUTLET_GONE, false, 0, now);
	assert_int_equal(held(), 2); /* in flight */
	end(delivery, VERDICT_RETRY);
	assert_int_equal(held(), 1);
	struct delivery_facts row = facts(1, 6, 13);
	assert_int_equal(delivery_queue_add(queue, &row, now), DELIVERY_UNWANTED);
	/* It may be made active again. */
	delivery_queue_set_outlet(queue, 1, OUTLET_OPEN, false, 0, now);
	assert_int_equal(delivery_queue_add(queue, &row, now), DELIVERY_TAKEN);
}

static void TEST(an_endpoint_that_says_it_is_gone_takes_nothing_more)
{
	add(1, 5, 10);
	struct delivery *delivery = start_one();
	add(1, 5, 11);
	add(1, 6, 12);
	delivery_queue_prepared(queue, delivery_queue_claim(queue, now), now);
	end(delivery, VERDICT_GIVE_UP);
	start_none();
	now += DAY_MS;
	start_none();
	assert_int_equal(delivery_queue_figures(queue).n_claimed, 0);
	/* What its row says decides: here nobody had written it down. */
	delivery_queue_set_outlet(queue, 1, OUTLET_OPEN, false, 0, now);
	int n;
	(void)start_all(&n);
	assert_int_equal(n, 2);
}

static void count_sending(void *ctx, struct delivery *delivery)
{
	assert_int_equal(delivery->state, DELIVERY_SENDING);
	(*(int *)ctx)++;
}

static void TEST(a_partition_is_closed_wound_down_and_dropped)
{
	add(1, 5, 10);
	struct delivery *delivery = start_one();
	for (int64_t sequence = 11; sequence <= 14; sequence++)
		add(1, 5, sequence);
	add(1, 37, 20); /* the same partition */
	add(1, 6, 21);  /* another one */
	delivery_queue_close_partition(queue, 5, now);
	assert_int_equal(start_one()->sequence, 21);
	assert_int_equal(delivery_queue_busy(queue, 5), 1);
	int n_sending = 0;
	(void)delivery;
	delivery_queue_drop_partition(queue, 5, count_sending, &n_sending);
	assert_int_equal(n_sending, 1);
	assert_int_equal(delivery_queue_busy(queue, 5), 0);
	assert_int_equal(held(), 1);
	/* And gained again. */
	add(1, 5, 10);
	start_none();
	delivery_queue_open_partition(queue, 5, now);
	assert_int_equal(start_one()->sequence, 10);
}

static void TEST(a_result_of_an_older_claim_finds_nothing)
{
	add(1, 5, 10);
	struct delivery *delivery = delivery_queue_claim(queue, now);
	uint64_t claim = delivery->claim;
	assert_ptr_equal(delivery_queue_find(queue, 1, 10, claim), delivery);
	delivery_queue_drop_partition(queue, 5, NULL, NULL);
	assert_null(delivery_queue_find(queue, 1, 10, claim));
	delivery_queue_open_partition(queue, 5, now);
	add(1, 5, 10);
	assert_null(delivery_queue_find(queue, 1, 10, claim));
	delivery = delivery_queue_claim(queue, now);
	assert_non_null(delivery);
	assert_null(delivery_queue_find(queue, 1, 10, claim));
}

static void TEST(a_row_that_says_later_waits_until_then)
{
	add(1, 5, 10);
	add(1, 5, 11);
	struct delivery *delivery = delivery_queue_claim(queue, now);
	struct delivery_facts row = facts(1, 5, 10);
	row.attempts = 2;
	row.due_in_ms = 25000;
	row.tried_ago_ms = 10000;
	delivery_queue_put_back(queue, delivery, &row, 0, now);
	start_none();
	assert_int_equal(delivery_queue_tick(queue, now), 25000);
	now += 25000;
	assert_int_equal(start_one()->attempts, 2);
}

/* --- memory --- */

static void fill(int64_t from, int64_t n)
{
	for (int64_t sequence = from; sequence < from + n; sequence++)
		add(1, 5, sequence);
}

static void TEST(memory_is_bounded_and_refilled_in_order)
{
	struct delivery_refill refill;
	fill(1, DELIVERY_SHARD_MAX);
	assert_int_equal(held(), DELIVERY_SHARD_MAX);
	assert_int_equal(add(1, 5, DELIVERY_SHARD_MAX + 1), DELIVERY_BEYOND);
	assert_int_equal(add(1, 5, DELIVERY_SHARD_MAX + 2), DELIVERY_BEYOND);
	assert_false(delivery_queue_next_refill(queue, &refill));
	int64_t want = 1;
	while (want <= DELIVERY_SHARD_MAX / 2 + 4) {
		struct delivery *delivery = start_one();
		assert_int_equal(delivery->sequence, want++);
		end(delivery, VERDICT_OK);
	}
	assert_true(delivery_queue_next_refill(queue, &refill));
	assert_int_equal(refill.after, DELIVERY_SHARD_MAX);
	assert_false(delivery_queue_next_refill(queue, &(struct delivery_refill){0}));
	/* Another comes while the page is being read: it may be missing there. */
	assert_int_equal(add(1, 5, DELIVERY_SHARD_MAX + 3), DELIVERY_BEYOND);
	struct delivery_facts rows[2] = {
		facts(1, 5, DELIVERY_SHARD_MAX + 1), facts(1, 5, DELIVERY_SHARD_MAX + 2)};
	delivery_queue_refill(queue, &refill, rows, 2, true, now);
	assert_true(delivery_queue_next_refill(queue, &refill));
	assert_int_equal(refill.after, DELIVERY_SHARD_MAX + 2);
	rows[0] = facts(1, 5, DELIVERY_SHARD_MAX + 3);
	delivery_queue_refill(queue, &refill, rows, 1, true, now);
	assert_false(delivery_queue_next_refill(queue, &refill));
	assert_int_equal(add(1, 5, DELIVERY_SHARD_MAX + 4), DELIVERY_TAKEN);
}

static void TEST(a_page_that_could_not_be_read_is_asked_for_again)
{
	struct delivery_refill refill;
	fill(1, 10);
	delivery_queue_resync(queue, 1, 5, 4, now);
	assert_int_equal(held(), 3);
	assert_true(delivery_queue_next_refill(queue, &refill));
	delivery_queue_refill(queue, &refill, NULL, -1, false, now);
	assert_true(delivery_queue_next_refill(queue, &refill));
	assert_int_equal(refill.after, 3);
}

static void TEST(resync_forgets_what_waits_and_a_page_of_before_is_not_taken)
{
	struct delivery_refill refill, before;
	fill(1, 10);
	struct delivery *delivery = start_one();
	assert_int_equal(delivery->sequence, 1);
	delivery_queue_resync(queue, 1, 5, 8, now);
	assert_int_equal(held(), 7);
	assert_true(delivery_queue_next_refill(queue, &before));
	delivery_queue_resync(queue, 1, 5, 1, now);
	assert_int_equal(held(), 1); /* in flight */
	struct delivery_facts rows[3] = {facts(1, 5, 8), facts(1, 5, 9), facts(1, 5, 10)};
	delivery_queue_refill(queue, &before, rows, 3, true, now);
	assert_int_equal(held(), 1);
	/* One that fails beyond the mark is left to the page. */
	end(delivery, VERDICT_RETRY);
	assert_int_equal(held(), 0);
	assert_true(delivery_queue_next_refill(queue, &refill));
	assert_int_equal(refill.after, 0);
	rows[0] = facts(1, 5, 1);
	delivery_queue_refill(queue, &refill, rows, 3, true, now);
	assert_int_equal(start_one()->sequence, 1);
}

static void TEST(late_ones_with_low_sequences_come_in_up_to_a_hard_bound)
{
	fill(10000, DELIVERY_SHARD_MAX);
	int64_t sequence = 9999;
	while (held() < DELIVERY_SHARD_HARD)
		assert_int_equal(add(1, 5, sequence--), DELIVERY_TAKEN);
	assert_int_equal(add(1, 5, 5), DELIVERY_BEYOND);
	assert_int_equal(held(), 0); /* all lie beyond it */
	struct delivery_refill refill;
	assert_true(delivery_queue_next_refill(queue, &refill));
	assert_int_equal(refill.after, 4);
}

static void nothing(void *ctx, int32_t webhook_id)
{
	(void)webhook_id;
	(*(int *)ctx)++;
}

static void TEST(idle_endpoints_are_forgotten)
{
	int n = 0;
	add(1, 5, 10);
	add(2, 5, 10);
	end(start_all(NULL), VERDICT_OK);
	delivery_queue_each_outlet(queue, 1000, now, nothing, nothing, &n);
	assert_int_equal(n, 2);
	now += 1000;
	delivery_queue_each_outlet(queue, 1000, now, nothing, nothing, &n);
	assert_int_equal(delivery_queue_figures(queue).n_outlets, 1);
	assert_int_equal(held(), 1);
}

#define story(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		story(one_at_a_time_in_order),
		story(an_earlier_one_that_comes_late_waits_for_the_one_in_flight),
		story(what_is_being_prepared_goes_back_when_an_earlier_one_comes),
		story(contacts_and_endpoints_do_not_wait_for_each_other),
		story(the_next_goes_when_a_success_is_known_and_not_when_it_is_recorded),
		story(a_failure_is_tried_again_by_the_schedule_and_before_what_follows),
		story(out_of_attempts_lets_the_next_go),
		story(what_is_refused_alone_holds_its_contact_for_an_hour_from_its_first_failure),
		story(with_one_contact_alone_the_next_is_tried_when_the_hold_ends),
		story(an_endpoint_that_takes_nothing_holds_everything_in_order),
		story(after_a_restart_nothing_passes_what_waits_for_a_dead_endpoint),
		story(after_a_restart_a_hold_that_is_over_stays_over),
		story(after_a_restart_what_was_not_refused_since_its_hold_is_tried_before_others_pass),
		story(an_endpoint_gets_its_share_and_what_is_prepared_waits),
		story(all_endpoints_together_fill_the_process),
		story(slow_endpoints_leave_half_of_the_slots),
		story(retries_take_half_of_an_endpoints_slots),
		story(a_tripped_endpoint_is_probed_one_at_a_time_until_it_takes),
		story(our_own_faults_trip_nothing),
		story(nothing_goes_to_an_unknown_or_paused_endpoint),
		story(what_is_owed_to_a_gone_endpoint_is_forgotten),
		story(an_endpoint_that_says_it_is_gone_takes_nothing_more),
		story(a_partition_is_closed_wound_down_and_dropped),
		story(a_result_of_an_older_claim_finds_nothing),
		story(a_row_that_says_later_waits_until_then),
		story(memory_is_bounded_and_refilled_in_order),
		story(a_page_that_could_not_be_read_is_asked_for_again),
		story(resync_forgets_what_waits_and_a_page_of_before_is_not_taken),
		story(late_ones_with_low_sequences_come_in_up_to_a_hard_bound),
		story(idle_endpoints_are_forgotten),
	};
	return cmocka_run_group_tests_name("delivery_queue", tests, NULL, NULL);
}
