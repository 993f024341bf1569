/* A bump allocator: blocks are taken from the heap, cut into pieces, and freed together. */
#include "common/base/pool.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
/* Between pieces, so that an overrun inside a block is seen. */
#define RED_ZONE_BYTES 16
#else
#define ASAN_POISON_MEMORY_REGION(ptr, size)   ((void)(ptr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(ptr, size) ((void)(ptr), (void)(size))
#define RED_ZONE_BYTES                         0
#endif

#define ALIGN_BYTES       _Alignof(max_align_t)
#define FIRST_BLOCK_BYTES 1024
#define MAX_BLOCK_BYTES   ((size_t)64 * 1024)

struct block {
	struct block *previous;
	size_t size_bytes; /* of the whole allocation */
};

struct on_free {
	struct on_free *previous;
	void (*fn)(void *arg);
	void *arg;
};

struct pool {
	char *next; /* first unused byte of the current block, aligned */
	char *end;
	struct block *blocks; /* newest first; the first block of all is not among them */
	struct on_free *on_free;
	size_t size_bytes;
	size_t block_bytes; /* how large the next block will be */
	_Alignas(max_align_t) char first[FIRST_BLOCK_BYTES];
};

static size_t align_up(size_t size_bytes)
{
	return (size_bytes + ALIGN_BYTES - 1) & ~(ALIGN_BYTES - 1);
}

static void pool_use(struct pool *pool, char *start, char *end)
{
	pool->next = start;
	pool->end = end;
	ASAN_POISON_MEMORY_REGION(start, (size_t)(end - start));
}

static void pool_begin(struct pool *pool)
{
	pool->blocks = NULL;
	pool->on_free = NULL;
	pool->size_bytes = sizeof(*pool);
	pool->block_bytes = (size_t)2 * FIRST_BLOCK_BYTES;
	pool_use(pool, pool->first, pool->first + FIRST_BLOCK_BYTES);
}

struct pool *pool_new(void)
{
	/* Not zeroed: pool_alloc() zeroes what it gives. */
	struct pool *pool = mem_alloc(sizeof(*pool));
	pool_begin(pool);
	return pool;
}

static void pool_empty(struct pool *pool)
{
	/* One that runs may register another. */
	while (pool->on_free != NULL) {
		struct on_free *last = pool->on_free;
		pool->on_free = last->previous;
		last->fn(last->arg);
	}
	while (pool->blocks != NULL) {
		struct block *block = pool->blocks;
		pool->blocks = block->previous;
		ASAN_UNPOISON_MEMORY_REGION(block, block->size_bytes);
		mem_free(block);
	}
	ASAN_UNPOISON_MEMORY_REGION(pool->first, FIRST_BLOCK_BYTES);
}

void pool_free(struct pool **pool)
{
	struct pool *gone = *pool;
	*pool = NULL;
	if (gone == NULL)
		return;
	pool_empty(gone);
	mem_free(gone);
}

void pool_reset(struct pool *pool)
{
	pool_empty(pool);
	pool_begin(pool);
}

static char *pool_add_block(struct pool *pool, size_t payload_bytes)
{
	size_t size_bytes = align_up(sizeof(struct block)) + payload_bytes;
	struct block *block = mem_alloc(size_bytes);
	block->previous = pool->blocks;
	block->size_bytes = size_bytes;
	pool->blocks = block;
	pool->size_bytes += size_bytes;
	return (char *)block + align_up(sizeof(struct block));
}

/* Space that is not zeroed. */
static char *pool_take_slow(struct pool *pool, size_t want_bytes)
{
	/* A large piece gets a block to itself, and the current block stays in use. */
	if (want_bytes > pool->block_bytes / 4) {
		char *piece = pool_add_block(pool, want_bytes);
		ASAN_POISON_MEMORY_REGION(piece, want_bytes);
		return piece;
	}
	char *start = pool_add_block(pool, pool->block_bytes);
	pool_use(pool, start + want_bytes, start + pool->block_bytes);
	ASAN_POISON_MEMORY_REGION(start, want_bytes);
	if (pool->block_bytes < MAX_BLOCK_BYTES)
		pool->block_bytes *= 2;
	return start;
}

static char *pool_take(struct pool *pool, size_t size_bytes)
{
	ASSERT(size_bytes < SIZE_MAX / 2);
	size_t want_bytes = align_up(size_bytes + RED_ZONE_BYTES);
	char *piece;
	if (want_bytes <= (size_t)(pool->end - pool->next)) {
		piece = pool->next;
		pool->next += want_bytes;
	} else {
		piece = pool_take_slow(pool, want_bytes);
	}
	ASAN_UNPOISON_MEMORY_REGION(piece, size_bytes);
	return piece;
}

void *pool_alloc(struct pool *pool, size_t size_bytes)
{
	char *piece = pool_take(pool, size_bytes);
	memset(piece, 0, size_bytes);
	return piece;
}

void *pool_array(struct pool *pool, size_t count, size_t element_bytes)
{
	size_t size_bytes;
	ASSERT(!__builtin_mul_overflow(count, element_bytes, &size_bytes));
	return pool_alloc(pool, size_bytes);
}

static char *pool_copy(struct pool *pool, const char *text, size_t len)
{
	char *copy = pool_take(pool, len + 1);
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *pool_strdup(struct pool *pool, const char *text)
{
	return text != NULL ? pool_copy(pool, text, strlen(text)) : NULL;
}

char *pool_sv_cstr(struct pool *pool, struct strview view)
{
	return view.ptr != NULL ? pool_copy(pool, view.ptr, view.len) : NULL;
}

struct strview pool_sv(struct pool *pool, struct strview view)
{
	return (struct strview){pool_sv_cstr(pool, view), view.len};
}

char *pool_printf(struct pool *pool, const char *fmt, ...)
{
	char draft[256];
	va_list args;
	va_start(args, fmt);
	int len = vsnprintf(draft, sizeof(draft), fmt, args);
	va_end(args);
	ASSERT(len >= 0);
	if ((size_t)len < sizeof(draft))
		return pool_copy(pool, draft, (size_t)len);

	char *text = pool_take(pool, (size_t)len + 1);
	va_start(args, fmt);
	(void)vsnprintf(text, (size_t)len + 1, fmt, args);
	va_end(args);
	return text;
}

void pool_on_free(struct pool *pool, void (*fn)(void *arg), void *arg)
{
	struct on_free *on_free = pool_new_in(pool, struct on_free);
	on_free->previous = pool->on_free;
	on_free->fn = fn;
	on_free->arg = arg;
	pool->on_free = on_free;
}

size_t pool_size_bytes(const struct pool *pool)
{
	return pool->size_bytes;
}
