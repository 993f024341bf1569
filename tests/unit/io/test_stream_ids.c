#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/io/stream_ids.h"

static void TEST(ids_are_read_and_written)
{
	struct stream_id id;
	char text[STREAM_ID_SIZE];
	assert_int_equal(stream_id_parse(SV_LIT("1700000000000-12"), &id), 0);
	assert_true(id.ms == 1700000000000 && id.number == 12);
	stream_id_format(id, text);
	assert_string_equal(text, "1700000000000-12");
	assert_int_equal(
		stream_id_parse(SV_LIT("18446744073709551615-18446744073709551615"), &id), 0);
	stream_id_format(id, text);
	assert_string_equal(text, "18446744073709551615-18446744073709551615");
	static const char *const bad[] = {
		"", "-", "1", "1-", "-1", "1-2-3", "1-2 ", "a-1", "18446744073709551616-0"};
	for (size_t i = 0; i < array_len(bad); i++)
		assert_int_equal(stream_id_parse(sv_from(bad[i]), &id), -1);
}

static struct stream_id make(int number)
{
	return (struct stream_id){
		.ms = 1700000000000 + (uint64_t)(number / 7), .number = (uint64_t)(number % 7)};
}

static void TEST(a_set_remembers_marks)
{
	struct stream_ids ids = {.cap = 0};
	assert_int_equal(stream_ids_get(&ids, make(1)), STREAM_ID_ABSENT);
	assert_int_equal(stream_ids_set(&ids, make(1), STREAM_ID_IN_HAND), STREAM_ID_ABSENT);
	assert_int_equal(stream_ids_set(&ids, make(1), STREAM_ID_ACKED), STREAM_ID_IN_HAND);
	assert_int_equal(stream_ids_get(&ids, make(1)), STREAM_ID_ACKED);
	assert_int_equal(ids.n, 1);
	assert_int_equal(stream_ids_set(&ids, make(1), STREAM_ID_ABSENT), STREAM_ID_ACKED);
	assert_int_equal(stream_ids_set(&ids, make(1), STREAM_ID_ABSENT), STREAM_ID_ABSENT);
	assert_int_equal(ids.n, 0);
	stream_ids_deinit(&ids);
}

/* Against an array of marks, with many collisions and removals. */
static void TEST(a_set_agrees_with_a_plain_array)
{
	enum { N = 2000 };
	static enum stream_id_mark want[N];
	memset(want, 0, sizeof(want));
	struct stream_ids ids = {.cap = 0};
	size_t n = 0;
	unsigned seed = 1;
	for (int step = 0; step < 100000; step++) {
		seed = seed * 1103515245 + 12345;
		int i = (int)((seed >> 8) % N);
		enum stream_id_mark mark = (enum stream_id_mark)((seed >> 4) % 3);
		assert_int_equal(stream_ids_set(&ids, make(i), mark), want[i]);
		n += (want[i] == STREAM_ID_ABSENT && mark != STREAM_ID_ABSENT) ? 1 : 0;
		n -= (want[i] != STREAM_ID_ABSENT && mark == STREAM_ID_ABSENT) ? 1 : 0;
		want[i] = mark;
		assert_int_equal(ids.n, n);
	}
	for (int i = 0; i < N; i++)
		assert_int_equal(stream_ids_get(&ids, make(i)), want[i]);
	stream_ids_remove_marked(&ids, STREAM_ID_IN_HAND);
	for (int i = 0; i < N; i++)
		assert_int_equal(stream_ids_get(&ids, make(i)),
			want[i] == STREAM_ID_IN_HAND ? STREAM_ID_ABSENT : want[i]);
	stream_ids_deinit(&ids);
}

static void TEST(lists_are_moved)
{
	struct stream_id_list a = {.n = 0};
	struct stream_id_list b = {.n = 0};
	for (int i = 0; i < 40; i++)
		stream_id_list_push(&a, make(i));
	stream_id_list_move(&b, &a);
	assert_int_equal(a.n, 0);
	assert_int_equal(b.n, 40);
	stream_id_list_push(&a, make(40));
	stream_id_list_move(&b, &a);
	assert_int_equal(b.n, 41);
	for (int i = 0; i < 41; i++)
		assert_memory_equal(
			&b.ids[i], &(struct stream_id[]){make(i)}, sizeof(struct stream_id));
	stream_id_list_deinit(&a);
	stream_id_list_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_read_and_written),
		cmocka_unit_test(a_set_remembers_marks),
		cmocka_unit_test(a_set_agrees_with_a_plain_array),
		cmocka_unit_test(lists_are_moved),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
