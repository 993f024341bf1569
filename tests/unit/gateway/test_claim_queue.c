#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "services/gateway/claim_batch.h"
#include "services/gateway/claim_queue.h"

static struct claim_item *item(int32_t session_id, const char *message_id, const char *entry_id)
{
	struct dispatch_entry entry = {
		.message_id = sv_from(message_id),
		.partition = 3,
		.partition_epoch = 9,
		.attempt = 2,
		.phone = SV_LIT("+4915112345"),
		.queue_seq = 77,
	};
	return claim_item_new(session_id, 4, &entry, entry_id);
}

static void expect_pop(struct claim_queue *queue, bool suspect, const char *message_id)
{
	struct claim_item *popped = claim_queue_pop(queue, suspect);
	assert_non_null(popped);
	assert_sv(popped->node.key, message_id);
	claim_item_free(&popped);
}

static void TEST(an_item_keeps_what_its_entry_said)
{
	struct claim_item *one = item(8, "msg_A", "1-0");
	struct claim_item *copy = claim_item_copy(one);
	claim_item_free(&one);
	assert_null(one);
	assert_sv(copy->node.key, "msg_A");
	assert_sv(copy->phone, "+4915112345");
	assert_string_equal(copy->entry_id, "1-0");
	assert_int_equal(copy->node.scope, 8);
	assert_int_equal(copy->session_epoch, 4);
	assert_int_equal(copy->partition, 3);
	assert_int_equal(copy->partition_epoch, 9);
	assert_int_equal(copy->attempt, 2);
	assert_int_equal(copy->queue_seq, 77);
	claim_item_free(&copy);
}

static void TEST(dispatches_come_out_in_order)
{
	struct claim_queue *queue = claim_queue_new();
	assert_null(claim_queue_push(queue, item(1, "msg_A", "1-0")));
	assert_null(claim_queue_push(queue, item(1, "msg_B", "2-0")));
	assert_null(claim_queue_push(queue, item(2, "msg_A", "3-0")));
	assert_int_equal(claim_queue_ordinary(queue), 3);
	expect_pop(queue, false, "msg_A");
	expect_pop(queue, false, "msg_B");
	expect_pop(queue, false, "msg_A");
	assert_null(claim_queue_pop(queue, false));
	claim_queue_free(&queue);
}

static void TEST(a_second_dispatch_of_a_message_replaces_the_first)
{
	struct claim_queue *queue = claim_queue_new();
	assert_null(claim_queue_push(queue, item(1, "msg_A", "1-0")));
	struct claim_item *replaced = claim_queue_push(queue, item(1, "msg_A", "2-0"));
	assert_non_null(replaced);
	assert_string_equal(replaced->entry_id, "1-0");
	claim_item_free(&replaced);
	assert_int_equal(claim_queue_ordinary(queue), 1);
	struct claim_item *left = claim_queue_pop(queue, false);
	assert_string_equal(left->entry_id, "2-0");
	claim_item_free(&left);
	claim_queue_free(&queue);
}

static void TEST(suspects_have_a_line_of_their_own_and_stay_suspect)
{
	struct claim_queue *queue = claim_queue_new();
	struct claim_item *suspect = item(1, "msg_A", "1-0");
	suspect->is_suspect = true;
	assert_null(claim_queue_push(queue, suspect));
	assert_null(claim_queue_push(queue, item(1, "msg_B", "2-0")));
	assert_int_equal(claim_queue_suspects(queue), 1);
	assert_int_equal(claim_queue_ordinary(queue), 1);
	struct claim_item *replaced = claim_queue_push(queue, item(1, "msg_A", "3-0"));
	claim_item_free(&replaced);
	assert_int_equal(claim_queue_suspects(queue), 1);
	expect_pop(queue, true, "msg_A");
	assert_int_equal(claim_queue_suspects(queue), 0);
	expect_pop(queue, false, "msg_B");
	claim_queue_free(&queue);
}

static void TEST(what_comes_back_goes_to_the_front_unless_replaced)
{
	struct claim_queue *queue = claim_queue_new();
	assert_null(claim_queue_push(queue, item(1, "msg_B", "2-0")));
	claim_queue_push_front(queue, item(1, "msg_A", "1-0"));
	claim_queue_push_front(queue, item(1, "msg_B", "0-0"));
	assert_int_equal(claim_queue_ordinary(queue), 2);
	expect_pop(queue, false, "msg_A");
	struct claim_item *b = claim_queue_pop(queue, false);
	assert_string_equal(b->entry_id, "2-0");
	claim_item_free(&b);
	claim_queue_free(&queue);
}

static void TEST(a_lost_session_takes_its_dispatches_with_it)
{
	struct claim_queue *queue = claim_queue_new();
	struct claim_item *suspect = item(1, "msg_C", "3-0");
	suspect->is_suspect = true;
	assert_null(claim_queue_push(queue, suspect));
	assert_null(claim_queue_push(queue, item(1, "msg_A", "1-0")));
	assert_null(claim_queue_push(queue, item(2, "msg_B", "2-0")));
	claim_queue_drop_session(queue, 1);
	assert_int_equal(claim_queue_suspects(queue), 0);
	assert_int_equal(claim_queue_ordinary(queue), 1);
	expect_pop(queue, false, "msg_B");
	claim_queue_free(&queue);
}

static void TEST(a_batch_forgets_what_is_answered)
{
	struct claim_batch batch;
	claim_batch_init(&batch);
	for (int i = 0; i < 10; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "msg_%d", i);
		claim_batch_add(&batch, item(i % 2, id, "1-0"));
	}
	claim_batch_add(&batch, item(1, "msg_1", "2-0")); /* there already: dropped */
	assert_int_equal(batch.n, 10);
	claim_batch_find(&batch, 1, SV_LIT("msg_3"))->is_answered = true;
	claim_batch_drop_session(&batch, 0);
	assert_int_equal(claim_batch_keep_unanswered(&batch), 4);
	assert_false(claim_batch_has_session(&batch, 0));
	assert_true(claim_batch_has_session(&batch, 1));
	struct claim_entry *entries = claim_batch_entries(&batch);
	assert_sv(entries[0].message_id, "msg_1");
	assert_sv(entries[1].message_id, "msg_5");
	assert_sv(entries[3].message_id, "msg_9");
	assert_int_equal(entries[0].attempt, 2);
	assert_int_equal(entries[0].session_epoch, 4);
	mem_free(entries);
	claim_batch_forget(&batch, 1, SV_LIT("msg_5"));
	claim_batch_forget(&batch, 1, SV_LIT("msg_5"));
	assert_int_equal(batch.n, 3);
	assert_null(claim_batch_find(&batch, 1, SV_LIT("msg_5")));
	claim_batch_deinit(&batch);
}

static void TEST(a_full_batch_takes_no_more)
{
	struct claim_batch batch;
	claim_batch_init(&batch);
	for (int i = 0; i < CLAIM_BATCH_MAX + 3; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "msg_%d", i);
		claim_batch_add(&batch, item(1, id, "1-0"));
	}
	assert_int_equal(batch.n, CLAIM_BATCH_MAX);
	claim_batch_deinit(&batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_item_keeps_what_its_entry_said),
		cmocka_unit_test(dispatches_come_out_in_order),
		cmocka_unit_test(a_second_dispatch_of_a_message_replaces_the_first),
		cmocka_unit_test(suspects_have_a_line_of_their_own_and_stay_suspect),
		cmocka_unit_test(what_comes_back_goes_to_the_front_unless_replaced),
		cmocka_unit_test(a_lost_session_takes_its_dispatches_with_it),
		cmocka_unit_test(a_batch_forgets_what_is_answered),
		cmocka_unit_test(a_full_batch_takes_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
