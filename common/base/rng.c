/* Random numbers from the kernel, or from a seed in tests. */
#include "common/base/rng.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/check.h"
#include "common/base/mem.h"

#define BUFFER_BYTES 1024

static struct {
	uint8_t bytes[BUFFER_BYTES];
	size_t left; /* the last `left` bytes are unused */
} buffer;

static struct {
	bool on;
	uint64_t state;
} fake;

static void fill_from_kernel(uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t got = getrandom(bytes, len, 0);
		if (got < 0) {
			ASSERT(errno == EINTR);
			continue;
		}
		bytes += got;
		len -= (size_t)got;
	}
}

/* SplitMix64 (Steele, Lea, Flood, 2014). */
static uint64_t fake_next(void)
{
	uint64_t z = (fake.state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void fill_from_fake(uint8_t *bytes, size_t len)
{
	while (len > 0) {
		uint64_t number = fake_next();
		size_t step = len < sizeof(number) ? len : sizeof(number);
		memcpy(bytes, &number, step);
		bytes += step;
		len -= step;
	}
}

void rng_bytes(void *ret_bytes, size_t len)
{
	if (fake.on) {
		fill_from_fake(ret_bytes, len);
		return;
	}
	if (len > BUFFER_BYTES / 4) {
		fill_from_kernel(ret_bytes, len);
		return;
	}
	if (buffer.left < len) {
		fill_from_kernel(buffer.bytes, BUFFER_BYTES);
		buffer.left = BUFFER_BYTES;
	}
	if (len == 0)
		return;
	uint8_t *from = buffer.bytes + BUFFER_BYTES - buffer.left;
	memcpy(ret_bytes, from, len);
	/* What became a key must not stay here as well. */
	mem_wipe(from, len);
	buffer.left -= len;
}

uint64_t rng_u64(void)
{
	uint64_t number;
	rng_bytes(&number, sizeof(number));
	return number;
}

uint64_t rng_below(uint64_t bound)
{
	ASSERT(bound > 0);
	/* The lowest 2^64 mod bound numbers are thrown away, so that every remainder is equally
	 * likely. */
	uint64_t skip = (0 - bound) % bound;
	uint64_t number;
	do
		number = rng_u64();
	while (number < skip);
	return number % bound;
}

double rng_real(void)
{
	return (double)(rng_u64() >> 11) * 0x1p-53;
}

void rng_fake(uint64_t seed)
{
	fake.on = true;
	fake.state = seed;
}

void rng_fake_end(void)
{
	fake.on = false;
}
