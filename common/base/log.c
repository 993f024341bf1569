/* One logfmt line a fact. Nothing here allocates: a log line must come out when memory is gone. */
#include "common/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"

/* A pipe takes up to PIPE_BUF (4096) bytes as a whole or not at all, so lines of several processes
 * never mix. */
#define LINE_BYTES  4096
#define VALUE_BYTES 1024
#define STUCK_MS    100

struct line {
	size_t len;
	bool cut; /* something did not fit */
	char text[LINE_BYTES];
};

static struct {
	enum log_level level;
	char names[160]; /* "svc=… inst=…" */
	void (*capture)(void *ctx, const char *line);
	void *capture_ctx;
	bool stuck;      /* the reader of stderr does not keep up */
	int64_t dropped; /* lines since then */
} logger = {.level = LOG_LEVEL_INFO, .names = "svc=- inst=-"};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

int log_level_parse(struct strview text, enum log_level *ret_level)
{
	for (size_t i = 0; i < array_len(level_names); i++) {
		if (sv_eq_cstr(text, level_names[i])) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

bool log_is_on(enum log_level level)
{
	return level >= logger.level;
}

/* Room is kept for what ends every line: " cut=true", the newline and a NUL. */
static bool line_has_room(const struct line *line, size_t more_bytes)
{
	return line->len + more_bytes + sizeof(" cut=true\n") <= sizeof(line->text);
}

static void line_put(struct line *line, const char *text, size_t len)
{
	if (!line_has_room(line, len)) {
		line->cut = true;
		return;
	}
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void line_put_cstr(struct line *line, const char *text)
{
	line_put(line, text, strlen(text));
}

/* U+0080..U+009F: control characters to a terminal. */
static bool is_c1_control(const char *at, size_t len)
{
	return len == 2 && (unsigned char)at[0] == 0xc2 && (unsigned char)at[1] < 0xa0;
}

static bool is_plain(struct strview value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.ptr[i];
		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
			return false;
	}
	return value.len > 0;
}

/* One character of a quoted value, escaped as in JSON; how many bytes of it were used. */
static size_t line_put_escaped(struct line *line, struct strview rest)
{
	unsigned char c = (unsigned char)rest.ptr[0];
	size_t step = sv_utf8_front(rest);
	char escape[8];

	if (step == 0) {
		line_put_cstr(line, "\\ufffd");
		return 1;
	}
	if (c == '"' || c == '\\') {
		line_put(line, (char[]){'\\', (char)c}, 2);
	} else if (c == '\n') {
		line_put_cstr(line, "\\n");
	} else if (c < ' ' || c == 0x7f || is_c1_control(rest.ptr, step)) {
		unsigned code = step == 1 ? c : (unsigned char)rest.ptr[1];
		(void)snprintf(escape, sizeof(escape), "\\u%04x", code);
		line_put_cstr(line, escape);
	} else {
		line_put(line, rest.ptr, step);
	}
	return step;
}

static void line_put_value(struct line *line, struct strview value)
{
	if (value.ptr == NULL) {
		line_put_cstr(line, "-");
		return;
	}
	if (is_plain(value) && value.len <= VALUE_BYTES) {
		line_put(line, value.ptr, value.len);
		return;
	}
	line_put_cstr(line, "\"");
	size_t start = line->len;
	while (value.len > 0) {
		if (line->len - start >= VALUE_BYTES ||
			!line_has_room(line, sizeof("\\ufffd…\""))) {
			line_put_cstr(line, "…");
			line->cut = true;
			break;
		}
		size_t used = line_put_escaped(line, value);
		value.ptr += used;
		value.len -= used;
	}
	line_put_cstr(line, "\"");
}

static void line_put_phone(struct line *line, struct strview phone)
{
	char masked[32];
	if (phone.ptr == NULL || phone.len == 0) {
		line_put_cstr(line, "-");
		return;
	}
	/* Longer than any phone number: whatever it is, its ends stay. */
	size_t len = phone.len < sizeof(masked) ? phone.len : sizeof(masked);
	memset(masked, '*', len);
	if (phone.len >= 8) {
		memcpy(masked, phone.ptr, 2);
		memcpy(masked + len - 4, phone.ptr + phone.len - 4, 4);
	}
	line_put_value(line, sv_make(masked, len));
}

static void line_put_field(struct line *line, const struct log_field *field)
{
	char number[40];
	size_t key_len = strlen(field->key);

	/* A key without room for a short value is left out as a whole. */
	if (!line_has_room(line, key_len + 2 + sizeof(number))) {
		line->cut = true;
		return;
	}
	line_put(line, " ", 1);
	line_put(line, field->key, key_len);
	line_put(line, "=", 1);
	switch (field->kind) {
	case LOG_FIELD_TEXT:
		line_put_value(line, field->text);
		break;
	case LOG_FIELD_INT:
		(void)snprintf(number, sizeof(number), "%lld", (long long)field->number);
		line_put_cstr(line, number);
		break;
	case LOG_FIELD_REAL:
		(void)snprintf(number, sizeof(number), "%.9g", field->real);
		line_put_cstr(line, number);
		break;
	case LOG_FIELD_BOOL:
		line_put_cstr(line, field->number != 0 ? "true" : "false");
		break;
	case LOG_FIELD_PHONE:
		line_put_phone(line, field->text);
		break;
	}
}

static void line_begin(struct line *line, enum log_level level, const char *at)
{
	char time[CLOCK_RFC3339_SIZE];
	clock_format(clock_wall_ms(), time);
	line->len = 0;
	line->cut = false;
	line_put_cstr(line, "ts=");
	line_put_cstr(line, time);
	line_put_cstr(line, " level=");
	line_put_cstr(line, level_names[level]);
	line_put_cstr(line, " ");
	line_put_cstr(line, logger.names);
	line_put_cstr(line, " at=");
	line_put_value(line, sv_from(at));
}

static void line_end(struct line *line)
{
	if (line->cut) {
		memcpy(line->text + line->len, " cut=true", 9);
		line->len += 9;
	}
	line->text[line->len] = '\0';
}

/* Put the line on stderr as one write. False when its reader does not keep up. */
static bool line_send(struct line *line, int wait_ms)
{
	struct pollfd poller = {.fd = STDERR_FILENO, .events = POLLOUT};
	if (poll(&poller, 1, wait_ms) != 1)
		return false;
	line->text[line->len] = '\n';
	ssize_t sent = write(STDERR_FILENO, line->text, line->len + 1);
	return sent >= 0 || errno != EAGAIN;
}

static void send_dropped_count(void)
{
	struct line line;
	struct log_field lines = log_int("lines", logger.dropped);
	line_begin(&line, LOG_LEVEL_WARN, "log_dropped");
	line_put_field(&line, &lines);
	line_end(&line);
	if (line_send(&line, 0))
		logger.dropped = 0;
}

/* Only the first line that finds the reader stuck waits for it. */
static void send_or_drop(struct line *line)
{
	logger.stuck = !line_send(line, logger.stuck ? 0 : STUCK_MS);
	if (logger.stuck)
		logger.dropped++;
	else if (logger.dropped > 0)
		send_dropped_count();
}

void log_write(enum log_level level, const char *at, const struct log_field *fields)
{
	struct line line;
	int saved_errno = errno;

	line_begin(&line, level, at);
	for (; fields->key != NULL; fields++)
		line_put_field(&line, fields);
	line_end(&line);
	if (logger.capture != NULL)
		logger.capture(logger.capture_ctx, line.text);
	else
		send_or_drop(&line);
	errno = saved_errno;
}

void log_init(const char *service, const char *instance, enum log_level level)
{
	struct line line = {.len = 0};
	line_put_cstr(&line, "svc=");
	line_put_value(&line, sv_from(service));
	line_put_cstr(&line, " inst=");
	line_put_value(&line, sv_from(instance));
	line.text[line.len] = '\0';
	(void)snprintf(logger.names, sizeof(logger.names), "%s", line.text);
	logger.level = level;
}

void log_capture(void (*fn)(void *ctx, const char *line), void *ctx)
{
	logger.capture = fn;
	logger.capture_ctx = ctx;
}

struct log_field log_text(const char *key, const char *value)
{
	return log_sv(key, sv_from(value));
}

struct log_field log_sv(const char *key, struct strview value)
{
	return (struct log_field){.key = key, .kind = LOG_FIELD_TEXT, .text = value};
}

struct log_field log_int(const char *key, int64_t value)
{
	return (struct log_field){.key = key, .kind = LOG_FIELD_INT, .number = value};
}

struct log_field log_real(const char *key, double value)
{
	return (struct log_field){.key = key, .kind = LOG_FIELD_REAL, .real = value};
}

struct log_field log_bool(const char *key, bool value)
{
	return (struct log_field){.key = key, .kind = LOG_FIELD_BOOL, .number = value};
}

struct log_field log_err(const struct err *err)
{
	return log_text("err", err != NULL ? err->text : NULL);
}

struct log_field log_phone(const char *key, struct strview phone)
{
	return (struct log_field){.key = key, .kind = LOG_FIELD_PHONE, .text = phone};
}
