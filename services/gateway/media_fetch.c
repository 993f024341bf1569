/* One GET, and those that its answers point to. */
#include "services/gateway/media_fetch.h"

#include <stdio.h>
#include <string.h>

#include "common/base/digest.h"
#include "common/base/mem.h"

#define MAX_REDIRECTS 3

struct media_fetch {
	struct http_client *client;
	int64_t max_bytes;
	int64_t left_ms; /* for what remains to be asked */
	int n_redirects;
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

static void on_answer(void *ctx, const struct http_answer *answer);

static void ask(struct media_fetch *fetch, struct strview url)
{
	char *url_text = mem_strndup(url.ptr, url.len);
	struct http_call_options options = {
		.method = "GET",
		.url = url_text,
		.total_timeout_ms = fetch->left_ms,
		.max_response_bytes = fetch->max_bytes,
		.on_body = on_body,
	};
	/* The body callback has the same ctx as the answer's. */
	fetch->call = http_client_start(fetch->client, &options, on_answer, fetch);
	mem_free(url_text);
}

/* Download links of invoices often point on to a store's signed URL. Each step is a call of its
 * own, so that the address guard sees it like the first. */
static bool follow(struct media_fetch *fetch, const struct http_answer *answer)
{
	if (answer->failure != HTTP_FAILURE_NONE || answer->status < 300 || answer->status > 399 ||
		sv_is_null(answer->redirect_url) || fetch->n_redirects == MAX_REDIRECTS)
		return false;
	fetch->left_ms -= answer->duration_ms;
	if (fetch->left_ms <= 0)
		return false;
	fetch->n_redirects++;
	sha256_stream_end(&fetch->sha256, NULL);
	fetch->sha256 = sha256_stream_new();
	strbuf_reset(&fetch->bytes);
	ask(fetch, answer->redirect_url);
	return true;
}

static void on_answer(void *ctx, const struct http_answer *answer)
{
	struct media_fetch *fetch = ctx;
	if (follow(fetch, answer))
		return;
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
	fetch->client = client;
	fetch->max_bytes = max_bytes;
	fetch->left_ms = timeout_ms;
	ask(fetch, url);
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
