/* Entries of the streams reach the queue; what is none, or somebody else's, is refused with a
   reason. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/model/partition.h"
#include "services/sender/outbound_intake.h"
#include "services/sender/outcome_intake.h"

#define PHONE "+1234567890"

struct fixture {
	struct send_queue *queue;
	struct pool *pool;
	struct strbuf payload;
	int partition;
	struct err err;
};

static int setup(void **state)
{
	struct fixture *f = mem_new(struct fixture);
	struct send_queue_options options = {.max_messages = 100,
		.max_per_conversation = 10,
		.max_window = 10,
		.dispatch_deadline_ms = 1000,
		.tell_after_ms = 300};
	f->queue = send_queue_new(&options);
	f->pool = pool_new();
	f->partition = partition_of_conversation(1, SV_LIT(PHONE));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	send_queue_free(&f->queue);
	pool_free(&f->pool);
	strbuf_deinit(&f->payload);
	mem_free(f);
	return 0;
}

static int take_outbound(struct fixture *f, int partition)
{
	struct outbound_entry entry = {SV_LIT("msg_a"), 1, 1, SV_LIT(PHONE), 7};
	strbuf_reset(&f->payload);
	outbound_entry_encode(&entry, &f->payload);
	return outbound_intake_take(
		f->queue, partition, strbuf_view(&f->payload), f->pool, 0, &f->err);
}

static void an_accepted_message_is_next(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(take_outbound(f, f->partition), 0);
	assert_int_equal(take_outbound(f, f->partition), 0); /* once more */
	assert_int_equal(send_queue_messages(f->queue), 1);
	struct conversation *c = send_queue_next(f->queue, 0);
	assert_sv(conversation_phone(c), PHONE);
	assert_string_equal(conversation_first(c)->id, "msg_a");
	assert_int_equal(conversation_first(c)->queue_seq, 7);
	send_queue_dispatched(f->queue, c, 0);
}

static void an_outcome_reaches_its_message(void **state)
{
	struct fixture *f = *state;
	enum outcome_kind kind = OUTCOME_SENT;
	struct outcome_entry entry = {SV_LIT("msg_a"), 1, SV_LIT(PHONE), 7, OUTCOME_RETRY, 1, 5000};
	take_outbound(f, f->partition);
	send_queue_dispatched(f->queue, send_queue_next(f->queue, 0), 0);
	strbuf_reset(&f->payload);
	outcome_entry_encode(&entry, &f->payload);
	struct strview payload = strbuf_view(&f->payload);
	assert_int_equal(
		outcome_intake_take(f->queue, f->partition, payload, f->pool, 0, &kind, &f->err),
		0);
	assert_int_equal(kind, OUTCOME_RETRY);
	assert_int_equal(send_queue_next_timer_ms(f->queue), 5000);
	assert_int_equal(outcome_intake_take(f->queue, (f->partition + 1) % 32, payload, f->pool, 0,
				 &kind, &f->err),
		-1);
}

static void what_is_not_of_this_partition_is_refused(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(take_outbound(f, (f->partition + 1) % OUTBOUND_PARTITIONS), -1);
	assert_non_null(strstr(f->err.text, "belongs to partition"));
	assert_int_equal(send_queue_messages(f->queue), 0);
}

static void garbage_is_refused(void **state)
{
	struct fixture *f = *state;
	enum outcome_kind kind = OUTCOME_FINAL;
	assert_int_equal(
		outbound_intake_take(f->queue, 0, SV_LIT("garbage"), f->pool, 0, &f->err), -1);
	assert_non_null(strstr(f->err.text, "outbound"));
	assert_int_equal(
		outcome_intake_take(f->queue, 0, SV_LIT(""), f->pool, 0, &kind, &f->err), -1);
	assert_int_equal(kind, OUTCOME_FINAL);
}

static void outcomes_have_names(void **state)
{
	(void)state;
	assert_string_equal(outcome_kind_name(OUTCOME_SENT), "sent");
	assert_string_equal(outcome_kind_name(OUTCOME_NO_MEDIA), "no_media");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(an_accepted_message_is_next),
		STORY(an_outcome_reaches_its_message),
		STORY(what_is_not_of_this_partition_is_refused),
		STORY(garbage_is_refused),
		STORY(outcomes_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
