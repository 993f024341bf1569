/*
 * Who may go next: the slots of the process shared fairly among endpoints. Pure.
 *
 * Endpoints take turns. An endpoint has at most `per_endpoint` POSTs in flight; while it is quick,
 * SLOTS_PREPARED_FACTOR times as many are claimed, so that one that ends is followed by the next
 * at once. Retries, and all of endpoints that are slow or take nothing, get at most half of all
 * slots; retries to one endpoint at most half of its own: so what is fresh always finds a slot.
 * A tripped endpoint gets one.
 */
#ifndef WA_WEBHOOKER_DELIVERY_SLOTS_H
#define WA_WEBHOOKER_DELIVERY_SLOTS_H

#include "services/webhooker/outlet.h"

/* An answer that took longer, or has been waited for longer, makes an endpoint slow. */
#define SLOW_ENDPOINT_MS      1000
#define SLOTS_PREPARED_FACTOR 4

struct delivery_slots {
	int per_endpoint;
	int total;                 /* POSTs in flight */
	struct timer_heap *timers; /* borrowed: where outlets' timers go, of this kind */
	int timer_kind;
	struct outlet_list fresh;
	struct outlet_list trouble;
	struct outlet_list prepared;
	bool trouble_is_next;
	int n_claimed;
	int n_claimed_trouble;
	int n_sending;
};

void delivery_slots_init(struct delivery_slots *slots, int per_endpoint, int total,
	struct timer_heap *timers, int timer_kind);
/* A waiting delivery whose turn it is. */
void delivery_slots_offer(struct delivery_slots *slots, struct delivery *delivery, int64_t now_ms);
/* Out of whichever list it is in, and its slot, if it has one, is free again. Its state is the
 * caller's to change. */
void delivery_slots_withdraw(
	struct delivery_slots *slots, struct delivery *delivery, int64_t now_ms);
/* The next one to prepare: WAITING to PREPARING. NULL when none may be now. */
struct delivery *delivery_slots_claim(struct delivery_slots *slots, int64_t now_ms);
/* It is prepared: PREPARING to PREPARED. */
void delivery_slots_prepared(
	struct delivery_slots *slots, struct delivery *delivery, int64_t now_ms);
/* The next one to POST: PREPARED to SENDING. NULL when none may be now. */
struct delivery *delivery_slots_start(struct delivery_slots *slots, int64_t now_ms);
/* The outlet's state, breaker or speed has changed, or its timer rang. */
void delivery_slots_look(struct delivery_slots *slots, struct outlet *outlet, int64_t now_ms);
void delivery_slots_forget(struct delivery_slots *slots,
	struct outlet *outlet); /* before the outlet is freed; its lists are empty */

#endif
