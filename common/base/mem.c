/* Allocation that succeeds or aborts; the only file that calls malloc and free. */
#include "common/base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"

NORETURN static void mem_exhausted(size_t size_bytes)
{
	log_error("mem_exhausted", log_int("size_bytes", (int64_t)size_bytes));
	abort();
}

void *mem_alloc(size_t size_bytes)
{
	void *ptr = malloc(size_bytes > 0 ? size_bytes : 1);
	if (ptr == NULL)
		mem_exhausted(size_bytes);
	return ptr;
}

void *mem_zalloc(size_t size_bytes)
{
	return mem_array(1, size_bytes);
}

void *mem_realloc(void *ptr, size_t size_bytes)
{
	void *moved = realloc(ptr, size_bytes > 0 ? size_bytes : 1);
	if (moved == NULL)
		mem_exhausted(size_bytes);
	return moved;
}

void *mem_array(size_t count, size_t element_bytes)
{
	size_t size_bytes;
	ASSERT(!__builtin_mul_overflow(count, element_bytes, &size_bytes));
	void *ptr = calloc(1, size_bytes > 0 ? size_bytes : 1);
	if (ptr == NULL)
		mem_exhausted(size_bytes);
	return ptr;
}

char *mem_strdup(const char *text)
{
	ASSERT(text != NULL);
	return mem_dup(text, strlen(text) + 1);
}

char *mem_strndup(const char *text, size_t len)
{
	ASSERT(text != NULL || len == 0);
	ASSERT(len < SIZE_MAX);
	char *copy = mem_alloc(len + 1);
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

void *mem_dup(const void *data, size_t size_bytes)
{
	ASSERT(data != NULL || size_bytes == 0);
	void *copy = mem_alloc(size_bytes);
	if (size_bytes > 0)
		memcpy(copy, data, size_bytes);
	return copy;
}

void mem_free(void *ptr)
{
	free(ptr);
}

void mem_wipe(void *ptr, size_t size_bytes)
{
	if (size_bytes > 0)
		explicit_bzero(ptr, size_bytes);
}
