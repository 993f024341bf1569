/*
 * Makes libpq's connection parameters out of a URL: our defaults for what it does not say, and the
 * addresses of all its hosts, looked up without blocking the loop (libpq would look them up itself,
 * and block).
 */
#ifndef WA_IO_PG_TARGET_H
#define WA_IO_PG_TARGET_H

#include "common/io/pg_conn.h"

struct pg_target;

/* The keys and values for PQconnectStartParams(), until the callback returns; NULL with err when
 * there are none. */
typedef void (*pg_target_fn)(
	void *ctx, const char *const *keys, const char *const *values, const struct err *err);

/* fn is called once, from the loop; the target is gone when it is. */
struct pg_target *pg_target_start(
	struct loop *loop, const struct pg_conn_options *options, pg_target_fn fn, void *ctx);
void pg_target_cancel(struct pg_target **target); /* fn is not called. NULL is fine */

#endif
