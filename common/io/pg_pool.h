/* A few pg_conns for queries whose order among each other does not matter: each goes to the one
 * with the least in flight. */
#ifndef WA_IO_PG_POOL_H
#define WA_IO_PG_POOL_H

#include "common/io/pg_conn.h"

struct pg_pool;

struct pg_pool *pg_pool_new(struct loop *loop, const struct pg_conn_options *options, int n_conns,
	pg_change_fn on_change, void *ctx);
void pg_pool_free(struct pg_pool **pool);
bool pg_pool_is_up(const struct pg_pool *pool); /* at least one connection is */
void pg_pool_query(struct pg_pool *pool, const struct pg_stmt *stmt, const struct pg_params *params,
	int64_t deadline_ms, pg_done_fn fn, void *ctx);
void pg_pool_query_all(struct pg_pool *pool, int n, const struct pg_stmt *const *stmts,
	const struct pg_params *const *params, int64_t deadline_ms, pg_done_fn fn, void *ctx);
void pg_pool_forget(struct pg_pool *pool, const void *ctx); /* see pg_conn_forget() */

#endif
