#include "tests/support/test.h"

#include "services/gateway/claim_answer.h"

#define BUDGET 9

/* A message that waits for its first attempt: the claim lost a race, nothing else is wrong. */
static struct claim_finding queued(void)
{
	return (struct claim_finding){
		.is_found = true,
		.is_fresh = true,
		.is_open = true,
		.status = MESSAGE_QUEUED,
		.attempt_fits = true,
		.is_due = true,
		.is_head = true,
	};
}

static struct claim_finding unknown(void)
{
	struct claim_finding finding = queued();
	finding.status = MESSAGE_SENDING;
	finding.outcome_unknown = true;
	finding.attempts = 1;
	return finding;
}

static enum claim_answer answer(struct claim_finding finding)
{
	return claim_answer_of(&finding, BUDGET, false);
}

static void TEST(a_stale_sender_hears_nothing)
{
	struct claim_finding finding = queued();
	finding.is_fresh = false;
	assert_int_equal(answer(finding), CLAIM_ANSWER_NOTHING);
	finding.is_open = false;
	assert_int_equal(answer(finding), CLAIM_ANSWER_NOTHING);
}

static void TEST(a_closed_message_says_how_it_ended)
{
	struct claim_finding finding = queued();
	finding.is_open = false;
	static const enum message_status left[] = {MESSAGE_SENT, MESSAGE_DELIVERED, MESSAGE_READ};
	static const enum message_status ended[] = {
		MESSAGE_FAILED, MESSAGE_CANCELLED, MESSAGE_EXPIRED};
	for (size_t i = 0; i < array_len(left); i++) {
		finding.status = left[i];
		assert_int_equal(answer(finding), CLAIM_ANSWER_SENT);
		finding.status = ended[i];
		assert_int_equal(answer(finding), CLAIM_ANSWER_FINAL);
	}
}

static void TEST(what_does_not_fit_is_refused)
{
	struct claim_finding finding = queued();
	finding.is_found = false;
	assert_int_equal(answer(finding), CLAIM_ANSWER_REFUSED);
	finding = queued();
	finding.attempt_fits = false;
	assert_int_equal(answer(finding), CLAIM_ANSWER_REFUSED);
	finding = queued();
	finding.is_due = false;
	assert_int_equal(answer(finding), CLAIM_ANSWER_REFUSED);
	finding = queued();
	finding.is_head = false;
	assert_int_equal(answer(finding), CLAIM_ANSWER_REFUSED);
	finding = queued();
	finding.is_past_valid = true; /* the sender's to expire */
	assert_int_equal(answer(finding), CLAIM_ANSWER_REFUSED);
	finding = unknown();
	finding.outcome_unknown = false; /* it is in flight */
	assert_int_equal(answer(finding), CLAIM_ANSWER_REFUSED);
}

static void TEST(missing_media_is_waited_for)
{
	struct claim_finding finding = queued();
	finding.media_wanted = true;
	assert_int_equal(answer(finding), CLAIM_ANSWER_NO_MEDIA);
	finding.is_due = false;
	assert_int_equal(answer(finding), CLAIM_ANSWER_REFUSED);
}

static void TEST(an_unknown_outcome_is_closed_when_nothing_more_may_be_tried)
{
	struct claim_finding finding = unknown();
	assert_int_equal(answer(finding), CLAIM_ANSWER_REFUSED);
	finding.is_past_valid = true;
	assert_int_equal(answer(finding), CLAIM_ANSWER_CLOSE_EXPIRED);
	finding = unknown();
	finding.attempts = BUDGET;
	assert_int_equal(answer(finding), CLAIM_ANSWER_CLOSE_SPENT);
	finding.is_due = false; /* a late receipt still has its time */
	assert_int_equal(answer(finding), CLAIM_ANSWER_REFUSED);
}

static void TEST(two_deaths_are_tried_alone)
{
	struct claim_finding finding = unknown();
	finding.deaths = 1;
	assert_int_equal(answer(finding), CLAIM_ANSWER_REFUSED);
	finding.deaths = 2;
	assert_int_equal(answer(finding), CLAIM_ANSWER_ALONE);
	assert_int_equal(claim_answer_of(&finding, BUDGET, true), CLAIM_ANSWER_REFUSED);
	finding.is_head = false;
	assert_int_equal(answer(finding), CLAIM_ANSWER_REFUSED);
	finding = queued(); /* a certain failure in between does not clear it of suspicion */
	finding.deaths = 2;
	assert_int_equal(answer(finding), CLAIM_ANSWER_ALONE);
}

static void TEST(only_deaths_while_alone_set_aside)
{
	struct claim_finding finding = unknown();
	finding.deaths = 7;
	finding.deaths_alone = 1;
	assert_int_equal(answer(finding), CLAIM_ANSWER_ALONE);
	finding.deaths_alone = 2;
	assert_int_equal(answer(finding), CLAIM_ANSWER_SET_ASIDE);
	finding.attempts = BUDGET;
	assert_int_equal(answer(finding), CLAIM_ANSWER_SET_ASIDE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stale_sender_hears_nothing),
		cmocka_unit_test(a_closed_message_says_how_it_ended),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(missing_media_is_waited_for),
		cmocka_unit_test(an_unknown_outcome_is_closed_when_nothing_more_may_be_tried),
		cmocka_unit_test(two_deaths_are_tried_alone),
		cmocka_unit_test(only_deaths_while_alone_set_aside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
