/*
 * Looks up host names without blocking the loop. getaddrinfo() blocks, and nothing else knows all
 * that a machine knows of names (nsswitch, search domains): it is called in a thread of its own
 * that shares no memory with us and writes its answer to a socket. For our own Postgres and Redis;
 * what is called on behalf of others is http_client's business.
 */
#ifndef WA_IO_RESOLVE_H
#define WA_IO_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/io/loop.h"

#define RESOLVE_MAX_ADDRESSES 16
#define RESOLVE_ADDRESS_SIZE  46 /* INET6_ADDRSTRLEN */

struct resolve;

struct resolve_answer {
	int n; /* 0 with err, or more: numeric addresses in the order in which they should be tried
		*/
	char addresses[RESOLVE_MAX_ADDRESSES][RESOLVE_ADDRESS_SIZE];
	struct err err;
};

typedef void (*resolve_fn)(void *ctx, const struct resolve_answer *answer);

/* Is host a numeric address already? */
bool resolve_is_numeric(const char *host);
/* fn is called once, from the loop, at the latest after timeout_ms; the lookup is gone when it is.
 */
struct resolve *resolve_start(
	struct loop *loop, const char *host, int64_t timeout_ms, resolve_fn fn, void *ctx);
void resolve_cancel(struct resolve **resolve); /* fn is not called. NULL is fine */

#endif
