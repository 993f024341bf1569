/*
 * When what killed two gateways may be tried: alone, while nothing else is in flight in this
 * process. Suspects wait in a line of their own; while there are some, ordinary claims stop, what
 * is in flight ends, one suspect is tried, and so on. So that many suspects do not stop everything
 * else for long, each second of trials is followed by a second of ordinary work. Pure.
 */
#ifndef WA_GATEWAY_ALONE_H
#define WA_GATEWAY_ALONE_H

#include <stdbool.h>
#include <stdint.h>

#define ALONE_TRIALS_SLICE_MS   1000
#define ALONE_ORDINARY_SLICE_MS 1000

struct alone {                     /* zero at first */
	bool is_trying;            /* a suspect is being claimed or in flight */
	int64_t trials_since_ms;   /* when the present slice of trials began; 0 = none */
	int64_t ordinary_until_ms; /* ordinary work goes first until then */
};

enum alone_step {
	ALONE_ORDINARY, /* claim what is not suspect */
	ALONE_WAIT,     /* claim nothing: something is still in flight */
	ALONE_TRY,      /* claim one suspect */
};

/* n_in_flight: attempts handed over and not ended. Times are monotonic and above 0. */
enum alone_step alone_next(
	const struct alone *alone, int n_suspects, int n_ordinary, int n_in_flight, int64_t now_ms);
void alone_begin(struct alone *alone, int64_t now_ms); /* ALONE_TRY is followed */
void alone_end(struct alone *alone, int n_suspects,
	int64_t now_ms); /* that trial is over, whatever came of it */

#endif
