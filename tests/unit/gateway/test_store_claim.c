#include "tests/support/test.h"

#include <string.h>

#include "common/model/verdict.h"
#include "services/gateway/gateway_store_claim.h"
#include "tests/unit/gateway/store_scene.h"

#define BUDGET 3
#define PHONE  "+4915112345"

struct answer { /* copies of what a claim gave */
	int n_rows;
	char message_id[40];
	char wa_message_id[40];
	char body[40];
	int attempts;
	bool alone;
	bool ever_unknown;
	struct claim_finding finding;
};

static void copy_text(char *to, size_t size, struct strview text)
{
	assert_true(text.len < size);
	memcpy(to, text.ptr, text.len);
	to[text.len] = '\0';
}

static void on_claimed(void *ctx, const struct pg_result *result)
{
	struct answer *answer = ctx;
	answer->n_rows = pg_rows(result);
	if (answer->n_rows == 0)
		return;
	struct claimed claimed;
	gateway_store_claimed(result, 0, &claimed);
	copy_text(answer->message_id, sizeof(answer->message_id), claimed.message_id);
	copy_text(answer->wa_message_id, sizeof(answer->wa_message_id), claimed.wa_message_id);
	copy_text(answer->body, sizeof(answer->body), claimed.body);
	answer->attempts = claimed.attempts;
	answer->alone = claimed.alone;
	answer->ever_unknown = claimed.ever_unknown;
}

static struct claim_entry entry(const char *id, int attempt)
{
	return (struct claim_entry){
		.message_id = sv_from(id),
		.attempt = attempt,
		.partition = 3,
		.partition_epoch = SCENE_EPOCH,
		.session_id = 1,
		.session_epoch = SCENE_EPOCH,
	};
}

static struct answer claim_entries(
	struct scene *scene, const struct claim_entry *entries, int n, bool alone)
{
	struct answer answer = {0};
	gateway_store_claim(scene->conn, entries, n, BUDGET, alone, scene_on_done, scene);
	scene_wait(scene, on_claimed, &answer);
	return answer;
}

static struct answer claim(struct scene *scene, struct claim_entry one)
{
	return claim_entries(scene, &one, 1, false);
}

static void on_explained(void *ctx, const struct pg_result *result)
{
	struct answer *answer = ctx;
	answer->n_rows = pg_rows(result);
	gateway_store_finding(result, 0, &answer->finding);
}

static struct claim_finding explain(struct scene *scene, struct claim_entry one)
{
	struct answer answer = {0};
	gateway_store_explain(scene->conn, &one, 1, scene_on_done, scene);
	scene_wait(scene, on_explained, &answer);
	assert_int_equal(answer.n_rows, 1);
	return answer.finding;
}

static void a_queued_head_is_claimed(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, "");
	struct answer answer = claim(scene, entry("msg_A", 0));
	assert_int_equal(answer.n_rows, 1);
	assert_string_equal(answer.message_id, "msg_A");
	assert_string_equal(answer.wa_message_id, "WA_msg_A");
	assert_string_equal(answer.body, "hello");
	assert_int_equal(answer.attempts, 1);
	assert_false(answer.alone);
	scene_expect(scene,
		"SELECT status, open, attempts, session_epoch, sending_at IS NOT NULL, "
		"next_attempt_at FROM messages",
		"3|t|1|5|t|");
	scene_expect(scene, "SELECT session_id, phone, tenant_id, contact_id FROM conversations",
		"1|" PHONE "|1|10");
}

static void a_second_claim_of_the_same_attempt_gets_nothing(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, "");
	struct claim_entry twice[] = {entry("msg_A", 0), entry("msg_A", 0)};
	assert_int_equal(claim_entries(scene, twice, 2, false).n_rows, 1);
	assert_int_equal(claim(scene, entry("msg_A", 0)).n_rows, 0);
	assert_int_equal(claim(scene, entry("msg_A", 1)).n_rows, 0); /* it is in flight */
	scene_expect(scene, "SELECT attempts FROM messages", "1");
}

static void who_owns_no_lease_claims_nothing(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, "");
	struct claim_entry stale = entry("msg_A", 0);
	stale.partition_epoch--;
	assert_int_equal(claim(scene, stale).n_rows, 0);
	assert_false(explain(scene, stale).is_fresh);
	stale = entry("msg_A", 0);
	stale.session_epoch--;
	assert_int_equal(claim(scene, stale).n_rows, 0);
	(void)scene_sql(scene,
		"UPDATE leases SET expires_at = now() - interval '1 s' WHERE kind = 'session'");
	assert_int_equal(claim(scene, entry("msg_A", 0)).n_rows, 0);
	scene_expect(scene, "SELECT status, attempts FROM messages", "2|0");
}

static void only_the_head_of_a_conversation_is_claimed(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, "");
	scene_message(scene, "msg_B", PHONE, 2, "");
	scene_message(scene, "msg_C", "+4915199999", 3, "");
	struct claim_entry all[] = {entry("msg_B", 0), entry("msg_A", 0), entry("msg_C", 0)};
	assert_int_equal(claim_entries(scene, all, 3, false).n_rows, 2);
	scene_expect(
		scene, "SELECT id, status FROM messages ORDER BY id", "msg_A|3\nmsg_B|2\nmsg_C|3");
	assert_false(explain(scene, entry("msg_B", 0)).is_head);
	(void)scene_sql(scene, "UPDATE messages SET open = false, status = 4 WHERE id = 'msg_A'");
	assert_int_equal(claim(scene, entry("msg_B", 0)).n_rows, 1);
}

static void what_may_not_go_now_is_not_claimed(void **state)
{
	static const char *const obstacles[] = {
		", attempts = 1",
		", open = false, status = 8",
		", next_attempt_at = now() + interval '5 s'",
		", valid_until = now() - interval '1 ms'",
		", media_wanted = true",
		", deaths = 2",
		", status = 3",
		", status = 1, queue_seq = NULL",
		", status = 3, outcome_unknown = true, valid_until = now() - interval '1 ms'",
		", session_id = 2",
	};
	struct scene *scene = *state;
	for (size_t i = 0; i < array_len(obstacles); i++) {
		(void)scene_sql(scene, "DELETE FROM messages");
		scene_message(scene, "msg_A", PHONE, 1, obstacles[i]);
		if (claim(scene, entry("msg_A", 0)).n_rows != 0)
			fail_msg("claimed in spite of%s", obstacles[i]);
	}
}

static void an_unknown_outcome_is_sent_again_while_the_budget_lasts(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1,
		", status = 3, outcome_unknown = true, ever_unknown = true, attempts = 2, "
		"session_epoch = 3,"
		" next_attempt_at = now() - interval '1 s'");
	struct answer answer = claim(scene, entry("msg_A", 2));
	assert_int_equal(answer.n_rows, 1);
	assert_int_equal(answer.attempts, 3);
	assert_true(answer.ever_unknown);
	scene_expect(scene, "SELECT status, outcome_unknown, session_epoch FROM messages", "3|f|5");
	(void)scene_sql(scene, "UPDATE messages SET outcome_unknown = true");
	assert_int_equal(claim(scene, entry("msg_A", 3)).n_rows, 0);
	assert_int_equal(explain(scene, entry("msg_A", 3)).attempts, BUDGET);
}

static void a_suspect_is_claimed_alone_and_says_so(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, ", deaths = 2");
	struct claim_entry one = entry("msg_A", 0);
	assert_int_equal(explain(scene, one).deaths, 2);
	struct answer answer = claim_entries(scene, &one, 1, true);
	assert_int_equal(answer.n_rows, 1);
	assert_true(answer.alone);
	scene_expect(scene, "SELECT alone FROM messages", "t");
}

static void a_check_gives_what_the_claim_moved(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, "");
	scene_message(scene, "msg_B", PHONE, 2, "");
	struct claim_entry both[] = {entry("msg_A", 0), entry("msg_B", 0)};
	struct answer answer = {0};
	gateway_store_claim_check(scene->conn, both, 2, scene_on_done, scene);
	scene_wait(scene, on_claimed, &answer);
	assert_int_equal(answer.n_rows, 0);
	assert_int_equal(claim_entries(scene, both, 2, false).n_rows, 1);
	gateway_store_claim_check(scene->conn, both, 2, scene_on_done, scene);
	scene_wait(scene, on_claimed, &answer);
	assert_int_equal(answer.n_rows, 1);
	assert_string_equal(answer.message_id, "msg_A");
	(void)scene_sql(
		scene, "UPDATE messages SET attempts = 2 WHERE id = 'msg_A'"); /* a later claim's */
	gateway_store_claim_check(scene->conn, both, 2, scene_on_done, scene);
	scene_wait(scene, on_claimed, &answer);
	assert_int_equal(answer.n_rows, 0);
}

static void an_explanation_tells_what_is_wrong(void **state)
{
	struct scene *scene = *state;
	struct claim_finding finding = explain(scene, entry("msg_none", 0));
	assert_false(finding.is_found);
	scene_message(scene, "msg_A", PHONE, 1,
		", status = 3, outcome_unknown = true, attempts = 1, deaths = 3, deaths_alone = 1, "
		"media_wanted = true,"
		" valid_until = now() - interval '1 s', next_attempt_at = now() + interval '1 "
		"hour'");
	finding = explain(scene, entry("msg_A", 0));
	assert_true(finding.is_found);
	assert_true(finding.is_fresh);
	assert_true(finding.is_open);
	assert_int_equal(finding.status, MESSAGE_SENDING);
	assert_true(finding.outcome_unknown);
	assert_false(finding.attempt_fits);
	assert_false(finding.is_due);
	assert_true(finding.is_head);
	assert_true(finding.is_past_valid);
	assert_true(finding.media_wanted);
	assert_int_equal(finding.deaths, 3);
	assert_int_equal(finding.deaths_alone, 1);
	assert_true(explain(scene, entry("msg_A", 1)).attempt_fits);
}

static void a_conversation_is_written_only_when_it_changes(void **state)
{
	struct scene *scene = *state;
	(void)scene_sql(
		scene, "INSERT INTO conversations VALUES (1, '" PHONE "', 1, 10, '2020-01-01')");
	scene_message(scene, "msg_A", PHONE, 1, "");
	assert_int_equal(claim(scene, entry("msg_A", 0)).n_rows, 1);
	scene_expect(scene, "SELECT updated_at < '2021-01-01' FROM conversations", "t");
	(void)scene_sql(scene, "DELETE FROM messages; UPDATE conversations SET contact_id = 99");
	scene_message(scene, "msg_B", PHONE, 2, "");
	assert_int_equal(claim(scene, entry("msg_B", 0)).n_rows, 1);
	scene_expect(
		scene, "SELECT contact_id, updated_at > '2021-01-01' FROM conversations", "10|t");
}

/* While a claim is under way the session's lease can be renewed, but not taken over: the next owner
 * settles after our commit. */
static void a_claim_lets_renewals_pass_and_stops_a_take_over(void **state)
{
	struct scene *scene = *state;
	const char *answer = scene_sql(scene,
		"CREATE EXTENSION IF NOT EXISTS dblink;"
		"SELECT dblink_connect('claim', 'dbname=' || current_database() || ' host=' ||"
		" split_part(current_setting('unix_socket_directories'), ',', 1) || ' "
		"user=postgres');"
		"SELECT dblink_exec('claim', 'BEGIN');"
		"SELECT * FROM dblink('claim', 'SELECT id FROM leases WHERE kind = ''session'' FOR "
		"KEY SHARE') AS t(id int);"
		"SELECT count(*) FROM lease_tick('session', 'me', 3000, 0);"
		"UPDATE leases SET expires_at = now() - interval '1 s' WHERE kind = 'session';"
		"SELECT count(*) FROM lease_tick('session', 'other', 3000, 0);"
		"SELECT dblink_exec('claim', 'COMMIT');"
		"SELECT count(*) FROM lease_tick('session', 'other', 3000, 0);");
	assert_string_equal(answer, "OK\nBEGIN\n1\n1\n0\nCOMMIT\n1\n");
}

#define TEST_OF(name) cmocka_unit_test_setup(name, scene_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OF(a_queued_head_is_claimed),
		TEST_OF(a_second_claim_of_the_same_attempt_gets_nothing),
		TEST_OF(who_owns_no_lease_claims_nothing),
		TEST_OF(only_the_head_of_a_conversation_is_claimed),
		TEST_OF(what_may_not_go_now_is_not_claimed),
		TEST_OF(an_unknown_outcome_is_sent_again_while_the_budget_lasts),
		TEST_OF(a_suspect_is_claimed_alone_and_says_so),
		TEST_OF(a_check_gives_what_the_claim_moved),
		TEST_OF(an_explanation_tells_what_is_wrong),
		TEST_OF(a_conversation_is_written_only_when_it_changes),
		TEST_OF(a_claim_lets_renewals_pass_and_stops_a_take_over),
	};
	return cmocka_run_group_tests(tests, scene_setup, scene_teardown);
}
