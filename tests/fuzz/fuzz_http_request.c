/* The head of a request and its chunked body: what is taken is unambiguous, however the bytes are
 * cut. */
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/http_chunks.h"
#include "common/io/http_head.h"
#include "tests/fuzz/fuzz.h"

#define MAX_BODY 1000

static bool has_control_byte(struct strview text)
{
	for (size_t i = 0; i < text.len; i++)
		if (((unsigned char)text.ptr[i] < ' ' && text.ptr[i] != '\t') ||
			text.ptr[i] == 0x7f)
			return true;
	return false;
}

static int count_fields(const struct http_head *head, const char *name)
{
	int n = 0;

	for (int i = 0; i < head->n_fields; i++)
		n += sv_ieq_cstr(head->fields[i].name, name);
	return n;
}

static void check_head(const struct http_head *head)
{
	int n_lengths = count_fields(head, "Content-Length");
	int n_encodings = count_fields(head, "Transfer-Encoding");

	ASSERT(head->path.len > 0 && head->path.ptr[0] == '/');
	ASSERT(!has_control_byte(head->path) && !has_control_byte(head->query));
	ASSERT(memchr(head->path.ptr, '?', head->path.len) == NULL);
	ASSERT(n_lengths + n_encodings <= 1);
	ASSERT((head->framing == HTTP_FRAMING_LENGTH) == (n_lengths == 1));
	ASSERT((head->framing == HTTP_FRAMING_CHUNKED) == (n_encodings == 1));
	ASSERT(head->content_length >= 0);
	ASSERT(count_fields(head, "Host") <= 1);
	for (int i = 0; i < head->n_fields; i++) {
		ASSERT(http_is_token(head->fields[i].name));
		ASSERT(!has_control_byte(head->fields[i].value));
	}
}

/* Decode in pieces of `step` bytes into a buffer that is used in place. */
static int decode(struct strview text, size_t step, char *body, struct http_chunks *chunks,
	size_t *ret_used, struct http_refusal *refusal)
{
	size_t fed = 0;
	int result = 0;

	http_chunks_init(chunks);
	*ret_used = 0;
	while (result == 0 && fed < text.len) {
		size_t n = text.len - fed < step ? text.len - fed : step;
		size_t used = 0;

		memcpy(body + chunks->body_len, text.ptr + fed, n);
		result = http_chunks_decode(
			chunks, body, body + chunks->body_len, n, MAX_BODY, &used, refusal);
		ASSERT(result != 0 || used == n);
		fed += n;
		*ret_used += used;
	}
	ASSERT(chunks->body_len <= MAX_BODY);
	return result;
}

static void check_chunks(struct strview text)
{
	char *bodies[2] = {mem_alloc(text.len + 1), mem_alloc(text.len + 1)};
	struct http_chunks chunks[2];
	struct http_refusal refusals[2] = {{0, NULL}, {0, NULL}};
	size_t used[2];
	int whole = decode(text, text.len, bodies[0], &chunks[0], &used[0], &refusals[0]);
	int cut = decode(text, 1, bodies[1], &chunks[1], &used[1], &refusals[1]);

	ASSERT(whole == cut);
	ASSERT(refusals[0].status == refusals[1].status);
	ASSERT((whole < 0) == (refusals[0].status != 0));
	if (whole >= 0) {
		ASSERT(used[0] == used[1]);
		ASSERT(chunks[0].body_len == chunks[1].body_len);
		ASSERT(memcmp(bodies[0], bodies[1], chunks[0].body_len) == 0);
	}
	mem_free(bodies[0]);
	mem_free(bodies[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct strview text = sv_make(data, size_bytes);
	struct http_refusal refusal = {0, NULL};
	struct http_head head;
	size_t len = 0, cut_len = 0;
	size_t half = size_bytes / 2;

	check_chunks(text);
	int found = http_head_find_end(text, 0, &len, &refusal);
	if (found < 0)
		return 0;
	int early = http_head_find_end(sv_make(data, half), 0, &cut_len, &refusal);
	if (early == 0)
		ASSERT(http_head_find_end(text, half, &cut_len, &refusal) == found);
	ASSERT(found == 0 || early < 0 || cut_len == len);
	if (found == 0)
		return 0;
	if (http_head_parse(sv_make(data, len), &head, &refusal) == 0) {
		ASSERT(early >=
			0); /* what half of it was refused for, the whole is refused for as well */
		check_head(&head);
	} else {
		ASSERT(refusal.status >= 400 && refusal.status <= 599 && refusal.detail != NULL);
	}
	return 0;
}
