/* delivery_verdict: every failure and every class of status. */
#include "tests/support/test.h"

#include "services/webhooker/delivery_verdict.h"

static void TEST(statuses)
{
	static const struct {
		int from, to;
		enum verdict verdict;
		bool is_charged;
	} table[] = {
		{100, 199, VERDICT_RETRY, true},
		{200, 299, VERDICT_OK, false},
		{300, 399, VERDICT_RETRY, true},
		{400, 409, VERDICT_RETRY, true},
		{410, 410, VERDICT_GIVE_UP, true},
		{411, 599, VERDICT_RETRY, true},
	};
	for (size_t i = 0; i < array_len(table); i++) {
		for (int status = table[i].from; status <= table[i].to; status++) {
			struct delivery_verdict got =
				delivery_verdict_of(HTTP_FAILURE_NONE, status);
			assert_int_equal(got.verdict, table[i].verdict);
			assert_int_equal(got.is_charged, table[i].is_charged);
		}
	}
}

static void TEST(failures)
{
	static const struct {
		enum http_failure failure;
		enum verdict verdict;
		bool is_charged;
	} table[] = {
		{HTTP_FAILURE_GUARD, VERDICT_RETRY, false},
		{HTTP_FAILURE_RESOLVE, VERDICT_RETRY, true},
		{HTTP_FAILURE_CONNECT, VERDICT_RETRY, true},
		{HTTP_FAILURE_TLS, VERDICT_RETRY, true},
		{HTTP_FAILURE_TIMEOUT, VERDICT_UNKNOWN, true},
		{HTTP_FAILURE_BROKEN, VERDICT_UNKNOWN, true},
		{HTTP_FAILURE_TOO_LARGE, VERDICT_UNKNOWN, true},
		{HTTP_FAILURE_ABORTED, VERDICT_RETRY, false},
	};
	for (size_t i = 0; i < array_len(table); i++) {
		/* Whatever status came before the failure does not count. */
		for (int status = 0; status <= 200; status += 200) {
			struct delivery_verdict got = delivery_verdict_of(table[i].failure, status);
			assert_int_equal(got.verdict, table[i].verdict);
			assert_int_equal(got.is_charged, table[i].is_charged);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses),
		cmocka_unit_test(failures),
	};
	return cmocka_run_group_tests_name("delivery_verdict", tests, NULL, NULL);
}
