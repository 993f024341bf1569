/*
 * One connection to Postgres in libpq's pipeline mode, non-blocking on the loop. It connects by
 * itself, reconnects with backoff, and keeps the order: queries are executed one after another in
 * the order given, each in a transaction of its own. Everything that waits here has a deadline: a
 * query that has none of its answer by then is PG_UNKNOWN and the connection is dropped (a
 * connection that does not answer is not trusted again).
 *
 * Callbacks come from the loop, never from within a call into this module; any of them may give new
 * queries or free the pg_conn.
 */
#ifndef WA_IO_PG_CONN_H
#define WA_IO_PG_CONN_H

#include "common/io/loop.h"
#include "common/io/pg_query.h"

struct pg_conn;

struct pg_conn_options {
	const char *url;            /* postgresql://… ; borrowed, must outlive */
	const char *app_name;       /* shown in pg_stat_activity */
	int max_in_flight;          /* queries not yet answered; more are PG_UNAVAILABLE. 0 = 256 */
	int64_t connect_timeout_ms; /* 0 = 5000 */
	/* Each statement is planned once, to reach tables through their indexes, whatever their
	   size at that time (docs/architecture.md, "Plans"). For connections whose statements all
	   find their rows by keys. */
	bool plan_once;
};

/* on_change(ctx, up) tells each change of state, with the reason on the way down (also when the
   first attempt to connect fails; what follows until it is up is not told again). May be NULL. */
typedef void (*pg_change_fn)(void *ctx, bool up, const struct err *err);

struct pg_conn *pg_conn_new(struct loop *loop, const struct pg_conn_options *options,
	pg_change_fn on_change, void *ctx);
/* Queries in flight end without their callbacks being called. */
void pg_conn_free(struct pg_conn **conn);
bool pg_conn_is_up(const struct pg_conn *conn);
int pg_conn_in_flight(const struct pg_conn *conn);
/* How many queries it would take now; 0 when it is not up. */
int pg_conn_room(const struct pg_conn *conn);
/* Run a statement. params may be NULL; its pool may be freed as soon as this returns. deadline_ms
 * counts from now. */
void pg_conn_query(struct pg_conn *conn, const struct pg_stmt *stmt, const struct pg_params *params,
	int64_t deadline_ms, pg_done_fn fn, void *ctx);
/* Several statements in one transaction (an implicit one: all of them or none), for moves that need
   no decision in between. fn is called once with the last statement's result, or with the first
   failure. n is at most 8. */
void pg_conn_query_all(struct pg_conn *conn, int n, const struct pg_stmt *const *stmts,
	const struct pg_params *const *params, int64_t deadline_ms, pg_done_fn fn, void *ctx);
/* Queries given with this ctx end without their callbacks (their owner goes away before the
 * connection does). */
void pg_conn_forget(struct pg_conn *conn, const void *ctx);

#endif
