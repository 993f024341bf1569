/*
 * The order of one contact's events towards one endpoint: by sequence, one in flight at a time.
 * Pure.
 *
 * An event that was refused holds those behind it. When its hold is over, and the endpoint has
 * taken something else since, it is loose: it is retried beside them; but what another owner saw
 * refused, and nobody since its hold ended, is tried once more first. When the endpoint has taken
 * nothing else, the two are compared: it is tried, and the next one right after it; if that one is
 * refused as well, the endpoint takes nothing, and all wait in order until the first is tried
 * again.
 */
#ifndef WA_WEBHOOKER_DELIVERY_LANE_H
#define WA_WEBHOOKER_DELIVERY_LANE_H

#include "services/webhooker/breaker.h"
#include "services/webhooker/delivery.h"

struct delivery_lane {
	struct id_node node;             /* webhook id, contact id */
	struct delivery_list deliveries; /* by sequence */
	int n_busy; /* claimed, neither loose nor settled: 0 or 1, but for moments after one was
		       held again */
	struct delivery *scheduled; /* the current one, when the queue has given it a time or
				       offered it; the queue's */
};

void delivery_lane_insert(struct delivery_lane *lane, struct delivery *delivery);
void delivery_lane_remove(struct delivery_lane *lane, struct delivery *delivery);
/* Whose turn it is: the first that is neither loose nor settled, if it waits and none of the lane
 * is in flight; else NULL. */
struct delivery *delivery_lane_current(const struct delivery_lane *lane);
/* May it go, as far as those before it are concerned? They are all loose or settled, or it is loose
 * itself. */
bool delivery_lane_lets_go(const struct delivery *delivery);
/* Does it keep the lane's next from starting? n_busy counts these. */
bool delivery_lane_is_busy_with(const struct delivery *delivery);
/* `delivery` was refused: those before it that were let loose without a sign that the endpoint
   takes others hold the lane again. fn is called for each one that waits, as it must not be started
   beside the others any more. */
void delivery_lane_hold_again(struct delivery_lane *lane, const struct delivery *delivery,
	const struct breaker *breaker, void (*fn)(void *ctx, struct delivery *held), void *ctx);

#define HOLD_COMPARE_MS                                                                            \
	60000 /* two attempts that are closer than this tell whether one is refused alone */

enum hold_end {
	HOLD_ENDS_LOOSE, /* those behind it may go */
	HOLD_ENDS_TRY,   /* try it once more, now, before those behind it */
	HOLD_GOES_ON,
};
/* Its time of holding is over, and it waits for its next attempt. */
enum hold_end delivery_lane_end_hold(
	const struct delivery *delivery, const struct breaker *breaker, int64_t now_ms);

#endif
