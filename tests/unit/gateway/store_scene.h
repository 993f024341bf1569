/*
 * A database with the product's schema, for tests of SQL. Statements of the stores run on `conn`,
 * as the gateway's own role; what the test sets up and looks at goes through psql, as the owner.
 */
#ifndef WA_TESTS_UNIT_GATEWAY_STORE_SCENE_H
#define WA_TESTS_UNIT_GATEWAY_STORE_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/pool.h"
#include "common/io/pg_conn.h"

#define SCENE_EPOCH 5 /* of session 1 and of partition 3, both held */

struct scene {
	struct loop *loop;
	struct pg_conn *conn;
	struct pool *pool; /* of what scene_sql() gave */
	bool is_done;
	/* Called with the result of the statement that scene_wait() waits for. */
	void (*on_result)(void *ctx, const struct pg_result *result);
	void *ctx;
};

int scene_setup(void **state); /* once a group: makes the database */
int scene_teardown(void **state);
int scene_reset(void **state); /* before each test: no messages, session 1 and partition 3 held */

/* Run SQL as the owner; gives its output: rows end with '\n', columns with '|'. Fails the test when
 * the SQL does. */
const char *scene_sql(struct scene *scene, const char *fmt, ...) PRINTF_AT(2, 3);
void scene_expect(
	struct scene *scene, const char *sql, const char *want); /* without the last '\n' */

/* A pg_done_fn with the scene as its ctx: passes the result to on_result (must be PG_OK), then ends
 * scene_wait(). */
void scene_on_done(void *ctx, const struct pg_result *result);
void scene_wait(struct scene *scene, void (*on_result)(void *ctx, const struct pg_result *result),
	void *ctx);

/* An outgoing message of session 1, partition 3: queued, open, without attempts. columns: "" or ",
 * name = value, …" to change it. */
void scene_message(struct scene *scene, const char *id, const char *phone, int64_t queue_seq,
	const char *columns);

#endif
