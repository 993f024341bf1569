#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/gateway/in_flight.h"

#define TIMEOUT_MS 40

struct scene {
	struct loop *loop;
	struct in_flight *in_flight;
	int n_late;
	char late[8][8]; /* WhatsApp ids in the order in which they were late */
};

static void on_late(void *ctx, struct attempt *attempt)
{
	struct scene *scene = ctx;
	(void)snprintf(scene->late[scene->n_late++], sizeof(scene->late[0]), "%.*s",
		SV_ARG(attempt->node.key));
	in_flight_end(scene->in_flight, attempt);
}

static int setup(void **state)
{
	static struct scene scene;
	memset(&scene, 0, sizeof(scene));
	scene.loop = loop_new();
	scene.in_flight = in_flight_new(scene.loop, TIMEOUT_MS, on_late, &scene);
	*state = &scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;
	in_flight_free(&scene->in_flight);
	loop_free(&scene->loop);
	return 0;
}

static void add(struct scene *scene, int32_t session_id, const char *wa)
{
	struct claimed claimed = {
		.message_id = SV_LIT("msg_A"),
		.wa_message_id = sv_from(wa),
		.phone = SV_LIT("+4915112345"),
		.session_id = session_id,
		.partition = 3,
		.queue_seq = 9,
		.attempts = 2,
		.ever_unknown = true,
	};
	in_flight_add(scene->in_flight, &claimed, 5);
}

static int none_left(void *ctx)
{
	const struct scene *scene = ctx;
	return in_flight_count(scene->in_flight) == 0;
}

static void an_attempt_is_found_with_what_was_claimed(void **state)
{
	struct scene *scene = *state;
	add(scene, 1, "WA1");
	const struct attempt *attempt = in_flight_find(scene->in_flight, 1, SV_LIT("WA1"));
	assert_non_null(attempt);
	assert_sv(attempt->message_id, "msg_A");
	assert_sv(attempt->phone, "+4915112345");
	assert_int_equal(attempt->session_epoch, 5);
	assert_int_equal(attempt->partition, 3);
	assert_int_equal(attempt->queue_seq, 9);
	assert_int_equal(attempt->attempts, 2);
	assert_true(attempt->ever_unknown);
	assert_null(in_flight_find(scene->in_flight, 2, SV_LIT("WA1")));
}

static void what_does_not_end_is_late_in_order(void **state)
{
	struct scene *scene = *state;
	add(scene, 1, "WA1");
	add(scene, 1, "WA2");
	add(scene, 1, "WA3");
	in_flight_end(scene->in_flight, in_flight_find(scene->in_flight, 1, SV_LIT("WA2")));
	int64_t begun_ms = clock_mono_ms();
	assert_true(loop_run_until(scene->loop, none_left, scene, 5000));
	assert_true(clock_mono_ms() - begun_ms >= TIMEOUT_MS - 2);
	assert_int_equal(scene->n_late, 2);
	assert_string_equal(scene->late[0], "WA1");
	assert_string_equal(scene->late[1], "WA3");
}

static void a_later_claim_of_the_same_id_replaces_the_attempt(void **state)
{
	struct scene *scene = *state;
	add(scene, 1, "WA1");
	add(scene, 1, "WA1");
	assert_int_equal(in_flight_count(scene->in_flight), 1);
}

static void end_one(void *ctx, struct attempt *attempt)
{
	struct scene *scene = ctx;
	in_flight_end(scene->in_flight, attempt);
}

static void a_session_is_ended_without_the_others(void **state)
{
	struct scene *scene = *state;
	add(scene, 1, "WA1");
	add(scene, 2, "WA1");
	add(scene, 1, "WA2");
	assert_int_equal(in_flight_count_of(scene->in_flight, 1), 2);
	in_flight_each_of(scene->in_flight, 1, end_one, scene);
	assert_int_equal(in_flight_count_of(scene->in_flight, 1), 0);
	assert_int_equal(in_flight_count(scene->in_flight), 1);
}

#define TEST_OF(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OF(an_attempt_is_found_with_what_was_claimed),
		TEST_OF(what_does_not_end_is_late_in_order),
		TEST_OF(a_later_claim_of_the_same_id_replaces_the_attempt),
		TEST_OF(a_session_is_ended_without_the_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
