/* Connections for everything but the accepting of messages. */
#include "services/api/api_store.h"

#include "common/base/check.h"
#include "common/base/mem.h"

#define CONNECTIONS   3
#define MAX_IN_FLIGHT 256 /* on each; what comes on top is refused with 503 */

struct api_store {
	struct pg_pool *pool;
	int64_t query_timeout_ms;
};

struct api_store *api_store_new(struct loop *loop, const char *url, const char *app_name,
	int64_t query_timeout_ms, pg_change_fn on_change, void *ctx)
{
	struct api_store *store = mem_new(struct api_store);
	struct pg_conn_options options = {
		.url = url, .app_name = app_name, .max_in_flight = MAX_IN_FLIGHT};
	store->pool = pg_pool_new(loop, &options, CONNECTIONS, on_change, ctx);
	store->query_timeout_ms = query_timeout_ms;
	return store;
}

void api_store_free(struct api_store **store)
{
	if (*store == NULL)
		return;
	pg_pool_free(&(*store)->pool);
	mem_free(*store);
	*store = NULL;
}

bool api_store_is_up(const struct api_store *store)
{
	return pg_pool_is_up(store->pool);
}

int64_t api_store_timeout_ms(const struct api_store *store)
{
	return store->query_timeout_ms;
}

void store_run_within(struct api_store *store, int64_t timeout_ms, const struct pg_stmt *stmt,
	const struct pg_params *params, pg_done_fn fn, void *ctx)
{
	pg_pool_query(store->pool, stmt, params, timeout_ms, fn, ctx);
}

void store_run(struct api_store *store, const struct pg_stmt *stmt, const struct pg_params *params,
	pg_done_fn fn, void *ctx)
{
	store_run_within(store, store->query_timeout_ms, stmt, params, fn, ctx);
}

void store_tx_init(struct store_tx *tx, struct pool *pool)
{
	tx->pool = pool;
	tx->n = 0;
}

void store_tx_add(struct store_tx *tx, const struct pg_stmt *stmt, const struct pg_params *params)
{
	ASSERT(tx->n < STORE_TX_MAX);
	tx->stmts[tx->n] = stmt;
	tx->params[tx->n] = params;
	tx->n++;
}

void store_tx_append(struct store_tx *tx, const struct store_tx *more)
{
	for (int i = 0; i < more->n; i++)
		store_tx_add(tx, more->stmts[i], more->params[i]);
}

void store_run_all(struct api_store *store, const struct store_tx *tx, pg_done_fn fn, void *ctx)
{
	pg_pool_query_all(
		store->pool, tx->n, tx->stmts, tx->params, store->query_timeout_ms, fn, ctx);
}
