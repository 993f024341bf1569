/* Allocation that succeeds or aborts. Sizes from outside are checked against a limit before they
 * come here. */
#ifndef WA_BASE_MEM_H
#define WA_BASE_MEM_H

#include <stddef.h>

#include "common/base/attr.h"

void *mem_alloc(size_t size_bytes);  /* not zeroed; size 0 gives a unique pointer */
void *mem_zalloc(size_t size_bytes); /* zeroed */
void *mem_realloc(void *ptr, size_t size_bytes);
void *mem_array(size_t count, size_t element_bytes); /* zeroed; aborts on overflow */
char *mem_strdup(const char *text);                  /* text must not be NULL */
char *mem_strndup(const char *text, size_t len);     /* len bytes and a NUL */
void *mem_dup(const void *data, size_t size_bytes);
void mem_free(void *ptr); /* NULL is fine */
/* Overwrite a secret so that the compiler cannot drop it. */
void mem_wipe(void *ptr, size_t size_bytes);

#define mem_new(type) ((type *)mem_zalloc(sizeof(type)))

#endif
