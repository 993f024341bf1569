#include "tests/support/test.h"

#include "services/gateway/sandbox_fate.h"

static void TEST(the_last_four_digits_decide)
{
	assert_int_equal(sandbox_fate_of(SV_LIT("+15550000001")), SANDBOX_FATE_NOT_ON_WHATSAPP);
	assert_int_equal(sandbox_fate_of(SV_LIT("+4915112340002")), SANDBOX_FATE_FAILS_TWICE);
	assert_int_equal(sandbox_fate_of(SV_LIT("+860003")), SANDBOX_FATE_FAILS_ALWAYS);
	assert_int_equal(sandbox_fate_of(SV_LIT("+919990000004")), SANDBOX_FATE_NOT_DELIVERED);
	assert_int_equal(sandbox_fate_of(SV_LIT("+919990000005")), SANDBOX_FATE_ACK_LOST);
	assert_int_equal(sandbox_fate_of(SV_LIT("+919990000006")), SANDBOX_FATE_READ);
	assert_int_equal(sandbox_fate_of(SV_LIT("+919000100010")), SANDBOX_FATE_READ);
}

static void TEST(a_short_number_has_the_usual_fate)
{
	assert_int_equal(sandbox_fate_of(SV_LIT("001")), SANDBOX_FATE_READ);
	assert_int_equal(sandbox_fate_of(SV_LIT("")), SANDBOX_FATE_READ);
	assert_int_equal(sandbox_fate_of(SV_NULL), SANDBOX_FATE_READ);
}

static void TEST(the_first_copy_to_0005_is_taken_without_a_word)
{
	assert_false(sandbox_fate_is_acked(SANDBOX_FATE_ACK_LOST, 1));
	assert_false(sandbox_fate_has_receipts(SANDBOX_FATE_ACK_LOST, 1));
	assert_true(sandbox_fate_is_acked(SANDBOX_FATE_ACK_LOST, 2));
	assert_true(sandbox_fate_has_receipts(SANDBOX_FATE_ACK_LOST, 2));
}

static void TEST(n0004_is_acknowledged_and_never_delivered)
{
	assert_true(sandbox_fate_is_acked(SANDBOX_FATE_NOT_DELIVERED, 1));
	assert_false(sandbox_fate_has_receipts(SANDBOX_FATE_NOT_DELIVERED, 1));
	assert_false(sandbox_fate_has_receipts(SANDBOX_FATE_NOT_DELIVERED, 2));
}

static void TEST(any_other_is_acknowledged_and_read_however_often_it_comes)
{
	for (int copies = 1; copies <= 3; copies++) {
		assert_true(sandbox_fate_is_acked(SANDBOX_FATE_READ, copies));
		assert_true(sandbox_fate_has_receipts(SANDBOX_FATE_READ, copies));
		assert_true(sandbox_fate_has_receipts(SANDBOX_FATE_FAILS_TWICE, copies));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_four_digits_decide),
		cmocka_unit_test(a_short_number_has_the_usual_fate),
		cmocka_unit_test(the_first_copy_to_0005_is_taken_without_a_word),
		cmocka_unit_test(n0004_is_acknowledged_and_never_delivered),
		cmocka_unit_test(any_other_is_acknowledged_and_read_however_often_it_comes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
