/*
 * A delivery that two webhookers died with is tried alone: nothing else is claimed, what is in
 * flight ends, Redis is told, and only then is it worked on. Two more deaths while alone set it
 * aside, with its reason. So that many suspects do not stop everything else for long, each second
 * of trials is followed by a second of ordinary work. (The gateway does alike: alone.h there.)
 */
#ifndef WA_WEBHOOKER_DELIVERY_TRIAL_H
#define WA_WEBHOOKER_DELIVERY_TRIAL_H

#include "services/webhooker/delivery_hands.h"
#include "services/webhooker/delivery_queue.h"
#include "services/webhooker/webhooker_store.h"

#define TRIAL_DEATHS_TILL_ALONE     2
#define TRIAL_DEATHS_TILL_SET_ASIDE 2

struct delivery_trial;

struct delivery_trial_options {
	struct webhooker_store *store;
	struct delivery_queue *queue;
	struct delivery_hands *hands;
	int64_t (*epoch)(void *ctx, int partition);
	void (*on_change)(void *ctx); /* there may be something to do */
	void *ctx;
};

struct delivery_trial *delivery_trial_new(const struct delivery_trial_options *options);
void delivery_trial_free(struct delivery_trial **trial);

/* One that was claimed just now. True: it is a suspect, and looked after here. */
bool delivery_trial_takes(struct delivery_trial *trial, struct delivery *delivery, int64_t now_ms);
/* Is one waiting for its trial, or tried? Then nothing else may be claimed. */
bool delivery_trial_is_on(const struct delivery_trial *trial);
/* Let it go on: to be called whenever something has ended. Gives the delivery, still PREPARING,
 * when its time has come, once; else NULL. */
struct delivery *delivery_trial_run(struct delivery_trial *trial, int64_t now_ms);
int64_t delivery_trial_set_aside_count(const struct delivery_trial *trial);

#endif
