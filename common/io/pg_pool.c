#include "common/io/pg_pool.h"

#include "common/base/check.h"
#include "common/base/mem.h"

#define MAX_CONNS 64

struct pg_pool {
	struct pg_conn *conns[MAX_CONNS];
	int n_conns;
	pg_change_fn on_change;
	void *ctx;
	bool was_told;
	bool told_up;
};

static void on_conn_change(void *ctx, bool up, const struct err *err)
{
	struct pg_pool *pool = ctx;
	bool pool_up = pg_pool_is_up(pool);
	if (pool->was_told && pool->told_up == pool_up)
		return;
	if (pool_up != up) /* this one failed, another is up and tells it soon */
		return;
	pool->was_told = true;
	pool->told_up = pool_up;
	if (pool->on_change != NULL)
		pool->on_change(pool->ctx, pool_up, err);
}

struct pg_pool *pg_pool_new(struct loop *loop, const struct pg_conn_options *options, int n_conns,
	pg_change_fn on_change, void *ctx)
{
	ASSERT(n_conns > 0 && n_conns <= MAX_CONNS);
	struct pg_pool *pool = mem_new(struct pg_pool);
	pool->n_conns = n_conns;
	pool->on_change = on_change;
	pool->ctx = ctx;
	for (int i = 0; i < n_conns; i++)
		pool->conns[i] = pg_conn_new(loop, options, on_conn_change, pool);
	return pool;
}

void pg_pool_free(struct pg_pool **pool)
{
	struct pg_pool *old = *pool;
	if (old == NULL)
		return;
	*pool = NULL;
	for (int i = 0; i < old->n_conns; i++)
		pg_conn_free(&old->conns[i]);
	mem_free(old);
}

bool pg_pool_is_up(const struct pg_pool *pool)
{
	for (int i = 0; i < pool->n_conns; i++) {
		if (pg_conn_is_up(pool->conns[i]))
			return true;
	}
	return false;
}

/* The one with the most room; when none has any, one that will say why. */
static struct pg_conn *choose(const struct pg_pool *pool)
{
	struct pg_conn *best = pool->conns[0];
	for (int i = 1; i < pool->n_conns; i++) {
		if (pg_conn_room(pool->conns[i]) > pg_conn_room(best))
			best = pool->conns[i];
	}
	return best;
}

void pg_pool_query(struct pg_pool *pool, const struct pg_stmt *stmt, const struct pg_params *params,
	int64_t deadline_ms, pg_done_fn fn, void *ctx)
{
	pg_conn_query(choose(pool), stmt, params, deadline_ms, fn, ctx);
}

void pg_pool_query_all(struct pg_pool *pool, int n, const struct pg_stmt *const *stmts,
	const struct pg_params *const *params, int64_t deadline_ms, pg_done_fn fn, void *ctx)
{
	pg_conn_query_all(choose(pool), n, stmts, params, deadline_ms, fn, ctx);
}

void pg_pool_forget(struct pg_pool *pool, const void *ctx)
{
	for (int i = 0; i < pool->n_conns; i++)
		pg_conn_forget(pool->conns[i], ctx);
}
