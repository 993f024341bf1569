/*
 * How much of what one endpoint is owed in one event partition lies in memory: the lowest
 * sequences, so that order holds. Pure.
 *
 * While there is more in Postgres, `mark` is the highest sequence up to which everything is here:
 * nothing beyond it waits in memory, whatever comes beyond it is left to Postgres, and the shard is
 * refilled from there as it drains.
 */
#ifndef WA_WEBHOOKER_DELIVERY_SHARD_H
#define WA_WEBHOOKER_DELIVERY_SHARD_H

#include "services/webhooker/delivery.h"

#define DELIVERY_SHARD_MAX 512 /* deliveries in memory, when there is room */
#define DELIVERY_SHARD_MIN 32  /* when the process holds DELIVERY_ROOM of them */
#define DELIVERY_SHARD_HARD                                                                        \
	(2 * DELIVERY_SHARD_MAX) /* with those that came late, with low sequences */
#define DELIVERY_ROOM 200000

struct delivery_shard {
	TAILQ_ENTRY(delivery_shard) in_refills;
	struct delivery_list deliveries; /* in no order */
	int32_t webhook_id;
	int partition;
	int n_deliveries;
	int64_t top;   /* the highest sequence it ever held */
	bool has_more; /* in Postgres, beyond the mark */
	int64_t mark;
	bool wants_refill;    /* is in the list of those that do */
	bool is_refilling;    /* a page is being read */
	uint64_t refill;      /* its number */
	int64_t refill_after; /* the mark that it was asked from */
	bool missed_some; /* something beyond the mark was left to Postgres since it was asked for
			   */
};

enum shard_answer {
	SHARD_TAKES,  /* put it in */
	SHARD_LEAVES, /* it lies beyond: Postgres keeps it */
	SHARD_LOWERS, /* too much came with low sequences: lower the mark to below this one, then it
			 lies beyond */
};
/* May a delivery that was not known come in? room: whether the process has room. Notes what is left
 * out. */
enum shard_answer delivery_shard_ask(struct delivery_shard *shard, int64_t sequence, bool has_room);
void delivery_shard_insert(struct delivery_shard *shard, struct delivery *delivery);
void delivery_shard_remove(struct delivery_shard *shard, struct delivery *delivery);
/* From now on everything above `mark` is left to Postgres. */
void delivery_shard_lower(struct delivery_shard *shard, int64_t mark);
/* May one that waits stay in memory? */
bool delivery_shard_keeps(const struct delivery_shard *shard, int64_t sequence);
bool delivery_shard_is_full(const struct delivery_shard *shard, bool has_room);
/* Is it time to read on? */
bool delivery_shard_should_refill(const struct delivery_shard *shard, bool has_room);
void delivery_shard_begin_refill(struct delivery_shard *shard, uint64_t refill);
/* The page of that number is here: may its rows be taken in? Not when the mark was lowered since,
 * which also ends the refill. */
bool delivery_shard_accepts_page(struct delivery_shard *shard, uint64_t refill);
/* It was taken in up to last_sequence. is_last: Postgres had no more at that time. */
void delivery_shard_end_refill(struct delivery_shard *shard, int64_t last_sequence, bool is_last);

#endif
