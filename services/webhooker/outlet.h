/*
 * One endpoint as the queue sees it: what is ready to go there, how much is under way, whether it
 * takes anything. Pure; the lists are those of delivery_slots.c, which alone changes them.
 */
#ifndef WA_WEBHOOKER_OUTLET_H
#define WA_WEBHOOKER_OUTLET_H

#include "common/model/partition.h"
#include "services/webhooker/breaker.h"
#include "services/webhooker/delivery.h"
#include "services/webhooker/delivery_shard.h"

enum outlet_state {
	OUTLET_UNKNOWN, /* its row has not been read yet: nothing starts */
	OUTLET_OPEN,
	OUTLET_PAUSED, /* by the customer: what is owed waits */
	OUTLET_GONE,   /* deleted or disabled: what is owed is closed */
};

struct outlet {
	struct id_node node; /* webhook id, 0 */
	int32_t webhook_id;
	enum outlet_state state;
	struct breaker breaker;
	struct delivery_list fresh; /* ready, never tried */
	struct delivery_list retry; /* ready, tried before */
	struct delivery_list prepared;
	struct delivery_list sending; /* the longest in flight first */
	int n_claimed;
	int n_claimed_retries;
	int n_sending;
	int64_t last_duration_ms;     /* of its last POST */
	TAILQ_ENTRY(outlet) in_fresh; /* of those that may be given a slot for something fresh */
	TAILQ_ENTRY(outlet)
	in_trouble; /* … a slot of those that retries and slow endpoints share */
	TAILQ_ENTRY(outlet) in_prepared; /* … that may start something prepared */
	bool is_in_fresh;
	bool is_in_trouble;
	bool is_in_prepared;
	struct timer_node timer; /* while tripped: when something fresh may probe it */
	struct delivery_shard *shards[EVENT_PARTITIONS]; /* NULL until it has something there */
	int n_deliveries;
	int64_t idle_since_ms; /* n_deliveries == 0 */
};
TAILQ_HEAD(outlet_list, outlet);

#endif
