/* Passes over partitions, a page at a time. */
#include "services/webhooker/open_sweep.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/partition.h"
#include "services/webhooker/delivery_shard.h"

#define AGAIN_MS       250 /* after a read that failed, or while Postgres is away */
#define REST_FACTOR    20  /* a slow pass rests that many times as long as its page took */
#define REST_MIN_MS    20
#define CLOCK_AHEAD_MS (-3600000) /* a "least age" that leaves nothing out */

struct swept {
	bool is_added;
	bool is_loaded;
	bool wants_load;
	int64_t passed_ms;      /* is_loaded: when the last complete pass began */
	int64_t oldest_wall_ms; /* that it saw; -1: none */
};

struct pass {
	int partition; /* -1: none is under way */
	bool is_load;
	int64_t began_ms;
	int64_t page_began_ms;
	int32_t webhook_id; /* the next page begins behind these */
	int64_t sequence;
	int64_t oldest_wall_ms;
};

struct open_sweep {
	struct open_sweep_options options;
	struct swept swept[EVENT_PARTITIONS];
	struct pass pass;
	bool is_reading;
	bool is_stale; /* the pass that is being read for is void */
	bool is_stopped;
	int last_partition; /* of the slow round */
	struct loop_timer *timer;
	struct delivery_refill refill;
	bool is_refilling;
	struct loop_timer *refill_timer;
	struct delivery_facts rows[DELIVERY_SHARD_MAX];
};

/* --- which partition --- */

static int find_load(const struct open_sweep *sweep)
{
	for (int p = 0; p < EVENT_PARTITIONS; p++) {
		if (sweep->swept[p].is_added && sweep->swept[p].wants_load)
			return p;
	}
	return -1;
}

static int find_next(struct open_sweep *sweep)
{
	for (int i = 1; i <= EVENT_PARTITIONS; i++) {
		int p = (sweep->last_partition + i) % EVENT_PARTITIONS;
		if (sweep->swept[p].is_added) {
			sweep->last_partition = p;
			return p;
		}
	}
	return -1;
}

static void pass_begin(struct open_sweep *sweep, int partition, bool is_load)
{
	sweep->pass = (struct pass){
		.partition = partition,
		.is_load = is_load,
		.began_ms = clock_mono_ms(),
		.oldest_wall_ms = -1,
	};
	if (is_load)
		sweep->swept[partition].wants_load = false;
}

static void pass_end(struct open_sweep *sweep)
{
	struct swept *swept = &sweep->swept[sweep->pass.partition];
	int partition = sweep->pass.partition;
	bool was_loaded = swept->is_loaded;

	swept->is_loaded = true;
	swept->passed_ms = sweep->pass.began_ms;
	swept->oldest_wall_ms = sweep->pass.oldest_wall_ms;
	sweep->pass.partition = -1;
	loop_timer_arm(sweep->timer, find_load(sweep) >= 0 ? 0 : SWEEP_EVERY_MS);
	if (!was_loaded)
		sweep->options.on_loaded(sweep->options.ctx, partition);
}

/* --- pages --- */

/* What lies beyond memory's bound, or is to be closed, need not be looked at one by one. */
static bool skips_rest(enum delivery_intake intake)
{
	return intake == DELIVERY_BEYOND || intake == DELIVERY_UNWANTED;
}

static void take_page(struct open_sweep *sweep, const struct pg_result *result)
{
	struct pass *pass = &sweep->pass;
	struct delivery_facts facts;

	for (int row = 0; row < pg_rows(result); row++) {
		store_open_row(result, row, &facts);
		if (pass->oldest_wall_ms < 0 || facts.created_at_wall_ms < pass->oldest_wall_ms)
			pass->oldest_wall_ms = facts.created_at_wall_ms;
		if (facts.webhook_id == pass->webhook_id && pass->sequence == INT64_MAX)
			continue;
		pass->webhook_id = facts.webhook_id;
		pass->sequence = facts.sequence;
		if (skips_rest(sweep->options.on_row(sweep->options.ctx, &facts)))
			pass->sequence = INT64_MAX;
	}
}

static void rest(struct open_sweep *sweep)
{
	int64_t took_ms = clock_mono_ms() - sweep->pass.page_began_ms;
	int64_t rest_ms = took_ms * REST_FACTOR;

	loop_timer_arm(sweep->timer, sweep->pass.is_load     ? 0
				     : rest_ms < REST_MIN_MS ? REST_MIN_MS
							     : rest_ms);
}

static void on_page(void *ctx, const struct pg_result *result)
{
	struct open_sweep *sweep = ctx;

	sweep->is_reading = false;
	if (sweep->is_stopped)
		return;
	if (sweep->is_stale) {
		sweep->is_stale = false;
		sweep->pass.partition = -1;
		loop_timer_arm(sweep->timer, 0);
		return;
	}
	if (pg_status(result) != PG_OK) {
		log_warn("open_sweep", log_int("partition", sweep->pass.partition),
			log_text("status", pg_status_name(pg_status(result))),
			log_err(pg_err(result)));
		loop_timer_arm(sweep->timer, AGAIN_MS);
		return;
	}
	take_page(sweep, result);
	if (pg_rows(result) < SWEEP_PAGE)
		pass_end(sweep);
	else
		rest(sweep);
}

static void step(void *ctx)
{
	struct open_sweep *sweep = ctx;
	struct pass *pass = &sweep->pass;
	int load = find_load(sweep);

	if (sweep->is_reading || sweep->is_stopped)
		return;
	if (!webhooker_store_is_up(sweep->options.store)) {
		loop_timer_arm(sweep->timer, AGAIN_MS);
		return;
	}
	if (load >= 0 && (pass->partition < 0 || !pass->is_load)) {
		pass_begin(sweep, load, true);
	} else if (pass->partition < 0) {
		int next = find_next(sweep);
		if (next < 0)
			return;
		pass_begin(sweep, next, false);
	}
	pass->page_began_ms = clock_mono_ms();
	sweep->is_reading = true;
	store_sweep(sweep->options.store, pass->partition, pass->webhook_id, pass->sequence,
		pass->is_load ? CLOCK_AHEAD_MS : SWEEP_MIN_AGE_MS, SWEEP_PAGE, on_page, sweep);
}

static void void_pass(struct open_sweep *sweep, int partition)
{
	if (sweep->pass.partition != partition)
		return;
	if (sweep->is_reading)
		sweep->is_stale = true;
	else
		sweep->pass.partition = -1;
}

void open_sweep_add(struct open_sweep *sweep, int partition)
{
	void_pass(sweep, partition);
	sweep->swept[partition] =
		(struct swept){.is_added = true, .wants_load = true, .oldest_wall_ms = -1};
	loop_timer_arm(sweep->timer, 0);
}

void open_sweep_remove(struct open_sweep *sweep, int partition)
{
	void_pass(sweep, partition);
	sweep->swept[partition] = (struct swept){.is_added = false, .oldest_wall_ms = -1};
}

void open_sweep_reload(struct open_sweep *sweep, int partition)
{
	if (!sweep->swept[partition].is_added)
		return;
	/* A pass that is under way may have gone by where something was lost. */
	void_pass(sweep, partition);
	sweep->swept[partition].wants_load = true;
	loop_timer_arm(sweep->timer, 0);
}

void open_sweep_stop(struct open_sweep *sweep)
{
	sweep->is_stopped = true;
	loop_timer_disarm(sweep->timer);
	loop_timer_disarm(sweep->refill_timer);
}

int64_t open_sweep_look_back_ms(const struct open_sweep *sweep, int partition, int64_t now_ms)
{
	const struct swept *swept = &sweep->swept[partition];

	ASSERT(swept->is_loaded);
	return now_ms - swept->passed_ms + SWEEP_MIN_AGE_MS + SWEEP_SLACK_MS;
}

int64_t open_sweep_oldest_wall_ms(const struct open_sweep *sweep)
{
	int64_t oldest = -1;

	for (int p = 0; p < EVENT_PARTITIONS; p++) {
		int64_t wall_ms = sweep->swept[p].oldest_wall_ms;
		if (wall_ms >= 0 && (oldest < 0 || wall_ms < oldest))
			oldest = wall_ms;
	}
	return oldest;
}

/* --- refills --- */

static void on_refill(void *ctx, const struct pg_result *result)
{
	struct open_sweep *sweep = ctx;
	int64_t now_ms = clock_mono_ms();

	sweep->is_refilling = false;
	if (sweep->is_stopped)
		return;
	if (pg_status(result) != PG_OK) {
		log_warn("open_refill", log_int("webhook", sweep->refill.webhook_id),
			log_text("status", pg_status_name(pg_status(result))),
			log_err(pg_err(result)));
		loop_timer_arm(sweep->refill_timer, AGAIN_MS);
		delivery_queue_refill(
			sweep->options.queue, &sweep->refill, NULL, -1, false, now_ms);
		return;
	}
	int n = pg_rows(result);
	for (int row = 0; row < n; row++)
		store_open_row(result, row, &sweep->rows[row]);
	delivery_queue_refill(sweep->options.queue, &sweep->refill, sweep->rows, n,
		n < DELIVERY_SHARD_MAX, now_ms);
	sweep->options.on_refilled(sweep->options.ctx);
}

void open_sweep_refill(struct open_sweep *sweep)
{
	if (sweep->is_refilling || sweep->is_stopped || loop_timer_is_armed(sweep->refill_timer) ||
		!delivery_queue_next_refill(sweep->options.queue, &sweep->refill))
		return;
	sweep->is_refilling = true;
	store_refill(sweep->options.store, sweep->refill.webhook_id, sweep->refill.partition,
		sweep->refill.after, DELIVERY_SHARD_MAX, on_refill, sweep);
}

static void on_refill_timer(void *ctx)
{
	open_sweep_refill(ctx);
}

/* --- life --- */

struct open_sweep *open_sweep_new(const struct open_sweep_options *options)
{
	struct open_sweep *sweep = mem_new(struct open_sweep);

	sweep->options = *options;
	sweep->pass.partition = -1;
	for (int p = 0; p < EVENT_PARTITIONS; p++)
		sweep->swept[p].oldest_wall_ms = -1;
	sweep->timer = loop_timer_new(options->loop, "open_sweep", step, sweep);
	sweep->refill_timer = loop_timer_new(options->loop, "open_refill", on_refill_timer, sweep);
	return sweep;
}

void open_sweep_free(struct open_sweep **sweep)
{
	if (*sweep == NULL)
		return;
	loop_timer_free(&(*sweep)->timer);
	loop_timer_free(&(*sweep)->refill_timer);
	mem_free(*sweep);
	*sweep = NULL;
}
