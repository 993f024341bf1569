/* Entries that others died of, with a real Redis; "a death" is to free the suspects while one is
 * being tried. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/gateway/dispatch_suspects.h"

struct scene {
	struct loop *loop;
	struct redis_conn *redis;
	struct dispatch_suspects *suspects;
	int n_taken;
	int n_set_aside;
	int n_gone; /* answers to commands of the test itself */
	int64_t answer;
	char last[32];
};

static void take(void *ctx, const struct stream_entry *entry)
{
	struct scene *scene = ctx;
	assert_sv(entry->payload, "payload");
	assert_string_equal(entry->stream, "dispatch.7");
	(void)snprintf(scene->last, sizeof(scene->last), "%s", entry->id);
	scene->n_taken++;
}

static void set_aside(void *ctx, const struct stream_entry *entry, const char *reason)
{
	struct scene *scene = ctx;
	assert_true(strlen(reason) > 0);
	(void)snprintf(scene->last, sizeof(scene->last), "%s", entry->id);
	scene->n_set_aside++;
}

static const struct dispatch_suspects_events events = {.take = take, .set_aside = set_aside};

static int is_up(void *ctx)
{
	const struct scene *scene = ctx;
	return redis_conn_is_up(scene->redis);
}

static int something_happened(void *ctx)
{
	const struct scene *scene = ctx;
	return scene->n_taken + scene->n_set_aside + scene->n_gone > 0;
}

static void wait_for_something(struct scene *scene)
{
	scene->n_taken = scene->n_set_aside = scene->n_gone = 0;
	assert_true(loop_run_until(scene->loop, something_happened, scene, 5000));
}

static void on_answer(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct scene *scene = ctx;
	assert_int_equal(status, REDIS_OK);
	scene->answer = redis_reply_int(reply);
	scene->n_gone++;
}

static void be_born(struct scene *scene)
{
	scene->suspects = dispatch_suspects_new(scene->loop, scene->redis, &events, scene);
}

static int setup(void **state)
{
	static struct scene scene;
	memset(&scene, 0, sizeof(scene));
	scene.loop = loop_new();
	scene.redis = redis_conn_new(scene.loop, getenv("WA_TEST_REDIS_URL"), NULL, NULL, NULL);
	assert_non_null(scene.redis);
	assert_true(loop_run_until(scene.loop, is_up, &scene, 5000));
	struct strview flush[] = {SV_LIT("FLUSHALL")};
	redis_conn_command(scene.redis, 1, flush, 2000, on_answer, &scene);
	wait_for_something(&scene);
	be_born(&scene);
	*state = &scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;
	dispatch_suspects_free(&scene->suspects);
	redis_conn_free(&scene->redis);
	loop_free(&scene->loop);
	return 0;
}

static void add(struct scene *scene, const char *id)
{
	struct stream_entry entry = {.stream = "dispatch.7",
		.tag = 7,
		.id = id,
		.payload = SV_LIT("payload"),
		.deliveries = 3};
	dispatch_suspects_add(scene->suspects, &entry);
}

static void suspects_are_taken_one_at_a_time(void **state)
{
	struct scene *scene = *state;
	add(scene, "1-0");
	add(scene, "2-0");
	wait_for_something(scene);
	assert_string_equal(scene->last, "1-0");
	dispatch_suspects_acked(scene->suspects, 7, "2-0"); /* not its turn */
	dispatch_suspects_acked(scene->suspects, 7, "1-0");
	wait_for_something(scene);
	assert_string_equal(scene->last, "2-0");
}

static void two_deaths_while_alone_set_aside(void **state)
{
	struct scene *scene = *state;
	for (int death = 0; death < 2; death++) {
		add(scene, "1-0");
		wait_for_something(scene);
		assert_int_equal(scene->n_taken, 1);
		dispatch_suspects_free(&scene->suspects);
		be_born(scene);
	}
	add(scene, "1-0");
	wait_for_something(scene);
	assert_int_equal(scene->n_taken, 0);
	assert_int_equal(scene->n_set_aside, 1);
}

static void a_death_of_another_does_not_count(void **state)
{
	struct scene *scene = *state;
	for (int death = 0; death < 5; death++) {
		add(scene, death % 2 == 0 ? "1-0" : "3-0");
		add(scene, "2-0");
		wait_for_something(scene);
		dispatch_suspects_free(&scene->suspects);
		be_born(scene);
	}
	add(scene, "2-0");
	wait_for_something(scene);
	assert_int_equal(scene->n_taken, 1);
}

static void what_went_well_is_forgotten(void **state)
{
	struct scene *scene = *state;
	add(scene, "1-0");
	wait_for_something(scene);
	dispatch_suspects_acked(scene->suspects, 7, "1-0");
	struct strview exists[] = {SV_LIT("EXISTS"), SV_LIT("alone.dispatch.7.1-0")};
	redis_conn_command(scene->redis, 2, exists, 2000, on_answer, scene);
	wait_for_something(scene);
	assert_int_equal(scene->answer, 0);
}

static void a_lost_stream_takes_its_suspects_with_it(void **state)
{
	struct scene *scene = *state;
	add(scene, "1-0");
	add(scene, "2-0");
	wait_for_something(scene);
	dispatch_suspects_drop(scene->suspects, 7);
	dispatch_suspects_acked(scene->suspects, 7, "1-0"); /* late */
	add(scene, "3-0");
	wait_for_something(scene);
	assert_string_equal(scene->last, "3-0");
}

#define TEST_OF(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OF(suspects_are_taken_one_at_a_time),
		TEST_OF(two_deaths_while_alone_set_aside),
		TEST_OF(a_death_of_another_does_not_count),
		TEST_OF(what_went_well_is_forgotten),
		TEST_OF(a_lost_stream_takes_its_suspects_with_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
