/*
 * The api's door to Postgres. All SQL of the api is in api_store*.c; each file's header tells what
 * its rows mean. Every function here and there calls fn(ctx, result) once, later.
 */
#ifndef WA_API_API_STORE_H
#define WA_API_API_STORE_H

#include <stdint.h>

#include "common/base/pool.h"
#include "common/io/loop.h"
#include "common/io/pg_pool.h"

struct api_store;

struct api_store *api_store_new(struct loop *loop, const char *url, const char *app_name,
	int64_t query_timeout_ms, pg_change_fn on_change, void *ctx);
void api_store_free(struct api_store **store);
bool api_store_is_up(const struct api_store *store);
int64_t api_store_timeout_ms(const struct api_store *store);

/* For api_store_*.c: run a statement; params may be freed at once. */
void store_run(struct api_store *store, const struct pg_stmt *stmt, const struct pg_params *params,
	pg_done_fn fn, void *ctx);
void store_run_within(struct api_store *store, int64_t timeout_ms, const struct pg_stmt *stmt,
	const struct pg_params *params, pg_done_fn fn, void *ctx);

/* SQL: the id of what message m replies to; NULL when it is nothing that we know. */
#define API_SQL_REPLY_TO                                                                           \
	"(SELECT r.id FROM messages r"                                                             \
	" WHERE r.wa_message_id = m.reply_to AND r.session_id = m.session_id LIMIT 1)"

/* Statements that are to succeed together. Parameters lie in the pool. */
#define STORE_TX_MAX 8
struct store_tx {
	struct pool *pool;
	int n;
	const struct pg_stmt *stmts[STORE_TX_MAX];
	const struct pg_params *params[STORE_TX_MAX];
};
void store_tx_init(struct store_tx *tx, struct pool *pool);
void store_tx_add(struct store_tx *tx, const struct pg_stmt *stmt, const struct pg_params *params);
void store_tx_append(struct store_tx *tx, const struct store_tx *more);
void store_run_all(struct api_store *store, const struct store_tx *tx, pg_done_fn fn, void *ctx);

#endif
