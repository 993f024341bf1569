/* What the pg_*.c files share. libpq is included here and nowhere else. */
#ifndef WA_IO_PG_INTERNAL_H
#define WA_IO_PG_INTERNAL_H

#include <libpq-fe.h>

#include "common/io/pg_query.h"

#define PG_MAX_PARAMS 64

/* Type numbers of pg_type.dat; they never change. */
enum pg_oid {
	PG_OID_BOOL = 16,
	PG_OID_BYTEA = 17,
	PG_OID_NAME = 19,
	PG_OID_INT8 = 20,
	PG_OID_INT2 = 21,
	PG_OID_INT4 = 23,
	PG_OID_TEXT = 25,
	PG_OID_JSON = 114,
	PG_OID_FLOAT8 = 701,
	PG_OID_TEXT_ARRAY = 1009,
	PG_OID_VARCHAR_ARRAY = 1015,
	PG_OID_BPCHAR = 1042,
	PG_OID_VARCHAR = 1043,
	PG_OID_TIMESTAMPTZ = 1184,
	PG_OID_JSONB = 3802,
	PG_OID_FIRST_USER = 16384, /* types made by CREATE TYPE begin here */
};

struct pg_params {
	struct pool *pool;
	int n;
	const char *values[PG_MAX_PARAMS];
	int lengths[PG_MAX_PARAMS];
};

struct pg_result {
	enum pg_status status;
	PGresult *rows; /* owned; NULL when the server said nothing */
	char sqlstate[6];
	struct err err;
};

/* Take what the server answered (and own it): PG_OK or PG_FAILED. */
void pg_result_from_server(struct pg_result *result, PGresult *rows);
/* An ending without an answer; why is copied. */
void pg_result_without_answer(
	struct pg_result *result, enum pg_status status, const struct err *why);
void pg_result_deinit(struct pg_result *result);
/* The server has dropped or cannot use the plan that was prepared: preparing it again under another
 * name helps. */
bool pg_result_is_stale_plan(const struct pg_result *result);

#endif
