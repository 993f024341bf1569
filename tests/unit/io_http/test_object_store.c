/* object_store: what the store answers, and what is made of it. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/strbuf.h"
#include "common/io/object_store.h"
#include "tests/unit/io_http/outgoing_scene.h"

#define NAME        "0123-ab"
#define ERROR_XML   "<Error><Code>SlowDown</Code></Error>"
#define EMPTY_SHA   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define EMPTY_BYTES SV_LIT("")

struct seen {
	int n;
	enum object_end end;
	struct err err;
	size_t n_bytes;
	char bytes[64];
};

static struct seen seen;

static void on_object(UNUSED void *ctx, const struct object_answer *answer)
{
	seen.n++;
	seen.end = answer->end;
	seen.err = answer->err;
	seen.n_bytes = answer->bytes.len;
	(void)snprintf(seen.bytes, sizeof(seen.bytes), "%.*s", SV_ARG(answer->bytes));
}

static int is_answered(UNUSED void *ctx)
{
	return seen.n > 0;
}

enum verb { PUT, GET_WHOLE, GET_A_PART, DELETE };

/* max_bytes: of what is got. */
static void ask(struct scene *scene, enum verb verb, int64_t max_bytes, const char *status,
	const char *body)
{
	struct strbuf answer = STRBUF_INIT;
	char endpoint[64];
	struct err err;

	(void)snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", scene->port);
	struct object_store_options options = {
		.endpoint = endpoint,
		.bucket = "wa-media",
		.region = "eu-central-1",
		.access_key = "A",
		.secret_key = "S",
		.timeout_ms = PATIENCE_MS,
	};
	struct object_store *store = object_store_new(scene->loop, &options, &err);
	assert_non_null(store);
	strbuf_printf(&answer, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body),
		body);
	scene->answer = strbuf_cstr(&answer);
	memset(&seen, 0, sizeof(seen));
	if (verb == PUT)
		(void)object_put(store, NAME, EMPTY_SHA, EMPTY_BYTES, on_object, NULL);
	else if (verb == GET_WHOLE)
		(void)object_get(store, NAME, max_bytes, on_object, NULL);
	else if (verb == GET_A_PART)
		(void)object_get_part(store, NAME, 0, max_bytes, on_object, NULL);
	else
		(void)object_delete(store, NAME, on_object, NULL);
	assert_true(loop_run_until(scene->loop, is_answered, NULL, PATIENCE_MS));
	assert_int_equal(seen.n, 1);
	object_store_free(&store);
	scene->answer = "";
	strbuf_deinit(&answer);
}

static void assert_failed(const char *why)
{
	assert_int_equal(seen.end, OBJECT_FAILED);
	assert_int_equal(seen.n_bytes, 0);
	if (strstr(seen.err.text, why) == NULL)
		fail_msg("%s: it says «%s»", why, seen.err.text);
}

static void TEST(an_object_is_given_up_to_the_limit_and_not_a_byte_beyond)
{
	ask(*state, GET_WHOLE, 5, "200 OK", "12345");
	assert_int_equal(seen.end, OBJECT_DONE);
	assert_string_equal(seen.bytes, "12345");
	ask(*state, GET_WHOLE, 4, "200 OK", "12345");
	assert_failed("the store gave more than 4 bytes");
	ask(*state, GET_WHOLE, 0, "200 OK", "1");
	assert_failed("the store gave more than 0 bytes");
	ask(*state, GET_WHOLE, 0, "200 OK", "");
	assert_int_equal(seen.end, OBJECT_DONE);
}

static void TEST(a_part_is_no_larger_than_what_was_asked_for)
{
	ask(*state, GET_A_PART, 5, "206 Partial Content", "12345");
	assert_int_equal(seen.end, OBJECT_DONE);
	assert_string_equal(seen.bytes, "12345");
	ask(*state, GET_A_PART, 4, "206 Partial Content", "12345");
	assert_failed("the store gave more than 4 bytes");
	ask(*state, GET_A_PART, 4, "416 Range Not Satisfiable", ERROR_XML);
	assert_int_equal(seen.end, OBJECT_DONE);
	assert_int_equal(seen.n_bytes, 0);
}

/* However small the object: the limit is not one of the error's text. */
static void TEST(an_error_is_told_by_its_name)
{
	ask(*state, GET_WHOLE, 1, "503 Slow Down", ERROR_XML);
	assert_failed("the store answered 503 SlowDown");
	ask(*state, PUT, 0, "503 Slow Down", ERROR_XML);
	assert_failed("the store answered 503 SlowDown");
	ask(*state, GET_WHOLE, 1, "404 Not Found", ERROR_XML);
	assert_int_equal(seen.end, OBJECT_ABSENT);
}

static void TEST(what_is_said_of_a_success_does_no_harm)
{
	ask(*state, PUT, 0, "200 OK", "<Done/>");
	assert_int_equal(seen.end, OBJECT_DONE);
	ask(*state, DELETE, 0, "200 OK", "<Done/>");
	assert_int_equal(seen.end, OBJECT_DONE);
	ask(*state, DELETE, 0, "404 Not Found", ERROR_XML);
	assert_int_equal(seen.end, OBJECT_DONE);
}

#define TEST_OF(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OF(an_object_is_given_up_to_the_limit_and_not_a_byte_beyond),
		TEST_OF(a_part_is_no_larger_than_what_was_asked_for),
		TEST_OF(an_error_is_told_by_its_name),
		TEST_OF(what_is_said_of_a_success_does_no_harm),
	};
	return cmocka_run_group_tests_name("object_store", tests, NULL, NULL);
}
