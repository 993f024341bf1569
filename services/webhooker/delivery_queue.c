/* What the queue holds in memory: endpoints, their shards and lanes, partitions. */
#include "services/webhooker/delivery_queue.h"

#include "common/base/attr.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "services/webhooker/delivery_queue_internal.h"

/* failing_since is written a little after the attempt's own time; without this much between, the
 * two are the same failure. */
#define FAILING_SLACK_MS 20000

struct delivery_queue *delivery_queue_new(const struct delivery_queue_options *options)
{
	struct delivery_queue *queue = mem_new(struct delivery_queue);

	queue->options = *options;
	id_table_init(&queue->deliveries);
	id_table_init(&queue->lanes);
	id_table_init(&queue->outlets);
	timer_heap_init(&queue->timers);
	delivery_slots_init(
		&queue->slots, options->per_endpoint, options->total, &queue->timers, TIMER_OUTLET);
	TAILQ_INIT(&queue->refills);
	return queue;
}

static void outlet_drop(struct delivery_queue *queue, struct outlet *outlet)
{
	delivery_slots_forget(&queue->slots, outlet);
	for (int p = 0; p < EVENT_PARTITIONS; p++)
		ASSERT(outlet->shards[p] == NULL);
	id_table_remove(&queue->outlets, &outlet->node);
	mem_free(outlet);
}

void delivery_queue_free(struct delivery_queue **queue)
{
	struct id_node *node;

	if (*queue == NULL)
		return;
	for (int p = 0; p < EVENT_PARTITIONS; p++)
		delivery_queue_drop_partition(*queue, p, NULL, NULL);
	while ((node = id_table_next(&(*queue)->outlets, NULL)) != NULL)
		outlet_drop(*queue, container_of(node, struct outlet, node));
	id_table_deinit(&(*queue)->deliveries);
	id_table_deinit(&(*queue)->lanes);
	id_table_deinit(&(*queue)->outlets);
	timer_heap_deinit(&(*queue)->timers);
	mem_free(*queue);
	*queue = NULL;
}

bool queue_has_room(const struct delivery_queue *queue)
{
	return queue->deliveries.n_nodes < DELIVERY_ROOM;
}

struct delivery *queue_find(
	const struct delivery_queue *queue, int32_t webhook_id, int64_t sequence)
{
	struct id_node *node = id_table_find(&queue->deliveries, webhook_id, sequence);

	return node == NULL ? NULL : container_of(node, struct delivery, node);
}

/* --- endpoints, shards, lanes: made when something is put into them --- */

struct outlet *queue_outlet_find(const struct delivery_queue *queue, int32_t webhook_id)
{
	struct id_node *node = id_table_find(&queue->outlets, webhook_id, 0);

	return node == NULL ? NULL : container_of(node, struct outlet, node);
}

static struct outlet *outlet_get(struct delivery_queue *queue, int32_t webhook_id, int64_t now_ms)
{
	struct outlet *outlet = queue_outlet_find(queue, webhook_id);

	if (outlet != NULL)
		return outlet;
	outlet = mem_new(struct outlet);
	outlet->node.a = webhook_id;
	outlet->webhook_id = webhook_id;
	outlet->idle_since_ms = now_ms;
	breaker_init(&outlet->breaker);
	TAILQ_INIT(&outlet->fresh);
	TAILQ_INIT(&outlet->retry);
	TAILQ_INIT(&outlet->prepared);
	TAILQ_INIT(&outlet->sending);
	id_table_insert(&queue->outlets, &outlet->node);
	return outlet;
}

static struct delivery_shard *shard_get(struct outlet *outlet, int partition)
{
	struct delivery_shard *shard = outlet->shards[partition];

	if (shard != NULL)
		return shard;
	shard = mem_new(struct delivery_shard);
	shard->webhook_id = outlet->webhook_id;
	shard->partition = partition;
	TAILQ_INIT(&shard->deliveries);
	outlet->shards[partition] = shard;
	return shard;
}

static struct delivery_lane *lane_get(
	struct delivery_queue *queue, int32_t webhook_id, int32_t contact_id)
{
	struct id_node *node = id_table_find(&queue->lanes, webhook_id, contact_id);

	if (node != NULL)
		return container_of(node, struct delivery_lane, node);
	struct delivery_lane *lane = mem_new(struct delivery_lane);
	lane->node.a = webhook_id;
	lane->node.b = contact_id;
	TAILQ_INIT(&lane->deliveries);
	id_table_insert(&queue->lanes, &lane->node);
	return lane;
}

/* --- in and out --- */

static struct delivery *delivery_new(
	const struct delivery_queue *queue, const struct delivery_facts *facts, int64_t now_ms)
{
	struct delivery *delivery = mem_new(struct delivery);

	delivery->node.a = facts->webhook_id;
	delivery->node.b = facts->sequence;
	delivery->timer.kind = TIMER_DELIVERY;
	delivery->sequence = facts->sequence;
	delivery->created_at_wall_ms = facts->created_at_wall_ms;
	delivery->webhook_id = facts->webhook_id;
	delivery->tenant_id = facts->tenant_id;
	delivery->contact_id = facts->contact_id;
	delivery->partition = facts->partition;
	delivery->event_type = facts->event_type;
	delivery->attempts = facts->attempts;
	delivery->due_ms = now_ms + (facts->due_in_ms > 0 ? facts->due_in_ms : 0);
	if (facts->attempts > 0) {
		delivery->has_failed = true;
		delivery->first_failed_ms = now_ms - facts->tried_ago_ms;
		delivery->hold_until_ms = delivery->first_failed_ms + queue->options.hold_ms;
		delivery->is_old_news = facts->tried_for_ms < queue->options.hold_ms;
	}
	return delivery;
}

void queue_insert(struct delivery_queue *queue, const struct delivery_facts *facts, int64_t now_ms)
{
	struct delivery *delivery = delivery_new(queue, facts, now_ms);

	delivery->outlet = outlet_get(queue, facts->webhook_id, now_ms);
	delivery->outlet->n_deliveries++;
	delivery->shard = shard_get(delivery->outlet, facts->partition);
	delivery->lane = lane_get(queue, facts->webhook_id, facts->contact_id);
	id_table_insert(&queue->deliveries, &delivery->node);
	delivery_shard_insert(delivery->shard, delivery);
	delivery_lane_insert(delivery->lane, delivery);
	queue_look_at_lane(queue, delivery->lane, now_ms);
}

enum delivery_intake delivery_queue_add(
	struct delivery_queue *queue, const struct delivery_facts *facts, int64_t now_ms)
{
	ASSERT(facts->partition >= 0 && facts->partition < EVENT_PARTITIONS);
	if (queue_find(queue, facts->webhook_id, facts->sequence) != NULL)
		return DELIVERY_KNOWN;
	struct outlet *outlet = outlet_get(queue, facts->webhook_id, now_ms);
	if (outlet->state == OUTLET_GONE)
		return DELIVERY_UNWANTED;
	struct delivery_shard *shard = shard_get(outlet, facts->partition);
	switch (delivery_shard_ask(shard, facts->sequence, queue_has_room(queue))) {
	case SHARD_TAKES:
		queue_insert(queue, facts, now_ms);
		return DELIVERY_TAKEN;
	case SHARD_LOWERS:
		queue_evict(queue, shard, facts->sequence - 1, now_ms);
		return DELIVERY_BEYOND;
	case SHARD_LEAVES:
		break;
	}
	queue_want_refill(queue, shard);
	return DELIVERY_BEYOND;
}

static void lane_release(struct delivery_queue *queue, struct delivery_lane *lane, int64_t now_ms)
{
	if (!TAILQ_EMPTY(&lane->deliveries)) {
		queue_look_at_lane(queue, lane, now_ms);
		return;
	}
	id_table_remove(&queue->lanes, &lane->node);
	mem_free(lane);
}

void queue_note_unclaimed(struct delivery_queue *queue, const struct delivery *delivery)
{
	queue->n_busy[delivery->partition]--;
	if (queue->options.on_unclaimed != NULL)
		queue->options.on_unclaimed(queue->options.ctx, delivery);
}

void delivery_queue_remove(struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms)
{
	struct delivery_lane *lane = delivery->lane;

	ASSERT(delivery->call == NULL);
	queue_unschedule(queue, delivery, now_ms);
	if (delivery_is_claimed(delivery))
		queue_note_unclaimed(queue, delivery);
	delivery_lane_remove(lane, delivery);
	delivery_shard_remove(delivery->shard, delivery);
	id_table_remove(&queue->deliveries, &delivery->node);
	if (--delivery->outlet->n_deliveries == 0)
		delivery->outlet->idle_since_ms = now_ms;
	queue_want_refill(queue, delivery->shard);
	strbuf_deinit(&delivery->body);
	mem_free(delivery->fault);
	mem_free(delivery);
	lane_release(queue, lane, now_ms);
}

/* --- partitions --- */

static void each_of_partition(struct delivery_queue *queue, int partition, int64_t now_ms,
	void (*fn)(struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms))
{
	struct id_node *node = NULL;
	struct delivery *delivery, *next;

	while ((node = id_table_next(&queue->outlets, node)) != NULL) {
		struct delivery_shard *shard =
			container_of(node, struct outlet, node)->shards[partition];
		if (shard == NULL)
			continue;
		for (delivery = TAILQ_FIRST(&shard->deliveries); delivery != NULL;
			delivery = next) {
			next = TAILQ_NEXT(delivery, in_shard);
			fn(queue, delivery, now_ms);
		}
	}
}

static void resume(struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms)
{
	if (delivery->is_loose && delivery->state == DELIVERY_WAITING)
		queue_schedule(queue, delivery, now_ms);
	queue_look_at_lane(queue, delivery->lane, now_ms);
}

void delivery_queue_open_partition(struct delivery_queue *queue, int partition, int64_t now_ms)
{
	if (queue->is_open[partition])
		return;
	queue->is_open[partition] = true;
	each_of_partition(queue, partition, now_ms, resume);
}

static void suspend(struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms)
{
	if (delivery->state == DELIVERY_PREPARED) {
		delivery_slots_withdraw(&queue->slots, delivery, now_ms);
		queue_wait_again(queue, delivery, now_ms);
	} else if (delivery->state == DELIVERY_WAITING) {
		queue_unschedule(queue, delivery, now_ms);
	}
}

void delivery_queue_close_partition(struct delivery_queue *queue, int partition, int64_t now_ms)
{
	queue->is_open[partition] = false;
	each_of_partition(queue, partition, now_ms, suspend);
}

static void shard_drop(struct delivery_queue *queue, struct delivery_shard *shard,
	void (*fn)(void *ctx, struct delivery *delivery), void *ctx)
{
	struct delivery *delivery;

	while ((delivery = TAILQ_FIRST(&shard->deliveries)) != NULL) {
		if (delivery->state == DELIVERY_SENDING && fn != NULL)
			fn(ctx, delivery);
		delivery_queue_remove(queue, delivery, 0);
	}
	if (shard->wants_refill)
		TAILQ_REMOVE(&queue->refills, shard, in_refills);
	mem_free(shard);
}

void delivery_queue_drop_partition(struct delivery_queue *queue, int partition,
	void (*fn)(void *ctx, struct delivery *delivery), void *ctx)
{
	struct id_node *node = NULL;

	queue->is_open[partition] = false;
	while ((node = id_table_next(&queue->outlets, node)) != NULL) {
		struct outlet *outlet = container_of(node, struct outlet, node);
		if (outlet->shards[partition] == NULL)
			continue;
		shard_drop(queue, outlet->shards[partition], fn, ctx);
		outlet->shards[partition] = NULL;
	}
	ASSERT(queue->n_busy[partition] == 0);
}

int delivery_queue_busy(const struct delivery_queue *queue, int partition)
{
	return queue->n_busy[partition];
}

/* --- endpoints --- */

static void outlet_empty(struct delivery_queue *queue, struct outlet *outlet, int64_t now_ms)
{
	for (int p = 0; p < EVENT_PARTITIONS; p++) {
		struct delivery_shard *shard = outlet->shards[p];
		if (shard == NULL)
			continue;
		queue_evict(queue, shard, -1, now_ms);
		shard->has_more = false; /* they are being closed, not sent */
	}
}

void delivery_queue_set_outlet(struct delivery_queue *queue, int32_t webhook_id,
	enum outlet_state state, bool is_failing, int64_t failing_for_ms, int64_t now_ms)
{
	struct outlet *outlet = queue_outlet_find(queue, webhook_id);

	if (outlet == NULL || outlet->state == state)
		return;
	if (outlet->state == OUTLET_UNKNOWN && is_failing) {
		outlet->breaker.is_failing = true;
		outlet->breaker.failing_since_ms = now_ms - failing_for_ms - FAILING_SLACK_MS;
	}
	outlet->state = state;
	if (state == OUTLET_GONE)
		outlet_empty(queue, outlet, now_ms);
	delivery_slots_look(&queue->slots, outlet, now_ms);
}

/* Has it nothing here, and nothing more in Postgres that this process knows of? Then its empty
 * shards go. */
static bool outlet_is_idle(
	struct delivery_queue *queue, struct outlet *outlet, int64_t idle_ms, int64_t now_ms)
{
	if (outlet->n_deliveries > 0 || now_ms - outlet->idle_since_ms < idle_ms)
		return false;
	for (int p = 0; p < EVENT_PARTITIONS; p++) {
		if (outlet->shards[p] != NULL && outlet->shards[p]->has_more)
			return false;
	}
	for (int p = 0; p < EVENT_PARTITIONS; p++) {
		if (outlet->shards[p] != NULL)
			shard_drop(queue, outlet->shards[p], NULL, NULL);
		outlet->shards[p] = NULL;
	}
	return true;
}

void delivery_queue_each_outlet(struct delivery_queue *queue, int64_t idle_ms, int64_t now_ms,
	void (*fn)(void *ctx, int32_t webhook_id),
	void (*on_forgotten)(void *ctx, int32_t webhook_id), void *ctx)
{
	struct id_node *node = id_table_next(&queue->outlets, NULL);

	while (node != NULL) {
		struct outlet *outlet = container_of(node, struct outlet, node);
		int32_t webhook_id = outlet->webhook_id;
		node = id_table_next(&queue->outlets, node);
		if (outlet_is_idle(queue, outlet, idle_ms, now_ms)) {
			outlet_drop(queue, outlet);
			on_forgotten(ctx, webhook_id);
		} else {
			fn(ctx, webhook_id);
		}
	}
}

/* --- figures --- */

struct delivery_queue_figures delivery_queue_figures(const struct delivery_queue *queue)
{
	struct delivery_queue_figures figures = {
		.n_deliveries = (int)queue->deliveries.n_nodes,
		.n_claimed = queue->slots.n_claimed,
		.n_sending = queue->slots.n_sending,
		.n_outlets = (int)queue->outlets.n_nodes,
	};
	struct id_node *node = NULL;

	while ((node = id_table_next(&queue->outlets, node)) != NULL)
		figures.n_failing += container_of(node, struct outlet, node)->breaker.is_failing;
	return figures;
}
