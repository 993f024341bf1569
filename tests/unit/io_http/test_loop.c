/* loop: timers, work at the end of a turn, signals. */
#include "tests/support/test.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/base/mem.h"
#include "common/io/loop.h"
#include "tests/support/death.h"

#define N_SOCKETS 100
#define LONG_MS   5000

struct scene {
	struct loop *loop;
	struct loop_turn *turn, *other_turn;
	struct loop_timer *timer;
	int n_reads, n_deferred, n_turns, n_other_turns, n_fired, n_signals;
	int reads_at_turn, deferred_at_turn;
	struct event *reads[N_SOCKETS];
	struct event *deferred;
	int fds[N_SOCKETS][2];
	bool keep_unread;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int set_up(void **state)
{
	struct scene *scene = mem_new(struct scene);

	scene->loop = loop_new();
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < N_SOCKETS; i++) {
		if (scene->reads[i] == NULL)
			continue;
		event_free(scene->reads[i]);
		close(scene->fds[i][0]);
		close(scene->fds[i][1]);
	}
	if (scene->deferred != NULL)
		event_free(scene->deferred);
	loop_turn_free(&scene->turn);
	loop_turn_free(&scene->other_turn);
	loop_timer_free(&scene->timer);
	loop_free(&scene->loop);
	mem_free(scene);
	return 0;
}

static void on_read(evutil_socket_t fd, short what, void *ctx)
{
	struct scene *scene = ctx;
	char byte;

	(void)what;
	scene->n_reads++;
	if (!scene->keep_unread)
		assert_int_equal(read(fd, &byte, 1), 1);
	if (scene->turn != NULL)
		loop_turn_request(scene->turn);
	if (scene->deferred != NULL)
		event_active(scene->deferred, EV_TIMEOUT, 1);
}

static void on_deferred(evutil_socket_t fd, short what, void *ctx)
{
	struct scene *scene = ctx;

	(void)fd;
	(void)what;
	scene->n_deferred++;
	loop_turn_request(scene->turn);
}

static void make_readable(struct scene *scene, int n_sockets)
{
	for (int i = 0; i < n_sockets; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, scene->fds[i]), 0);
		assert_int_equal(write(scene->fds[i][1], "x", 1), 1);
		scene->reads[i] = event_new(loop_base(scene->loop), scene->fds[i][0],
			EV_READ | EV_PERSIST, on_read, scene);
		event_add(scene->reads[i], NULL);
	}
}

static void on_turn(void *ctx)
{
	struct scene *scene = ctx;

	scene->n_turns++;
	scene->reads_at_turn = scene->n_reads;
	scene->deferred_at_turn = scene->n_deferred;
}

static int is_turned(void *ctx)
{
	return ((struct scene *)ctx)->n_turns > 0;
}

static int never(void *ctx)
{
	(void)ctx;
	return 0;
}

/* --- turns --- */

static void TEST(a_turn_runs_once_after_all_callbacks_of_its_pass)
{
	struct scene *scene = *state;

	scene->turn = loop_turn_new(scene->loop, "test", on_turn, scene);
	/* libevent asks the kernel for 32 events at first; have it learn that there are more. */
	make_readable(scene, 30);
	assert_true(loop_run_until(scene->loop, is_turned, scene, LONG_MS));
	assert_int_equal(scene->n_turns, 1);
	assert_int_equal(scene->reads_at_turn, 30);
	assert_false(loop_run_until(scene->loop, never, NULL, 20));
	assert_int_equal(scene->n_turns, 1);
}

static void TEST(a_turn_runs_after_what_the_callbacks_put_off)
{
	struct scene *scene = *state;

	scene->turn = loop_turn_new(scene->loop, "test", on_turn, scene);
	scene->deferred = event_new(loop_base(scene->loop), -1, 0, on_deferred, scene);
	make_readable(scene, 10);
	assert_true(loop_run_until(scene->loop, is_turned, scene, LONG_MS));
	assert_int_equal(scene->n_turns, 1);
	assert_int_equal(scene->reads_at_turn, 10);
	assert_int_equal(scene->deferred_at_turn, 1);
}

static void TEST(a_turn_runs_under_permanent_load)
{
	struct scene *scene = *state;

	make_readable(scene, 30);
	scene->keep_unread = true; /* so that there is something to read in every pass */
	assert_false(loop_run_until(scene->loop, never, NULL, 20));
	assert_true(scene->n_reads > 60);
	scene->turn = loop_turn_new(scene->loop, "test", on_turn, scene);
	assert_true(loop_run_until(scene->loop, is_turned, scene, LONG_MS));
	assert_int_equal(scene->reads_at_turn % 30, 0);
}

static void on_turn_again(void *ctx)
{
	struct scene *scene = ctx;

	on_turn(scene);
	loop_turn_request(scene->turn);
}

static int is_turned_often(void *ctx)
{
	return ((struct scene *)ctx)->n_turns >= 10;
}

static void TEST(a_turn_that_asks_for_itself_runs_in_the_next)
{
	struct scene *scene = *state;

	scene->turn = loop_turn_new(scene->loop, "test", on_turn_again, scene);
	loop_turn_request(scene->turn);
	loop_turn_request(scene->turn);
	assert_true(loop_run_until(scene->loop, is_turned, scene, LONG_MS));
	assert_int_equal(scene->n_turns, 1);
	make_readable(scene, 3);
	assert_true(loop_run_until(scene->loop, is_turned_often, scene, LONG_MS));
	assert_int_equal(scene->n_reads, 3);
}

static void on_ping(void *ctx)
{
	struct scene *scene = ctx;

	scene->n_turns++;
	loop_turn_request(scene->other_turn);
}

static void on_pong(void *ctx)
{
	struct scene *scene = ctx;

	scene->n_other_turns++;
	loop_turn_request(scene->turn);
}

static void TEST(turns_that_ask_for_each_other_leave_room_for_the_rest)
{
	struct scene *scene = *state;

	scene->turn = loop_turn_new(scene->loop, "ping", on_ping, scene);
	scene->other_turn = loop_turn_new(scene->loop, "pong", on_pong, scene);
	loop_turn_request(scene->turn);
	assert_true(loop_run_until(scene->loop, is_turned, scene, LONG_MS));
	/* What a turn asks of another is done in the same pass. */
	assert_int_equal(scene->n_other_turns, 1);
	make_readable(scene, 1);
	assert_true(loop_run_until(scene->loop, is_turned_often, scene, LONG_MS));
	assert_int_equal(scene->n_reads, 1);
}

static void on_turn_free(void *ctx)
{
	struct scene *scene = ctx;

	scene->n_turns++;
	loop_turn_free(&scene->turn);
	loop_turn_free(&scene->other_turn); /* was asked for, too */
}

static void TEST(a_turn_may_be_freed_by_itself_and_while_it_is_asked_for)
{
	struct scene *scene = *state;

	scene->turn = loop_turn_new(scene->loop, "test", on_turn_free, scene);
	scene->other_turn = loop_turn_new(scene->loop, "never", on_pong, scene);
	loop_turn_request(scene->turn);
	loop_turn_request(scene->other_turn);
	assert_false(loop_run_until(scene->loop, never, NULL, 20));
	assert_int_equal(scene->n_turns, 1);
	assert_int_equal(scene->n_other_turns, 0);
}

/* --- timers --- */

static void on_fire(void *ctx)
{
	((struct scene *)ctx)->n_fired++;
}

static int has_fired(void *ctx)
{
	return ((struct scene *)ctx)->n_fired > 0;
}

static void TEST(a_timer_fires_once_and_never_early)
{
	struct scene *scene = *state;

	scene->timer = loop_timer_new(scene->loop, "test", on_fire, scene);
	for (int delay_ms = 1; delay_ms < 20; delay_ms++) {
		int64_t start_ms = now_ms();

		scene->n_fired = 0;
		loop_timer_arm(scene->timer, delay_ms);
		assert_true(loop_timer_is_armed(scene->timer));
		assert_true(loop_run_until(scene->loop, has_fired, scene, LONG_MS));
		assert_true(now_ms() - start_ms >= delay_ms);
		assert_false(loop_timer_is_armed(scene->timer));
	}
	assert_false(loop_run_until(scene->loop, never, NULL, 30));
	assert_int_equal(scene->n_fired, 1);
}

static void on_slow_read(evutil_socket_t fd, short what, void *ctx)
{
	struct scene *scene = ctx;
	int64_t until_ms = now_ms() + 30;

	(void)fd;
	(void)what;
	while (now_ms() < until_ms) /* libevent's time stands still meanwhile */
		;
	loop_timer_arm(scene->timer, 20);
}

static void TEST(a_timer_armed_late_in_a_long_callback_is_not_early)
{
	struct scene *scene = *state;
	struct event *event = event_new(loop_base(scene->loop), -1, 0, on_slow_read, scene);
	int64_t start_ms = now_ms();

	scene->timer = loop_timer_new(scene->loop, "test", on_fire, scene);
	event_active(event, EV_TIMEOUT, 1);
	assert_true(loop_run_until(scene->loop, has_fired, scene, LONG_MS));
	assert_true(now_ms() - start_ms >= 50);
	event_free(event);
}

static void TEST(a_timer_can_be_armed_anew_and_disarmed)
{
	struct scene *scene = *state;

	scene->timer = loop_timer_new(scene->loop, "test", on_fire, scene);
	loop_timer_arm(scene->timer, 1);
	loop_timer_arm(scene->timer, 100000);
	assert_false(loop_run_until(scene->loop, has_fired, scene, 30));
	loop_timer_arm(scene->timer, 1);
	loop_timer_disarm(scene->timer);
	loop_timer_disarm(scene->timer);
	assert_false(loop_run_until(scene->loop, has_fired, scene, 30));
}

static void on_fire_again(void *ctx)
{
	struct scene *scene = ctx;

	scene->n_fired++;
	loop_timer_arm(scene->timer, 0);
}

static int has_fired_often(void *ctx)
{
	return ((struct scene *)ctx)->n_fired >= 10;
}

static void TEST(a_timer_of_no_delay_runs_in_the_next_turn)
{
	struct scene *scene = *state;

	make_readable(scene, 3);
	scene->timer = loop_timer_new(scene->loop, "test", on_fire_again, scene);
	loop_timer_arm(scene->timer, 0);
	assert_true(loop_run_until(scene->loop, has_fired_often, scene, LONG_MS));
	assert_int_equal(scene->n_reads, 3);
}

static void on_fire_free(void *ctx)
{
	struct scene *scene = ctx;

	scene->n_fired++;
	loop_timer_free(&scene->timer);
}

static void TEST(a_timer_may_be_freed_by_itself)
{
	struct scene *scene = *state;

	scene->timer = loop_timer_new(scene->loop, "test", on_fire_free, scene);
	loop_timer_arm(scene->timer, 1);
	assert_true(loop_run_until(scene->loop, has_fired, scene, LONG_MS));
	assert_null(scene->timer);
	loop_timer_free(&scene->timer);
}

/* --- signals, start and stop --- */

static void on_signal(void *ctx)
{
	((struct scene *)ctx)->n_signals++;
}

static int is_signalled(void *ctx)
{
	return ((struct scene *)ctx)->n_signals > 0;
}

static void TEST(a_signal_is_a_callback)
{
	struct scene *scene = *state;
	struct loop_signal *signal = loop_signal_new(scene->loop, SIGUSR1, on_signal, scene);

	raise(SIGUSR1);
	assert_int_equal(scene->n_signals, 0);
	assert_true(loop_run_until(scene->loop, is_signalled, scene, LONG_MS));
	loop_signal_free(&signal);
	assert_null(signal);
}

static void on_fire_stop(void *ctx)
{
	struct scene *scene = ctx;

	scene->n_fired++;
	loop_stop(scene->loop);
	loop_stop(scene->loop);
	loop_turn_request(scene->turn); /* still belongs to this turn */
}

static void TEST(a_loop_stops_at_the_end_of_its_turn_and_runs_again)
{
	struct scene *scene = *state;

	scene->turn = loop_turn_new(scene->loop, "test", on_turn, scene);
	scene->timer = loop_timer_new(scene->loop, "test", on_fire_stop, scene);
	for (int i = 1; i <= 3; i++) {
		loop_timer_arm(scene->timer, 1);
		loop_run(scene->loop);
		assert_int_equal(scene->n_fired, i);
		assert_int_equal(scene->n_turns, i);
	}
	loop_stop(scene->loop);
	loop_run(scene->loop); /* stopped before it began */
}

static void free_loop_with_timer(void *arg)
{
	struct loop *loop = loop_new();

	(void)arg;
	(void)loop_timer_new(loop, "left", on_fire, NULL);
	loop_free(&loop);
}

static void TEST(what_hangs_on_a_loop_must_be_freed_before_it)
{
	assert_true(death_by_abort(free_loop_with_timer, NULL));
}

#define WITH_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SCENE(a_turn_runs_once_after_all_callbacks_of_its_pass),
		WITH_SCENE(a_turn_runs_after_what_the_callbacks_put_off),
		WITH_SCENE(a_turn_runs_under_permanent_load),
		WITH_SCENE(a_turn_that_asks_for_itself_runs_in_the_next),
		WITH_SCENE(turns_that_ask_for_each_other_leave_room_for_the_rest),
		WITH_SCENE(a_turn_may_be_freed_by_itself_and_while_it_is_asked_for),
		WITH_SCENE(a_timer_fires_once_and_never_early),
		WITH_SCENE(a_timer_armed_late_in_a_long_callback_is_not_early),
		WITH_SCENE(a_timer_can_be_armed_anew_and_disarmed),
		WITH_SCENE(a_timer_of_no_delay_runs_in_the_next_turn),
		WITH_SCENE(a_timer_may_be_freed_by_itself),
		WITH_SCENE(a_signal_is_a_callback),
		WITH_SCENE(a_loop_stops_at_the_end_of_its_turn_and_runs_again),
		cmocka_unit_test(what_hangs_on_a_loop_must_be_freed_before_it),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
