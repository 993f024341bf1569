/* key_cache: believed for 4 s and no longer, asked once however many wait. backlog: counted now and
 * then, never exceeded for long. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/api/backlog.h"
#include "services/api/key_cache.h"
#include "tests/unit/api/fake_store.h"

static struct key_cache *cache;
static int n_good, n_unknown, n_unavailable;
static const uint8_t hash[SHA256_SIZE] = {1, 2, 3};
static const struct caller caller = {.tenant_id = 7, .key_id = "key_a", .permissions = 3};

static int setup(UNUSED void **state)
{
	clock_fake(1000000, 1767258000000);
	fake_start();
	cache = key_cache_new(NULL);
	n_good = n_unknown = n_unavailable = 0;
	return 0;
}

static int teardown(UNUSED void **state)
{
	key_cache_free(&cache);
	fake_end();
	clock_fake_end();
	return 0;
}

static void on_found(struct api_call *call, enum key_lookup lookup)
{
	if (lookup == KEY_GOOD) {
		assert_int_equal(call->caller.tenant_id, 7);
		n_good++;
	} else if (lookup == KEY_UNKNOWN) {
		n_unknown++;
	} else {
		n_unavailable++;
	}
	fake_call_end(call);
}

static void look_up(void)
{
	key_cache_look_up(cache, hash, fake_call_new(NULL), on_found);
}

static void reply_good(void)
{
	fake_reply(FAKE_KEY,
		&(struct pg_result){.status = PG_OK, .caller = &caller, .expires_at = INT64_MAX});
}

static void reply_unknown(void)
{
	fake_reply(FAKE_KEY, &(struct pg_result){.status = PG_OK});
}

static void TEST(one_question_for_all_who_wait)
{
	for (int i = 0; i < 10; i++)
		look_up();
	assert_int_equal(fake.n_queries, 1);
	assert_int_equal(n_good, 0);
	reply_good();
	assert_int_equal(n_good, 10);
	look_up();
	assert_int_equal(n_good, 11);
	assert_int_equal(fake.n_queries, 0);
}

static void TEST(a_revoked_key_is_refused_within_the_bound)
{
	look_up();
	reply_good();
	clock_fake_advance(KEY_CACHE_REFRESH_MS + 1);
	look_up(); /* still believed, and asked for anew */
	assert_int_equal(n_good, 2);
	assert_int_equal(fake.n_queries, 1);
	reply_unknown(); /* revoked meanwhile */
	look_up();
	assert_int_equal(n_unknown, 1);
}

static void TEST(an_old_word_is_not_believed_while_postgres_is_away)
{
	look_up();
	reply_good();
	clock_fake_advance(KEY_CACHE_REFRESH_MS + 1);
	look_up();
	fake_reply(FAKE_KEY, &(struct pg_result){.status = PG_UNAVAILABLE});
	assert_int_equal(n_good, 2);
	look_up(); /* the good word is still young enough */
	assert_int_equal(n_good, 3);
	fake_reply(FAKE_KEY, &(struct pg_result){.status = PG_UNAVAILABLE});
	clock_fake_advance(KEY_CACHE_TTL_MS);
	look_up();
	fake_reply(FAKE_KEY, &(struct pg_result){.status = PG_UNAVAILABLE});
	assert_int_equal(n_unavailable, 1);
}

static void TEST(the_age_counts_from_the_question)
{
	look_up();
	clock_fake_advance(KEY_CACHE_TTL_MS - 1);
	reply_good();
	look_up();
	assert_int_equal(n_good, 2);
	assert_int_equal(fake.n_queries, 1); /* asked for anew already */
	clock_fake_advance(2);
	look_up();
	assert_int_equal(n_good, 2); /* it waits */
}

static void TEST(a_keys_own_end_is_kept_to_the_millisecond)
{
	look_up();
	fake_reply(FAKE_KEY,
		&(struct pg_result){
			.status = PG_OK, .caller = &caller, .expires_at = clock_wall_ms() + 100});
	assert_int_equal(n_good, 1);
	clock_fake_advance(99);
	look_up();
	assert_int_equal(n_good, 2);
	clock_fake_advance(1);
	look_up();
	assert_int_equal(n_unknown, 1);
}

static void TEST(an_unknown_key_is_remembered_briefly)
{
	look_up();
	reply_unknown();
	look_up();
	assert_int_equal(n_unknown, 2);
	assert_int_equal(fake.n_queries, 0);
	clock_fake_advance(KEY_CACHE_UNKNOWN_TTL_MS);
	look_up();
	assert_int_equal(fake.n_queries, 1);
}

static void TEST(what_is_forgotten_is_asked_for_again)
{
	look_up();
	reply_good();
	key_cache_forget(cache, 8, NULL);
	key_cache_forget(cache, 7, "key_b");
	look_up();
	assert_int_equal(n_good, 2);
	key_cache_forget(cache, 7, "key_a");
	look_up();
	assert_int_equal(n_good, 2);
	key_cache_forget(
		cache, 7, NULL); /* while the question is in flight: its answer may be old */
	reply_good();
	assert_int_equal(n_good, 3);
	look_up();
	assert_int_equal(n_good, 3);
	assert_int_equal(fake.n_queries, 1);
}

static void TEST(a_flood_of_keys_is_bounded)
{
	uint8_t other[SHA256_SIZE] = {0};
	for (int i = 0; i < 20; i++) { /* all in one set of eight */
		other[5] = (uint8_t)i;
		key_cache_look_up(cache, other, fake_call_new(NULL), on_found);
	}
	assert_int_equal(fake.n_queries, 8);
	assert_int_equal(n_unavailable, 12);
	for (int i = 0; i < 8; i++)
		reply_unknown();
	assert_int_equal(n_unknown, 8);
}

/* --- backlog --- */

static void reply_count(int64_t count)
{
	fake_reply(FAKE_COUNT, &(struct pg_result){.status = PG_OK, .n_rows = 1, .number = count});
}

static void TEST(the_cap_counts_what_was_accepted_since)
{
	struct backlog *backlog = backlog_new(NULL, 100);
	assert_true(backlog_admits(backlog, 7, -1)); /* nobody waits for the count */
	reply_count(98);
	assert_true(backlog_admits(backlog, 7, -1));
	backlog_note(backlog, 7);
	assert_true(backlog_admits(backlog, 7, -1));
	backlog_note(backlog, 7);
	assert_false(backlog_admits(backlog, 7, -1));
	assert_true(backlog_admits(backlog, 8, -1)); /* another tenant's is its own */
	assert_true(backlog_admits(backlog, 7, 200));
	reply_count(0); /* tenant 8's */
	reply_count(100);
	clock_fake_advance(1000);
	assert_false(backlog_admits(backlog, 7, 100));
	reply_count(50); /* it has drained */
	assert_true(backlog_admits(backlog, 7, 100));
	backlog_free(&backlog);
}

static void TEST(counting_costs_little)
{
	struct backlog *backlog = backlog_new(NULL, 1000);
	for (int i = 0; i < 100; i++)
		assert_true(backlog_admits(backlog, 7, -1));
	assert_int_equal(fake.n_queries, 1);
	reply_count(10);
	clock_fake_advance(1500);
	assert_true(backlog_admits(backlog, 7, -1));
	assert_int_equal(fake.n_queries, 0); /* far from the cap */
	clock_fake_advance(5000);
	assert_true(backlog_admits(backlog, 7, -1));
	reply_count(900);
	clock_fake_advance(1000);
	assert_true(backlog_admits(backlog, 7, -1));
	assert_int_equal(fake.n_queries, 1); /* near it */
	fake_reply(FAKE_COUNT, &(struct pg_result){.status = PG_UNKNOWN});
	assert_true(backlog_admits(backlog, 7, -1));
	backlog_free(&backlog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(one_question_for_all_who_wait),
		CASE(a_revoked_key_is_refused_within_the_bound),
		CASE(an_old_word_is_not_believed_while_postgres_is_away),
		CASE(the_age_counts_from_the_question),
		CASE(a_keys_own_end_is_kept_to_the_millisecond),
		CASE(an_unknown_key_is_remembered_briefly),
		CASE(what_is_forgotten_is_asked_for_again),
		CASE(a_flood_of_keys_is_bounded),
		CASE(the_cap_counts_what_was_accepted_since),
		CASE(counting_costs_little),
	};
	return cmocka_run_group_tests_name("key_cache", tests, NULL, NULL);
}
