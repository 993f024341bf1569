/* A stack of parts, the first on top. */
#include "services/gateway/ranges.h"

#include "common/base/check.h"

void ranges_init(struct ranges *ranges, int count)
{
	ranges->n = 0;
	if (count == 0)
		return;
	ranges->n = 1;
	ranges->parts[0].begin = 0;
	ranges->parts[0].count = count;
}

bool ranges_peek(const struct ranges *ranges, int *ret_begin, int *ret_count)
{
	if (ranges->n == 0)
		return false;
	*ret_begin = ranges->parts[ranges->n - 1].begin;
	*ret_count = ranges->parts[ranges->n - 1].count;
	return true;
}

void ranges_pop(struct ranges *ranges)
{
	ASSERT(ranges->n > 0);
	ranges->n--;
}

bool ranges_split(struct ranges *ranges)
{
	ASSERT(ranges->n > 0);
	int begin = ranges->parts[ranges->n - 1].begin;
	int count = ranges->parts[ranges->n - 1].count;
	if (count == 1)
		return false;
	ASSERT(ranges->n < RANGES_MAX);
	int half = count / 2;
	ranges->parts[ranges->n - 1].begin = begin + half;
	ranges->parts[ranges->n - 1].count = count - half;
	ranges->parts[ranges->n].begin = begin;
	ranges->parts[ranges->n].count = half;
	ranges->n++;
	return true;
}
