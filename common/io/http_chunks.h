/* A chunked request body (RFC 9112, 7.1), decoded in place as it comes. Extensions and trailers are
 * dropped. Pure. */
#ifndef WA_IO_HTTP_CHUNKS_H
#define WA_IO_HTTP_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

#include "common/io/http_head.h"

enum http_chunks_state {
	HTTP_CHUNKS_SIZE,
	HTTP_CHUNKS_EXTENSION,
	HTTP_CHUNKS_SIZE_LF,
	HTTP_CHUNKS_DATA,
	HTTP_CHUNKS_DATA_CR,
	HTTP_CHUNKS_DATA_LF,
	HTTP_CHUNKS_TRAILER, /* at the start of a line */
	HTTP_CHUNKS_TRAILER_LINE,
	HTTP_CHUNKS_TRAILER_LF,
	HTTP_CHUNKS_END_LF,
	HTTP_CHUNKS_DONE,
};

struct http_chunks {
	enum http_chunks_state state;
	int n_digits;     /* of the size being read */
	int64_t left;     /* of the chunk's size, or of its data */
	size_t body_len;  /* decoded so far */
	size_t extra_len; /* bytes of extensions and trailers so far */
};

void http_chunks_init(struct http_chunks *chunks);
/*
 * Decode data[0..len), the bytes that came since the last call, to body[body_len…), which lies
 * before data in the same buffer or at it. All of data is used up unless the body ends within it:
 * *ret_used says how much. Returns 1 when the body is whole, 0 when more is needed, -1 with the
 * refusal when it is malformed (400) or larger than max_body_bytes (413).
 */
int http_chunks_decode(struct http_chunks *chunks, char *body, const char *data, size_t len,
	int64_t max_body_bytes, size_t *ret_used, struct http_refusal *ret_refusal);

#endif
