#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "services/gateway/progress_batch.h"

static const struct progress_fact *first(const struct progress_batch *batch)
{
	return TAILQ_FIRST(progress_batch_facts(batch));
}

static void add(struct progress_batch *batch, const char *wa, enum progress_level level,
	int64_t at_ms, int64_t token)
{
	progress_batch_add(batch, 1, 5, sv_from(wa), level, at_ms, token);
}

static void TEST(all_that_is_told_of_a_message_is_one_fact)
{
	struct progress_batch *batch = progress_batch_new();
	add(batch, "A", PROGRESS_SENT, 100, PROGRESS_NO_TOKEN);
	add(batch, "A", PROGRESS_DELIVERED, 110, 7);
	add(batch, "A", PROGRESS_READ, 120, 8);
	assert_int_equal(progress_batch_count(batch), 1);
	const struct progress_fact *fact = first(batch);
	assert_sv(fact->node.key, "A");
	assert_int_equal(fact->node.scope, 1);
	assert_int_equal(fact->session_epoch, 5);
	assert_int_equal(fact->at[PROGRESS_SENT], 100);
	assert_int_equal(fact->at[PROGRESS_DELIVERED], 110);
	assert_int_equal(fact->at[PROGRESS_READ], 120);
	assert_int_equal(fact->n_tokens, 2);
	assert_int_equal(fact->tokens[0], 7);
	assert_int_equal(fact->tokens[1], 8);
	progress_batch_free(&batch);
}

static void TEST(what_was_not_told_stays_unknown)
{
	struct progress_batch *batch = progress_batch_new();
	add(batch, "A", PROGRESS_READ, 120, 8);
	assert_int_equal(first(batch)->at[PROGRESS_SENT], INT64_MIN);
	assert_int_equal(first(batch)->at[PROGRESS_DELIVERED], INT64_MIN);
	progress_batch_free(&batch);
}

static void TEST(the_first_time_counts_and_a_token_is_kept_once)
{
	struct progress_batch *batch = progress_batch_new();
	add(batch, "A", PROGRESS_DELIVERED, 110, 7);
	add(batch, "A", PROGRESS_DELIVERED, 999, 7);
	add(batch, "A", PROGRESS_DELIVERED, 999, 9);
	assert_int_equal(first(batch)->at[PROGRESS_DELIVERED], 110);
	assert_int_equal(first(batch)->n_tokens, 2);
	for (int token = 20; token < 40; token++)
		add(batch, "A", PROGRESS_READ, 120, token);
	assert_int_equal(first(batch)->n_tokens, PROGRESS_MAX_TOKENS);
	progress_batch_free(&batch);
}

static void TEST(messages_of_different_sessions_are_different)
{
	struct progress_batch *batch = progress_batch_new();
	progress_batch_add(batch, 1, 5, SV_LIT("A"), PROGRESS_SENT, 1, PROGRESS_NO_TOKEN);
	progress_batch_add(batch, 2, 5, SV_LIT("A"), PROGRESS_SENT, 2, PROGRESS_NO_TOKEN);
	assert_int_equal(progress_batch_count(batch), 2);
	assert_true(progress_batch_has_session(batch, 1));
	progress_batch_drop_session(batch, 1);
	assert_false(progress_batch_has_session(batch, 1));
	assert_true(progress_batch_has_session(batch, 2));
	assert_int_equal(progress_batch_count(batch), 1);
	progress_batch_free(&batch);
}

static void TEST(another_epoch_forgets_what_the_last_one_told)
{
	struct progress_batch *batch = progress_batch_new();
	progress_batch_add(batch, 1, 5, SV_LIT("A"), PROGRESS_SENT, 1, 77);
	progress_batch_add(batch, 1, 6, SV_LIT("A"), PROGRESS_READ, 2, 78);
	assert_int_equal(progress_batch_count(batch), 1);
	assert_int_equal(first(batch)->session_epoch, 6);
	assert_int_equal(first(batch)->at[PROGRESS_SENT], INT64_MIN);
	assert_int_equal(first(batch)->n_tokens, 1);
	assert_int_equal(first(batch)->tokens[0], 78);
	progress_batch_free(&batch);
}

static void TEST(a_cut_takes_the_oldest_and_leaves_the_rest_whole)
{
	struct progress_batch *batch = progress_batch_new();
	for (int i = 0; i < 2500; i++) {
		char wa[16];
		(void)snprintf(wa, sizeof(wa), "WA%d", i);
		add(batch, wa, PROGRESS_SENT, i, PROGRESS_NO_TOKEN);
	}
	struct progress_batch *front = progress_batch_cut(batch, 1000);
	assert_int_equal(progress_batch_count(front), 1000);
	assert_int_equal(progress_batch_count(batch), 1500);
	assert_sv(first(front)->node.key, "WA0");
	assert_sv(first(batch)->node.key, "WA1000");
	/* What is told of a message that is being written makes a new fact. */
	add(batch, "WA0", PROGRESS_READ, 5, 1);
	assert_int_equal(progress_batch_count(batch), 1501);
	add(batch, "WA1001", PROGRESS_READ, 5, 1);
	assert_int_equal(progress_batch_count(batch), 1501);
	progress_batch_free(&front);
	front = progress_batch_cut(batch, 100000);
	assert_int_equal(progress_batch_count(front), 1501);
	assert_int_equal(progress_batch_count(batch), 0);
	progress_batch_free(&front);
	progress_batch_free(&batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_told_of_a_message_is_one_fact),
		cmocka_unit_test(what_was_not_told_stays_unknown),
		cmocka_unit_test(the_first_time_counts_and_a_token_is_kept_once),
		cmocka_unit_test(messages_of_different_sessions_are_different),
		cmocka_unit_test(another_epoch_forgets_what_the_last_one_told),
		cmocka_unit_test(a_cut_takes_the_oldest_and_leaves_the_rest_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
