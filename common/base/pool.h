/* A pool of memory that is freed as a whole: each request, entry and attempt owns one. */
#ifndef WA_BASE_POOL_H
#define WA_BASE_POOL_H

#include <stddef.h>

#include "common/base/attr.h"
#include "common/base/strview.h"

struct pool;

struct pool *pool_new(void); /* small: a first block of about 1 KiB lies in the same allocation */
void pool_free(struct pool **pool);
void pool_reset(struct pool *pool); /* everything in it is gone, its first block is kept */
void *pool_alloc(struct pool *pool, size_t size_bytes); /* zeroed, aligned for anything */
void *pool_array(struct pool *pool, size_t count, size_t element_bytes);
char *pool_strdup(struct pool *pool, const char *text); /* NULL gives NULL */
char *pool_sv_cstr(
	struct pool *pool, struct strview view); /* NUL-terminated copy; SV_NULL gives NULL */
struct strview pool_sv(struct pool *pool, struct strview view); /* copy; SV_NULL stays null */
char *pool_printf(struct pool *pool, const char *fmt, ...) PRINTF_AT(2, 3);
/* Have `fn(arg)` called when the pool is freed or reset, last registered first. */
void pool_on_free(struct pool *pool, void (*fn)(void *arg), void *arg);
size_t pool_size_bytes(
	const struct pool *pool); /* what it holds from the heap, for bounds and tests */

#define pool_new_in(pool, type) ((type *)pool_alloc((pool), sizeof(type)))

#endif
