/* The limiters' script on a real Redis. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/sender/pacing.h"

#define WAIT_MS 10000
#define MOST    16

struct answer {
	struct conversation *conversation;
	enum held_reason reason;
	int64_t wait_ms;
};

static struct loop *loop;
static struct redis_conn *redis;
static struct pacing *pacing;
static struct send_queue *queue;
static struct answer answers[MOST];
static int n_answers;
static int n_ends;
static int64_t reply_number;
static int n_replies;
static int next_message;

static void on_answer(
	void *ctx, struct conversation *conversation, enum held_reason reason, int64_t wait_ms)
{
	(void)ctx;
	answers[n_answers++] = (struct answer){conversation, reason, wait_ms};
	if (wait_ms == 0) {
		assert_true(send_queue_allowed(queue, conversation, 0));
		send_queue_dispatched(queue, conversation, 0);
	} else {
		send_queue_denied(queue, conversation, reason, wait_ms, 0);
	}
}

static void on_answers_end(void *ctx)
{
	(void)ctx;
	n_ends++;
}

static int is_up(void *ctx)
{
	return redis_conn_is_up(ctx);
}

static int has_ended(void *ctx)
{
	(void)ctx;
	return n_ends > 0;
}

static int has_reply(void *ctx)
{
	(void)ctx;
	return n_replies > 0;
}

static void on_reply(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	(void)ctx;
	assert_int_equal(status, REDIS_OK);
	struct strview text = redis_reply_string(reply);
	reply_number = redis_reply_int(reply);
	if (text.len > 0 && sv_to_i64(text, &reply_number) < 0) {
		reply_number = -1;
	}
	n_replies++;
}

static int64_t command(int argc, const struct strview *argv)
{
	n_replies = 0;
	redis_conn_command(redis, argc, argv, WAIT_MS, on_reply, NULL);
	assert_true(loop_run_until(loop, has_reply, NULL, WAIT_MS));
	return reply_number;
}

static int setup(void **state)
{
	struct err err = {""};
	struct pacing_events events = {on_answer, on_answers_end};
	struct send_queue_options options = {.max_messages = 1000,
		.max_per_conversation = 10,
		.max_window = 100,
		.dispatch_deadline_ms = 1000,
		.tell_after_ms = 300};
	const char *url = getenv("WA_TEST_REDIS_URL");
	if (url == NULL) {
		fail_msg("run under tests/support/with_services.sh");
	}
	(void)state;
	loop = loop_new();
	redis = redis_conn_new(loop, url, NULL, NULL, &err);
	assert_true(loop_run_until(loop, is_up, redis, WAIT_MS));
	struct strview flush[] = {SV_LIT("FLUSHALL")};
	(void)command(1, flush);
	pacing = pacing_new(redis, &events, NULL);
	queue = send_queue_new(&options);
	n_answers = 0;
	n_ends = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pacing_free(&pacing);
	send_queue_free(&queue);
	redis_conn_free(&redis);
	loop_free(&loop);
	return 0;
}

/* A new message to this number, asked for with the next flush. */
static void ask(const char *phone, const struct pace_limits *limits)
{
	char id[16];
	struct conversation_key key = {0, 1, sv_from(phone)};
	(void)snprintf(id, sizeof(id), "m%d", next_message % 100000);
	struct send_message message = {
		.id = sv_from(id), .queue_seq = ++next_message, .tenant_id = 7};
	assert_true(send_queue_add(queue, &key, &message, 0));
	send_queue_open_lane(queue, 1, 0); /* however the last one was answered */
	struct conversation *c = send_queue_next(queue, 0);
	assert_non_null(c);
	send_queue_asked(queue, c);
	pacing_ask(pacing, c, limits);
}

static void get_answers(int n)
{
	n_ends = 0;
	n_answers = 0;
	pacing_flush(pacing);
	assert_true(loop_run_until(loop, has_ended, NULL, WAIT_MS));
	assert_int_equal(n_answers, n);
}

static void a_burst_passes_and_the_rest_waits(void **state)
{
	struct pace_limits limits = {.session = {1000000, 2}};
	(void)state;
	ask("+1000000001", &limits);
	ask("+1000000002", &limits);
	ask("+1000000003", &limits);
	ask("+1000000004", &limits);
	get_answers(4);
	assert_int_equal(answers[0].wait_ms, 0);
	assert_int_equal(answers[1].wait_ms, 0);
	for (int i = 2; i < 4; i++) {
		assert_int_equal(answers[i].reason, HELD_SESSION_PACE);
		assert_in_range(answers[i].wait_ms, 1, 1000);
	}
	/* Those that wait come last one first. */
	assert_sv(conversation_phone(answers[2].conversation), "+1000000004");
}

static void a_refused_message_is_charged_to_none_of_its_limits(void **state)
{
	struct pace_limits strict = {.session = {1000000, 2}, .recipient = {60000000, 1}};
	(void)state;
	ask("+1000000001", &strict);
	get_answers(1);
	assert_int_equal(answers[0].wait_ms, 0);
	struct conversation_key key = {0, 1, SV_LIT("+1000000001")};
	struct send_outcome sent = {sv_from("m0"), OUTCOME_SENT, 1, 0};
	char id[16];
	(void)snprintf(id, sizeof(id), "m%d", next_message - 1);
	sent.message_id = sv_from(id);
	(void)send_queue_outcome(queue, &key, &sent, 0);
	ask("+1000000001", &strict); /* too soon for this recipient */
	get_answers(1);
	assert_int_equal(answers[0].reason, HELD_RECIPIENT_PACE);
	assert_in_range(answers[0].wait_ms, 50000, 60000);
	ask("+1000000002", &strict); /* the session's second place is still free */
	get_answers(1);
	assert_int_equal(answers[0].wait_ms, 0);
}

static void the_longest_wait_names_the_reason(void **state)
{
	struct pace_limits limits = {.session = {1000000, 1}, .tenant = {30000000, 1}};
	(void)state;
	ask("+1000000001", &limits);
	ask("+1000000002", &limits);
	get_answers(2);
	assert_int_equal(answers[1].reason, HELD_TENANT_PACE);
	assert_in_range(answers[1].wait_ms, 20000, 30000);
}

static void a_time_far_ahead_is_clamped_and_keys_go_by_themselves(void **state)
{
	struct pace_limits limits = {.session = {1000000, 3}};
	struct strview set[] = {SV_LIT("SET"), SV_LIT("pace.s.1"), SV_LIT("9000000000000000")};
	struct strview ttl[] = {SV_LIT("PTTL"), SV_LIT("pace.s.1")};
	(void)state;
	(void)command(3, set); /* as if the clock had stepped back by centuries */
	ask("+1000000001", &limits);
	get_answers(1);
	assert_int_equal(answers[0].reason, HELD_SESSION_PACE);
	assert_in_range(answers[0].wait_ms, 1, 1000);
	struct strview garbage[] = {SV_LIT("SET"), SV_LIT("pace.s.1"), SV_LIT("garbage")};
	(void)command(3, garbage);
	ask("+1000000002", &limits);
	get_answers(1);
	assert_int_equal(answers[0].wait_ms, 0);
	assert_in_range(command(2, ttl), 1, 3000);
}

static void when_redis_does_not_answer_nothing_is_allowed(void **state)
{
	struct pace_limits limits = {.session = {1000000, 3}};
	struct err err = {""};
	struct pacing_events events = {on_answer, on_answers_end};
	struct redis_conn *nowhere = redis_conn_new(loop, "redis://127.0.0.1:1", NULL, NULL, &err);
	(void)state;
	pacing_free(&pacing);
	pacing = pacing_new(nowhere, &events, NULL);
	ask("+1000000001", &limits);
	ask("+1000000002", &limits);
	get_answers(2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(answers[i].reason, HELD_NOT);
		assert_true(answers[i].wait_ms > 0);
	}
	pacing_free(&pacing);
	redis_conn_free(&nowhere);
}

static void many_messages_are_many_questions_and_few_calls(void **state)
{
	struct pace_limits limits = {.session = {1, 1000000}};
	(void)state;
	for (int i = 0; i < 10; i++) {
		char phone[32];
		(void)snprintf(phone, sizeof(phone), "+1000000%03d", i % 1000);
		ask(phone, &limits);
	}
	get_answers(10);
	assert_int_equal(n_ends, 1);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(answers[i].wait_ms, 0);
	}
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_burst_passes_and_the_rest_waits),
		STORY(a_refused_message_is_charged_to_none_of_its_limits),
		STORY(the_longest_wait_names_the_reason),
		STORY(a_time_far_ahead_is_clamped_and_keys_go_by_themselves),
		STORY(when_redis_does_not_answer_nothing_is_allowed),
		STORY(many_messages_are_many_questions_and_few_calls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
