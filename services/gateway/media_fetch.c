/* One GET. */
#include "services/gateway/media_fetch.h"

#include <stdio.h>
#include <string.h>

#include "common/base/digest.h"
#include "common/base/mem.h"

struct media_fetch {
	struct http_call *call;
	struct sha256_stream *sha256;
	struct strbuf bytes;
	media_fetch_fn fn;
	void *ctx;
};

static int on_body(void *ctx, const void *data, size_t len)
{
	struct media_fetch *fetch = ctx;
	sha256_stream_add(fetch->sha256, data, len);
	strbuf_append(&fetch->bytes, data, len);
	return 0;
}

static void fetch_free(struct media_fetch *fetch)
{
	sha256_stream_end(&fetch->sha256, NULL);
	strbuf_deinit(&fetch->bytes);
	mem_free(fetch);
}

static void finish_hash(struct media_fetch *fetch, struct media_file *file)
{
	uint8_t hash[SHA256_SIZE];
	struct strbuf hex = STRBUF_INIT;
	sha256_stream_end(&fetch->sha256, hash);
	fetch->sha256 = sha256_stream_new();
	hex_encode(hash, sizeof(hash), &hex);
	(void)snprintf(file->sha256, sizeof(file->sha256), "%s", strbuf_cstr(&hex));
	strbuf_deinit(&hex);
}

static void on_answer(void *ctx, const struct http_answer *answer)
{
	struct media_fetch *fetch = ctx;
	struct media_file file = {.verdict = media_verdict_of(answer->failure, answer->status)};
	char why[sizeof(answer->err.text) + 32];
	if (answer->failure != HTTP_FAILURE_NONE)
		(void)snprintf(why, sizeof(why), "%s: %s", http_failure_name(answer->failure),
			answer->err.text);
	else
		(void)snprintf(why, sizeof(why), "its server answered %d", answer->status);
	file.why = why;
	if (file.verdict == MEDIA_HERE && fetch->bytes.len == 0) {
		file.verdict = MEDIA_NEVER;
		file.why = "it is empty";
	}
	if (file.verdict == MEDIA_HERE) {
		file.bytes = strbuf_view(&fetch->bytes);
		media_type_clean(answer->content_type, file.content_type);
		finish_hash(fetch, &file);
	}
	fetch->fn(fetch->ctx, &file);
	fetch_free(fetch);
}

struct media_fetch *media_fetch_start(struct http_client *client, struct strview url,
	int64_t max_bytes, int64_t timeout_ms, media_fetch_fn fn, void *ctx)
{
	struct media_fetch *fetch = mem_new(struct media_fetch);
	fetch->sha256 = sha256_stream_new();
	fetch->fn = fn;
	fetch->ctx = ctx;
	char *url_text = mem_strndup(url.ptr, url.len);
	struct http_call_options options = {
		.method = "GET",
		.url = url_text,
		.total_timeout_ms = timeout_ms,
		.max_response_bytes = max_bytes,
		.on_body = on_body,
	};
	/* The body callback has the same ctx as the answer's. */
	fetch->call = http_client_start(client, &options, on_answer, fetch);
	mem_free(url_text);
	return fetch;
}

void media_fetch_cancel(struct media_fetch **fetch)
{
	if (*fetch == NULL)
		return;
	http_call_cancel(&(*fetch)->call);
	fetch_free(*fetch);
	*fetch = NULL;
}
