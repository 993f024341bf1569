/* The queue's own struct, shared by the files that make it up: delivery_queue.c (memory),
   delivery_flow.c (one delivery's way), delivery_refill.c (what lies in Postgres). Nobody else
   includes it. */
#ifndef WA_WEBHOOKER_DELIVERY_QUEUE_INTERNAL_H
#define WA_WEBHOOKER_DELIVERY_QUEUE_INTERNAL_H

#include "common/model/partition.h"
#include "services/webhooker/delivery_lane.h"
#include "services/webhooker/delivery_queue.h"
#include "services/webhooker/delivery_shard.h"
#include "services/webhooker/delivery_slots.h"

enum timer_kind { TIMER_DELIVERY, TIMER_OUTLET };

TAILQ_HEAD(delivery_shard_list, delivery_shard);

struct delivery_queue {
	struct delivery_queue_options options;
	struct id_table deliveries; /* webhook id, sequence */
	struct id_table lanes;      /* webhook id, contact id */
	struct id_table outlets;    /* webhook id, 0 */
	struct timer_heap timers;
	struct delivery_slots slots;
	struct delivery_shard_list refills; /* shards that want one */
	uint64_t last_claim;
	uint64_t last_refill;
	bool is_open[EVENT_PARTITIONS];
	int n_busy[EVENT_PARTITIONS];
};

bool queue_has_room(const struct delivery_queue *queue);
struct outlet *queue_outlet_find(const struct delivery_queue *queue, int32_t webhook_id);
/* Put a new one in memory; its shard has room. */
void queue_insert(struct delivery_queue *queue, const struct delivery_facts *facts, int64_t now_ms);
struct delivery *queue_find(
	const struct delivery_queue *queue, int32_t webhook_id, int64_t sequence);
/* Give a waiting delivery, which is loose or its lane's current one, its time or its place among
 * those that are ready. */
void queue_schedule(struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms);
void queue_unschedule(struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms);
/* See whose turn it is in a lane, and schedule that one. */
void queue_look_at_lane(struct delivery_queue *queue, struct delivery_lane *lane, int64_t now_ms);
/* A claimed delivery is to wait again; its facts are right by now, its slot is free. */
void queue_wait_again(struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms);
void queue_note_unclaimed(struct delivery_queue *queue, const struct delivery *delivery);
/* Forget what waits or is being prepared in a shard beyond that sequence. */
void queue_evict(
	struct delivery_queue *queue, struct delivery_shard *shard, int64_t beyond, int64_t now_ms);
void queue_want_refill(struct delivery_queue *queue, struct delivery_shard *shard);

#endif
