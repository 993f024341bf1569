/* Compiler attributes and two macros that every file wants. */
#ifndef WA_BASE_ATTR_H
#define WA_BASE_ATTR_H

#include <stddef.h>

#define MUST_CHECK            __attribute__((warn_unused_result))
#define PRINTF_AT(fmt, first) __attribute__((format(printf, fmt, first)))
#define NORETURN              __attribute__((noreturn))
#define UNUSED                __attribute__((unused))
#define LINK_AS(symbol)       __asm__(symbol) /* the function's name to the linker */

#define array_len(array)                (sizeof(array) / sizeof((array)[0]))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
