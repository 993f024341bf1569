/*
 * The parts of a batch that are still to be written. A part that Postgres refuses for good is
 * halved until the one element that spoils it stands alone and can be left out. Pure.
 */
#ifndef WA_GATEWAY_RANGES_H
#define WA_GATEWAY_RANGES_H

#include <stdbool.h>

#define RANGES_MAX 32 /* more than the binary logarithm of any batch */

struct ranges {
	int n;
	struct {
		int begin;
		int count;
	} parts[RANGES_MAX];
};

void ranges_init(
	struct ranges *ranges, int count); /* one part of count elements; none when count is 0 */
/* The part to write now. False when nothing is left. */
bool ranges_peek(const struct ranges *ranges, int *ret_begin, int *ret_count);
void ranges_pop(struct ranges *ranges); /* that part is done, or left out */
/* Halve that part; false when it is a single element. */
bool ranges_split(struct ranges *ranges);

#endif
