/* Placement never changes and spreads evenly. */
#include "tests/support/test.h"

#include <stdio.h>

#include "common/model/partition.h"

static void TEST(a_conversation_stays_where_it_is_for_ever)
{
	/* Rows in customers' databases hold these numbers: a change of them is a migration, not a
	 * fix of this test. */
	assert_int_equal(partition_of_conversation(1, SV_LIT("+1234567890")), 7);
	assert_int_equal(partition_of_conversation(2, SV_LIT("+1234567890")), 20);
	assert_int_equal(partition_of_conversation(1, SV_LIT("+491701234567")), 14);
}

static void TEST(neighbouring_numbers_spread_over_all_partitions)
{
	int count[OUTBOUND_PARTITIONS] = {0};
	for (int i = 0; i < 32000; i++) {
		char phone[32];
		int len = snprintf(phone, sizeof(phone), "+49170%07d", i);
		count[partition_of_conversation(1, sv_make(phone, (size_t)len))]++;
	}
	for (int p = 0; p < OUTBOUND_PARTITIONS; p++) {
		assert_in_range(count[p], 800, 1200);
	}
}

static void TEST(contacts_go_by_their_number)
{
	assert_int_equal(partition_of_contact(33), 1);
	assert_int_equal(partition_of_contact(0), 0); /* no contact: session events */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_conversation_stays_where_it_is_for_ever),
		cmocka_unit_test(neighbouring_numbers_spread_over_all_partitions),
		cmocka_unit_test(contacts_go_by_their_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
