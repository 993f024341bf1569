/* One outgoing HTTP call. */
#include "common/io/http_call.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/io/http_head.h"
#include "common/io/retry_after.h"

#define MAX_HEADER_BYTES           (INT64_C(64) * 1024)
#define DEFAULT_CONNECT_TIMEOUT_MS 5000
#define DEFAULT_MAX_RESPONSE_BYTES (INT64_C(16) * 1024)

#define set_option(easy, option, value)                                                            \
	ASSERT(curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

const char *http_failure_name(enum http_failure failure)
{
	static const char *const names[] = {
		[HTTP_FAILURE_NONE] = "none",
		[HTTP_FAILURE_GUARD] = "guard",
		[HTTP_FAILURE_RESOLVE] = "resolve",
		[HTTP_FAILURE_CONNECT] = "connect",
		[HTTP_FAILURE_TLS] = "tls",
		[HTTP_FAILURE_TIMEOUT] = "timeout",
		[HTTP_FAILURE_BROKEN] = "broken",
		[HTTP_FAILURE_TOO_LARGE] = "too_large",
		[HTTP_FAILURE_ABORTED] = "aborted",
	};

	return names[failure];
}

/* --- asked by curl --- */

/* Before each new connection, with the address as it is resolved. */
static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_call *call = ctx;

	(void)purpose;
	if (!url_guard_allows_address(call->guard, &address->addr)) {
		call->is_refused = true;
		return CURL_SOCKET_BAD;
	}
	call->has_socket = true;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static bool is_allowed_ip(const struct url_guard *guard, const char *ip)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, ip, &in.sin_addr) == 1)
		return url_guard_allows_address(guard, (struct sockaddr *)&in);
	if (inet_pton(AF_INET6, ip, &in6.sin6_addr) == 1)
		return url_guard_allows_address(guard, (struct sockaddr *)&in6);
	return false;
}

/* Before each request, also on a connection that is used again, for which no socket is opened. */
static int on_request(void *ctx, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
	struct http_call *call = ctx;

	(void)own_ip;
	(void)peer_port;
	(void)own_port;
	if (!is_allowed_ip(call->guard, peer_ip)) {
		call->is_refused = true;
		return CURL_PREREQFUNC_ABORT;
	}
	call->is_sent = true;
	return CURL_PREREQFUNC_OK;
}

static void read_header(struct http_call *call, struct strview line)
{
	struct strview name;

	if (sv_starts_with(line, "HTTP/")) { /* another answer: the one before was of class 1 */
		call->retry_after_ms = -1;
		call->has_head = false;
	} else if (sv_trim(line).len == 0) {
		call->has_head = true;
	} else if (sv_split(&line, ':', &name) && sv_ieq_cstr(name, "Retry-After")) {
		call->retry_after_ms = retry_after_parse_ms(line, clock_wall_ms());
	}
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
	struct http_call *call = ctx;
	size_t len = size * count;

	call->header_bytes += (int64_t)len;
	if (call->header_bytes > MAX_HEADER_BYTES) {
		call->cut = HTTP_CALL_CUT_TOO_LARGE;
		return 0;
	}
	read_header(call, sv_make(data, len));
	return len;
}

static bool give_body(struct http_call *call, const char *data, size_t len)
{
	if (call->on_body == NULL)
		strbuf_append(&call->body, data, len);
	else if (len > 0 && call->on_body(call->ctx, data, len) != 0)
		return false;
	call->body_bytes += (int64_t)len;
	return true;
}

/* Counted here, because curl's own limit does not see the length of a chunked body. */
static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
	struct http_call *call = ctx;
	size_t len = size * count;
	size_t room = (size_t)(call->max_response_bytes - call->body_bytes);

	if (call->state == HTTP_CALL_CANCELLED)
		return 0;
	if (len > room && !call->cut_response) {
		call->cut = HTTP_CALL_CUT_TOO_LARGE;
		return 0;
	}
	if (!give_body(call, data, len < room ? len : room)) {
		call->cut = HTTP_CALL_CUT_BY_CALLER;
		return 0;
	}
	if (len <= room)
		return len;
	call->cut = HTTP_CALL_CUT_SHORT;
	return 0;
}

/* --- set up --- */

CURL *http_call_easy_new(void)
{
	CURL *easy = curl_easy_init();

	ASSERT(easy != NULL);
	set_option(easy, CURLOPT_NOSIGNAL, 1L);
	/* An empty proxy and no exceptions: what the environment says is not for us. */
	set_option(easy, CURLOPT_PROXY, "");
	set_option(easy, CURLOPT_NOPROXY, "*");
	set_option(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	set_option(easy, CURLOPT_FOLLOWLOCATION, 0L);
	set_option(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	set_option(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	set_option(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	set_option(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	set_option(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	set_option(easy, CURLOPT_USERAGENT, "WhatsApp-Agent/" WA_VERSION);
	/* Else a call that ends while its name is being resolved blocks the loop until the
	 * resolver's thread is done. */
	set_option(easy, CURLOPT_QUICK_EXIT, 1L);
	set_option(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	set_option(easy, CURLOPT_PREREQFUNCTION, on_request);
	set_option(easy, CURLOPT_HEADERFUNCTION, on_header);
	set_option(easy, CURLOPT_WRITEFUNCTION, on_data);
	return easy;
}

static void set_method(struct http_call *call)
{
	CURL *easy = call->easy;
	bool has_body = call->request_body.len > 0;

	set_option(easy, CURLOPT_NOBODY, 0L);
	set_option(easy, CURLOPT_CUSTOMREQUEST, (char *)NULL);
	if (has_body || strcmp(call->method, "POST") == 0) {
		set_option(easy, CURLOPT_POST, 1L);
		set_option(easy, CURLOPT_POSTFIELDS, strbuf_cstr(&call->request_body));
		set_option(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->request_body.len);
		if (strcmp(call->method, "POST") != 0)
			set_option(easy, CURLOPT_CUSTOMREQUEST, call->method);
	} else {
		set_option(easy, CURLOPT_HTTPGET, 1L);
		if (strcmp(call->method, "HEAD") == 0)
			set_option(easy, CURLOPT_NOBODY, 1L);
		else if (strcmp(call->method, "GET") != 0)
			set_option(easy, CURLOPT_CUSTOMREQUEST, call->method);
	}
}

void http_call_prepare(struct http_call *call)
{
	CURL *easy = call->easy;

	set_option(easy, CURLOPT_PRIVATE, call);
	set_option(easy, CURLOPT_URL, call->url);
	set_option(easy, CURLOPT_HTTPHEADER, call->headers);
	set_option(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_timeout_ms);
	set_option(easy, CURLOPT_ERRORBUFFER, call->error);
	set_option(easy, CURLOPT_OPENSOCKETDATA, call);
	set_option(easy, CURLOPT_PREREQDATA, call);
	set_option(easy, CURLOPT_HEADERDATA, call);
	set_option(easy, CURLOPT_WRITEDATA, call);
	set_method(call);
}

static void add_header(struct http_call *call, const char *name, const char *value)
{
	struct strbuf line = STRBUF_INIT;

	ASSERT(http_is_token(sv_from(name)));
	strbuf_append_cstr(&line, name);
	/* "Name:" would have curl leave the header out. */
	strbuf_append_cstr(&line, value[0] != '\0' ? ": " : ";");
	for (const char *c = value; *c != '\0'; c++)
		strbuf_append_char(&line, (char)((unsigned char)*c < ' ' ? ' ' : *c));
	call->headers = curl_slist_append(call->headers, strbuf_cstr(&line));
	ASSERT(call->headers != NULL);
	strbuf_deinit(&line);
}

static void add_headers(struct http_call *call, const struct http_call_options *options)
{
	/* Else curl waits a second for a "100 Continue" before a large body. */
	call->headers = curl_slist_append(NULL, "Expect:");
	ASSERT(call->headers != NULL);
	for (int i = 0; i < options->n_headers; i++)
		add_header(call, options->headers[i].name, options->headers[i].value);
}

struct http_call *http_call_new(struct http_client *client, const struct url_guard *guard,
	const struct http_call_options *options, http_answer_fn fn, void *ctx)
{
	struct http_call *call = mem_new(struct http_call);

	call->client = client;
	call->state = HTTP_CALL_STARTING;
	call->guard = guard;
	call->fn = fn;
	call->ctx = ctx;
	call->url = mem_strdup(options->url);
	call->method = mem_strdup(options->method);
	strbuf_append_sv(&call->request_body, options->body);
	call->connect_timeout_ms = options->connect_timeout_ms > 0 ? options->connect_timeout_ms
								   : DEFAULT_CONNECT_TIMEOUT_MS;
	call->max_response_bytes = options->max_response_bytes > 0 ? options->max_response_bytes
								   : DEFAULT_MAX_RESPONSE_BYTES;
	call->cut_response = options->cut_response;
	call->on_body = options->on_body;
	call->started_us = clock_mono_us();
	call->retry_after_ms = -1;
	add_headers(call, options);
	return call;
}

void http_call_free(struct http_call *call)
{
	ASSERT(call->easy == NULL);
	loop_timer_free(&call->deadline);
	curl_slist_free_all(call->headers);
	mem_free(call->url);
	mem_free(call->method);
	strbuf_deinit(&call->request_body);
	strbuf_deinit(&call->body);
	mem_free(call);
}

/* --- what became of it --- */

/* curl is content with a connection that ends within the header, or after a preliminary answer. */
static bool has_final_head(const struct http_call *call)
{
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	return call->has_head && status >= 200;
}

static enum http_failure judge_code(const struct http_call *call, CURLcode code)
{
	switch ((int)code) { /* curl has a hundred codes, and more with each release */
	case CURLE_OK:
		return has_final_head(call) ? HTTP_FAILURE_NONE : HTTP_FAILURE_BROKEN;
	case CURLE_URL_MALFORMAT:
		return HTTP_FAILURE_GUARD;
	case CURLE_UNSUPPORTED_PROTOCOL: /* of the URL, or an answer without a status line */
		return call->is_sent ? HTTP_FAILURE_BROKEN : HTTP_FAILURE_GUARD;
	case CURLE_COULDNT_RESOLVE_HOST:
		return HTTP_FAILURE_RESOLVE;
	case CURLE_COULDNT_CONNECT:
		return call->is_refused && !call->has_socket ? HTTP_FAILURE_GUARD
							     : HTTP_FAILURE_CONNECT;
	case CURLE_OPERATION_TIMEDOUT:
		return call->is_sent ? HTTP_FAILURE_TIMEOUT : HTTP_FAILURE_CONNECT;
	case CURLE_ABORTED_BY_CALLBACK:
		return call->is_refused ? HTTP_FAILURE_GUARD : HTTP_FAILURE_BROKEN;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return HTTP_FAILURE_TLS;
	default:
		return call->is_sent ? HTTP_FAILURE_BROKEN : HTTP_FAILURE_CONNECT;
	}
}

static enum http_failure judge_cut(enum http_call_cut cut)
{
	switch (cut) {
	case HTTP_CALL_CUT_SHORT:
		return HTTP_FAILURE_NONE;
	case HTTP_CALL_CUT_TOO_LARGE:
		return HTTP_FAILURE_TOO_LARGE;
	case HTTP_CALL_CUT_BY_CALLER:
		return HTTP_FAILURE_ABORTED;
	case HTTP_CALL_NOT_CUT:
	default:
		WRONG("a call that is not cut");
	}
}

static void describe(
	const struct http_call *call, CURLcode code, enum http_failure failure, struct err *err)
{
	if (failure == HTTP_FAILURE_GUARD && call->is_refused)
		err_set(err, "the address is not one that may be called");
	else if (failure == HTTP_FAILURE_TOO_LARGE)
		err_set(err, "the answer is larger than allowed");
	else if (failure == HTTP_FAILURE_BROKEN && code == CURLE_OK)
		err_set(err, "the connection ended within the answer's header");
	else if (failure == HTTP_FAILURE_ABORTED)
		err_set(err, "given up while the answer came in");
	else if (failure != HTTP_FAILURE_NONE)
		err_set(err, "%s", call->error[0] != '\0' ? call->error : curl_easy_strerror(code));
	/* The other side may have had a hand in curl's words. */
	for (char *c = err->text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
			*c = '?';
}

static void fill_answer(struct http_call *call, struct http_answer *answer)
{
	char *content_type = NULL, *redirect_url = NULL;
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &content_type);
	answer->status = (int)status;
	answer->body = strbuf_view(&call->body);
	answer->content_type = sv_from(content_type);
	curl_easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &redirect_url);
	answer->redirect_url = sv_from(redirect_url);
	answer->retry_after_ms = call->retry_after_ms;
}

static void begin_answer(const struct http_call *call, struct http_answer *answer)
{
	*answer = (struct http_answer){.body = SV_LIT(""),
		.content_type = SV_NULL,
		.redirect_url = SV_NULL,
		.retry_after_ms = -1};
	answer->duration_ms = (clock_mono_us() - call->started_us) / 1000;
}

void http_call_judge(struct http_call *call, CURLcode code, struct http_answer *ret_answer)
{
	begin_answer(call, ret_answer);
	ret_answer->failure =
		call->cut != HTTP_CALL_NOT_CUT ? judge_cut(call->cut) : judge_code(call, code);
	describe(call, code, ret_answer->failure, &ret_answer->err);
	if (ret_answer->failure == HTTP_FAILURE_NONE)
		fill_answer(call, ret_answer);
}

void http_call_judge_late(struct http_call *call, struct http_answer *ret_answer)
{
	begin_answer(call, ret_answer);
	ret_answer->failure = call->is_sent ? HTTP_FAILURE_TIMEOUT : HTTP_FAILURE_CONNECT;
	err_set(&ret_answer->err,
		call->is_sent ? "no whole answer within %lld ms" : "no connection within %lld ms",
		(long long)ret_answer->duration_ms);
}
