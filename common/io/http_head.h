/*
 * The head of an HTTP/1.x request, read strictly (RFC 9110, RFC 9112): what two parties could read
 * in two ways is refused, so that no request can be smuggled inside another. Pure.
 */
#ifndef WA_IO_HTTP_HEAD_H
#define WA_IO_HTTP_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/strview.h"
#include "common/io/http_server.h"

#define HTTP_HEAD_MAX_FIELDS 100

struct http_field {
	struct strview name;
	struct strview value;
};

enum http_framing { HTTP_FRAMING_NONE, HTTP_FRAMING_LENGTH, HTTP_FRAMING_CHUNKED };

struct http_head { /* views into the text that was parsed */
	enum http_method method;
	struct strview path;
	struct strview query;
	int minor_version; /* 0 or 1 */
	bool is_last;      /* the connection ends after the answer */
	bool expects_continue;
	enum http_framing framing;
	int64_t content_length; /* of HTTP_FRAMING_LENGTH */
	int n_fields;
	struct http_field fields[HTTP_HEAD_MAX_FIELDS];
};

/* Why a request is not served: a status of class 4 or 5, and a sentence for its sender. */
struct http_refusal {
	int status;
	const char *detail; /* literal */
};

/*
 * Where the head at the front of text ends, its empty line included. Returns 1 with ret_len, 0 when
 * more is needed, -1 when no more can make it good. known: how much of text an earlier call has
 * seen (0 at first).
 */
int http_head_find_end(
	struct strview text, size_t known, size_t *ret_len, struct http_refusal *ret_refusal);
/* Parse a whole head, as found. 0, or -1 with the refusal. Of *ret_head only the fields that
 * n_fields counts are written. */
int http_head_parse(
	struct strview text, struct http_head *ret_head, struct http_refusal *ret_refusal);
/* The value of the first field of that name, case ignored; SV_NULL when absent. */
struct strview http_head_field(const struct http_head *head, const char *name);
bool http_is_token(struct strview text); /* RFC 9110, 5.6.2 */

#endif
