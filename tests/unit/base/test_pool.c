/* pool: memory that is freed as a whole. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/pool.h"
#include "tests/support/death.h"

static void TEST(pieces_are_zeroed_aligned_and_apart)
{
	struct pool *pool = pool_new();
	char *pieces[400];
	for (size_t i = 0; i < array_len(pieces); i++) {
		pieces[i] = pool_alloc(pool, i + 1);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		for (size_t byte = 0; byte <= i; byte++)
			assert_int_equal(pieces[i][byte], 0);
		memset(pieces[i], (int)(i % 251) + 1, i + 1);
	}
	for (size_t i = 0; i < array_len(pieces); i++) {
		for (size_t byte = 0; byte <= i; byte++)
			assert_int_equal((uint8_t)pieces[i][byte], i % 251 + 1);
	}
	pool_free(&pool);
	assert_null(pool);
	pool_free(&pool);
}

static void TEST(reused_memory_is_zeroed_again)
{
	static const char zeros[900];
	struct pool *pool = pool_new();
	for (int round = 0; round < 3; round++) {
		char *piece = pool_alloc(pool, sizeof(zeros));
		assert_memory_equal(piece, zeros, sizeof(zeros));
		memset(piece, 0xee, sizeof(zeros));
		pool_reset(pool);
	}
	pool_free(&pool);
}

static void TEST(a_small_pool_is_one_allocation)
{
	struct pool *pool = pool_new();
	size_t empty = pool_size_bytes(pool);
	assert_in_range(empty, 1024, 2048);
	for (int i = 0; i < 10; i++)
		(void)pool_alloc(pool, 32);
	assert_int_equal(pool_size_bytes(pool), empty);
	(void)pool_alloc(pool, 1024);
	assert_true(pool_size_bytes(pool) > empty + 1023);
	pool_reset(pool);
	assert_int_equal(pool_size_bytes(pool), empty);
	pool_free(&pool);
}

static void TEST(many_small_pieces_waste_little)
{
	struct pool *pool = pool_new();
	for (int i = 0; i < 100000; i++)
		(void)pool_alloc(pool, 48);
	/* The sanitizer's red zones add a third. */
	assert_in_range(pool_size_bytes(pool), 4800000, 4800000 * 4 / 3 + 200000);
	pool_free(&pool);
}

static void TEST(a_large_piece_leaves_the_block_in_use)
{
	struct pool *pool = pool_new();
	(void)pool_alloc(pool, 16);
	(void)pool_alloc(pool, 1000000);
	size_t before = pool_size_bytes(pool);
	for (int i = 0; i < 10; i++)
		(void)pool_alloc(pool, 16);
	assert_int_equal(pool_size_bytes(pool), before);
	pool_free(&pool);
}

static void TEST(copies)
{
	struct pool *pool = pool_new();
	assert_null(pool_strdup(pool, NULL));
	assert_string_equal(pool_strdup(pool, ""), "");
	assert_string_equal(pool_strdup(pool, "text"), "text");
	assert_null(pool_sv_cstr(pool, SV_NULL));
	assert_string_equal(pool_sv_cstr(pool, sv_make("textual", 4)), "text");
	assert_true(sv_is_null(pool_sv(pool, SV_NULL)));
	struct strview empty = pool_sv(pool, SV_LIT(""));
	assert_false(sv_is_null(empty));
	assert_int_equal(empty.len, 0);
	char original[] = "mine";
	struct strview copy = pool_sv(pool, sv_make(original, 4));
	original[0] = 'x';
	assert_sv(copy, "mine");
	assert_int_equal(pool_sv(pool, SV_LIT("a\0b")).len, 3);
	assert_non_null(pool_alloc(pool, 0));
	assert_non_null(pool_array(pool, 0, 8));
	pool_free(&pool);
}

static void TEST(printf_takes_any_length)
{
	struct pool *pool = pool_new();
	assert_string_equal(pool_printf(pool, "%s-%d", "a", 7), "a-7");
	assert_string_equal(pool_printf(pool, "%s", ""), "");
	static const int widths[] = {254, 255, 256, 257, 5000, 200000};
	for (size_t i = 0; i < array_len(widths); i++) {
		char *text = pool_printf(pool, "%0*d", widths[i], 9);
		assert_int_equal(strlen(text), widths[i]);
		assert_int_equal(text[widths[i] - 1], '9');
	}
	pool_free(&pool);
}

struct journal {
	struct pool *pool;
	char order[8];
	int n;
};

struct note {
	struct journal *journal;
	char name;
};

static void on_gone(void *arg)
{
	struct note *note = arg;
	note->journal->order[note->journal->n++] = note->name;
}

static void on_gone_register_more(void *arg)
{
	struct note *note = arg;
	struct note *more = pool_new_in(note->journal->pool, struct note);
	*more = (struct note){note->journal, 'm'};
	on_gone(arg);
	pool_on_free(note->journal->pool, on_gone, more);
}

static struct note *note_new(struct journal *journal, char name)
{
	struct note *note = pool_new_in(journal->pool, struct note);
	*note = (struct note){journal, name};
	return note;
}

static void TEST(cleanups_run_last_first_while_the_memory_is_there)
{
	struct journal journal = {.pool = pool_new()};
	pool_on_free(journal.pool, on_gone, note_new(&journal, 'a'));
	pool_on_free(journal.pool, on_gone_register_more, note_new(&journal, 'b'));
	pool_on_free(journal.pool, on_gone, note_new(&journal, 'c'));
	assert_int_equal(journal.n, 0);
	pool_reset(journal.pool);
	assert_string_equal(journal.order, "cbma");
	pool_reset(journal.pool);
	assert_int_equal(journal.n, 4);
	pool_on_free(journal.pool, on_gone, note_new(&journal, 'd'));
	pool_free(&journal.pool);
	assert_string_equal(journal.order, "cbmad");
}

static void overflow_an_array(UNUSED void *arg)
{
	struct pool *pool = pool_new();
	(void)pool_array(pool, SIZE_MAX / 4, 8);
}

static void ask_for_too_much(UNUSED void *arg)
{
	struct pool *pool = pool_new();
	(void)pool_alloc(pool, SIZE_MAX - 4);
}

static void TEST(absurd_sizes_abort)
{
	assert_true(death_by_abort(overflow_an_array, NULL));
	assert_true(death_by_abort(ask_for_too_much, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
		cmocka_unit_test(reused_memory_is_zeroed_again),
		cmocka_unit_test(a_small_pool_is_one_allocation),
		cmocka_unit_test(many_small_pieces_waste_little),
		cmocka_unit_test(a_large_piece_leaves_the_block_in_use),
		cmocka_unit_test(copies),
		cmocka_unit_test(printf_takes_any_length),
		cmocka_unit_test(cleanups_run_last_first_while_the_memory_is_there),
		cmocka_unit_test(absurd_sizes_abort),
	};
	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
