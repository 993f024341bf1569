/* A chunked request body. */
#include "common/io/http_chunks.h"

#include <stdbool.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/digest.h"

/* Extensions and trailers are of no use to us; nobody may have us read them for long. */
#define MAX_EXTRA_BYTES 8192
#define MAX_SIZE_DIGITS 15 /* so that `left` cannot overflow */

static int refuse(struct http_refusal *ret_refusal, int status, const char *detail)
{
	*ret_refusal = (struct http_refusal){status, detail};
	return -1;
}

static int malformed(struct http_refusal *ret_refusal)
{
	return refuse(ret_refusal, 400, "The chunked body is malformed.");
}

void http_chunks_init(struct http_chunks *chunks)
{
	*chunks = (struct http_chunks){.state = HTTP_CHUNKS_SIZE};
}

static int on_size_char(struct http_chunks *chunks, char c, int64_t max_body_bytes,
	struct http_refusal *ret_refusal)
{
	int digit = hex_digit(c);

	if (digit >= 0) {
		if (++chunks->n_digits > MAX_SIZE_DIGITS)
			return refuse(ret_refusal, 413, "The body is too large.");
		chunks->left = chunks->left * 16 + digit;
		return 0;
	}
	if (chunks->n_digits == 0)
		return malformed(ret_refusal);
	if (chunks->left > max_body_bytes - (int64_t)chunks->body_len)
		return refuse(ret_refusal, 413, "The body is too large.");
	if (c == '\r')
		chunks->state = HTTP_CHUNKS_SIZE_LF;
	else if (c == ';' || c == ' ' || c == '\t')
		chunks->state = HTTP_CHUNKS_EXTENSION;
	else
		return malformed(ret_refusal);
	return 0;
}

/* A byte of an extension or trailer line: `next` is the state after its CR. */
static int on_extra_char(struct http_chunks *chunks, char c, enum http_chunks_state next,
	struct http_refusal *ret_refusal)
{
	if (++chunks->extra_len > MAX_EXTRA_BYTES)
		return refuse(ret_refusal, 431, "The body's extensions or trailers are too long.");
	if (c == '\r')
		chunks->state = next;
	else if (((unsigned char)c < ' ' && c != '\t') || c == 0x7f)
		return malformed(ret_refusal);
	return 0;
}

static int on_line_feed(struct http_chunks *chunks, char c, enum http_chunks_state next,
	struct http_refusal *ret_refusal)
{
	if (c != '\n')
		return malformed(ret_refusal);
	chunks->state = next;
	return 0;
}

static int on_trailer_start(struct http_chunks *chunks, char c, struct http_refusal *ret_refusal)
{
	if (c == '\r') {
		chunks->state = HTTP_CHUNKS_END_LF;
		return 0;
	}
	chunks->state = HTTP_CHUNKS_TRAILER_LINE;
	return on_extra_char(chunks, c, HTTP_CHUNKS_TRAILER_LF, ret_refusal);
}

/* One byte in any state but DATA and DONE. */
static int on_char(struct http_chunks *chunks, char c, int64_t max_body_bytes,
	struct http_refusal *ret_refusal)
{
	switch (chunks->state) {
	case HTTP_CHUNKS_SIZE:
		return on_size_char(chunks, c, max_body_bytes, ret_refusal);
	case HTTP_CHUNKS_EXTENSION:
		return on_extra_char(chunks, c, HTTP_CHUNKS_SIZE_LF, ret_refusal);
	case HTTP_CHUNKS_SIZE_LF:
		return on_line_feed(chunks, c,
			chunks->left > 0 ? HTTP_CHUNKS_DATA : HTTP_CHUNKS_TRAILER, ret_refusal);
	case HTTP_CHUNKS_DATA_CR:
		chunks->state = HTTP_CHUNKS_DATA_LF;
		return c == '\r' ? 0 : malformed(ret_refusal);
	case HTTP_CHUNKS_DATA_LF:
		chunks->n_digits = 0;
		return on_line_feed(chunks, c, HTTP_CHUNKS_SIZE, ret_refusal);
	case HTTP_CHUNKS_TRAILER:
		return on_trailer_start(chunks, c, ret_refusal);
	case HTTP_CHUNKS_TRAILER_LINE:
		return on_extra_char(chunks, c, HTTP_CHUNKS_TRAILER_LF, ret_refusal);
	case HTTP_CHUNKS_TRAILER_LF:
		return on_line_feed(chunks, c, HTTP_CHUNKS_TRAILER, ret_refusal);
	case HTTP_CHUNKS_END_LF:
		return on_line_feed(chunks, c, HTTP_CHUNKS_DONE, ret_refusal);
	case HTTP_CHUNKS_DATA:
	case HTTP_CHUNKS_DONE:
	default:
		WRONG("no state for a single byte");
	}
}

static size_t take_data(struct http_chunks *chunks, char *body, const char *data, size_t len)
{
	size_t n = len < (uint64_t)chunks->left ? len : (size_t)chunks->left;

	memmove(body + chunks->body_len, data, n);
	chunks->body_len += n;
	chunks->left -= (int64_t)n;
	if (chunks->left == 0)
		chunks->state = HTTP_CHUNKS_DATA_CR;
	return n;
}

int http_chunks_decode(struct http_chunks *chunks, char *body, const char *data, size_t len,
	int64_t max_body_bytes, size_t *ret_used, struct http_refusal *ret_refusal)
{
	size_t used = 0;

	while (used < len && chunks->state != HTTP_CHUNKS_DONE) {
		if (chunks->state == HTTP_CHUNKS_DATA)
			used += take_data(chunks, body, data + used, len - used);
		else if (on_char(chunks, data[used++], max_body_bytes, ret_refusal) != 0)
			return -1;
	}
	*ret_used = used;
	return chunks->state == HTTP_CHUNKS_DONE;
}
