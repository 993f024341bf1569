/* Reading endpoints, in batches. */
#include "services/webhooker/endpoint_set.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/attr.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define MAX_READ       500 /* endpoints in one statement */
#define MAX_NOTES      256
#define READ_AGAIN_MS  250
#define WRITE_AFTER_MS 500 /* an endpoint that is refusing now and then changes often */

struct note {
	int64_t webhook_id;
	bool is_failing;
	int64_t since_ms;
};

struct endpoint_set {
	struct endpoint_set_options options;
	struct id_table endpoints;
	struct loop_timer *reread_timer;
	struct loop_timer *retry_timer;
	struct loop_turn *turn;
	int64_t *wanted; /* to be read next; perhaps some of them twice */
	int n_wanted;
	int wanted_cap;
	int64_t reading[MAX_READ];
	int n_reading; /* 0: no read is under way */
	struct note notes[MAX_NOTES];
	int n_notes;
	bool is_writing;
	struct loop_timer *write_timer;
	int n_disabling; /* statements under way */
};

struct endpoint *endpoint_set_find(struct endpoint_set *set, int32_t webhook_id)
{
	struct id_node *node = id_table_find(&set->endpoints, webhook_id, 0);

	return node == NULL ? NULL : container_of(node, struct endpoint, node);
}

/* --- reading --- */

static void want(struct endpoint_set *set, int32_t webhook_id)
{
	if (set->n_wanted == set->wanted_cap) {
		set->wanted_cap = set->wanted_cap == 0 ? 64 : set->wanted_cap * 2;
		set->wanted =
			mem_realloc(set->wanted, (size_t)set->wanted_cap * sizeof(*set->wanted));
	}
	set->wanted[set->n_wanted++] = webhook_id;
	loop_turn_request(set->turn);
}

void endpoint_set_want(struct endpoint_set *set, int32_t webhook_id)
{
	if (endpoint_set_find(set, webhook_id) != NULL)
		return;
	struct endpoint *endpoint = endpoint_new(webhook_id);
	id_table_insert(&set->endpoints, &endpoint->node);
	want(set, webhook_id);
}

static void tell(struct endpoint_set *set, struct endpoint *endpoint, enum outlet_state before)
{
	delivery_queue_set_outlet(set->options.queue, endpoint->webhook_id, endpoint->state,
		endpoint->is_failing, endpoint->failing_for_ms, clock_mono_ms());
	if (endpoint->state != before)
		set->options.on_change(set->options.ctx, endpoint->webhook_id, endpoint->state);
}

static void take_read(struct endpoint_set *set, int32_t webhook_id, const struct pg_result *result,
	int first, int n_rows)
{
	struct endpoint *endpoint = endpoint_set_find(set, webhook_id);

	if (endpoint == NULL || endpoint->is_disabling)
		return;
	enum outlet_state before = endpoint->state;
	if (n_rows == 0)
		endpoint_take_absence(endpoint);
	else if (endpoint_take_rows(endpoint, set->options.box, result, first, n_rows))
		log_error("endpoint_unsigned", log_int("webhook", webhook_id),
			log_err(&endpoint->fault));
	tell(set, endpoint, before);
}

/* The rows come by id, and so do the ids that were asked for. */
static void take_all(struct endpoint_set *set, const struct pg_result *result)
{
	int row = 0;

	for (int i = 0; i < set->n_reading; i++) {
		int32_t webhook_id = (int32_t)set->reading[i];
		struct store_endpoint from = {.webhook_id = 0};
		int first;
		for (first = row; row < pg_rows(result); row++) {
			store_endpoint_row(result, row, &from);
			if (from.webhook_id != webhook_id)
				break;
		}
		take_read(set, webhook_id, result, first, row - first);
	}
}

static void on_read(void *ctx, const struct pg_result *result)
{
	struct endpoint_set *set = ctx;

	if (pg_status(result) == PG_OK) {
		take_all(set, result);
		set->n_reading = 0;
		loop_turn_request(set->turn);
		return;
	}
	log_warn("endpoints_read", log_text("status", pg_status_name(pg_status(result))),
		log_err(pg_err(result)));
	for (int i = 0; i < set->n_reading; i++)
		want(set, (int32_t)set->reading[i]);
	set->n_reading = 0;
	loop_timer_arm(set->retry_timer, READ_AGAIN_MS);
}

static int compare_ids(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

static int drop_doubles(int64_t *ids, int n_ids)
{
	int n = 0;

	for (int i = 0; i < n_ids; i++) {
		if (n == 0 || ids[n - 1] != ids[i])
			ids[n++] = ids[i];
	}
	return n;
}

static void read_wanted(struct endpoint_set *set)
{
	if (set->n_reading > 0 || loop_timer_is_armed(set->retry_timer))
		return;
	if (set->n_wanted == 0)
		return;
	if (!webhooker_store_is_up(set->options.store)) {
		loop_timer_arm(set->retry_timer, READ_AGAIN_MS);
		return;
	}
	qsort(set->wanted, (size_t)set->n_wanted, sizeof(*set->wanted), compare_ids);
	set->n_wanted = drop_doubles(set->wanted, set->n_wanted);
	set->n_reading = set->n_wanted < MAX_READ ? set->n_wanted : MAX_READ;
	set->n_wanted -= set->n_reading;
	memcpy(set->reading, set->wanted, (size_t)set->n_reading * sizeof(*set->wanted));
	memmove(set->wanted, set->wanted + set->n_reading,
		(size_t)set->n_wanted * sizeof(*set->wanted));
	store_endpoints(set->options.store, set->reading, set->n_reading, on_read, set);
}

/* --- writing --- */

static void on_noted(void *ctx, const struct pg_result *result)
{
	struct endpoint_set *set = ctx;

	set->is_writing = false;
	/* What was not written shows when the row is reread, and is noted again with the next POST.
	 */
	if (pg_status(result) != PG_OK)
		log_warn("endpoints_note", log_text("status", pg_status_name(pg_status(result))),
			log_err(pg_err(result)));
	if (set->n_notes > 0)
		loop_timer_arm(set->write_timer, WRITE_AFTER_MS);
}

static void on_write_timer(void *ctx)
{
	struct endpoint_set *set = ctx;
	int64_t ids[MAX_NOTES], ago_ms[MAX_NOTES];
	bool are_failing[MAX_NOTES];
	int64_t now_ms = clock_mono_ms();

	if (set->is_writing || set->n_notes == 0)
		return;
	for (int i = 0; i < set->n_notes; i++) {
		ids[i] = set->notes[i].webhook_id;
		are_failing[i] = set->notes[i].is_failing;
		ago_ms[i] = now_ms - set->notes[i].since_ms;
	}
	set->is_writing = true;
	store_endpoints_failing(
		set->options.store, ids, are_failing, ago_ms, set->n_notes, on_noted, set);
	set->n_notes = 0;
}

static void note(struct endpoint_set *set, int32_t webhook_id, bool is_failing, int64_t ago_ms)
{
	int i = 0;

	while (i < set->n_notes && set->notes[i].webhook_id != webhook_id)
		i++;
	if (i == MAX_NOTES)
		return;
	if (i == set->n_notes)
		set->n_notes++;
	set->notes[i] = (struct note){
		.webhook_id = webhook_id,
		.is_failing = is_failing,
		.since_ms = clock_mono_ms() - ago_ms,
	};
	if (!set->is_writing && !loop_timer_is_armed(set->write_timer))
		loop_timer_arm(set->write_timer, WRITE_AFTER_MS);
}

static void believe_rows(struct endpoint_set *set)
{
	struct id_node *node = NULL;

	while ((node = id_table_next(&set->endpoints, node)) != NULL)
		container_of(node, struct endpoint, node)->is_disabling = false;
}

static void on_disabled(void *ctx, const struct pg_result *result)
{
	struct endpoint_set *set = ctx;

	if (--set->n_disabling == 0)
		believe_rows(set);
	/* When it failed, the endpoint says so once more. */
	if (pg_status(result) == PG_OK && pg_affected(result) > 0)
		loop_timer_arm(set->reread_timer, 0);
}

static void disable(
	struct endpoint_set *set, int32_t webhook_id, const char *reason, int64_t failing_ms)
{
	set->n_disabling++;
	store_endpoint_disable(
		set->options.store, webhook_id, reason, failing_ms, on_disabled, set);
}

void endpoint_set_note(
	struct endpoint_set *set, int32_t webhook_id, int64_t failing_for_ms, int64_t ago_ms)
{
	struct endpoint *endpoint = endpoint_set_find(set, webhook_id);
	bool is_failing = failing_for_ms >= 0;

	if (endpoint == NULL)
		return;
	if (endpoint->is_failing != is_failing) {
		endpoint->is_failing = is_failing;
		note(set, webhook_id, is_failing, ago_ms);
	} else if (failing_for_ms > ENDPOINT_FAILING_MS) {
		disable(set, webhook_id, "failing", ENDPOINT_FAILING_MS);
	}
}

void endpoint_set_gone(struct endpoint_set *set, int32_t webhook_id)
{
	struct endpoint *endpoint = endpoint_set_find(set, webhook_id);

	log_warn("endpoint_gone", log_int("webhook", webhook_id));
	if (endpoint != NULL)
		endpoint->is_disabling = true;
	disable(set, webhook_id, "gone", 0);
}

/* --- time --- */

static void on_turn(void *ctx)
{
	read_wanted(ctx);
}

static void on_known(void *ctx, int32_t webhook_id)
{
	struct endpoint_set *set = ctx;

	if (endpoint_set_find(set, webhook_id) == NULL)
		endpoint_set_want(set, webhook_id);
	else
		want(set, webhook_id);
}

static void on_forgotten(void *ctx, int32_t webhook_id)
{
	struct endpoint_set *set = ctx;
	struct endpoint *endpoint = endpoint_set_find(set, webhook_id);

	if (endpoint == NULL)
		return;
	id_table_remove(&set->endpoints, &endpoint->node);
	endpoint_free(&endpoint);
}

static void on_reread(void *ctx)
{
	struct endpoint_set *set = ctx;

	loop_timer_arm(set->reread_timer, ENDPOINT_REREAD_MS);
	if (set->n_reading == 0 && set->n_wanted == 0)
		delivery_queue_each_outlet(set->options.queue, ENDPOINT_IDLE_MS, clock_mono_ms(),
			on_known, on_forgotten, set);
}

struct endpoint_set *endpoint_set_new(const struct endpoint_set_options *options)
{
	struct endpoint_set *set = mem_new(struct endpoint_set);

	set->options = *options;
	id_table_init(&set->endpoints);
	set->reread_timer = loop_timer_new(options->loop, "endpoints_reread", on_reread, set);
	set->retry_timer = loop_timer_new(options->loop, "endpoints_retry", on_turn, set);
	set->write_timer = loop_timer_new(options->loop, "endpoints_write", on_write_timer, set);
	set->turn = loop_turn_new(options->loop, "endpoints", on_turn, set);
	loop_timer_arm(set->reread_timer, ENDPOINT_REREAD_MS);
	return set;
}

void endpoint_set_free(struct endpoint_set **set)
{
	struct id_node *node;

	if (*set == NULL)
		return;
	while ((node = id_table_next(&(*set)->endpoints, NULL)) != NULL) {
		struct endpoint *endpoint = container_of(node, struct endpoint, node);
		id_table_remove(&(*set)->endpoints, node);
		endpoint_free(&endpoint);
	}
	id_table_deinit(&(*set)->endpoints);
	mem_free((*set)->wanted);
	loop_timer_free(&(*set)->reread_timer);
	loop_timer_free(&(*set)->retry_timer);
	loop_timer_free(&(*set)->write_timer);
	loop_turn_free(&(*set)->turn);
	mem_free(*set);
	*set = NULL;
}
