/* A pointer and a length that never own. Not NUL-terminated. An absent value is {NULL, 0}; an empty
 * one has ptr != NULL. */
#ifndef WA_BASE_STRVIEW_H
#define WA_BASE_STRVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strview {
	const char *ptr;
	size_t len;
};

#define SV_LIT(literal) ((struct strview){(literal), sizeof(literal) - 1})
#define SV_NULL         ((struct strview){NULL, 0})
/* For printf: "%.*s", SV_ARG(view) */
#define SV_ARG(view) (int)(view).len, ((view).ptr != NULL ? (view).ptr : "")

struct strview sv_from(const char *text); /* text NULL gives SV_NULL */
struct strview sv_make(const void *ptr, size_t len);
bool sv_is_null(struct strview view);
bool sv_eq(
	struct strview a, struct strview b); /* the same bytes; null and empty are the same here */
bool sv_eq_cstr(struct strview view, const char *text);
bool sv_ieq_cstr(struct strview view, const char *text); /* ASCII case ignored */
bool sv_starts_with(struct strview view, const char *prefix);
struct strview sv_trim(struct strview view); /* ASCII white space off both ends */
/* Take what stands before the first `separator` off the front of *view (all of it when there is
   none). False at the end. "a," gives "a" and ""; "" gives ""; SV_NULL gives nothing. */
bool sv_split(struct strview *view, char separator, struct strview *ret_part);
/* A decimal number, whole view, no sign but '-': 0, or -1 when it is none or beyond 64 bits. */
int sv_to_i64(struct strview view, int64_t *ret_number);
uint64_t sv_hash(struct strview view); /* FNV-1a 64, the same on every machine and for ever */
bool sv_is_utf8(struct strview view);  /* well-formed UTF-8 (RFC 3629), NUL allowed */
size_t sv_utf8_front(
	struct strview view); /* bytes of the character at the front; 0 when malformed or empty */

#endif
