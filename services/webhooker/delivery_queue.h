/*
 * Everything that this process owes to endpoints, as far as it lies in memory: which delivery may
 * go next. Pure: no I/O, and time is a parameter (monotonic ms).
 *
 * Per endpoint and contact one delivery is in flight at a time, by sequence (delivery_lane.h);
 * endpoints share the slots of the process (delivery_slots.h); memory is bounded per endpoint and
 * event partition (delivery_shard.h). A delivery goes WAITING → PREPARING → PREPARED → SENDING →
 * RECORDING and is then gone, or WAITING again; it may vanish before that, with its partition or
 * its endpoint. Who holds a claimed one across a wait keeps its key and its claim, and finds it
 * again by them.
 */
#ifndef WA_WEBHOOKER_DELIVERY_QUEUE_H
#define WA_WEBHOOKER_DELIVERY_QUEUE_H

#include "services/webhooker/delivery.h"
#include "services/webhooker/outlet.h"

struct delivery_queue;

struct delivery_queue_options {
	int per_endpoint; /* POSTs in flight to one endpoint */
	int total;        /* POSTs in flight */
	int64_t hold_ms;  /* how long an event that is refused alone holds its contact's later ones
			   */
	struct schedule schedule;
	/* May be NULL: it is claimed no more, whatever the reason; it may be freed after. */
	void (*on_unclaimed)(void *ctx, const struct delivery *delivery);
	void *ctx;
};

struct delivery_queue *delivery_queue_new(const struct delivery_queue_options *options);
void delivery_queue_free(struct delivery_queue **queue); /* none may be SENDING */

/* --- what comes in --- */

enum delivery_intake {
	DELIVERY_TAKEN,
	DELIVERY_KNOWN,    /* it lies in memory already */
	DELIVERY_BEYOND,   /* there is no room for it before those of lower sequence are done: it is
			      reread from Postgres then */
	DELIVERY_UNWANTED, /* its endpoint is gone: close it */
};
enum delivery_intake delivery_queue_add(
	struct delivery_queue *queue, const struct delivery_facts *facts, int64_t now_ms);

/* --- partitions: closed at first --- */

void delivery_queue_open_partition(struct delivery_queue *queue, int partition, int64_t now_ms);
/* Nothing of it is started any more; what is in flight goes on. */
void delivery_queue_close_partition(struct delivery_queue *queue, int partition, int64_t now_ms);
/* Forget all of it. fn is called for each one that is SENDING, just before it vanishes. */
void delivery_queue_drop_partition(struct delivery_queue *queue, int partition,
	void (*fn)(void *ctx, struct delivery *delivery), void *ctx);
int delivery_queue_busy(
	const struct delivery_queue *queue, int partition); /* of it PREPARING to RECORDING */

/* --- endpoints: unknown at first, then nothing is started --- */

/* is_failing, failing_for_ms: of its row; they count when the endpoint was unknown. OUTLET_GONE
 * forgets what is not in flight. */
void delivery_queue_set_outlet(struct delivery_queue *queue, int32_t webhook_id,
	enum outlet_state state, bool is_failing, int64_t failing_for_ms, int64_t now_ms);
/* For each endpoint that something is owed to, or was lately; those that were idle for idle_ms are
   forgotten instead, and on_forgotten is called. */
void delivery_queue_each_outlet(struct delivery_queue *queue, int64_t idle_ms, int64_t now_ms,
	void (*fn)(void *ctx, int32_t webhook_id),
	void (*on_forgotten)(void *ctx, int32_t webhook_id), void *ctx);

/* --- the way of a delivery --- */

/* Let time pass. Gives how long until there may be something to claim that is not now: -1 when
 * nothing waits for a time. */
int64_t delivery_queue_tick(struct delivery_queue *queue, int64_t now_ms);
struct delivery *delivery_queue_claim(
	struct delivery_queue *queue, int64_t now_ms); /* WAITING → PREPARING; NULL: none may */
/* The one of that key, if it is still under that claim; else NULL. */
struct delivery *delivery_queue_find(
	struct delivery_queue *queue, int32_t webhook_id, int64_t sequence, uint64_t claim);
/* Does it lie in memory, in whatever state? */
bool delivery_queue_knows(const struct delivery_queue *queue, int32_t webhook_id, int64_t sequence);
/* PREPARING → PREPARED; its body has been filled in. Or back to WAITING, when its endpoint has
   stopped taking since, or an earlier one of its contact has come in. */
void delivery_queue_prepared(
	struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms);
/* PREPARING → WAITING: the row says that it was tried, and is not due; or (facts NULL) try to
 * prepare it again in wait_ms. */
void delivery_queue_put_back(struct delivery_queue *queue, struct delivery *delivery,
	const struct delivery_facts *facts, int64_t wait_ms, int64_t now_ms);
struct delivery *delivery_queue_start(
	struct delivery_queue *queue, int64_t now_ms); /* PREPARED → SENDING; NULL: none may */

struct delivery_result {
	enum verdict verdict;
	bool is_charged;        /* a failure that speaks against the endpoint */
	int64_t retry_after_ms; /* -1: none */
};
struct delivery_news {
	struct delivery_end end;
	bool has_tripped; /* its endpoint takes nothing from now on */
	bool has_recovered;
	int64_t failing_for_ms; /* how long the endpoint has failed everything; -1: it does not */
};
/* SENDING → RECORDING. Counts the attempt. After a success the lane's next may go at once. After
 * GIVE_UP the endpoint takes nothing until its state is set anew. */
struct delivery_news delivery_queue_finish(struct delivery_queue *queue, struct delivery *delivery,
	const struct delivery_result *result, int64_t now_ms);
/* RECORDING → gone, or WAITING for its next attempt. */
void delivery_queue_recorded(
	struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms);
/* It is not owed any more. Any state but SENDING. */
void delivery_queue_remove(struct delivery_queue *queue, struct delivery *delivery, int64_t now_ms);

/* --- what lies in Postgres --- */

/* Memory and Postgres disagree from that sequence on: forget what is not in flight there, and
 * reread. */
void delivery_queue_resync(struct delivery_queue *queue, int32_t webhook_id, int partition,
	int64_t from_sequence, int64_t now_ms);
struct delivery_refill {
	int32_t webhook_id;
	int partition;
	int64_t after; /* the page begins behind this sequence */
	uint64_t number;
};
/* The next page that should be read; false when none. */
bool delivery_queue_next_refill(struct delivery_queue *queue, struct delivery_refill *ret_refill);
/* Its rows, in order. is_last: there were fewer than asked for. n_rows < 0: it could not be read;
 * it is asked for again. */
void delivery_queue_refill(struct delivery_queue *queue, const struct delivery_refill *refill,
	const struct delivery_facts *rows, int n_rows, bool is_last, int64_t now_ms);

/* --- figures --- */

struct delivery_queue_figures {
	int n_deliveries;
	int n_claimed;
	int n_sending;
	int n_outlets;
	int n_failing; /* endpoints whose last POST failed */
};
struct delivery_queue_figures delivery_queue_figures(const struct delivery_queue *queue);

#endif
