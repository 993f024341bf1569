/* Random numbers: from the kernel (getrandom), or from a seed in tests. */
#ifndef WA_BASE_RNG_H
#define WA_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

void rng_bytes(void *ret_bytes,
	size_t len); /* cryptographic; buffered, so that a small draw is no system call */
uint64_t rng_u64(void);
uint64_t rng_below(uint64_t bound); /* uniform in 0..bound-1; bound > 0 */
double rng_real(void);              /* uniform in [0, 1) */
void rng_fake(uint64_t seed);       /* for tests: a fixed sequence from now on */
void rng_fake_end(void);

#endif
