/* Entries that were in the hands of those that died: tried alone, counted, and set aside in the
   end. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/sender/partitions.h"
#include "services/sender/suspects.h"

#define WAIT_MS 15000
#define STREAM  "outbound.3"
#define TAG     PARTITIONS_TAG(3, false)

static struct loop *loop;
static struct redis_conn *redis;
static struct pg_pool *pool;
static struct sender_store *store;
static struct stream_reader *reader;
static struct suspects *suspects;
static int n_taken;
static int n_handed;
static char taken[16][32];
static char refuse[32]; /* this payload cannot be understood */
static bool dies;       /* the next that is taken kills its reader, as far as it gets */
static int64_t reply_number;
static bool has_replied;

static int take(void *ctx, const char *stream, int tag, struct strview payload, struct err *err)
{
	(void)ctx;
	assert_string_equal(stream, STREAM);
	assert_int_equal(tag, TAG);
	(void)snprintf(taken[n_taken++ % 16], sizeof(taken[0]), "%.*s", SV_ARG(payload));
	return sv_eq_cstr(payload, refuse) ? err_set(err, "no entry") : 0;
}

static void on_entry(void *ctx, const struct stream_entry *entry)
{
	(void)ctx;
	n_handed++;
	if (dies) {
		return; /* neither taken nor acknowledged */
	}
	if (sv_starts_with(entry->payload, "nonsense")) {
		suspects_set_aside(suspects, entry, "no entry");
	} else {
		suspects_add(suspects, entry);
	}
}

static void on_reply(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	(void)ctx;
	(void)status;
	reply_number = redis_reply_int(reply);
	has_replied = true;
}

static int replied(void *ctx)
{
	(void)ctx;
	return has_replied;
}

static int64_t command(int argc, const struct strview *argv)
{
	has_replied = false;
	redis_conn_command(redis, argc, argv, WAIT_MS, on_reply, NULL);
	assert_true(loop_run_until(loop, replied, NULL, WAIT_MS));
	return reply_number;
}

static int64_t stream_len(void)
{
	struct strview argv[] = {SV_LIT("XLEN"), SV_LIT(STREAM)};
	return command(2, argv);
}

static void add_entry(const char *payload)
{
	struct strview argv[] = {
		SV_LIT("XADD"), SV_LIT(STREAM), SV_LIT("*"), SV_LIT("m"), sv_from(payload)};
	(void)command(5, argv);
}

static int is_up(void *ctx)
{
	(void)ctx;
	return pg_pool_is_up(pool) && redis_conn_is_up(redis);
}

static void start(void)
{
	struct err err = {""};
	struct stream_reader_options options = {
		.redis_url = getenv("WA_TEST_REDIS_URL"), .group = "sender"};
	struct stream_reader_events reader_events = {.on_entry = on_entry};
	struct suspects_events events = {take};
	suspects = suspects_new(loop, redis, store, &events, NULL);
	reader = stream_reader_new(loop, &options, &reader_events, NULL, &err);
	suspects_set_reader(suspects, reader);
	stream_reader_add(reader, STREAM, TAG);
}

static void stop(void)
{
	suspects_free(&suspects);
	stream_reader_free(&reader);
}

static int setup(void **state)
{
	struct err err = {""};
	const char *database_url = getenv("WA_TEST_DATABASE_URL");
	if (database_url == NULL) {
		fail_msg("run under tests/support/with_services.sh, with WITH_SERVICES_SCHEMA=1");
	}
	struct pg_conn_options options = {.url = database_url, .app_name = "test_suspects"};
	(void)state;
	loop = loop_new();
	redis = redis_conn_new(loop, getenv("WA_TEST_REDIS_URL"), NULL, NULL, &err);
	pool = pg_pool_new(loop, &options, 1, NULL, NULL);
	store = sender_store_new(pool);
	assert_true(loop_run_until(loop, is_up, NULL, WAIT_MS));
	struct strview flush[] = {SV_LIT("FLUSHALL")};
	(void)command(1, flush);
	n_taken = 0;
	n_handed = 0;
	refuse[0] = '\0';
	dies = false;
	start();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop();
	pg_pool_free(&pool);
	sender_store_free(&store);
	redis_conn_free(&redis);
	loop_free(&loop);
	return 0;
}

/* Reading goes on while a test adds entries: it says how many must have been taken in. */
static int is_empty(void *ctx)
{
	return n_taken >= *(int *)ctx && suspects_count(suspects) == 0 && stream_reader_unacked(reader) == 0;
}

static int is_set_aside(void *ctx)
{
	(void)ctx;
	return suspects_set_aside_count(suspects) > 0 && suspects_count(suspects) == 0 &&
	       stream_reader_unacked(reader) == 0;
}

static int is_handed(void *ctx)
{
	return n_handed >= *(int *)ctx;
}

static int64_t keys(void)
{
	struct strview argv[] = {SV_LIT("EXISTS"), SV_LIT("alone." STREAM ".1-1")};
	return command(2, argv);
}

/* An entry whose id is known. */
static void add_known(const char *payload)
{
	struct strview argv[] = {
		SV_LIT("XADD"), SV_LIT(STREAM), SV_LIT("1-1"), SV_LIT("m"), sv_from(payload)};
	(void)command(5, argv);
}

static void suspects_are_taken_one_after_another(void **state)
{
	(void)state;
	int wanted = 3;
	add_entry("a");
	add_entry("b");
	add_entry("c");
	assert_true(loop_run_until(loop, is_empty, &wanted, WAIT_MS));
	assert_int_equal(n_taken, 3);
	assert_string_equal(taken[0], "a");
	assert_string_equal(taken[2], "c");
	wanted = 4;
	add_entry("d"); /* reading goes on */
	assert_true(loop_run_until(loop, is_empty, &wanted, WAIT_MS));
	assert_string_equal(taken[3], "d");
}

static void what_cannot_be_understood_is_set_aside(void **state)
{
	(void)state;
	(void)snprintf(refuse, sizeof(refuse), "bad");
	add_entry("bad");
	assert_true(loop_run_until(loop, is_set_aside, NULL, WAIT_MS));
	assert_int_equal(stream_len(), 0);
}

static void only_deaths_while_alone_count(void **state)
{
	(void)state;
	/* Its reader dies while it is being tried: twice, then it is not tried again. */
	add_known("deadly");
	dies = true;
	int handed = 1;
	assert_true(loop_run_until(loop, is_handed, &handed, WAIT_MS));
	for (int i = 0; i < 2; i++) {
		struct strview incr[] = {SV_LIT("INCR"), SV_LIT("alone." STREAM ".1-1")};
		(void)command(
			2, incr); /* as try_alone() leaves it behind when it does not come back */
	}
	stop();
	dies = false;
	start();
	assert_true(loop_run_until(loop, is_set_aside, NULL, WAIT_MS));
	assert_int_equal(n_taken, 0);
	assert_int_equal(stream_len(), 0);
}

static void a_try_that_went_well_leaves_no_count(void **state)
{
	int wanted = 1;
	(void)state;
	add_known("fine");
	assert_true(loop_run_until(loop, is_empty, &wanted, WAIT_MS));
	assert_int_equal(keys(), 0);
}

static void a_lost_streams_suspects_are_left_to_the_next_owner(void **state)
{
	int handed = 2;
	(void)state;
	add_entry("a");
	add_entry("b");
	assert_true(loop_run_until(loop, is_handed, &handed, WAIT_MS));
	stream_reader_remove(reader, STREAM);
	suspects_drop(suspects, TAG);
	assert_true(suspects_count(suspects) <= 1); /* the one that is being counted just now */
	assert_true(stream_len() >= 1);
}

static void on_slept(void *ctx, const struct pg_result *result)
{
	(void)ctx;
	(void)result;
}

/* Nothing can be written for two seconds. */
static void occupy_postgres(void)
{
	static const struct pg_stmt sleep_stmt = {"test_sleep", "SELECT pg_sleep(2)"};
	pg_pool_query(pool, &sleep_stmt, NULL, WAIT_MS, on_slept, NULL);
}

static void what_cannot_be_understood_holds_up_nobody(void **state)
{
	int one = 1;
	int two = 2;
	(void)state;
	occupy_postgres();
	add_entry("nonsense");
	assert_true(loop_run_until(loop, is_handed, &one, WAIT_MS));
	add_entry("sense");
	assert_true(loop_run_until(loop, is_handed, &two, WAIT_MS));
	assert_int_equal(suspects_set_aside_count(suspects), 0);
	assert_true(loop_run_until(loop, is_set_aside, NULL, WAIT_MS));
	assert_true(loop_run_until(loop, is_empty, &one, WAIT_MS));
}

static void much_that_cannot_be_understood_stops_the_reading(void **state)
{
	int many = 64;
	int more = 65;
	(void)state;
	occupy_postgres();
	for (int i = 0; i < many; i++) {
		add_entry("nonsense");
	}
	assert_true(loop_run_until(loop, is_handed, &many, WAIT_MS));
	add_entry("nonsense");
	(void)loop_run_until(loop, is_handed, &more, 300); /* what was asked for before may come */
	int handed = n_handed;
	add_entry("nonsense");
	more = handed + 1;
	assert_false(loop_run_until(loop, is_handed, &more, 300));
	assert_int_equal(suspects_set_aside_count(suspects), 0);
	more = many + 2;
	assert_true(loop_run_until(loop, is_handed, &more, WAIT_MS));
	assert_true(loop_run_until(loop, is_set_aside, NULL, WAIT_MS));
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(suspects_are_taken_one_after_another),
		STORY(what_cannot_be_understood_is_set_aside),
		STORY(what_cannot_be_understood_holds_up_nobody),
		STORY(much_that_cannot_be_understood_stops_the_reading),
		STORY(only_deaths_while_alone_count),
		STORY(a_try_that_went_well_leaves_no_count),
		STORY(a_lost_streams_suspects_are_left_to_the_next_owner),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
