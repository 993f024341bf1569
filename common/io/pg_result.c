/* Results in Postgres's binary format (the *_send functions of the server are its specification).
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/io/pg_internal.h"

#define EPOCH_2000_WALL_MS INT64_C(946684800000)

static const char *error_field(const struct pg_result *result, int field)
{
	const char *value = result->rows != NULL ? PQresultErrorField(result->rows, field) : NULL;
	return value != NULL ? value : "";
}

/* Messages of class 22 (data exception) quote the offending
 * value: it is left out. */
static void set_server_err(struct err *err, const char *sqlstate, const char *message)
{
	bool hide_quoted = strncmp(sqlstate, "22", 2) == 0;
	bool in_quotes = false;
	char line[sizeof(err->text) - 16]; /* leaves room for the code behind it */
	size_t len = 0;
	for (const char *c = message; *c != '\0' && len < sizeof(line) - 1; c++) {
		if (*c == '"')
			in_quotes = !in_quotes;
		else if (in_quotes && hide_quoted)
			continue;
		line[len++] = *c;
	}
	line[len] = '\0';
	(void)err_set(err, "%s (%s)", line[0] != '\0' ? line : "no message",
		sqlstate[0] != '\0' ? sqlstate : "no code");
}

void pg_result_from_server(struct pg_result *result, PGresult *rows)
{
	memset(result, 0, sizeof(*result));
	result->rows = rows;
	ExecStatusType status = PQresultStatus(rows);
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
		status == PGRES_EMPTY_QUERY) {
		result->status = PG_OK;
		return;
	}
	result->status = PG_FAILED;
	const char *sqlstate = error_field(result, PG_DIAG_SQLSTATE);
	memcpy(result->sqlstate, sqlstate, strnlen(sqlstate, sizeof(result->sqlstate) - 1));
	set_server_err(
		&result->err, result->sqlstate, error_field(result, PG_DIAG_MESSAGE_PRIMARY));
}

void pg_result_without_answer(
	struct pg_result *result, enum pg_status status, const struct err *why)
{
	ASSERT(status == PG_UNKNOWN || status == PG_UNAVAILABLE);
	memset(result, 0, sizeof(*result));
	result->status = status;
	result->err = *why;
}

void pg_result_deinit(struct pg_result *result)
{
	PQclear(result->rows);
	result->rows = NULL;
}

bool pg_result_is_stale_plan(const struct pg_result *result)
{
	if (strcmp(result->sqlstate, "26000") == 0) /* no such prepared statement */
		return true;
	/* "cached plan must not change result type": a table was altered since. */
	return strcmp(result->sqlstate, "0A000") == 0 &&
	       strcmp(error_field(result, PG_DIAG_SOURCE_FUNCTION), "RevalidateCachedQuery") == 0;
}

enum pg_status pg_status(const struct pg_result *result)
{
	return result->status;
}

const char *pg_status_name(enum pg_status status)
{
	switch (status) {
	case PG_OK:
		return "ok";
	case PG_FAILED:
		return "failed";
	case PG_UNKNOWN:
		return "unknown";
	case PG_UNAVAILABLE:
		return "unavailable";
	}
	WRONG("no such pg_status");
}

const char *pg_sqlstate(const struct pg_result *result)
{
	return result->sqlstate;
}

const char *pg_constraint(const struct pg_result *result)
{
	return error_field(result, PG_DIAG_CONSTRAINT_NAME);
}

const struct err *pg_err(const struct pg_result *result)
{
	return &result->err;
}

bool pg_is_retryable(const struct pg_result *result)
{
	const char *state = result->sqlstate;
	if (result->status != PG_FAILED)
		return result->status != PG_OK;
	return strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0 ||
	       strcmp(state, "55P03") == 0 || strncmp(state, "57P0", 4) == 0 ||
	       strncmp(state, "53", 2) == 0 || pg_result_is_stale_plan(result);
}

int pg_rows(const struct pg_result *result)
{
	return result->status == PG_OK ? PQntuples(result->rows) : 0;
}

int64_t pg_affected(const struct pg_result *result)
{
	return result->status == PG_OK ? strtoll(PQcmdTuples(result->rows), NULL, 10) : 0;
}

static Oid cell_type(const struct pg_result *result, int row, int col)
{
	ASSERT(result->status == PG_OK);
	ASSERT(row >= 0 && row < PQntuples(result->rows));
	ASSERT(col >= 0 && col < PQnfields(result->rows));
	return PQftype(result->rows, col);
}

static const char *cell_value(const struct pg_result *result, int row, int col, size_t want_len)
{
	ASSERT((size_t)PQgetlength(result->rows, row, col) == want_len);
	return PQgetvalue(result->rows, row, col);
}

static struct strview cell_view(const struct pg_result *result, int row, int col)
{
	if (PQgetisnull(result->rows, row, col))
		return SV_NULL;
	return sv_make(
		PQgetvalue(result->rows, row, col), (size_t)PQgetlength(result->rows, row, col));
}

static uint16_t get_u16(const char *at)
{
	uint16_t number;
	memcpy(&number, at, sizeof(number));
	return be16toh(number);
}

static uint32_t get_u32(const char *at)
{
	uint32_t number;
	memcpy(&number, at, sizeof(number));
	return be32toh(number);
}

static uint64_t get_u64(const char *at)
{
	uint64_t number;
	memcpy(&number, at, sizeof(number));
	return be64toh(number);
}

bool pg_is_null(const struct pg_result *result, int row, int col)
{
	(void)cell_type(result, row, col);
	return PQgetisnull(result->rows, row, col) != 0;
}

struct strview pg_text(const struct pg_result *result, int row, int col)
{
	Oid type = cell_type(result, row, col);
	struct strview view = cell_view(result, row, col);
	if (type == PG_OID_JSONB) {
		if (sv_is_null(view))
			return view;
		ASSERT(view.len > 0 && view.ptr[0] == 1); /* jsonb_send's version */
		return sv_make(view.ptr + 1, view.len - 1);
	}
	/* Of the types made by CREATE TYPE only enums are expected, which travel as their label. */
	ASSERT(type == PG_OID_TEXT || type == PG_OID_VARCHAR || type == PG_OID_BPCHAR ||
		type == PG_OID_NAME || type == PG_OID_JSON || type >= PG_OID_FIRST_USER);
	return view;
}

struct strview pg_bytes(const struct pg_result *result, int row, int col)
{
	ASSERT(cell_type(result, row, col) == PG_OID_BYTEA);
	return cell_view(result, row, col);
}

int64_t pg_int(const struct pg_result *result, int row, int col)
{
	Oid type = cell_type(result, row, col);
	ASSERT(type == PG_OID_INT2 || type == PG_OID_INT4 || type == PG_OID_INT8);
	if (PQgetisnull(result->rows, row, col))
		return 0;
	if (type == PG_OID_INT2)
		return (int16_t)get_u16(cell_value(result, row, col, 2));
	if (type == PG_OID_INT4)
		return (int32_t)get_u32(cell_value(result, row, col, 4));
	return (int64_t)get_u64(cell_value(result, row, col, 8));
}

double pg_real(const struct pg_result *result, int row, int col)
{
	ASSERT(cell_type(result, row, col) == PG_OID_FLOAT8);
	if (PQgetisnull(result->rows, row, col))
		return 0;
	uint64_t bits = get_u64(cell_value(result, row, col, 8));
	double real;
	memcpy(&real, &bits, sizeof(real));
	return real;
}

bool pg_bool(const struct pg_result *result, int row, int col)
{
	ASSERT(cell_type(result, row, col) == PG_OID_BOOL);
	return !PQgetisnull(result->rows, row, col) && *cell_value(result, row, col, 1) != 0;
}

int64_t pg_time(const struct pg_result *result, int row, int col)
{
	ASSERT(cell_type(result, row, col) == PG_OID_TIMESTAMPTZ);
	if (PQgetisnull(result->rows, row, col))
		return PG_TIME_NULL;
	int64_t us = (int64_t)get_u64(cell_value(result, row, col, 8));
	if (us == INT64_MAX || us == INT64_MIN) /* infinity, -infinity */
		return us == INT64_MAX ? INT64_MAX : INT64_MIN + 1;
	int64_t ms = us / 1000 - (us % 1000 < 0 ? 1 : 0);
	return ms + EPOCH_2000_WALL_MS;
}

int pg_text_array(const struct pg_result *result, int row, int col, struct pool *pool,
	struct strview **ret_elements)
{
	Oid type = cell_type(result, row, col);
	ASSERT(type == PG_OID_TEXT_ARRAY || type == PG_OID_VARCHAR_ARRAY);
	*ret_elements = NULL;
	struct strview view = cell_view(result, row, col);
	if (sv_is_null(view))
		return 0;
	ASSERT(view.len >= 12);
	uint32_t n_dimensions = get_u32(view.ptr);
	if (n_dimensions == 0)
		return 0;
	ASSERT(n_dimensions == 1 && view.len >= 20);
	int n = (int)get_u32(view.ptr + 12);
	struct strview *elements = pool_array(pool, (size_t)n, sizeof(*elements));
	const char *at = view.ptr + 20;
	for (int i = 0; i < n; i++) {
		int32_t len = (int32_t)get_u32(at);
		at += 4;
		if (len < 0)
			continue;
		elements[i] = pool_sv(pool, sv_make(at, (size_t)len));
		at += len;
	}
	ASSERT(at == view.ptr + view.len);
	*ret_elements = elements;
	return n;
}
