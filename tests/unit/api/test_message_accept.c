/* message_accept: whatever Postgres does, each caller is told the truth, once, and batches stay
 * apart from each other's troubles. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "services/api/message_accept.h"
#include "tests/unit/api/fake_store.h"

static struct api api;
static struct strview ids[STORE_ACCEPT_MAX];
static int64_t seqs[STORE_ACCEPT_MAX];

bool backlog_admits(struct backlog *backlog, int32_t tenant_id, int64_t cap);
void backlog_note(struct backlog *backlog, int32_t tenant_id);

bool backlog_admits(struct backlog *backlog, int32_t tenant_id, int64_t cap)
{
	(void)backlog;
	(void)tenant_id;
	(void)cap;
	return !fake.backlog_is_full;
}

void backlog_note(struct backlog *backlog, int32_t tenant_id)
{
	(void)backlog;
	(void)tenant_id;
	fake.n_backlog_notes++;
}

static void swallow(void *ctx, const char *line)
{
	(void)ctx;
	(void)line;
}

static int setup(UNUSED void **state)
{
	log_capture(swallow, NULL);
	clock_fake(1000000, 1767258000000);
	fake_start();
	memset(&api, 0, sizeof(api));
	api.loop = fake.loop;
	api.accept = message_accept_new(&api, "", 5000);
	return 0;
}

static int teardown(UNUSED void **state)
{
	message_accept_free(&api.accept);
	fake_end();
	clock_fake_end();
	log_capture(NULL, NULL);
	return 0;
}

struct wish {
	int contact_id; /* 0: by phone */
	int session_id;
	bool is_scheduled;
	bool once;
	bool is_too_late;
	const char *key;
};

static void push(struct wish wish)
{
	struct api_call *call = fake_call_new(&api);
	struct message_request *request = pool_new_in(call->pool, struct message_request);
	call->caller = (struct caller){
		.tenant_id = 7, .backlog_cap = -1, .n_sessions = 2, .sessions = {3, 1}};
	if (wish.key != NULL)
		call->idempotency.key = sv_from(pool_strdup(call->pool, wish.key));
	memset(call->idempotency.fingerprint, 'f', SHA256_SIZE);
	*request = (struct message_request){
		.contact_id = wish.contact_id,
		.type = MESSAGE_TEXT,
		.body = SV_LIT("x"),
		.once = wish.once,
		.external_ref = wish.once ? SV_LIT("ref") : SV_NULL,
		.session_id = wish.session_id,
		.send_at = wish.is_scheduled ? clock_wall_ms() + 60000 : MESSAGE_NO_TIME,
		.valid_until = wish.is_too_late ? clock_wall_ms() - 1000 : MESSAGE_NO_TIME,
	};
	if (wish.contact_id == 0)
		(void)snprintf(request->phone, sizeof(request->phone), "+491701234567");
	message_accept_push(api.accept, call, request);
}

static void push_contact(int contact_id)
{
	push((struct wish){.contact_id = contact_id});
}

/* Every question is answered: the contact has a number, the session is there. */
static void resolve_all(void)
{
	static struct store_resolved resolved[STORE_ACCEPT_MAX];
	const struct fake_query *query = fake_find(FAKE_RESOLVE);
	assert_non_null(query);
	for (int i = 0; i < query->n_rows; i++)
		resolved[i] = (struct store_resolved){
			.question = i,
			.contact_id = query->questions[i].contact_id != 0
					      ? query->questions[i].contact_id
					      : 99,
			.phone = SV_LIT("+491701234567"),
			.session_id = 3,
		};
	fake_reply(FAKE_RESOLVE,
		&(struct pg_result){
			.status = PG_OK, .n_rows = query->n_rows, .resolved = resolved});
}

/* The oldest batch is committed as a whole. */
static void write_all(void)
{
	const struct fake_query *query = fake_find(FAKE_WRITE);
	assert_non_null(query);
	for (int i = 0; i < query->n_rows; i++) {
		ids[i] = query->rows[i]->id;
		seqs[i] = query->rows[i]->due_at == PG_TIME_NULL ? 100 + i : 0;
	}
	fake_reply(FAKE_WRITE,
		&(struct pg_result){
			.status = PG_OK, .n_rows = query->n_rows, .ids = ids, .seqs = seqs});
}

static void write_nothing(void)
{
	fake_reply(FAKE_WRITE, &(struct pg_result){.status = PG_OK});
}

static void explain(const struct store_explanation *explanation)
{
	fake_reply(FAKE_EXPLAIN,
		&(struct pg_result){.status = PG_OK, .n_rows = 1, .explanation = explanation});
}

/* So that the caches know contact 1. */
static void know_contact(void)
{
	push_contact(1);
	fake_turn();
	resolve_all();
	write_all();
	assert_int_equal(fake.n_answers, 1);
	fake.n_answers = fake.n_published = 0;
}

static void TEST(a_batch_is_written_and_answered)
{
	push_contact(1);
	push_contact(2);
	fake_turn();
	assert_int_equal(fake_find(FAKE_RESOLVE)->n_rows, 2);
	assert_null(fake_find(FAKE_WRITE));
	resolve_all();
	assert_int_equal(fake_find(FAKE_WRITE)->n_rows, 2);
	assert_false(fake_find(FAKE_WRITE)->again);
	assert_int_equal(fake.n_answers, 0); /* not before the commit */
	write_all();
	assert_int_equal(fake.n_answers, 2);
	assert_int_equal(fake.answers[0].status, 202);
	assert_non_null(strstr(fake.answers[0].body, "\"contact_id\":1,\"status\":\"queued\""));
	assert_non_null(
		strstr(fake.answers[0].body, "\"created_at\":\"2026-01-01T09:00:00.000Z\""));
	assert_int_equal(fake.n_published, 2);
	assert_int_equal(fake.n_backlog_notes, 2);
}

static void TEST(a_known_contact_needs_no_question)
{
	know_contact();
	push_contact(1);
	fake_turn();
	assert_null(fake_find(FAKE_RESOLVE));
	write_all();
	assert_int_equal(fake.answers[0].status, 202);
}

static void TEST(a_scheduled_message_is_not_published)
{
	know_contact();
	push((struct wish){.contact_id = 1, .is_scheduled = true});
	fake_turn();
	write_all();
	assert_int_equal(fake.answers[0].status, 202);
	assert_non_null(strstr(fake.answers[0].body, "\"scheduled\""));
	assert_int_equal(fake.n_published, 0);
}

static void TEST(those_who_wait_go_together)
{
	know_contact();
	push_contact(1);
	fake_turn();
	for (int i = 0; i < 15; i++)
		push_contact(1);
	fake_turn();
	assert_int_equal(fake.n_queries, 1); /* too few for a second statement */
	push_contact(1);
	fake_turn();
	assert_int_equal(fake.n_queries, 2);
	assert_int_equal(fake.queries[1].n_rows, 16);
	for (int i = 0; i < 600; i++)
		push_contact(1);
	fake_turn();
	assert_int_equal(fake.n_queries, 2); /* never a third */
	write_all();
	assert_int_equal(fake.queries[1].n_rows, STORE_ACCEPT_MAX);
}

static void TEST(what_does_not_exist_is_said)
{
	push_contact(1);
	push((struct wish){.contact_id = 1, .session_id = 55});
	push((struct wish){.contact_id = 1});
	fake_turn();
	struct store_resolved resolved[] = {
		{.question = 0, .contact_id = 0, .phone = SV_NULL, .session_id = 3},
		{.question = 1, .contact_id = 1, .phone = SV_LIT("+1234567890"), .session_id = 0},
		{.question = 2, .contact_id = 1, .phone = SV_LIT("+1234567890"), .session_id = 0},
	};
	assert_int_equal(fake_find(FAKE_RESOLVE)->questions[0].session_id, 0);
	assert_int_equal(fake_find(FAKE_RESOLVE)->questions[1].session_id, 55);
	fake_reply(FAKE_RESOLVE,
		&(struct pg_result){.status = PG_OK, .n_rows = 3, .resolved = resolved});
	assert_int_equal(fake.n_answers, 3);
	assert_int_equal(fake.answers[0].problem, PROBLEM_NOT_FOUND);
	assert_string_equal(fake.answers[1].field, "session_id");
	assert_int_equal(fake.answers[2].problem, PROBLEM_CONFLICT);
}

static void TEST(a_number_of_nobody_becomes_a_contact)
{
	push((struct wish){.contact_id = 0});
	fake_turn();
	assert_sv(fake_find(FAKE_RESOLVE)->questions[0].phone, "+491701234567");
	struct store_resolved none = {.question = 0, .session_id = 3, .phone = SV_NULL};
	fake_reply(
		FAKE_RESOLVE, &(struct pg_result){.status = PG_OK, .n_rows = 1, .resolved = &none});
	fake_reply(FAKE_MAKE_CONTACTS, &(struct pg_result){.status = PG_OK});
	resolve_all();
	assert_true(fake_find(FAKE_WRITE)->rows[0]->any_number);
	write_all();
	assert_non_null(strstr(fake.answers[0].body, "\"contact_id\":99"));
}

static void TEST(an_unknown_commit_is_repeated_and_the_truth_told)
{
	know_contact();
	push_contact(1);
	push_contact(1);
	fake_turn();
	struct strview first = fake_find(FAKE_WRITE)->rows[0]->id;
	fake_reply(FAKE_WRITE, &(struct pg_result){.status = PG_UNKNOWN, .is_retryable = true});
	const struct fake_query *query = fake_find(FAKE_WRITE);
	assert_true(query->again);
	assert_int_equal(query->n_rows, 2);
	assert_true(sv_eq(query->rows[0]->id, first)); /* the same ids */
	write_nothing();                               /* it had been committed */
	struct store_explanation own = {
		.own = {.id = first, .contact_id = 1, .status = MESSAGE_QUEUED, .queue_seq = 77}};
	explain(&own);
	explain(&own);
	assert_int_equal(fake.n_answers, 2);
	assert_int_equal(fake.answers[0].status, 202);
	assert_false(fake.answers[0].is_replayed);
	assert_int_equal(fake.n_published, 2);
	assert_int_equal(fake.published_seq, 77);
}

static void TEST(without_postgres_new_ones_are_refused_and_unknown_ones_wait)
{
	know_contact();
	push_contact(1);
	fake_turn();
	fake.conns_are_up = false;
	fake_reply(FAKE_WRITE, &(struct pg_result){.status = PG_UNKNOWN, .is_retryable = true});
	push_contact(1);
	fake_turn();
	assert_int_equal(fake.n_answers, 1);
	assert_int_equal(fake.answers[0].problem, PROBLEM_DATABASE_UNAVAILABLE);
	fake.conns_are_up = true;
	push_contact(1);
	fake_turn();
	assert_int_equal(fake_find(FAKE_WRITE)->n_rows, 2);
	write_all();
	assert_int_equal(fake.n_answers, 3);
	assert_int_equal(fake.answers[1].status, 202);
}

static void TEST(an_unknown_one_is_told_so_at_its_deadline)
{
	know_contact();
	push_contact(1);
	fake_turn();
	fake.conns_are_up = false;
	fake_reply(FAKE_WRITE, &(struct pg_result){.status = PG_UNKNOWN, .is_retryable = true});
	assert_int_equal(fake.n_answers, 0);
	clock_fake_advance(5001);
	push_contact(1); /* something that makes a turn */
	fake_turn();
	assert_int_equal(fake.n_answers, 2);
	assert_int_equal(fake.answers[0].problem, PROBLEM_OUTCOME_UNKNOWN);
	assert_int_equal(fake.answers[1].problem, PROBLEM_DATABASE_UNAVAILABLE);
}

static void TEST(a_statement_that_was_never_sent_changes_nothing)
{
	know_contact();
	push_contact(1);
	fake_turn();
	fake_reply(FAKE_WRITE, &(struct pg_result){.status = PG_UNAVAILABLE, .is_retryable = true});
	assert_int_equal(fake.answers[0].problem, PROBLEM_DATABASE_UNAVAILABLE);
}

static void TEST(a_deadlock_is_tried_again_a_few_times)
{
	know_contact();
	push_contact(1);
	fake_turn();
	for (int i = 0; i < 3; i++) {
		fake_reply(
			FAKE_WRITE, &(struct pg_result){.status = PG_FAILED, .is_retryable = true});
		assert_int_equal(fake.n_answers, 0);
		assert_false(fake_find(FAKE_WRITE)->again);
	}
	fake_reply(FAKE_WRITE, &(struct pg_result){.status = PG_FAILED, .is_retryable = true});
	assert_int_equal(fake.answers[0].problem, PROBLEM_DATABASE_UNAVAILABLE);
}

static void TEST(one_that_postgres_refuses_does_not_take_others_along)
{
	know_contact();
	for (int i = 0; i < 3; i++)
		push_contact(1);
	fake_turn();
	assert_int_equal(fake_find(FAKE_WRITE)->n_rows, 3);
	fake_reply(FAKE_WRITE, &(struct pg_result){.status = PG_FAILED});
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fake_find(FAKE_WRITE)->n_rows, 1);
		if (i == 1)
			fake_reply(FAKE_WRITE, &(struct pg_result){.status = PG_FAILED});
		else
			write_all();
	}
	assert_int_equal(fake.n_answers, 3);
	assert_int_equal(fake.answers[0].status, 202);
	assert_int_equal(fake.answers[1].problem, PROBLEM_INTERNAL);
	assert_int_equal(fake.answers[2].status, 202);
}

static void TEST(a_repeated_key_is_replayed_or_refused)
{
	uint8_t fingerprint[SHA256_SIZE], other[SHA256_SIZE] = {0};
	memset(fingerprint, 'f', sizeof(fingerprint));
	struct store_explanation keyed = {
		.has_key = true,
		.fingerprint = sv_make(fingerprint, SHA256_SIZE),
		.keyed = {.id = SV_LIT("msg_first"), .contact_id = 1, .status = MESSAGE_QUEUED},
	};
	know_contact();
	for (int i = 0; i < 2; i++) {
		push((struct wish){.contact_id = 1, .key = "k"});
		fake_turn();
		write_nothing();
		explain(&keyed);
		keyed.fingerprint = sv_make(other, SHA256_SIZE);
	}
	assert_int_equal(fake.answers[0].status, 202);
	assert_true(fake.answers[0].is_replayed);
	assert_non_null(strstr(fake.answers[0].body, "msg_first"));
	assert_int_equal(fake.answers[1].problem, PROBLEM_IDEMPOTENCY_MISMATCH);
	assert_int_equal(fake.n_published, 0);
}

static void TEST(once_answers_with_the_first_message)
{
	struct store_explanation first = {
		.first = {.id = SV_LIT("msg_first"), .contact_id = 1, .status = MESSAGE_READ}};
	know_contact();
	push((struct wish){.contact_id = 1, .once = true});
	fake_turn();
	write_nothing();
	explain(&first);
	assert_int_equal(fake.answers[0].status, 200);
	assert_non_null(strstr(fake.answers[0].body, "\"status\":\"read\""));
	/* With a key as well: this try's own row of the key, then a replay of it. */
	first.has_key = first.key_is_own = true;
	push((struct wish){.contact_id = 1, .once = true, .key = "k"});
	fake_turn();
	write_nothing();
	explain(&first);
	assert_int_equal(fake.answers[1].status, 200);
	assert_false(fake.answers[1].is_replayed);
	uint8_t fingerprint[SHA256_SIZE];
	memset(fingerprint, 'f', sizeof(fingerprint));
	first.key_is_own = false;
	first.fingerprint = sv_make(fingerprint, SHA256_SIZE);
	push((struct wish){.contact_id = 1, .once = true, .key = "k"});
	fake_turn();
	write_nothing();
	explain(&first);
	assert_int_equal(fake.answers[2].status, 200);
	assert_true(fake.answers[2].is_replayed);
}

static void TEST(a_contact_that_changed_is_looked_up_again)
{
	struct store_explanation nothing = {0};
	know_contact();
	push_contact(1);
	fake_turn();
	write_nothing();
	explain(&nothing);
	resolve_all();
	write_all();
	assert_int_equal(fake.answers[0].status, 202);
}

static void TEST(a_contact_that_keeps_changing_is_given_up)
{
	struct store_explanation nothing = {0};
	know_contact();
	push_contact(1);
	fake_turn();
	for (int i = 0; i < 4; i++) {
		write_nothing();
		explain(&nothing);
		resolve_all();
	}
	write_nothing();
	explain(&nothing);
	assert_int_equal(fake.n_answers, 1);
	assert_int_equal(fake.answers[0].problem, PROBLEM_OVERLOADED);
}

/* The first call's answer was lost; since then the contact was erased, the session deleted, the
 * backlog filled. */
static void TEST(what_changed_since_does_not_change_a_repeated_calls_answer)
{
	uint8_t fingerprint[SHA256_SIZE];
	memset(fingerprint, 'f', sizeof(fingerprint));
	struct store_explanation keyed = {
		.has_key = true,
		.fingerprint = sv_make(fingerprint, SHA256_SIZE),
		.keyed = {.id = SV_LIT("msg_first"), .contact_id = 1, .status = MESSAGE_QUEUED},
	};
	struct store_resolved resolved[] = {
		{.question = 0, .contact_id = 0, .phone = SV_NULL, .session_id = 3},
		{.question = 1, .contact_id = 1, .phone = SV_LIT("+1234567890"), .session_id = 0},
		{.question = 2, .contact_id = 0, .phone = SV_NULL, .session_id = 3},
	};
	push((struct wish){.contact_id = 1, .key = "k"});
	push((struct wish){.contact_id = 1, .session_id = 55, .key = "k"});
	push((struct wish){.contact_id = 0, .key = "k"});
	fake_turn();
	fake_reply(FAKE_RESOLVE,
		&(struct pg_result){.status = PG_OK, .n_rows = 3, .resolved = resolved});
	assert_null(fake_find(FAKE_MAKE_CONTACTS));
	fake.backlog_is_full = true;
	push((struct wish){.contact_id = 1, .key = "k"});
	for (int i = 0; i < 4; i++) {
		explain(&keyed);
		assert_int_equal(fake.n_answers, i + 1);
		assert_int_equal(fake.answers[i].status, 202);
		assert_true(fake.answers[i].is_replayed);
	}
}

static void TEST(a_call_that_is_no_repetition_is_refused_after_asking)
{
	struct store_explanation nothing = {0};
	struct store_resolved resolved[] = {
		{.question = 0, .contact_id = 0, .phone = SV_NULL, .session_id = 3},
		{.question = 1, .contact_id = 1, .phone = SV_LIT("+1234567890"), .session_id = 0},
		{.question = 2, .contact_id = 0, .phone = SV_NULL, .session_id = 3},
	};
	push((struct wish){.contact_id = 1, .key = "k"});
	push((struct wish){.contact_id = 1, .session_id = 55, .once = true});
	push((struct wish){.contact_id = 0, .key = "k"});
	fake_turn();
	fake_reply(FAKE_RESOLVE,
		&(struct pg_result){.status = PG_OK, .n_rows = 3, .resolved = resolved});
	assert_int_equal(fake.n_answers, 0);
	for (int i = 0; i < 3; i++)
		explain(&nothing);
	assert_int_equal(fake.n_answers, 2);
	assert_int_equal(fake.answers[0].problem, PROBLEM_NOT_FOUND);
	assert_string_equal(fake.answers[1].field, "session_id");
	fake_reply(FAKE_MAKE_CONTACTS, &(struct pg_result){.status = PG_OK});
	resolve_all();
	write_all();
	assert_int_equal(fake.answers[2].status, 202);
	fake.backlog_is_full = true;
	push((struct wish){.contact_id = 1, .key = "k"});
	explain(&nothing);
	assert_int_equal(fake.answers[3].problem, PROBLEM_BACKLOG_FULL);
	push((struct wish){.contact_id = 1, .key = "k"});
	fake_reply(
		FAKE_EXPLAIN, &(struct pg_result){.status = PG_UNAVAILABLE, .is_retryable = true});
	assert_int_equal(fake.answers[4].problem, PROBLEM_DATABASE_UNAVAILABLE);
}

static void TEST(an_explanation_that_fails_is_asked_for_again)
{
	know_contact();
	push((struct wish){.contact_id = 1, .key = "k"});
	fake_turn();
	write_nothing();
	fake_reply(
		FAKE_EXPLAIN, &(struct pg_result){.status = PG_UNAVAILABLE, .is_retryable = true});
	assert_int_equal(fake.n_answers, 0);
	assert_true(fake_find(FAKE_WRITE)->again);
	write_all();
	assert_int_equal(fake.answers[0].status, 202);
}

static void TEST(who_repeats_a_call_too_late_is_told_of_the_first)
{
	know_contact();
	push((struct wish){.contact_id = 1, .is_too_late = true, .key = "k"});
	push((struct wish){.contact_id = 1, .is_too_late = true, .key = "new"});
	fake_turn();
	write_nothing();
	struct strview fingerprint = sv_make("ffffffffffffffffffffffffffffffff", SHA256_SIZE);
	explain(&(struct store_explanation){
		.has_key = true,
		.fingerprint = fingerprint,
		.keyed = {.id = SV_LIT("msg_first"), .contact_id = 1, .status = MESSAGE_EXPIRED},
	});
	explain(&(struct store_explanation){.has_key = false, .is_too_late = true});
	assert_int_equal(fake.n_answers, 2);
	assert_int_equal(fake.answers[0].status, 202);
	assert_true(fake.answers[0].is_replayed);
	assert_string_equal(fake.answers[1].field, "valid_until");
}

static void TEST(a_question_that_fails_is_a_503)
{
	push_contact(1);
	fake_turn();
	fake_reply(FAKE_RESOLVE, &(struct pg_result){.status = PG_UNKNOWN, .is_retryable = true});
	assert_int_equal(fake.answers[0].problem, PROBLEM_DATABASE_UNAVAILABLE);
}

static void TEST(the_queue_is_bounded)
{
	know_contact();
	for (int i = 0; i < 5003; i++)
		push_contact(1);
	assert_int_equal(fake.n_answers, 3);
	assert_int_equal(fake.answers[0].problem, PROBLEM_OVERLOADED);
	fake_turn();
	while (fake_find(FAKE_WRITE) != NULL)
		write_all();
	assert_int_equal(fake.n_answers, 5003);
	fake.n_answers = 0;
	push_contact(1);
	fake_turn();
	write_all();
	assert_int_equal(fake.answers[0].status, 202);
}

static void TEST(a_full_backlog_refuses)
{
	fake.backlog_is_full = true;
	push_contact(1);
	assert_int_equal(fake.answers[0].problem, PROBLEM_BACKLOG_FULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(a_batch_is_written_and_answered),
		CASE(a_known_contact_needs_no_question),
		CASE(a_scheduled_message_is_not_published),
		CASE(those_who_wait_go_together),
		CASE(what_does_not_exist_is_said),
		CASE(a_number_of_nobody_becomes_a_contact),
		CASE(an_unknown_commit_is_repeated_and_the_truth_told),
		CASE(without_postgres_new_ones_are_refused_and_unknown_ones_wait),
		CASE(an_unknown_one_is_told_so_at_its_deadline),
		CASE(a_statement_that_was_never_sent_changes_nothing),
		CASE(a_deadlock_is_tried_again_a_few_times),
		CASE(one_that_postgres_refuses_does_not_take_others_along),
		CASE(a_repeated_key_is_replayed_or_refused),
		CASE(once_answers_with_the_first_message),
		CASE(a_contact_that_changed_is_looked_up_again),
		CASE(a_contact_that_keeps_changing_is_given_up),
		CASE(what_changed_since_does_not_change_a_repeated_calls_answer),
		CASE(a_call_that_is_no_repetition_is_refused_after_asking),
		CASE(an_explanation_that_fails_is_asked_for_again),
		CASE(who_repeats_a_call_too_late_is_told_of_the_first),
		CASE(a_question_that_fails_is_a_503),
		CASE(the_queue_is_bounded),
		CASE(a_full_backlog_refuses),
	};
	return cmocka_run_group_tests_name("message_accept", tests, NULL, NULL);
}
