/* The event loop of a process: timers, work at the end of a turn, signals. One thread, libevent
 * underneath. */
#ifndef WA_IO_LOOP_H
#define WA_IO_LOOP_H

#include <stdint.h>

#include "common/base/attr.h"

struct event_base;
struct loop;
struct loop_timer;
struct loop_turn;
struct loop_signal;

struct loop *loop_new(void);
void loop_free(struct loop **loop); /* every timer, turn and signal must be freed before */
void loop_run(struct loop *loop);   /* returns after loop_stop() */
void loop_stop(struct loop *loop);  /* at the end of the present turn */
struct event_base *loop_base(struct loop *loop); /* for adapters only */
/* Run until pred(ctx) is true or timeout_ms went by; true when it became true. For tests. */
int loop_run_until(struct loop *loop, int (*pred)(void *ctx), void *ctx, int64_t timeout_ms);

typedef void (*loop_fn)(void *ctx);

/* A one-shot timer, disarmed at first. `name` is a literal, for diagnosis. */
struct loop_timer *loop_timer_new(struct loop *loop, const char *name, loop_fn fn, void *ctx);
/* Re-arms when armed; 0 = next turn. */
void loop_timer_arm(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_disarm(struct loop_timer *timer);
int loop_timer_is_armed(const struct loop_timer *timer);
void loop_timer_free(struct loop_timer **timer); /* also from within its own callback */

/* Work once at the end of the loop turn in which it was asked for, after all I/O callbacks of that
   turn, however often asked: this is how batches are cut. A request made from within fn itself runs
   in the next turn. */
struct loop_turn *loop_turn_new(struct loop *loop, const char *name, loop_fn fn, void *ctx);
void loop_turn_request(struct loop_turn *turn);
void loop_turn_free(struct loop_turn **turn);

struct loop_signal *loop_signal_new(struct loop *loop, int signal_number, loop_fn fn, void *ctx);
void loop_signal_free(struct loop_signal **signal);

#endif
