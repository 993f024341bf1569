/* A request: its bytes as they come in, and what its handler asks of it. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/http_conn.h"

#define FIRST_INPUT_BYTES    4096
#define MAX_KEPT_INPUT_BYTES 16384
#ifdef __SANITIZE_ADDRESS__
#define MAX_FREE_REQUESTS 0 /* a handler that holds on to an answered request is to be seen */
#else
#define MAX_FREE_REQUESTS 256
#endif
#define MAX_INPUT_BYTES  ((size_t)256 * 1024 * 1024) /* of all connections together */
#define CHUNK_ROOM_BYTES 4096 /* for what surrounds the data of a chunked body */

/* --- memory --- */

struct http_request *http_request_take(struct http_conn *conn)
{
	struct http_server *server = conn->server;
	struct http_request *request = server->free_requests;

	if (request != NULL) {
		server->free_requests = request->next_free;
		server->n_free_requests--;
	} else {
		request = mem_new(struct http_request);
		request->pool = pool_new();
		request->input = mem_alloc(FIRST_INPUT_BYTES);
		request->input_cap = FIRST_INPUT_BYTES;
	}
	request->conn = conn;
	request->stage = HTTP_REQUEST_HEAD;
	request->is_continue_sent = false;
	request->input_len = request->known_len = 0;
	request->head_len = request->body_len = request->whole_len = 0;
	request->user = NULL;
	request->peer[0] = '\0';
	server->input_bytes += request->input_cap;
	return request;
}

static void free_request(struct http_request *request)
{
	pool_free(&request->pool);
	strbuf_deinit(&request->reply_fields);
	mem_free(request->input);
	mem_free(request);
}

void http_request_return(struct http_request *request)
{
	struct http_server *server = request->conn->server;

	if (request->is_handed_out)
		server->n_in_flight--;
	request->is_handed_out = false;
	request->conn = NULL;
	server->input_bytes -= request->input_cap;
	if (server->n_free_requests == MAX_FREE_REQUESTS ||
		request->input_cap > MAX_KEPT_INPUT_BYTES) {
		free_request(request);
		return;
	}
	pool_reset(request->pool);
	strbuf_reset(&request->reply_fields);
	request->next_free = server->free_requests;
	server->free_requests = request;
	server->n_free_requests++;
}

void http_request_free_all(struct http_server *server)
{
	while (server->free_requests != NULL) {
		struct http_request *request = server->free_requests;

		server->free_requests = request->next_free;
		free_request(request);
	}
}

static void grow(struct http_request *request, size_t cap)
{
	struct http_refusal refusal;

	request->conn->server->input_bytes += cap - request->input_cap;
	request->input = mem_realloc(request->input, cap);
	request->input_cap = cap;
	/* The head's views lie in the input, which has moved. */
	if (request->stage == HTTP_REQUEST_BODY)
		ASSERT(http_head_parse(sv_make(request->input, request->head_len), &request->head,
			       &refusal) == 0);
}

bool http_request_make_room(struct http_request *request)
{
	const struct http_server_options *options = &request->conn->server->options;
	size_t most =
		(size_t)(options->max_header_bytes + options->max_body_bytes) + CHUNK_ROOM_BYTES;

	if (request->input_len < request->input_cap)
		return true;
	if (request->stage == HTTP_REQUEST_WHOLE)
		return false;
	/* advance() refuses or hands out before there can be more. */
	ASSERT(request->input_cap < most);
	grow(request, request->input_cap * 2 < most ? request->input_cap * 2 : most);
	return true;
}

void http_request_append(struct http_request *request, const char *data, size_t len)
{
	if (len > request->input_cap - request->input_len)
		grow(request, request->input_len + len);
	memcpy(request->input + request->input_len, data, len);
	request->input_len += len;
}

/* --- from bytes to a request --- */

static enum http_advance refuse_with(
	struct http_refusal *ret_refusal, int status, const char *detail)
{
	*ret_refusal = (struct http_refusal){status, detail};
	return HTTP_ADVANCE_REFUSED;
}

/* Empty lines before a request are to be skipped (RFC 9112, 2.2). */
static void skip_empty_lines(struct http_request *request)
{
	size_t skip = 0;

	while (request->input_len - skip >= 2 && memcmp(request->input + skip, "\r\n", 2) == 0)
		skip += 2;
	if (skip == 0)
		return;
	request->input_len -= skip;
	memmove(request->input, request->input + skip, request->input_len);
}

static enum http_advance advance_head(
	struct http_request *request, struct http_refusal *ret_refusal)
{
	const struct http_server_options *options = &request->conn->server->options;

	skip_empty_lines(request);
	if (request->input_len == 0 || (request->input_len == 1 && request->input[0] == '\r'))
		return HTTP_ADVANCE_MORE;
	struct strview text = sv_make(request->input, request->input_len);
	int found = http_head_find_end(text, request->known_len, &request->head_len, ret_refusal);
	if (found < 0)
		return HTTP_ADVANCE_REFUSED;
	request->known_len = request->input_len;
	size_t at_least = found > 0 ? request->head_len : request->input_len;
	if (at_least > (size_t)options->max_header_bytes)
		return refuse_with(ret_refusal, 431, "The head of the request is too large.");
	if (found == 0)
		return HTTP_ADVANCE_MORE;
	text.len = request->head_len;
	if (http_head_parse(text, &request->head, ret_refusal) != 0)
		return HTTP_ADVANCE_REFUSED;
	if (request->head.content_length > options->max_body_bytes)
		return refuse_with(ret_refusal, 413, "The body is too large.");
	request->stage = HTTP_REQUEST_BODY;
	request->known_len = request->head_len;
	http_chunks_init(&request->chunks);
	return HTTP_ADVANCE_WHOLE;
}

static enum http_advance advance_chunks(
	struct http_request *request, struct http_refusal *ret_refusal)
{
	size_t used;
	int result = http_chunks_decode(&request->chunks, request->input + request->head_len,
		request->input + request->known_len, request->input_len - request->known_len,
		request->conn->server->options.max_body_bytes, &used, ret_refusal);

	if (result < 0)
		return HTTP_ADVANCE_REFUSED;
	request->body_len = request->chunks.body_len;
	if (result > 0) {
		request->whole_len = request->known_len + used;
		return HTTP_ADVANCE_WHOLE;
	}
	request->input_len = request->known_len = request->head_len + request->body_len;
	return HTTP_ADVANCE_MORE;
}

static enum http_advance advance_body(
	struct http_request *request, struct http_refusal *ret_refusal)
{
	enum http_advance result = HTTP_ADVANCE_WHOLE;

	if (request->head.framing == HTTP_FRAMING_CHUNKED) {
		result = advance_chunks(request, ret_refusal);
	} else {
		request->body_len = (size_t)request->head.content_length;
		request->whole_len = request->head_len + request->body_len;
		if (request->input_len < request->whole_len)
			result = HTTP_ADVANCE_MORE;
	}
	if (result == HTTP_ADVANCE_WHOLE)
		request->stage = HTTP_REQUEST_WHOLE;
	return result;
}

/* Connections times body size can be more than the machine has. */
static bool is_out_of_room(const struct http_request *request)
{
	const struct http_server *server = request->conn->server;
	size_t most = (size_t)server->options.max_body_bytes * 4;

	return request->input_len == request->input_cap &&
	       server->input_bytes > (most > MAX_INPUT_BYTES ? most : MAX_INPUT_BYTES);
}

enum http_advance http_request_advance(
	struct http_request *request, struct http_refusal *ret_refusal)
{
	enum http_advance result = HTTP_ADVANCE_WHOLE;

	if (request->stage == HTTP_REQUEST_HEAD)
		result = advance_head(request, ret_refusal);
	if (result == HTTP_ADVANCE_WHOLE)
		result = advance_body(request, ret_refusal);
	if (result == HTTP_ADVANCE_MORE && is_out_of_room(request))
		return refuse_with(ret_refusal, 503, "Too many bodies are being received.");
	return result;
}

/* --- for the handler --- */

enum http_method http_request_method(const struct http_request *request)
{
	return request->head.method;
}

struct strview http_request_path(const struct http_request *request)
{
	return request->head.path;
}

struct strview http_request_query(const struct http_request *request)
{
	return request->head.query;
}

struct strview http_request_body(const struct http_request *request)
{
	return sv_make(request->input + request->head_len, request->body_len);
}

struct strview http_request_header(const struct http_request *request, const char *name)
{
	return http_head_field(&request->head, name);
}

bool http_request_has_header_like(const struct http_request *request, const char *prefix)
{
	size_t len = strlen(prefix);

	for (int i = 0; i < request->head.n_fields; i++) {
		struct strview name = request->head.fields[i].name;
		if (name.len >= len && strncasecmp(name.ptr, prefix, len) == 0)
			return true;
	}
	return false;
}

bool http_request_is_http10(const struct http_request *request)
{
	return request->head.minor_version == 0;
}

const char *http_request_peer(const struct http_request *request)
{
	const struct http_conn *conn = request->conn;
	/* A cache: the same for all who ask. */
	char *text = ((struct http_request *)(uintptr_t)request)->peer;
	const struct in6_addr *in6 = &conn->peer.in6.sin6_addr;

	if (text[0] != '\0')
		return text;
	if (conn->peer.any.sa_family == AF_INET)
		inet_ntop(AF_INET, &conn->peer.in.sin_addr, text, INET6_ADDRSTRLEN);
	else if (conn->peer.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(in6))
		inet_ntop(AF_INET, &in6->s6_addr[12], text, INET6_ADDRSTRLEN);
	else if (conn->peer.any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, in6, text, INET6_ADDRSTRLEN);
	return text;
}

bool http_request_peer_is_loopback(const struct http_request *request)
{
	const struct http_conn *conn = request->conn;
	const struct in6_addr *in6 = &conn->peer.in6.sin6_addr;

	if (conn->peer.any.sa_family == AF_INET)
		return ntohl(conn->peer.in.sin_addr.s_addr) >> 24 == 127;
	if (conn->peer.any.sa_family != AF_INET6)
		return false;
	return IN6_IS_ADDR_LOOPBACK(in6) || (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
}

struct pool *http_request_pool(struct http_request *request)
{
	return request->pool;
}

void *http_request_user(const struct http_request *request)
{
	return request->user;
}

void http_request_set_user(struct http_request *request, void *user)
{
	request->user = user;
}

bool http_request_is_gone(const struct http_request *request)
{
	return request->conn->saw_end || request->conn->state == HTTP_CONN_CLOSED;
}
