/* http_head: the head of a request, read strictly. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/strbuf.h"
#include "common/io/http_head.h"

#define GET  "GET / HTTP/1.1\r\n"
#define HOST "Host: h\r\n"

static struct http_head head;
static struct http_refusal refusal;

static int parse(struct strview text)
{
	refusal = (struct http_refusal){0, NULL};
	return http_head_parse(text, &head, &refusal);
}

static void TEST(a_request_is_read)
{
	assert_int_equal(parse(SV_LIT("POST /v1/messages?a=b&c HTTP/1.1\r\n"
				      "Host: example.com\r\n"
				      "content-LENGTH:  12 \r\n"
				      "X-Empty:\r\n"
				      "X-Twice: 1\r\nX-Twice: 2\r\n\r\n")),
		0);
	assert_int_equal(head.method, HTTP_POST);
	assert_sv(head.path, "/v1/messages");
	assert_sv(head.query, "a=b&c");
	assert_int_equal(head.minor_version, 1);
	assert_false(head.is_last);
	assert_false(head.expects_continue);
	assert_int_equal(head.framing, HTTP_FRAMING_LENGTH);
	assert_int_equal(head.content_length, 12);
	assert_sv(http_head_field(&head, "Content-Length"), "12");
	assert_sv(http_head_field(&head, "x-empty"), "");
	assert_sv(http_head_field(&head, "X-TWICE"), "1");
	assert_true(sv_is_null(http_head_field(&head, "X-Absent")));
}

static void TEST(all_methods_are_told)
{
	for (int method = HTTP_GET; method <= HTTP_OTHER; method++) {
		struct strbuf text = STRBUF_INIT;

		strbuf_printf(&text, "%s / HTTP/1.1\r\n" HOST "\r\n",
			http_method_name((enum http_method)method));
		assert_int_equal(parse(strbuf_view(&text)), 0);
		assert_int_equal(head.method, method);
		strbuf_deinit(&text);
	}
	assert_int_equal(parse(SV_LIT("get / HTTP/1.1\r\n" HOST "\r\n")), 0);
	assert_int_equal(head.method, HTTP_OTHER);
}

static const struct {
	const char *target;
	const char *path; /* NULL: refused */
	const char *query;
} targets[] = {
	{"/", "/", ""},
	{"/?", "/", ""},
	{"/a%20b/c?x=%3f?y", "/a%20b/c", "x=%3f?y"},
	{"//double", "//double", ""},
	{"http://example.com/p?q", "/p", "q"},
	{"HTTPS://example.com:1/p", "/p", ""},
	{"http://example.com", NULL, NULL},
	{"http:///p", "/p", ""},
	{"*", NULL, NULL},
	{"example.com:443", NULL, NULL},
	{"relative", NULL, NULL},
	{"/frag#ment", NULL, NULL},
	{"/tab\tbed", NULL, NULL},
	{"/\x7f", NULL, NULL},
	{"/caf\xc3\xa9", NULL, NULL},
};

static void TEST(the_target_is_split)
{
	for (size_t i = 0; i < array_len(targets); i++) {
		struct strbuf text = STRBUF_INIT;

		strbuf_printf(&text, "GET %s HTTP/1.1\r\n" HOST "\r\n", targets[i].target);
		print_message("# %s\n", targets[i].target);
		assert_int_equal(parse(strbuf_view(&text)), targets[i].path != NULL ? 0 : -1);
		if (targets[i].path != NULL) {
			assert_sv(head.path, targets[i].path);
			assert_sv(head.query, targets[i].query);
		} else {
			assert_int_equal(refusal.status, 400);
		}
		strbuf_deinit(&text);
	}
}

#define BAD(text, status)                                                                          \
	{                                                                                          \
		{text, sizeof(text) - 1}, status                                                   \
	}
static const struct {
	struct strview text;
	int status; /* 0: good */
} heads[] = {
	BAD(GET HOST "\r\n", 0),
	BAD("GET / HTTP/1.0\r\n\r\n", 0),
	BAD("GET / HTTP/1.9\r\n" HOST "\r\n", 0),
	/* the request line */
	BAD("GET /\r\n" HOST "\r\n", 400),
	BAD("GET\r\n" HOST "\r\n", 400),
	BAD("GET  / HTTP/1.1\r\n" HOST "\r\n", 400),
	BAD("GET / HTTP/1.1 \r\n" HOST "\r\n", 400),
	BAD(" GET / HTTP/1.1\r\n" HOST "\r\n", 400),
	BAD("GET / \r\n" HOST "\r\n", 400),
	BAD("GET / http/1.1\r\n" HOST "\r\n", 400),
	BAD("GET / HTTP/1.\r\n" HOST "\r\n", 400),
	BAD("GET / HTTP/1.10\r\n" HOST "\r\n", 400),
	BAD("GET / HTTP/1,1\r\n" HOST "\r\n", 400),
	BAD("GET / HTTP/2.0\r\n" HOST "\r\n", 505),
	BAD("GET / HTTP/0.9\r\n" HOST "\r\n", 505),
	BAD("PRI * HTTP/2.0\r\n\r\n", 505),
	BAD("G(T / HTTP/1.1\r\n" HOST "\r\n", 400),
	BAD("AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDD / HTTP/1.1\r\n" HOST "\r\n", 400),
	BAD("GET /\0x HTTP/1.1\r\n" HOST "\r\n", 400),
	/* lines */
	BAD("GET / HTTP/1.1\n" HOST "\r\n", 400),
	BAD(GET HOST "A: b\nC: d\r\n\r\n", 400),
	BAD(GET HOST "A: b\rC: d\r\n\r\n", 400),
	BAD(GET HOST "A: b\r\n folded\r\n\r\n", 400),
	BAD(GET HOST "A: b\r\n\tfolded\r\n\r\n", 400),
	/* fields */
	BAD(GET HOST "A b: c\r\n\r\n", 400),
	BAD(GET HOST "A : c\r\n\r\n", 400),
	BAD(GET HOST ": c\r\n\r\n", 400),
	BAD(GET HOST "A\r\n\r\n", 400),
	BAD(GET HOST "A: b\0c\r\n\r\n", 400),
	BAD(GET HOST "A\0: b\r\n\r\n", 400),
	BAD(GET HOST "A: \x01\r\n\r\n", 400),
	BAD(GET HOST "A: \x7f\r\n\r\n", 400),
	BAD(GET HOST "A: b\tc \xe2\x82\xac:d\r\n\r\n", 0),
	/* host */
	BAD(GET "\r\n", 400),
	BAD(GET HOST HOST "\r\n", 400),
	BAD("GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400),
	/* the length of the body */
	BAD(GET HOST "Content-Length: 0\r\n\r\n", 0),
	BAD(GET HOST "Content-Length: 007\r\n\r\n", 0),
	BAD(GET HOST "Content-Length:\r\n\r\n", 400),
	BAD(GET HOST "Content-Length: -1\r\n\r\n", 400),
	BAD(GET HOST "Content-Length: +1\r\n\r\n", 400),
	BAD(GET HOST "Content-Length: 0x1\r\n\r\n", 400),
	BAD(GET HOST "Content-Length: 1 1\r\n\r\n", 400),
	BAD(GET HOST "Content-Length: 5, 5\r\n\r\n", 400),
	BAD(GET HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
	BAD(GET HOST "Content-Length: 5\r\ncontent-length: 6\r\n\r\n", 400),
	BAD(GET HOST "Content-Length: 99999999999999999999\r\n\r\n", 413),
	BAD(GET HOST "Transfer-Encoding: chunked\r\n\r\n", 0),
	BAD(GET HOST "Transfer-Encoding: CHUNKED\r\n\r\n", 0),
	BAD(GET HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
	BAD(GET HOST "Transfer-Encoding: chunked, identity\r\n\r\n", 501),
	BAD(GET HOST "Transfer-Encoding: xchunked\r\n\r\n", 501),
	BAD(GET HOST "Transfer-Encoding: \"chunked\"\r\n\r\n", 501),
	BAD(GET HOST "Transfer-Encoding:\r\n\r\n", 501),
	BAD(GET HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
	BAD(GET HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400),
	BAD(GET HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
	BAD(GET HOST "Content-Length : 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
	BAD("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
	/* expectations */
	BAD(GET HOST "Expect: 100-Continue\r\n\r\n", 0),
	BAD(GET HOST "Expect: 200-ok\r\n\r\n", 417),
};

static void TEST(what_is_not_clear_is_refused)
{
	for (size_t i = 0; i < array_len(heads); i++) {
		print_message("# case %zu\n", i);
		assert_int_equal(parse(heads[i].text), heads[i].status == 0 ? 0 : -1);
		assert_int_equal(refusal.status, heads[i].status);
		assert_true((refusal.detail != NULL) == (heads[i].status != 0));
	}
}

static const struct {
	const char *version_and_fields;
	bool is_last;
} ends[] = {
	{"1.1\r\n" HOST, false},
	{"1.1\r\n" HOST "Connection: close\r\n", true},
	{"1.1\r\n" HOST "Connection: Keep-Alive\r\n", false},
	{"1.1\r\n" HOST "Connection: upgrade, CLOSE\r\n", true},
	{"1.1\r\n" HOST "Connection: closed\r\n", false},
	{"1.0\r\n", true},
	{"1.0\r\nConnection: keep-alive\r\n", false},
	{"1.0\r\nConnection: close\r\n", true},
};

static void TEST(the_connection_ends_when_it_should)
{
	for (size_t i = 0; i < array_len(ends); i++) {
		struct strbuf text = STRBUF_INIT;

		strbuf_printf(&text, "GET / HTTP/%s\r\n", ends[i].version_and_fields);
		assert_int_equal(parse(strbuf_view(&text)), 0);
		assert_int_equal(head.is_last, ends[i].is_last);
		strbuf_deinit(&text);
	}
}

static void TEST(too_many_fields_are_refused)
{
	struct strbuf text = STRBUF_INIT;

	strbuf_append_cstr(&text, GET HOST);
	for (int i = 1; i < HTTP_HEAD_MAX_FIELDS; i++)
		strbuf_printf(&text, "X-%d: %d\r\n", i, i);
	size_t len = text.len;
	strbuf_append_cstr(&text, "\r\n");
	assert_int_equal(parse(strbuf_view(&text)), 0);
	text.len = len;
	strbuf_append_cstr(&text, "X-More: 1\r\n\r\n");
	assert_int_equal(parse(strbuf_view(&text)), -1);
	assert_int_equal(refusal.status, 431);
	strbuf_deinit(&text);
}

static void TEST(the_end_is_found_however_the_bytes_come)
{
	struct strview text = SV_LIT(GET HOST "\r\nbody\r\n\r\n");
	size_t head_len = text.len - strlen("body\r\n\r\n");
	size_t len = 0;

	for (size_t known = 0; known < head_len; known++)
		for (size_t now = known; now <= text.len; now++) {
			int found =
				http_head_find_end(sv_make(text.ptr, now), known, &len, &refusal);
			assert_int_equal(found, now >= head_len);
			if (found)
				assert_int_equal(len, head_len);
		}
}

static void TEST(what_can_never_end_is_refused_at_once)
{
	size_t len;

	assert_int_equal(http_head_find_end(SV_LIT("\x16\x03\x01"), 0, &len, &refusal), -1);
	assert_int_equal(http_head_find_end(SV_LIT("\n"), 0, &len, &refusal), -1);
	assert_int_equal(http_head_find_end(SV_LIT("GET / HTTP/1.0\n\n"), 0, &len, &refusal), -1);
	assert_int_equal(refusal.status, 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_read),
		cmocka_unit_test(all_methods_are_told),
		cmocka_unit_test(the_target_is_split),
		cmocka_unit_test(what_is_not_clear_is_refused),
		cmocka_unit_test(the_connection_ends_when_it_should),
		cmocka_unit_test(too_many_fields_are_refused),
		cmocka_unit_test(the_end_is_found_however_the_bytes_come),
		cmocka_unit_test(what_can_never_end_is_refused_at_once),
	};

	return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
