/*
 * Statements, parameters and results as the services see them. libpq stays behind the files pg_*.c.
 * Parameters travel in binary; a statement's parameter types are fixed by casts in its SQL
 * ($1::int8[]).
 */
#ifndef WA_IO_PG_QUERY_H
#define WA_IO_PG_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attr.h"
#include "common/base/err.h"
#include "common/base/pool.h"
#include "common/base/strview.h"

/* A statement: static, prepared under its name on each connection when first used there. */
struct pg_stmt {
	const char *name;
	const char *sql;
};

/* Parameters, in the order of $1, $2, …; built in a pool, views and arrays are copied. */
struct pg_params;
struct pg_params *pg_params_new(struct pool *pool);
void pg_param_null(struct pg_params *params);
/* SV_NULL is NULL. Also for jsonb given as $n::text::jsonb. */
void pg_param_text(struct pg_params *params, struct strview text);
void pg_param_bytes(struct pg_params *params, struct strview bytes); /* bytea */
void pg_param_bool(struct pg_params *params, bool yes);
void pg_param_int2(struct pg_params *params, int16_t number);
void pg_param_int4(struct pg_params *params, int32_t number);
void pg_param_int8(struct pg_params *params, int64_t number);
/* timestamptz; PG_TIME_NULL is NULL. A time beyond what the server can hold becomes its first or
   last one, so that one silly time does not refuse a whole batch. */
void pg_param_time(struct pg_params *params, int64_t wall_ms);

#define PG_TIME_NULL INT64_MIN
#define PG_INT_NULL  INT64_MIN /* in int arrays: a NULL element */

/* One-dimensional arrays of n elements (n may be 0). SV_NULL, PG_INT_NULL and PG_TIME_NULL elements
   are NULL; a number must fit its type. */
void pg_param_text_array(struct pg_params *params, const struct strview *texts, int n);
void pg_param_bytes_array(struct pg_params *params, const struct strview *bytes, int n);
void pg_param_int2_array(struct pg_params *params, const int64_t *numbers, int n);
void pg_param_int4_array(struct pg_params *params, const int64_t *numbers, int n);
void pg_param_int8_array(struct pg_params *params, const int64_t *numbers, int n);
void pg_param_bool_array(struct pg_params *params, const bool *flags, int n);
void pg_param_time_array(struct pg_params *params, const int64_t *wall_ms, int n);

enum pg_status {
	PG_OK,     /* done and committed */
	PG_FAILED, /* the server refused it: nothing changed; sqlstate and err say why */
	/* The connection broke or the deadline passed after it was sent: it may or may not have
	   been committed. */
	PG_UNKNOWN,
	PG_UNAVAILABLE, /* never sent: no connection, or the queue is full */
};

/* A result; it and all its views live until the callback returns. Columns are counted from 0. A
   getter whose type is not that of the column is our bug (ASSERT): cast in the SQL, as in
   sum(n)::int8. */
struct pg_result;
enum pg_status pg_status(const struct pg_result *result);
const char *pg_status_name(enum pg_status status);
/* "23505"; "" unless PG_FAILED */
const char *pg_sqlstate(const struct pg_result *result);
/* name of the violated constraint, or "" */
const char *pg_constraint(const struct pg_result *result);
/* one line; never parameter values */
const struct err *pg_err(const struct pg_result *result);
/* UNKNOWN, UNAVAILABLE, or FAILED by 40001, 40P01, 57P0x, 55P03, 53xxx, or by a prepared plan that
   no longer fits the tables (it is prepared anew). */
bool pg_is_retryable(const struct pg_result *result);
int pg_rows(const struct pg_result *result);
int64_t pg_affected(const struct pg_result *result); /* rows of an INSERT, UPDATE, DELETE */
bool pg_is_null(const struct pg_result *result, int row, int col);
/* text, varchar, enums, jsonb as text; SV_NULL for NULL */
struct strview pg_text(const struct pg_result *result, int row, int col);
/* bytea */
struct strview pg_bytes(const struct pg_result *result, int row, int col);
/* int2, int4, int8; 0 for NULL */
int64_t pg_int(const struct pg_result *result, int row, int col);
/* float8 */
double pg_real(const struct pg_result *result, int row, int col);
bool pg_bool(const struct pg_result *result, int row, int col);
/* wall ms; PG_TIME_NULL for NULL, INT64_MAX for infinity */
int64_t pg_time(const struct pg_result *result, int row, int col);
/* A text[] column: its elements, allocated in pool. Returns their number. */
int pg_text_array(const struct pg_result *result, int row, int col, struct pool *pool,
	struct strview **ret_elements);

/* Called once for each query, never before the function that took it has returned. */
typedef void (*pg_done_fn)(void *ctx, const struct pg_result *result);

#endif
