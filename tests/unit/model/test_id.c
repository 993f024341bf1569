/* Ids sort by creation, are never the same, and are told from other text. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/model/id.h"

static void TEST(ids_of_one_process_strictly_increase)
{
	char before[ID_SIZE];
	char id[ID_SIZE];
	int64_t now_ms = 1700000000000;
	id_new("msg", now_ms, before);
	for (int i = 0; i < 10000; i++) {
		int64_t step = i % 7 == 0    ? 1
			       : i % 11 == 0 ? -5
					     : 0; /* the clock also steps back */
		now_ms += step;
		id_new("msg", now_ms, id);
		assert_true(strcmp(before, id) < 0);
		memcpy(before, id, sizeof(id));
	}
}

static void TEST(an_id_begins_with_its_time)
{
	char id[ID_SIZE];
	id_new("wh", 1800000000000, id);
	assert_int_equal(strlen(id), 3 + 26);
	assert_memory_equal(id, "wh_01MCC5RM00", 13); /* 10 characters of time */
}

static void TEST(the_shape_is_recognised)
{
	char id[ID_SIZE];
	id_new("msg", 1800000000001, id);
	assert_true(id_is("msg", sv_from(id)));
	assert_false(id_is("ms", sv_from(id)));
	assert_false(id_is("key", sv_from(id)));
	assert_false(id_is("msg", sv_make(id, strlen(id) - 1)));
	assert_false(
		id_is("msg", SV_LIT("msg_01ARZ3NDEKTSV4RRFFQ69G5FAU"))); /* no U in the alphabet */
	assert_false(id_is("msg", SV_LIT("msg_81ARZ3NDEKTSV4RRFFQ69G5FAV"))); /* beyond 128 bits */
	assert_false(id_is("msg", SV_LIT("msg-01ARZ3NDEKTSV4RRFFQ69G5FAV")));
	assert_false(id_is("msg", SV_LIT("msg_01ARZ3NDEKTSV4RRFFQ69G5FA\0")));
	assert_true(id_is("msg", SV_LIT("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV")));
	assert_false(id_is("msg", SV_NULL));
}

static void TEST(one_id_does_not_tell_the_next)
{
	char a[ID_SIZE];
	char b[ID_SIZE];
	char c[ID_SIZE];
	id_new("msg", 1800000000002, a);
	id_new("msg", 1800000000002, b);
	id_new("msg", 1800000000002, c);
	/* The steps between them differ within the last characters. */
	assert_int_not_equal(memcmp(a + 25, b + 25, 5), 0);
	assert_int_not_equal(memcmp(b + 25, c + 25, 5), 0);
}

static void TEST(event_ids_are_read_back)
{
	char id[ID_SIZE];
	int64_t sequence = 0;
	id_of_event(255, id);
	assert_string_equal(id, "evt_00000000000000ff");
	assert_int_equal(id_parse_event(sv_from(id), &sequence), 0);
	assert_int_equal(sequence, 255);
	assert_int_equal(id_parse_event(SV_LIT("evt_7fffffffffffffff"), &sequence), 0);
	assert_true(sequence == INT64_MAX);
	assert_int_equal(id_parse_event(SV_LIT("evt_8000000000000000"), &sequence), -1);
	assert_int_equal(id_parse_event(SV_LIT("evt_00000000000000FF"), &sequence), -1);
	assert_int_equal(id_parse_event(SV_LIT("evt_ff"), &sequence), -1);
	assert_int_equal(id_parse_event(SV_LIT("msg_00000000000000ff"), &sequence), -1);
	assert_true(sequence == INT64_MAX); /* untouched on failure */
}

static void TEST(whatsapp_ids_look_like_whatsapp_webs)
{
	char id[WA_MESSAGE_ID_SIZE];
	char other[WA_MESSAGE_ID_SIZE];
	id_new_wa_message(id);
	id_new_wa_message(other);
	assert_int_equal(strlen(id), 22);
	assert_memory_equal(id, "3EB0", 4);
	assert_int_equal(strspn(id, "0123456789ABCDEF"), 22);
	assert_string_not_equal(id, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_of_one_process_strictly_increase),
		cmocka_unit_test(an_id_begins_with_its_time),
		cmocka_unit_test(the_shape_is_recognised),
		cmocka_unit_test(one_id_does_not_tell_the_next),
		cmocka_unit_test(event_ids_are_read_back),
		cmocka_unit_test(whatsapp_ids_look_like_whatsapp_webs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
