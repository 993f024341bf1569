/* http_chunks: a chunked body, decoded in place. */
#include "tests/support/test.h"

#include <string.h>

#include "common/io/http_chunks.h"

#define MAX_BODY 1000

static struct http_refusal refusal;

/* Decode text as it comes in pieces of `step` bytes, in place as the server does. Returns the last
 * result. */
static int decode(
	struct strview text, size_t step, char *ret_body, size_t *ret_body_len, size_t *ret_used)
{
	struct http_chunks chunks;
	size_t at = 0, fed = 0;
	int result = 0;

	http_chunks_init(&chunks);
	*ret_used = 0;
	while (result == 0 && fed < text.len) {
		size_t n = text.len - fed < step ? text.len - fed : step;
		size_t used = 0;

		memcpy(ret_body + at, text.ptr + fed, n);
		result = http_chunks_decode(
			&chunks, ret_body, ret_body + at, n, MAX_BODY, &used, &refusal);
		fed += n;
		at = chunks.body_len;
		*ret_used += used;
	}
	*ret_body_len = chunks.body_len;
	return result;
}

static const struct {
	const char *text;
	const char *body;
	size_t n_left; /* bytes behind the body */
} good[] = {
	{"0\r\n\r\n", "", 0},
	{"5\r\nhello\r\n0\r\n\r\n", "hello", 0},
	{"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", 0},
	{"00005\r\nhello\r\n000\r\n\r\n", "hello", 0},
	{"a\r\n0123456789\r\nB\r\nabcdefghijk\r\n0\r\n\r\n", "0123456789abcdefghijk", 0},
	{"2;name=value;x=\"y\"\r\nhi\r\n0;last\r\n\r\n", "hi", 0},
	{"2 \t\r\nhi\r\n0\r\n\r\n", "hi", 0},
	{"2\r\nhi\r\n0\r\nTrailer: 1\r\nOther: 2\r\n\r\n", "hi", 0},
	{"2\r\n\r\n\r\n0\r\n\r\n", "\r\n", 0},
	{"2\r\nhi\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "hi", 16},
};

static void TEST(good_bodies_are_decoded_in_pieces_of_any_size)
{
	char body[256];
	size_t len, used;

	for (size_t i = 0; i < array_len(good); i++)
		for (size_t step = 1; step <= strlen(good[i].text); step++) {
			size_t whole = strlen(good[i].text) - good[i].n_left;
			assert_int_equal(decode(sv_from(good[i].text), step, body, &len, &used), 1);
			assert_sv(sv_make(body, len), good[i].body);
			assert_int_equal(used, whole);
		}
}

#define BAD(text, status)                                                                          \
	{                                                                                          \
		{text, sizeof(text) - 1}, status                                                   \
	}
static const struct {
	struct strview text;
	int status;
} bad[] = {
	BAD("\r\n", 400),
	BAD("x\r\n", 400),
	BAD("-1\r\n", 400),
	BAD("+1\r\n", 400),
	BAD(" 1\r\n", 400),
	BAD("0x1\r\n", 400),
	BAD("1\n", 400),
	BAD("1\rx", 400),
	BAD("1,\r\n", 400),
	BAD("1;a\nb\r\n", 400),
	BAD("1;a\0b\r\n", 400),
	BAD("2\r\nhix\n", 400),
	BAD("2\r\nhi\n\n", 400),
	BAD("2\r\nhi\rx", 400),
	BAD("2\r\nhi2\r\nhi\r\n", 400),
	BAD("0\r\n\rx", 400),
	BAD("0\r\nA: \x01\r\n", 400),
	BAD("0\r\nA: b\rx", 400),
	BAD("3e9\r\n", 413),
	BAD("FFFFFFFFFFFFFFF\r\n", 413),
	BAD("10000000000000000\r\n", 413),
	BAD("ffffffffffffffff\r\n", 413),
	BAD("1;", 0),
	BAD("1\r\n", 0),
	BAD("2\r\nhi\r\n0\r\n", 0),
};

static void TEST(bad_bodies_are_refused)
{
	char body[256];
	size_t len, used;

	for (size_t i = 0; i < array_len(bad); i++)
		for (size_t step = 1; step <= bad[i].text.len; step++) {
			refusal.status = 0;
			assert_int_equal(decode(bad[i].text, step, body, &len, &used),
				bad[i].status != 0 ? -1 : 0);
			assert_int_equal(refusal.status, bad[i].status);
		}
}

static void TEST(a_body_too_large_is_refused_before_it_comes)
{
	struct http_chunks chunks;
	char body[2048];
	size_t used;

	http_chunks_init(&chunks);
	memset(body, 'x', sizeof(body));
	memcpy(body, "3e8\r\n", 5);
	memcpy(body + 5 + MAX_BODY, "\r\n1\r", 4);
	assert_int_equal(http_chunks_decode(
				 &chunks, body, body, 5 + MAX_BODY + 4, MAX_BODY, &used, &refusal),
		-1);
	assert_int_equal(refusal.status, 413);
	assert_int_equal(chunks.body_len, MAX_BODY);
}

static int feed_for_ever(const char *start, const char *more, struct http_chunks *chunks)
{
	char body[64];
	size_t used;
	int result;

	http_chunks_init(chunks);
	strcpy(body, start);
	result = http_chunks_decode(chunks, body, body, strlen(start), MAX_BODY, &used, &refusal);
	for (int i = 0; i < 100000 && result == 0; i++) {
		strcpy(body, more);
		result = http_chunks_decode(
			chunks, body, body, strlen(more), MAX_BODY, &used, &refusal);
	}
	return result;
}

static void TEST(endless_extensions_and_trailers_are_refused)
{
	struct http_chunks chunks;

	assert_int_equal(feed_for_ever("1;", "x=y;", &chunks), -1);
	assert_int_equal(refusal.status, 431);
	assert_int_equal(feed_for_ever("0\r\n", "A: b\r\n", &chunks), -1);
	assert_int_equal(refusal.status, 431);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_bodies_are_decoded_in_pieces_of_any_size),
		cmocka_unit_test(bad_bodies_are_refused),
		cmocka_unit_test(a_body_too_large_is_refused_before_it_comes),
		cmocka_unit_test(endless_extensions_and_trailers_are_refused),
	};

	return cmocka_run_group_tests_name("http_chunks", tests, NULL, NULL);
}
