#include "tests/support/test.h"

#include <string.h>

#include "services/gateway/attempt_move.h"

static const struct schedule schedule = {.n_delays = 3, .delay_ms = {5000, 15000, 60000}};

static struct attempt_move decide(enum verdict verdict, int attempts, bool ever_unknown)
{
	struct attempt_move move;
	struct attempt_end end = {.verdict = verdict, .code = "some_code", .text = "some text"};
	attempt_move_decide(end, attempts, ever_unknown, &schedule, &move);
	return move;
}

static void TEST(a_certain_failure_goes_back_to_the_queue)
{
	for (int attempts = 1; attempts <= 3; attempts++) {
		struct attempt_move move = decide(VERDICT_RETRY, attempts, false);
		assert_int_equal(move.kind, OUTCOME_RETRY);
		assert_int_equal(move.status, MESSAGE_QUEUED);
		assert_int_equal(move.delay_ms, schedule.delay_ms[attempts - 1]);
		assert_string_equal(move.code, "");
	}
}

static void TEST(what_whatsapp_holds_waits_as_long_and_says_why)
{
	struct attempt_move move;
	struct attempt_end end = {
		.verdict = VERDICT_RETRY, .code = "held_code", .text = "why", .held_ms = 3600000};
	attempt_move_decide(end, 1, false, &schedule, &move);
	assert_int_equal(move.status, MESSAGE_QUEUED);
	assert_int_equal(move.delay_ms, 3600000);
	assert_string_equal(move.code, "held_code");
	end.held_ms = 1; /* never sooner than the schedule */
	attempt_move_decide(end, 1, false, &schedule, &move);
	assert_int_equal(move.delay_ms, 5000);
}

static void TEST(the_last_certain_failure_tells_its_error)
{
	struct attempt_move move = decide(VERDICT_RETRY, 4, false);
	assert_int_equal(move.kind, OUTCOME_FINAL);
	assert_int_equal(move.status, MESSAGE_FAILED);
	assert_string_equal(move.code, ERROR_ATTEMPTS_SPENT);
	assert_non_null(strstr(move.error, "some text"));
	assert_non_null(strstr(move.error, "4 attempts"));
}

static void TEST(giving_up_keeps_the_engines_code)
{
	struct attempt_move move = decide(VERDICT_GIVE_UP, 1, false);
	assert_int_equal(move.status, MESSAGE_FAILED);
	assert_int_equal(move.kind, OUTCOME_FINAL);
	assert_string_equal(move.code, "some_code");
	assert_string_equal(move.error, "some text");
}

static void TEST(giving_up_without_words_is_a_rejection)
{
	struct attempt_move move;
	struct attempt_end end = {.verdict = VERDICT_GIVE_UP};
	attempt_move_decide(end, 1, false, &schedule, &move);
	assert_string_equal(move.code, ERROR_REJECTED);
	assert_string_equal(move.error, ERROR_REJECTED);
}

static void TEST(an_unknown_end_waits_as_sending)
{
	struct attempt_move move = decide(VERDICT_UNKNOWN, 2, false);
	assert_int_equal(move.kind, OUTCOME_UNKNOWN);
	assert_int_equal(move.status, MESSAGE_SENDING);
	assert_int_equal(move.delay_ms, 15000);
}

static void TEST(an_unknown_end_with_no_attempt_left_is_never_a_plain_failure)
{
	struct attempt_move move = decide(VERDICT_UNKNOWN, 4, false);
	assert_int_equal(move.status, MESSAGE_FAILED);
	assert_string_equal(move.code, ERROR_OUTCOME_UNKNOWN);
	assert_non_null(strstr(move.error, "may have arrived"));
}

static void TEST(after_an_unknown_end_no_failure_is_certain_any_more)
{
	struct attempt_move move = decide(VERDICT_RETRY, 2, true);
	assert_int_equal(move.kind, OUTCOME_UNKNOWN);
	assert_int_equal(move.status, MESSAGE_SENDING);
	move = decide(VERDICT_RETRY, 4, true);
	assert_string_equal(move.code, ERROR_OUTCOME_UNKNOWN);
	move = decide(VERDICT_GIVE_UP, 2, true);
	assert_string_equal(move.code, ERROR_OUTCOME_UNKNOWN);
	assert_non_null(strstr(move.error, "some text"));
}

static void TEST(an_empty_schedule_allows_one_attempt)
{
	struct schedule once = {.n_delays = 0};
	struct attempt_move move;
	attempt_move_decide((struct attempt_end){.verdict = VERDICT_RETRY}, 1, false, &once, &move);
	assert_int_equal(move.status, MESSAGE_FAILED);
	assert_int_equal(attempt_budget(&once), 1);
	assert_int_equal(attempt_budget(&schedule), 4);
}

static void TEST(every_move_is_legal)
{
	for (int verdict = VERDICT_RETRY; verdict <= VERDICT_UNKNOWN; verdict++) {
		for (int attempts = 1; attempts <= 5; attempts++) {
			for (int unknown = 0; unknown <= 1; unknown++) {
				struct attempt_move move =
					decide((enum verdict)verdict, attempts, unknown);
				bool becomes_unknown = move.kind == OUTCOME_UNKNOWN;
				assert_true(message_may_move(
					MESSAGE_SENDING, move.status, unknown || becomes_unknown));
				assert_int_equal(
					move.kind == OUTCOME_FINAL, move.status == MESSAGE_FAILED);
			}
		}
	}
}

static void TEST(texts_that_are_too_long_or_no_text_are_cut_clean)
{
	struct attempt_move move;
	char text[400];
	memset(text, 'x', sizeof(text));
	for (size_t i = 250; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xC3\xA4", 2);
	text[sizeof(text) - 1] = '\0';
	struct attempt_end end = {.verdict = VERDICT_GIVE_UP, .code = "c", .text = text};
	attempt_move_decide(end, 1, false, &schedule, &move);
	assert_true(sv_is_utf8(sv_from(move.error)));
	assert_true(strlen(move.error) >= 250 && strlen(move.error) < ATTEMPT_ERROR_SIZE);
	end.text = "good \xFF bad";
	attempt_move_decide(end, 1, false, &schedule, &move);
	assert_string_equal(move.error, "good ");
}

static void TEST(what_is_set_aside_says_so)
{
	struct attempt_move move;
	attempt_move_set_aside(2, &move);
	assert_int_equal(move.status, MESSAGE_FAILED);
	assert_string_equal(move.code, ERROR_SET_ASIDE);
	assert_non_null(strstr(move.error, "2 times"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certain_failure_goes_back_to_the_queue),
		cmocka_unit_test(what_whatsapp_holds_waits_as_long_and_says_why),
		cmocka_unit_test(the_last_certain_failure_tells_its_error),
		cmocka_unit_test(giving_up_keeps_the_engines_code),
		cmocka_unit_test(giving_up_without_words_is_a_rejection),
		cmocka_unit_test(an_unknown_end_waits_as_sending),
		cmocka_unit_test(an_unknown_end_with_no_attempt_left_is_never_a_plain_failure),
		cmocka_unit_test(after_an_unknown_end_no_failure_is_certain_any_more),
		cmocka_unit_test(an_empty_schedule_allows_one_attempt),
		cmocka_unit_test(every_move_is_legal),
		cmocka_unit_test(texts_that_are_too_long_or_no_text_are_cut_clean),
		cmocka_unit_test(what_is_set_aside_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
