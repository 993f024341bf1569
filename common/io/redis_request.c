#include "common/io/redis_request.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/base/check.h"
#include "common/base/digest.h"
#include "common/base/mem.h"

struct redis_request *redis_request_new(redis_done_fn fn, void *ctx, int64_t deadline_ms)
{
	struct redis_request *request = mem_new(struct redis_request);
	request->fn = fn;
	request->ctx = ctx;
	request->deadline_ms = deadline_ms;
	return request;
}

void redis_request_free(struct redis_request *request)
{
	mem_free(request->tail);
	mem_free(request);
}

void redis_requests_push(struct redis_request_list *list, struct redis_request *request)
{
	request->next = NULL;
	if (list->last != NULL)
		list->last->next = request;
	else
		list->first = request;
	list->last = request;
	list->n++;
}

struct redis_request *redis_requests_pop(struct redis_request_list *list)
{
	struct redis_request *request = list->first;
	if (request == NULL)
		return NULL;
	list->first = request->next;
	if (list->first == NULL)
		list->last = NULL;
	list->n--;
	return request;
}

void redis_requests_clear(struct redis_request_list *list)
{
	struct redis_request *request;
	while ((request = redis_requests_pop(list)) != NULL)
		redis_request_free(request);
}

void redis_requests_forget(struct redis_request_list *list, const void *ctx)
{
	for (struct redis_request *request = list->first; request != NULL;
		request = request->next) {
		if (request->ctx == ctx)
			request->fn = NULL;
	}
}

const struct redis_request *redis_requests_most_urgent(const struct redis_request_list *list)
{
	const struct redis_request *urgent = list->first;
	for (const struct redis_request *request = urgent; request != NULL;
		request = request->next) {
		if (request->deadline_ms < urgent->deadline_ms)
			urgent = request;
	}
	return urgent;
}

/* --- formatting --- */

/* Not printf: this runs for every argument of every command. */
static void put_number(struct strbuf *out, char prefix, size_t number)
{
	char digits[24];
	size_t at = sizeof(digits);
	digits[--at] = '\n';
	digits[--at] = '\r';
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	digits[--at] = prefix;
	strbuf_append(out, digits + at, sizeof(digits) - at);
}

static void put_bulk(struct strbuf *out, struct strview bulk)
{
	put_number(out, '$', bulk.len);
	if (bulk.len > 0)
		strbuf_append(out, bulk.ptr, bulk.len);
	strbuf_append(out, "\r\n", 2);
}

void redis_format_command(struct strbuf *out, int argc, const struct strview *argv)
{
	strbuf_reset(out);
	put_number(out, '*', (size_t)argc);
	for (int i = 0; i < argc; i++)
		put_bulk(out, argv[i]);
}

static void fill_in_sha(struct redis_script *script)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len;
	if (script->sha[0] != '\0')
		return;
	ASSERT(EVP_Digest(script->source, strlen(script->source), digest, &len, EVP_sha1(), NULL) ==
		1);
	struct strbuf hex = STRBUF_INIT;
	hex_encode(digest, len, &hex);
	ASSERT(hex.len == sizeof(script->sha) - 1);
	memcpy(script->sha, hex.data, hex.len);
	strbuf_deinit(&hex);
}

void redis_format_evalsha(struct strbuf *out, struct redis_request *request,
	struct redis_script *script, int n_keys, int argc, const struct strview *argv)
{
	char keys[12];
	int keys_len = snprintf(keys, sizeof(keys), "%d", n_keys);
	fill_in_sha(script);
	strbuf_reset(out);
	put_number(out, '*', (size_t)argc + 3);
	put_bulk(out, SV_LIT("EVALSHA"));
	put_bulk(out, sv_make(script->sha, sizeof(script->sha) - 1));
	size_t head_len = out->len;
	put_bulk(out, sv_make(keys, (size_t)keys_len));
	for (int i = 0; i < argc; i++)
		put_bulk(out, argv[i]);
	request->script = script;
	request->n_args = argc + 1;
	request->tail_len = out->len - head_len;
	request->tail = mem_dup(out->data + head_len, request->tail_len);
}

void redis_format_eval(struct strbuf *out, const struct redis_request *request)
{
	strbuf_reset(out);
	put_number(out, '*', (size_t)request->n_args + 2);
	put_bulk(out, SV_LIT("EVAL"));
	put_bulk(out, sv_from(request->script->source));
	strbuf_append(out, request->tail, request->tail_len);
}
