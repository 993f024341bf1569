/* Parameters in Postgres's binary format (the *_recv functions of the server are its
 * specification). */
#include "common/io/pg_query.h"

#include <endian.h>
#include <limits.h>
#include <string.h>

#include "common/base/check.h"
#include "common/io/pg_internal.h"

#define EPOCH_2000_WALL_MS INT64_C(946684800000) /* Postgres counts from 2000-01-01 */
/* MIN_TIMESTAMP and END_TIMESTAMP of the server's datatype/timestamp.h, in its microseconds. */
#define TIMESTAMP_MIN_US INT64_C(-211813488000000000)
#define TIMESTAMP_END_US INT64_C(9223371331200000000)

#define ARRAY_HEADER_BYTES 20
#define MAX_PARAM_BYTES    (INT_MAX / 4) /* the server's own limit on a message is 1 GiB */

struct pg_params *pg_params_new(struct pool *pool)
{
	struct pg_params *params = pool_new_in(pool, struct pg_params);
	params->pool = pool;
	return params;
}

static char *params_push(struct pg_params *params, size_t len)
{
	ASSERT(params->n < PG_MAX_PARAMS);
	ASSERT(len <= MAX_PARAM_BYTES);
	char *value = pool_alloc(params->pool, len > 0 ? len : 1);
	params->values[params->n] = value;
	params->lengths[params->n] = (int)len;
	params->n++;
	return value;
}

static char *put_u16(char *at, uint16_t number)
{
	number = htobe16(number);
	memcpy(at, &number, sizeof(number));
	return at + sizeof(number);
}

static char *put_u32(char *at, uint32_t number)
{
	number = htobe32(number);
	memcpy(at, &number, sizeof(number));
	return at + sizeof(number);
}

static char *put_u64(char *at, uint64_t number)
{
	number = htobe64(number);
	memcpy(at, &number, sizeof(number));
	return at + sizeof(number);
}

/* What the server could not hold is brought to its first or last timestamp: one silly time must not
 * refuse a whole batch. */
static int64_t time_to_us(int64_t wall_ms)
{
	int64_t since_2000_ms;
	int64_t us;
	if (__builtin_sub_overflow(wall_ms, EPOCH_2000_WALL_MS, &since_2000_ms) ||
		__builtin_mul_overflow(since_2000_ms, 1000, &us))
		us = wall_ms < 0 ? TIMESTAMP_MIN_US : TIMESTAMP_END_US - 1;
	if (us < TIMESTAMP_MIN_US)
		us = TIMESTAMP_MIN_US;
	if (us >= TIMESTAMP_END_US)
		us = TIMESTAMP_END_US - 1;
	return us;
}

void pg_param_null(struct pg_params *params)
{
	ASSERT(params->n < PG_MAX_PARAMS);
	params->values[params->n] = NULL;
	params->lengths[params->n] = 0;
	params->n++;
}

void pg_param_text(struct pg_params *params, struct strview text)
{
	if (sv_is_null(text)) {
		pg_param_null(params);
		return;
	}
	memcpy(params_push(params, text.len), text.ptr, text.len);
}

void pg_param_bytes(struct pg_params *params, struct strview bytes)
{
	pg_param_text(params, bytes);
}

void pg_param_bool(struct pg_params *params, bool yes)
{
	*params_push(params, 1) = yes ? 1 : 0;
}

void pg_param_int2(struct pg_params *params, int16_t number)
{
	put_u16(params_push(params, 2), (uint16_t)number);
}

void pg_param_int4(struct pg_params *params, int32_t number)
{
	put_u32(params_push(params, 4), (uint32_t)number);
}

void pg_param_int8(struct pg_params *params, int64_t number)
{
	put_u64(params_push(params, 8), (uint64_t)number);
}

void pg_param_time(struct pg_params *params, int64_t wall_ms)
{
	if (wall_ms == PG_TIME_NULL)
		pg_param_null(params);
	else
		put_u64(params_push(params, 8), (uint64_t)time_to_us(wall_ms));
}

/* Begin an array value whose elements, with their length words, take elements_bytes. Returns where
 * the first one goes. */
static char *array_begin(
	struct pg_params *params, enum pg_oid oid, int n, bool has_nulls, size_t elements_bytes)
{
	ASSERT(n >= 0);
	ASSERT(elements_bytes <= MAX_PARAM_BYTES - ARRAY_HEADER_BYTES);
	char *at = params_push(params, n > 0 ? ARRAY_HEADER_BYTES + elements_bytes : 12);
	at = put_u32(at, n > 0 ? 1 : 0); /* dimensions: an empty array has none */
	at = put_u32(at, has_nulls ? 1 : 0);
	at = put_u32(at, (uint32_t)oid);
	if (n == 0)
		return at;
	at = put_u32(at, (uint32_t)n);
	return put_u32(at, 1); /* lower bound */
}

static char *put_null(char *at)
{
	return put_u32(at, UINT32_MAX);
}

static void view_array(
	struct pg_params *params, enum pg_oid oid, const struct strview *views, int n)
{
	size_t bytes = 0;
	bool has_nulls = false;
	for (int i = 0; i < n; i++) {
		ASSERT(views[i].len <= MAX_PARAM_BYTES);
		bytes += 4 + views[i].len;
		has_nulls = has_nulls || sv_is_null(views[i]);
	}
	char *at = array_begin(params, oid, n, has_nulls, bytes);
	for (int i = 0; i < n; i++) {
		if (sv_is_null(views[i])) {
			at = put_null(at);
			continue;
		}
		at = put_u32(at, (uint32_t)views[i].len);
		memcpy(at, views[i].ptr, views[i].len);
		at += views[i].len;
	}
}

void pg_param_text_array(struct pg_params *params, const struct strview *texts, int n)
{
	view_array(params, PG_OID_TEXT, texts, n);
}

void pg_param_bytes_array(struct pg_params *params, const struct strview *bytes, int n)
{
	view_array(params, PG_OID_BYTEA, bytes, n);
}

/* Begin an array of n numbers of the same width; NULL elements, which are shorter, are those equal
 * to null_value. */
static char *number_array_begin(struct pg_params *params, enum pg_oid oid, size_t width,
	const int64_t *numbers, int n, int64_t null_value)
{
	size_t n_nulls = 0;
	for (int i = 0; i < n; i++)
		n_nulls += numbers[i] == null_value;
	size_t bytes = (size_t)n * (4 + width) - n_nulls * width;
	return array_begin(params, oid, n, n_nulls > 0, bytes);
}

void pg_param_int2_array(struct pg_params *params, const int64_t *numbers, int n)
{
	char *at = number_array_begin(params, PG_OID_INT2, 2, numbers, n, PG_INT_NULL);
	for (int i = 0; i < n; i++) {
		if (numbers[i] == PG_INT_NULL) {
			at = put_null(at);
			continue;
		}
		ASSERT(numbers[i] >= INT16_MIN && numbers[i] <= INT16_MAX);
		at = put_u16(put_u32(at, 2), (uint16_t)numbers[i]);
	}
}

void pg_param_int4_array(struct pg_params *params, const int64_t *numbers, int n)
{
	char *at = number_array_begin(params, PG_OID_INT4, 4, numbers, n, PG_INT_NULL);
	for (int i = 0; i < n; i++) {
		if (numbers[i] == PG_INT_NULL) {
			at = put_null(at);
			continue;
		}
		ASSERT(numbers[i] >= INT32_MIN && numbers[i] <= INT32_MAX);
		at = put_u32(put_u32(at, 4), (uint32_t)numbers[i]);
	}
}

void pg_param_int8_array(struct pg_params *params, const int64_t *numbers, int n)
{
	char *at = number_array_begin(params, PG_OID_INT8, 8, numbers, n, PG_INT_NULL);
	for (int i = 0; i < n; i++) {
		if (numbers[i] == PG_INT_NULL)
			at = put_null(at);
		else
			at = put_u64(put_u32(at, 8), (uint64_t)numbers[i]);
	}
}

void pg_param_bool_array(struct pg_params *params, const bool *flags, int n)
{
	char *at = array_begin(params, PG_OID_BOOL, n, false, (size_t)n * 5);
	for (int i = 0; i < n; i++) {
		at = put_u32(at, 1);
		*at++ = flags[i] ? 1 : 0;
	}
}

void pg_param_time_array(struct pg_params *params, const int64_t *wall_ms, int n)
{
	char *at = number_array_begin(params, PG_OID_TIMESTAMPTZ, 8, wall_ms, n, PG_TIME_NULL);
	for (int i = 0; i < n; i++) {
		if (wall_ms[i] == PG_TIME_NULL)
			at = put_null(at);
		else
			at = put_u64(put_u32(at, 8), (uint64_t)time_to_us(wall_ms[i]));
	}
}
