/* The two clocks. Deadlines and leases use the monotonic one; times that people see use the wall
 * clock. */
#ifndef WA_BASE_CLOCK_H
#define WA_BASE_CLOCK_H

#include <stdint.h>

#include "common/base/attr.h"
#include "common/base/strview.h"

#define CLOCK_RFC3339_SIZE 32 /* "2026-01-01T00:00:00.000Z" and a NUL, with room */

int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
int64_t clock_wall_ms(void); /* Unix time in ms */

/* For tests: both clocks stand at these values until moved. */
void clock_fake(int64_t mono_ms, int64_t wall_ms);
void clock_fake_advance(int64_t ms);
void clock_fake_end(void);

/* RFC 3339 in UTC with milliseconds. Works for years 0000..9999. */
void clock_format(int64_t wall_ms, char ret_text[CLOCK_RFC3339_SIZE]);
/* Any RFC 3339 time (offset required, fraction optional, finer than ms is cut). 0, or -1. */
int clock_parse(struct strview text, int64_t *ret_wall_ms);

#endif
