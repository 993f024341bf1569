#include "tests/support/test.h"

#include <string.h>

#include "common/io/resolve.h"

#define WAIT_MS 20000

struct got {
	int n_calls;
	struct resolve_answer answer;
};

static void on_answer(void *ctx, const struct resolve_answer *answer)
{
	struct got *got = ctx;
	got->n_calls++;
	got->answer = *answer;
}

static int is_called(void *ctx)
{
	return ((struct got *)ctx)->n_calls > 0;
}

static void TEST(numeric_addresses_are_known)
{
	assert_true(resolve_is_numeric("127.0.0.1"));
	assert_true(resolve_is_numeric("::1"));
	assert_false(resolve_is_numeric("localhost"));
	assert_false(resolve_is_numeric(""));
	assert_false(resolve_is_numeric("127.1"));
}

static void TEST(localhost_is_found)
{
	struct loop *loop = loop_new();
	struct got got = {.n_calls = 0};
	(void)resolve_start(loop, "localhost", WAIT_MS, on_answer, &got);
	assert_int_equal(got.n_calls, 0);
	assert_true(loop_run_until(loop, is_called, &got, WAIT_MS));
	assert_true(got.answer.n >= 1);
	assert_true(resolve_is_numeric(got.answer.addresses[0]));
	loop_free(&loop);
}

static void TEST(a_name_that_is_none_is_an_error)
{
	struct loop *loop = loop_new();
	struct got got = {.n_calls = 0};
	(void)resolve_start(loop, "no host.invalid", WAIT_MS, on_answer, &got);
	assert_true(loop_run_until(loop, is_called, &got, WAIT_MS));
	assert_int_equal(got.answer.n, 0);
	assert_non_null(strstr(got.answer.err.text, "no host.invalid"));
	loop_free(&loop);
}

static void TEST(a_lookup_has_a_deadline_and_can_be_cancelled)
{
	struct loop *loop = loop_new();
	struct got late = {.n_calls = 0};
	struct got cancelled = {.n_calls = 0};
	struct resolve *resolve =
		resolve_start(loop, "cancelled.invalid", WAIT_MS, on_answer, &cancelled);
	(void)resolve_start(loop, "late.invalid", 0, on_answer, &late);
	resolve_cancel(&resolve);
	assert_null(resolve);
	assert_true(loop_run_until(loop, is_called, &late, WAIT_MS));
	assert_int_equal(late.answer.n, 0);
	assert_int_equal(cancelled.n_calls, 0);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numeric_addresses_are_known),
		cmocka_unit_test(localhost_is_found),
		cmocka_unit_test(a_name_that_is_none_is_an_error),
		cmocka_unit_test(a_lookup_has_a_deadline_and_can_be_cancelled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
