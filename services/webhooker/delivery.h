/*
 * One endpoint is owed one event. Pure: the row of `deliveries` as it lies in memory, the states it
 * goes through here (drawn in docs/state/delivery.dot), and what follows from the end of an
 * attempt. Times are of the monotonic clock unless a name says else.
 */
#ifndef WA_WEBHOOKER_DELIVERY_H
#define WA_WEBHOOKER_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/base/schedule.h"
#include "common/base/strbuf.h"
#include "common/model/verdict.h"
#include "services/webhooker/id_table.h"
#include "common/base/timer_heap.h"

#define DELIVERY_JITTER_PERCENT     20
#define DELIVERY_RETRY_AFTER_MAX_MS (INT64_C(24) * 3600 * 1000)

/* Only delivery_set_state() changes it. */
enum delivery_state {
	DELIVERY_WAITING,   /* for its turn, or for its next attempt */
	DELIVERY_PREPARING, /* its event is being read from Postgres */
	DELIVERY_PREPARED,  /* its body is at hand; it waits for a slot of its endpoint */
	DELIVERY_SENDING,   /* one POST is in flight */
	DELIVERY_RECORDING, /* the POST has ended; its end is being written to Postgres */
};

/* deliveries.status. The numbers stand in Postgres: never renumber. */
enum delivery_status {
	DELIVERY_PENDING = 0,
	DELIVERY_DELIVERED = 1,
	DELIVERY_OUT_OF_ATTEMPTS = 2,
	DELIVERY_ENDPOINT_GONE = 3,
};

/* What an entry or a row of `deliveries` says. */
struct delivery_facts {
	int64_t sequence;
	int64_t created_at_wall_ms;
	int32_t webhook_id;
	int32_t tenant_id;
	int32_t contact_id; /* 0: the event has no contact */
	int partition;
	int event_type;
	int attempts;      /* made so far */
	int64_t due_in_ms; /* until the next attempt may be made; 0 or less: now */
	/* Without meaning when none was made: */
	int64_t tried_ago_ms; /* since its first attempt */
	int64_t tried_for_ms; /* from the first to the last */
};

struct delivery_lane;
struct delivery_shard;
struct outlet;

enum delivery_place {
	DELIVERY_NOWHERE,
	DELIVERY_IN_FRESH,
	DELIVERY_IN_RETRY,
	DELIVERY_IN_PREPARED,
	DELIVERY_IN_SENDING
};

struct delivery {
	struct id_node node; /* webhook id, sequence */
	struct delivery_lane *lane;
	struct delivery_shard *shard;
	struct outlet *outlet;
	TAILQ_ENTRY(delivery) in_lane;
	TAILQ_ENTRY(delivery) in_shard;
	TAILQ_ENTRY(delivery) in_place;
	enum delivery_place place; /* which list of its outlet it is in */
	struct timer_node timer;   /* due, or the end of its hold */

	int64_t sequence;
	int64_t created_at_wall_ms;
	int32_t webhook_id;
	int32_t tenant_id;
	int32_t contact_id;
	int partition;
	int attempts;

	enum delivery_state state;
	bool is_loose;   /* its contact's later events do not wait for it any more */
	bool is_settled; /* the endpoint has taken it: the next may go while that is recorded */
	bool is_final;   /* no further attempt after the one that is being recorded */
	bool is_trouble; /* claimed among the slots that retries and slow endpoints share */
	bool is_probe;   /* claimed while its endpoint took nothing */
	bool has_failed;
	bool is_held_here; /* this process has seen it refused */
	bool is_old_news;  /* it was refused before this process knew it, and not since its hold
			      ended: perhaps only while the endpoint took nothing */
	bool is_compared;  /* the next of its lane was refused as well, and it has not been tried
			      since */
	int64_t due_ms;
	int64_t first_failed_ms; /* start of the first attempt that failed; has_failed */
	int64_t held_here_ms;    /* when that was, the last time; is_held_here */
	int64_t hold_until_ms;   /* when it is to be seen whether it goes on holding its lane;
				    has_failed */
	int64_t started_ms;      /* SENDING: when the POST began */
	uint64_t claim; /* number of the claim it was last taken out under: results of an older one
			   do not concern it */
	struct strbuf body; /* PREPARED and SENDING */
	int event_type;
	char *fault;        /* owned; PREPARED: why it cannot be sent at all; else NULL */
	void *call;         /* SENDING: delivery_send's */
};
TAILQ_HEAD(delivery_list, delivery);

const char *delivery_state_name(enum delivery_state state);
void delivery_set_state(
	struct delivery *delivery, enum delivery_state state); /* asserts the move */
/* In any of the four later states? */
bool delivery_is_claimed(const struct delivery *delivery);

/* What follows from the attempt that made it `attempts` made. retry_after_ms: what the endpoint
 * asked for, -1 when nothing. */
struct delivery_end {
	enum delivery_status status; /* DELIVERY_PENDING: another attempt in wait_ms */
	int64_t wait_ms;
};
struct delivery_end delivery_end_of(enum verdict verdict, int attempts,
	const struct schedule *schedule, int64_t retry_after_ms);

#endif
