/*
 * One logfmt line a fact, on one file descriptor (stderr):
 *   ts=2026-01-01T00:00:00.000Z level=info svc=sender inst=sender-1 at=partition_gained partition=7
 * epoch=3 Values with spaces, quotes, '=' or control bytes are quoted and escaped, so that a line
 * is always one line. Never log bodies, keys, tokens or full phone numbers: log_phone() masks.
 */
#ifndef WA_BASE_LOG_H
#define WA_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attr.h"
#include "common/base/err.h"
#include "common/base/strview.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

struct log_field {
	const char *key; /* NULL ends a list */
	enum {
		LOG_FIELD_TEXT,
		LOG_FIELD_INT,
		LOG_FIELD_REAL,
		LOG_FIELD_BOOL,
		LOG_FIELD_PHONE
	} kind;
	struct strview text;
	int64_t number;
	double real;
};

void log_init(const char *service, const char *instance, enum log_level level);
int log_level_parse(struct strview text, enum log_level *ret_level); /* debug, info, warn, error */
bool log_is_on(enum log_level level);
/* Write one line. fields ends with a NULL key. Never blocks for long, never fails: what cannot be
 * written is dropped. */
void log_write(enum log_level level, const char *at, const struct log_field *fields);

/* log_info("partition_gained", log_int("partition", 7), …): `at`, then any number of fields. */
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
/* The fields are not evaluated when the level is off. */
#define log_at(level, ...) log_at_ended(level, __VA_ARGS__, LOG_FIELDS_END)
#define log_at_ended(level, at, ...)                                                               \
	(log_is_on(level) ? log_write((level), (at), (const struct log_field[]){__VA_ARGS__})      \
			  : (void)0)
#define LOG_FIELDS_END ((struct log_field){.key = NULL})

struct log_field log_text(const char *key, const char *value); /* NULL value is written as - */
struct log_field log_sv(const char *key, struct strview value);
struct log_field log_int(const char *key, int64_t value);
struct log_field log_real(const char *key, double value);
struct log_field log_bool(const char *key, bool value);
struct log_field log_err(const struct err *err); /* err="…" */
struct log_field log_phone(const char *key,
	struct strview phone); /* +1******7890: all but the first and last four masked */

/* For tests: have each line given to fn instead of written; NULL restores stderr. */
void log_capture(void (*fn)(void *ctx, const char *line), void *ctx);

#endif
