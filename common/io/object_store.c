/* Objects in S3. */
#include "common/io/object_store.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/sigv4.h"
#include "common/io/http_client.h"

#define MAX_CONNECTIONS  16
#define MAX_ERROR_BYTES  (INT64_C(16) * 1024) /* of an answer that is no file */
#define MAX_HEADERS      5
#define RANGE_SIZE       64
#define STATUS_NO_RANGE  416
#define STATUS_PARTIAL   206
#define STATUS_NOT_FOUND 404

struct object_store {
	struct url_guard *guard;
	struct http_client *client;
	char *base; /* scheme and host */
	char *host;
	char *bucket;
	char *region;
	char *access_key;
	char *secret_key;
	int64_t timeout_ms;
	LIST_HEAD(, object_call) calls;
};

enum object_verb { VERB_PUT, VERB_GET, VERB_GET_PART, VERB_DELETE };

struct object_call {
	LIST_ENTRY(object_call) link;
	struct http_call *http;
	enum object_verb verb;
	int64_t max_bytes; /* of a file that is got */
	object_fn fn;
	void *ctx;
};

static void call_free(struct object_call *call)
{
	LIST_REMOVE(call, link);
	mem_free(call);
}

/* --- options --- */

static bool is_of(const char *text, const char *others)
{
	for (const char *c = text; *c != '\0'; c++) {
		bool is_fine = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') ||
			       strchr(others, *c) != NULL;
		if (!is_fine)
			return false;
	}
	return text[0] != '\0';
}

/* Host as a client writes it: without the scheme's own port. */
static char *host_of(const char *endpoint, struct err *err)
{
	bool is_tls = strncmp(endpoint, "https://", 8) == 0;
	if (!is_tls && strncmp(endpoint, "http://", 7) != 0) {
		err_set(err, "the endpoint must begin with https:// or http://");
		return NULL;
	}
	char *host = mem_strdup(endpoint + (is_tls ? 8 : 7));
	size_t len = strlen(host);
	if (len > 0 && host[len - 1] == '/')
		host[--len] = '\0';
	if (!is_of(host, "-.:[]")) {
		err_set(err, "the endpoint must be a scheme and a host in small letters, "
			     "perhaps with a port, and nothing else");
		mem_free(host);
		return NULL;
	}
	const char *port = is_tls ? ":443" : ":80";
	size_t port_len = strlen(port);
	if (len > port_len && strcmp(host + len - port_len, port) == 0)
		host[len - port_len] = '\0';
	return host;
}

static int check_options(const struct object_store_options *options, struct err *err)
{
	size_t bucket_len = strlen(options->bucket);
	if (bucket_len < 3 || bucket_len > 63 || !is_of(options->bucket, "-."))
		return err_set(err, "the bucket's name must be 3 to 63 of a-z, 0-9, - and .");
	if (!is_of(options->region, "-"))
		return err_set(err, "the region must be of a-z, 0-9 and -");
	if (options->access_key[0] == '\0' || options->secret_key[0] == '\0')
		return err_set(err, "the access key and the secret key are required");
	return 0;
}

struct object_store *object_store_new(
	struct loop *loop, const struct object_store_options *options, struct err *err)
{
	if (check_options(options, err) != 0)
		return NULL;
	char *host = host_of(options->endpoint, err);
	if (host == NULL)
		return NULL;
	/* The address is the operator's own choice: anywhere is fine. */
	struct url_guard *guard = url_guard_new(true, SV_LIT("0.0.0.0/0,::/0"), err);
	ASSERT(guard != NULL);
	struct object_store *store = mem_new(struct object_store);
	struct strbuf base = STRBUF_INIT;
	strbuf_printf(&base, "%s%s", options->endpoint[4] == 's' ? "https://" : "http://", host);
	store->base = mem_strdup(strbuf_cstr(&base));
	strbuf_deinit(&base);
	store->guard = guard;
	store->client = http_client_new(loop, guard, MAX_CONNECTIONS, MAX_CONNECTIONS);
	store->host = host;
	store->bucket = mem_strdup(options->bucket);
	store->region = mem_strdup(options->region);
	store->access_key = mem_strdup(options->access_key);
	store->secret_key = mem_strdup(options->secret_key);
	store->timeout_ms = options->timeout_ms;
	return store;
}

void object_store_free(struct object_store **store)
{
	struct object_store *gone = *store;

	*store = NULL;
	if (gone == NULL)
		return;
	struct object_call *call;
	while ((call = LIST_FIRST(&gone->calls)) != NULL) {
		http_call_cancel(&call->http);
		call_free(call);
	}
	http_client_free(&gone->client);
	url_guard_free(&gone->guard);
	mem_wipe(gone->secret_key, strlen(gone->secret_key));
	mem_free(gone->secret_key);
	mem_free(gone->access_key);
	mem_free(gone->region);
	mem_free(gone->bucket);
	mem_free(gone->host);
	mem_free(gone->base);
	mem_free(gone);
}

/* --- answers --- */

static enum object_end end_of(enum object_verb verb, int status)
{
	if (status == STATUS_NOT_FOUND)
		return verb == VERB_DELETE ? OBJECT_DONE : OBJECT_ABSENT;
	switch (verb) {
	case VERB_PUT:
	case VERB_DELETE:
		return status >= 200 && status <= 299 ? OBJECT_DONE : OBJECT_FAILED;
	case VERB_GET:
		return status == 200 ? OBJECT_DONE : OBJECT_FAILED;
	case VERB_GET_PART:
		return status == STATUS_PARTIAL || status == STATUS_NO_RANGE ? OBJECT_DONE
									     : OBJECT_FAILED;
	}
	WRONG("there is no such verb");
}

/* What S3 calls the error, e.g. AccessDenied: its XML has it as <Code>. */
static struct strview error_code(struct strview body)
{
	const char *begin = body.len > 0 ? memmem(body.ptr, body.len, "<Code>", 6) : NULL;
	if (begin == NULL)
		return SV_LIT("");
	begin += 6;
	size_t left = body.len - (size_t)(begin - body.ptr);
	size_t len = 0;
	while (len < left && len < 40 && ((begin[len] | 32) >= 'a' && (begin[len] | 32) <= 'z'))
		len++;
	return sv_make(begin, len);
}

/* The client lets through as much more as an error may need. */
static bool is_too_large(const struct object_call *call, struct strview body)
{
	bool is_get = call->verb == VERB_GET || call->verb == VERB_GET_PART;
	return is_get && (int64_t)body.len > call->max_bytes;
}

static void read_answer(const struct object_call *call, const struct http_answer *answer,
	struct object_answer *ret_answer)
{
	ret_answer->end = end_of(call->verb, answer->status);
	if (ret_answer->end != OBJECT_DONE || answer->status == STATUS_NO_RANGE) {
		err_set(&ret_answer->err, "the store answered %d %.*s", answer->status,
			SV_ARG(error_code(answer->body)));
	} else if (is_too_large(call, answer->body)) {
		ret_answer->end = OBJECT_FAILED;
		err_set(&ret_answer->err, "the store gave more than %" PRId64 " bytes",
			call->max_bytes);
	} else {
		ret_answer->bytes = answer->body;
	}
}

static void on_answer(void *ctx, const struct http_answer *answer)
{
	struct object_call *call = ctx;
	struct object_answer mine = {.end = OBJECT_FAILED, .bytes = SV_LIT("")};

	if (answer->failure != HTTP_FAILURE_NONE)
		err_set(&mine.err, "%s: %s", http_failure_name(answer->failure), answer->err.text);
	else
		read_answer(call, answer, &mine);
	call->fn(call->ctx, &mine);
	call_free(call);
}

/* --- calls --- */

struct object_request {
	enum object_verb verb;
	const char *method;
	const char *name;
	const char *sha256;
	struct strview body;
	const char *range; /* NULL: the whole */
	int64_t max_bytes; /* of a file that is got */
};

static void assert_name(const char *name)
{
	ASSERT(strlen(name) < OBJECT_NAME_SIZE && is_of(name, "-._"));
}

static struct object_call *start(
	struct object_store *store, const struct object_request *request, object_fn fn, void *ctx)
{
	struct object_call *call = mem_new(struct object_call);
	struct strbuf url = STRBUF_INIT;
	struct strbuf authorization = STRBUF_INIT;
	char date[SIGV4_DATE_SIZE];

	assert_name(request->name);
	strbuf_printf(&url, "%s/%s/%s", store->base, store->bucket, request->name);
	struct sigv4_request sign = {
		.method = request->method,
		.host = store->host,
		.path = strbuf_cstr(&url) + strlen(store->base),
		.payload_sha256 = request->sha256,
		.region = store->region,
		.access_key = store->access_key,
		.secret_key = store->secret_key,
		.now_wall_ms = clock_wall_ms(),
	};
	sigv4_sign(&sign, date, &authorization);
	struct http_header headers[MAX_HEADERS] = {
		{"Authorization", strbuf_cstr(&authorization)},
		{"x-amz-content-sha256", request->sha256},
		{"x-amz-date", date},
		{"Content-Type", "application/octet-stream"},
		{"Range", request->range},
	};
	struct http_call_options options = {
		.method = request->method,
		.url = strbuf_cstr(&url),
		.headers = headers,
		.n_headers = request->range != NULL ? MAX_HEADERS : MAX_HEADERS - 1,
		.body = request->body,
		.total_timeout_ms = store->timeout_ms,
		.max_response_bytes = request->max_bytes + MAX_ERROR_BYTES,
	};
	call->verb = request->verb;
	call->max_bytes = request->max_bytes;
	call->fn = fn;
	call->ctx = ctx;
	LIST_INSERT_HEAD(&store->calls, call, link);
	call->http = http_client_start(store->client, &options, on_answer, call);
	mem_wipe(authorization.data, authorization.len);
	strbuf_deinit(&authorization);
	strbuf_deinit(&url);
	return call;
}

struct object_call *object_put(struct object_store *store, const char *name, const char *sha256,
	struct strview bytes, object_fn fn, void *ctx)
{
	struct object_request request = {VERB_PUT, "PUT", name, sha256, bytes, NULL, 0};
	return start(store, &request, fn, ctx);
}

struct object_call *object_get(
	struct object_store *store, const char *name, int64_t max_bytes, object_fn fn, void *ctx)
{
	struct object_request request = {
		VERB_GET, "GET", name, SIGV4_EMPTY_SHA256, SV_LIT(""), NULL, max_bytes};
	return start(store, &request, fn, ctx);
}

struct object_call *object_get_part(struct object_store *store, const char *name, int64_t offset,
	int64_t size, object_fn fn, void *ctx)
{
	char range[RANGE_SIZE];
	ASSERT(offset >= 0 && size > 0);
	(void)snprintf(
		range, sizeof(range), "bytes=%" PRId64 "-%" PRId64, offset, offset + size - 1);
	struct object_request request = {
		VERB_GET_PART, "GET", name, SIGV4_EMPTY_SHA256, SV_LIT(""), range, size};
	return start(store, &request, fn, ctx);
}

struct object_call *object_delete(
	struct object_store *store, const char *name, object_fn fn, void *ctx)
{
	struct object_request request = {
		VERB_DELETE, "DELETE", name, SIGV4_EMPTY_SHA256, SV_LIT(""), NULL, 0};
	return start(store, &request, fn, ctx);
}

void object_call_cancel(struct object_call **call)
{
	if (*call == NULL)
		return;
	http_call_cancel(&(*call)->http);
	call_free(*call);
	*call = NULL;
}
