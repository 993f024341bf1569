/*
 * Opaque cursors of lists: base64url of the position after which the next page begins, signed, and
 * bound to the list it came from (its operation and tenant). One that was changed, or that belongs
 * to another list, is refused. Pure.
 */
#ifndef WA_API_CURSOR_H
#define WA_API_CURSOR_H

#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/pool.h"
#include "common/base/strview.h"

#define CURSOR_MAX_POSITION 64

struct cursor_key {
	uint8_t bytes[SHA256_SIZE];
};

/* The key for cursors, derived from WA_MASTER_KEY. */
void cursor_key_init(struct cursor_key *key, struct strview master_key);
/* position: 1 to CURSOR_MAX_POSITION bytes. The text lies in pool. */
struct strview cursor_format(const struct cursor_key *key, struct strview list,
	struct strview position, struct pool *pool);
/* 0, or -1 for what cursor_format() did not make for this list. */
int cursor_parse(const struct cursor_key *key, struct strview list, struct strview text,
	struct pool *pool, struct strview *ret_position);

#endif
