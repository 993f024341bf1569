/* One scan a partition, each a chain of pages; at most MAX_RUNNING scans at once. */
#include "services/sender/head_sweep.h"

#include <stdio.h>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/partition.h"
#include "services/sender/sender_limits.h"

#define TICK_MS           250
#define TICKS_PER_ROUND   32 /* every partition once in 8 s */
#define MAX_RUNNING       2
#define BEYOND_ALL_PHONES "~"

enum scan_want { SCAN_NOT_WANTED, SCAN_SLOW, SCAN_URGENT };

struct scan {
	struct head_sweep *sweep;
	int partition;
	bool is_owned;
	bool is_running;
	bool is_first;    /* nothing of it was read since it is ours */
	bool has_skipped; /* some did not find room */
	enum scan_want want;
	int generation;      /* of the ownership */
	int read_generation; /* when the page was asked for */
	int64_t stamp;       /* of the first page */
	int64_t page_stamp;
	int32_t after_session_id;
	char after_phone[PHONE_SIZE];
};

struct head_sweep {
	struct sender_store *store;
	struct send_queue *queue;
	struct loop_timer *tick;
	struct loop_timer *retry;
	struct backoff backoff;
	struct head_sweep_events events;
	void *ctx;
	struct scan scans[OUTBOUND_PARTITIONS];
	int n_running;
	int next; /* of the slow round */
	int64_t found;
};

static void start_some(void *ctx);
static void on_tick(void *ctx);

struct head_sweep *head_sweep_new(struct loop *loop, struct sender_store *store,
	struct send_queue *queue, const struct head_sweep_events *events, void *ctx)
{
	struct head_sweep *sweep = mem_new(struct head_sweep);
	sweep->store = store;
	sweep->queue = queue;
	sweep->events = *events;
	sweep->ctx = ctx;
	for (int p = 0; p < OUTBOUND_PARTITIONS; p++) {
		sweep->scans[p].sweep = sweep;
		sweep->scans[p].partition = p;
	}
	backoff_init(&sweep->backoff, 200, 3000);
	sweep->tick = loop_timer_new(loop, "sweep_tick", on_tick, sweep);
	sweep->retry = loop_timer_new(loop, "sweep_start", start_some, sweep);
	loop_timer_arm(sweep->tick, TICK_MS);
	return sweep;
}

void head_sweep_free(struct head_sweep **sweep)
{
	if (*sweep == NULL) {
		return;
	}
	for (int i = 0; i < (*sweep)->n_running; i++) {
		send_queue_read_end((*sweep)->queue);
	}
	loop_timer_free(&(*sweep)->tick);
	loop_timer_free(&(*sweep)->retry);
	mem_free(*sweep);
	*sweep = NULL;
}

static void want(struct scan *scan, enum scan_want how)
{
	if (scan->want < how) {
		scan->want = how;
	}
}

void head_sweep_want(struct head_sweep *sweep, int partition)
{
	struct scan *scan = &sweep->scans[partition];
	if (!scan->is_owned) {
		scan->is_owned = true;
		scan->is_first = true;
		scan->generation++;
	}
	want(scan, SCAN_URGENT);
	loop_timer_arm(sweep->retry, 0);
}

void head_sweep_drop(struct head_sweep *sweep, int partition)
{
	sweep->scans[partition].is_owned = false;
	sweep->scans[partition].want = SCAN_NOT_WANTED;
	sweep->scans[partition].generation++;
}

void head_sweep_wake(struct head_sweep *sweep)
{
	backoff_succeed(&sweep->backoff);
	loop_timer_arm(sweep->retry, 0);
}

int64_t head_sweep_found(const struct head_sweep *sweep)
{
	return sweep->found;
}

/* Pages. */

static void read_page(struct scan *scan);

static void scan_stop(struct scan *scan)
{
	scan->is_running = false;
	scan->sweep->n_running--;
	send_queue_read_end(scan->sweep->queue);
}

static void scan_failed(struct scan *scan, enum pg_status status, const struct err *err)
{
	struct head_sweep *sweep = scan->sweep;
	if (sweep->backoff.failures == 0) {
		log_warn("sweep_page", log_int("partition", scan->partition),
			log_text("status", pg_status_name(status)), log_err(err));
	}
	scan_stop(scan);
	want(scan, SCAN_URGENT);
	loop_timer_arm(sweep->retry, backoff_fail_ms(&sweep->backoff));
}

static void scan_done(struct scan *scan)
{
	struct head_sweep *sweep = scan->sweep;
	scan_stop(scan);
	if (!scan->has_skipped) {
		send_queue_scan_end(sweep->queue, scan->partition, scan->stamp);
	}
	scan->is_first = false;
	sweep->events.on_scanned(sweep->ctx, scan->partition);
	start_some(sweep);
}

/* Merge the conversation whose rows begin at `at`. Returns where the next one's do. */
static int merge_one(struct scan *scan, const struct store_message *rows, int n, int at,
	int32_t *full_session_id)
{
	struct head_sweep *sweep = scan->sweep;
	const struct conversation_key *key = &rows[at].key;
	struct send_message messages[MAX_MESSAGES_READ];
	int count = 0;
	int end = at;
	for (; end < n && rows[end].key.session_id == key->session_id &&
		sv_eq(rows[end].key.phone, key->phone);
		end++) {
		if (rows[end].has_message && count < MAX_MESSAGES_READ) {
			messages[count++] = rows[end].message;
		}
	}
	if (key->session_id == *full_session_id) {
		return end;
	}
	int before = send_queue_conversations(sweep->queue, scan->partition);
	if (!send_queue_merge(sweep->queue, key, messages, count, count < MAX_MESSAGES_READ,
		    scan->page_stamp, clock_mono_ms())) {
		*full_session_id = key->session_id;
		scan->has_skipped = true;
	}
	if (!scan->is_first) {
		sweep->found += send_queue_conversations(sweep->queue, scan->partition) - before;
	}
	return end;
}

/* Merge all and move the cursor. Returns how many conversations there were. */
static int merge_page(struct scan *scan, const struct store_message *rows, int n)
{
	int32_t full_session_id = 0;
	int count = 0;
	for (int at = 0; at < n; count++) {
		at = merge_one(scan, rows, n, at, &full_session_id);
	}
	if (n > 0) {
		const struct conversation_key *last = &rows[n - 1].key;
		scan->after_session_id = last->session_id;
		/* What more there is of a session without room is not worth walking through. */
		(void)snprintf(scan->after_phone, sizeof(scan->after_phone), "%.*s",
			SV_ARG(last->session_id == full_session_id ? SV_LIT(BEYOND_ALL_PHONES)
								   : last->phone));
	}
	return count;
}

static void on_page(void *ctx, enum pg_status status, const struct err *err,
	const struct store_message *rows, int n)
{
	struct scan *scan = ctx;
	struct head_sweep *sweep = scan->sweep;
	if (scan->read_generation != scan->generation) { /* lost meanwhile, perhaps gained again */
		scan_stop(scan);
		start_some(sweep);
		return;
	}
	if (status != PG_OK) {
		scan_failed(scan, status, err);
		return;
	}
	backoff_succeed(&sweep->backoff);
	int count = merge_page(scan, rows, n);
	if (count < MAX_CONVERSATIONS_READ) {
		scan_done(scan);
	} else {
		send_queue_read_end(sweep->queue);
		read_page(scan);
	}
	sweep->events.on_change(sweep->ctx);
}

static void read_page(struct scan *scan)
{
	struct head_sweep *sweep = scan->sweep;
	scan->page_stamp = send_queue_read_begin(sweep->queue);
	scan->read_generation = scan->generation;
	if (scan->stamp == 0) {
		scan->stamp = scan->page_stamp;
	}
	sender_store_read_page(sweep->store, scan->partition, scan->after_session_id,
		sv_from(scan->after_phone), MAX_CONVERSATIONS_READ, MAX_MESSAGES_READ, on_page,
		scan);
}

static void scan_start(struct scan *scan)
{
	struct head_sweep *sweep = scan->sweep;
	scan->want = SCAN_NOT_WANTED;
	scan->is_running = true;
	scan->has_skipped = false;
	scan->stamp = 0;
	scan->after_session_id = 0;
	scan->after_phone[0] = '\0';
	(void)send_queue_take_missed(sweep->queue, scan->partition);
	sweep->n_running++;
	read_page(scan);
}

/* The next that is wanted so much, after the one that was started last. */
static struct scan *find_wanted(struct head_sweep *sweep, enum scan_want how)
{
	for (int i = 0; i < OUTBOUND_PARTITIONS; i++) {
		struct scan *scan = &sweep->scans[(sweep->next + i) % OUTBOUND_PARTITIONS];
		if (scan->want == how && !scan->is_running) {
			return scan;
		}
	}
	return NULL;
}

static void start_some(void *ctx)
{
	struct head_sweep *sweep = ctx;
	while (sweep->n_running < MAX_RUNNING && !loop_timer_is_armed(sweep->retry)) {
		struct scan *scan = find_wanted(sweep, SCAN_URGENT);
		scan = scan != NULL ? scan : find_wanted(sweep, SCAN_SLOW);
		if (scan == NULL) {
			return;
		}
		scan_start(scan);
	}
}

/* Time for the slow round's next partitions, and for those that were left for lack of room. */
static void on_tick(void *ctx)
{
	struct head_sweep *sweep = ctx;
	bool has_room = send_queue_has_room(sweep->queue);
	for (int p = 0; p < OUTBOUND_PARTITIONS; p++) {
		struct scan *scan = &sweep->scans[p];
		if (scan->is_owned && has_room && send_queue_take_missed(sweep->queue, p)) {
			want(scan, SCAN_URGENT);
		}
	}
	for (int i = 0; i < OUTBOUND_PARTITIONS / TICKS_PER_ROUND; i++) {
		struct scan *scan = &sweep->scans[sweep->next];
		sweep->next = (sweep->next + 1) % OUTBOUND_PARTITIONS;
		if (scan->is_owned) {
			want(scan, SCAN_SLOW);
		}
	}
	start_some(sweep);
	loop_timer_arm(sweep->tick, TICK_MS);
}
