/* The event loop of a process, on libevent. */
#include "common/io/loop.h"

#include <stdbool.h>
#include <time.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/base/check.h"
#include "common/base/mem.h"

/* The end of a turn has two laps: see on_end_of_turn(). */
enum loop_phase { LOOP_IDLE, LOOP_FIRST_LAP, LOOP_SECOND_LAP, LOOP_RUNNING_TURNS };

struct loop {
	struct event_base *base;
	struct event *
		end_of_turn; /* made active by hand: runs behind what libevent has already queued */
	struct event *next_turn; /* a timer of 0 ms: runs in the next pass, after its I/O */
	enum loop_phase phase;
	uint64_t phase_number;
	struct loop_turn *first, *last;           /* to run at the end of this turn */
	struct loop_turn *next_first, *next_last; /* to run at the end of the next */
	bool is_stopping;
	int n_objects; /* timers, turns and signals that are not freed */
};

struct loop_timer {
	struct loop *loop;
	struct event event;
	const char *name;
	loop_fn fn;
	void *ctx;
	int64_t due_us;
};

enum turn_list { TURN_NOWHERE, TURN_THIS, TURN_NEXT };

struct loop_turn {
	struct loop *loop;
	const char *name;
	loop_fn fn;
	void *ctx;
	struct loop_turn *next;
	enum turn_list list;
	uint64_t ran_in; /* phase number */
};

struct loop_signal {
	struct loop *loop;
	struct event *event;
	loop_fn fn;
	void *ctx;
};

/* Not clock_mono_us(): tests stop that one, and a loop whose time stands still would never wake. */
static int64_t now_us(void)
{
	struct timespec now;

	ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct timeval timeval_from_us(int64_t us)
{
	return (struct timeval){.tv_sec = us / 1000000, .tv_usec = us % 1000000};
}

/* --- turns --- */

static void turn_append(struct loop_turn *turn, enum turn_list list)
{
	struct loop *loop = turn->loop;
	struct loop_turn **first = list == TURN_THIS ? &loop->first : &loop->next_first;
	struct loop_turn **last = list == TURN_THIS ? &loop->last : &loop->next_last;

	ASSERT(turn->list == TURN_NOWHERE);
	turn->list = list;
	turn->next = NULL;
	if (*last != NULL)
		(*last)->next = turn;
	else
		*first = turn;
	*last = turn;
}

static void turn_remove(struct loop_turn *turn)
{
	struct loop *loop = turn->loop;
	struct loop_turn **first = turn->list == TURN_THIS ? &loop->first : &loop->next_first;
	struct loop_turn **last = turn->list == TURN_THIS ? &loop->last : &loop->next_last;
	struct loop_turn *before = NULL;

	if (turn->list == TURN_NOWHERE)
		return;
	for (struct loop_turn *at = *first; at != turn; at = at->next)
		before = at;
	if (before != NULL)
		before->next = turn->next;
	else
		*first = turn->next;
	if (*last == turn)
		*last = before;
	turn->list = TURN_NOWHERE;
}

static void run_turns(struct loop *loop)
{
	static const struct timeval at_once = {0, 0};

	loop->phase = LOOP_RUNNING_TURNS;
	loop->phase_number++;
	while (loop->first != NULL) {
		struct loop_turn *turn = loop->first;

		turn_remove(turn);
		turn->ran_in = loop->phase_number;
		turn->fn(turn->ctx); /* may free the turn */
	}
	loop->phase = LOOP_IDLE;
	if (loop->next_first != NULL)
		ASSERT(event_add(loop->next_turn, &at_once) == 0);
}

/*
 * Why no priorities: libevent serves a lower priority only in a pass in which no higher one had
 * anything to do, so that under permanent I/O load the end of the turn would never come. An event
 * made active at the same priority stands behind every callback that is already queued. Those
 * callbacks may queue deferred ones of their own (bufferevents do), which then stand behind ours:
 * so we step back to the end of the queue once more. One step and no more, else two such parties
 * could go on for ever.
 */
static void on_end_of_turn(evutil_socket_t fd, short what, void *ctx)
{
	struct loop *loop = ctx;

	(void)fd;
	(void)what;
	if (loop->phase == LOOP_FIRST_LAP) {
		loop->phase = LOOP_SECOND_LAP;
		event_active(loop->end_of_turn, EV_TIMEOUT, 1);
		return;
	}
	ASSERT(loop->phase == LOOP_SECOND_LAP);
	run_turns(loop);
}

static void start_end_of_turn(struct loop *loop)
{
	if (loop->phase != LOOP_IDLE)
		return;
	loop->phase = LOOP_FIRST_LAP;
	event_active(loop->end_of_turn, EV_TIMEOUT, 1);
}

static void on_next_turn(evutil_socket_t fd, short what, void *ctx)
{
	struct loop *loop = ctx;

	(void)fd;
	(void)what;
	while (loop->next_first != NULL) {
		struct loop_turn *turn = loop->next_first;

		turn_remove(turn);
		turn_append(turn, TURN_THIS);
	}
	start_end_of_turn(loop);
}

struct loop_turn *loop_turn_new(struct loop *loop, const char *name, loop_fn fn, void *ctx)
{
	struct loop_turn *turn = mem_new(struct loop_turn);

	*turn = (struct loop_turn){.loop = loop, .name = name, .fn = fn, .ctx = ctx};
	loop->n_objects++;
	return turn;
}

void loop_turn_request(struct loop_turn *turn)
{
	struct loop *loop = turn->loop;

	if (turn->list != TURN_NOWHERE)
		return;
	/* A turn that has run in this phase waits for the next, or two that ask for each other
	 * would never end. */
	if (loop->phase == LOOP_RUNNING_TURNS && turn->ran_in == loop->phase_number) {
		turn_append(turn, TURN_NEXT);
		return;
	}
	turn_append(turn, TURN_THIS);
	start_end_of_turn(loop);
}

void loop_turn_free(struct loop_turn **turn)
{
	if (*turn == NULL)
		return;
	turn_remove(*turn);
	(*turn)->loop->n_objects--;
	mem_free(*turn);
	*turn = NULL;
}

/* --- timers --- */

static void timer_add(struct loop_timer *timer, int64_t wait_us)
{
	struct timeval wait = timeval_from_us(wait_us);

	ASSERT(evtimer_add(&timer->event, &wait) == 0);
}

/* libevent counts from the start of its pass and on a coarse clock, so that it may call some ms
 * early; we never do. */
static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct loop_timer *timer = ctx;
	int64_t early_us = timer->due_us - now_us();

	(void)fd;
	(void)what;
	if (early_us > 0) {
		timer_add(timer, early_us);
		return;
	}
	timer->fn(timer->ctx); /* may free the timer */
}

struct loop_timer *loop_timer_new(struct loop *loop, const char *name, loop_fn fn, void *ctx)
{
	struct loop_timer *timer = mem_new(struct loop_timer);

	timer->loop = loop;
	timer->name = name;
	timer->fn = fn;
	timer->ctx = ctx;
	ASSERT(evtimer_assign(&timer->event, loop->base, on_timer, timer) == 0);
	loop->n_objects++;
	return timer;
}

void loop_timer_arm(struct loop_timer *timer, int64_t delay_ms)
{
	ASSERT(delay_ms >= 0 && delay_ms <= INT64_MAX / 1000000);
	timer->due_us = delay_ms == 0 ? 0 : now_us() + delay_ms * 1000;
	timer_add(timer, delay_ms * 1000);
}

void loop_timer_disarm(struct loop_timer *timer)
{
	ASSERT(evtimer_del(&timer->event) == 0);
}

int loop_timer_is_armed(const struct loop_timer *timer)
{
	return evtimer_pending(&timer->event, NULL) != 0;
}

void loop_timer_free(struct loop_timer **timer)
{
	if (*timer == NULL)
		return;
	loop_timer_disarm(*timer);
	(*timer)->loop->n_objects--;
	mem_free(*timer);
	*timer = NULL;
}

/* --- signals --- */

static void on_signal(evutil_socket_t signal_number, short what, void *ctx)
{
	struct loop_signal *signal = ctx;

	(void)signal_number;
	(void)what;
	signal->fn(signal->ctx);
}

struct loop_signal *loop_signal_new(struct loop *loop, int signal_number, loop_fn fn, void *ctx)
{
	struct loop_signal *signal = mem_new(struct loop_signal);

	signal->loop = loop;
	signal->fn = fn;
	signal->ctx = ctx;
	signal->event = evsignal_new(loop->base, signal_number, on_signal, signal);
	ASSERT(signal->event != NULL && evsignal_add(signal->event, NULL) == 0);
	loop->n_objects++;
	return signal;
}

void loop_signal_free(struct loop_signal **signal)
{
	if (*signal == NULL)
		return;
	event_free((*signal)->event);
	(*signal)->loop->n_objects--;
	mem_free(*signal);
	*signal = NULL;
}

/* --- the loop --- */

struct loop *loop_new(void)
{
	struct loop *loop = mem_new(struct loop);
	struct event_config *config = event_config_new();

	ASSERT(config != NULL);
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	ASSERT(loop->base != NULL);
	loop->end_of_turn = event_new(loop->base, -1, 0, on_end_of_turn, loop);
	loop->next_turn = evtimer_new(loop->base, on_next_turn, loop);
	ASSERT(loop->end_of_turn != NULL && loop->next_turn != NULL);
	return loop;
}

void loop_free(struct loop **loop)
{
	if (*loop == NULL)
		return;
	ASSERT((*loop)->n_objects == 0);
	event_free((*loop)->end_of_turn);
	event_free((*loop)->next_turn);
	event_base_free((*loop)->base);
	mem_free(*loop);
	*loop = NULL;
}

void loop_run(struct loop *loop)
{
	ASSERT(event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) >= 0);
	loop->is_stopping = false;
}

void loop_stop(struct loop *loop)
{
	if (loop->is_stopping)
		return;
	loop->is_stopping = true;
	ASSERT(event_base_loopexit(loop->base, NULL) == 0);
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	(void)ctx; /* wakes the loop, so that a condition of the outer world is looked at as well */
}

int loop_run_until(struct loop *loop, int (*pred)(void *ctx), void *ctx, int64_t timeout_ms)
{
	int64_t deadline_us = now_us() + timeout_ms * 1000;
	struct event *tick = event_new(loop->base, -1, EV_PERSIST, on_tick, NULL);
	int is_true;

	ASSERT(tick != NULL && event_add(tick, &(struct timeval){.tv_usec = 5000}) == 0);
	while (!(is_true = pred(ctx)) && now_us() < deadline_us)
		ASSERT(event_base_loop(loop->base, EVLOOP_ONCE) >= 0);
	event_free(tick);
	return is_true;
}
