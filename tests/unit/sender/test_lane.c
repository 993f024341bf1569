/* Tenants take turns, limits close what they limit and nothing else, and the window follows the
   gateway. */
#include "tests/support/test.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "services/sender/lane.h"

struct fixture {
	struct lane *lane;
	struct conversation *conversations[100];
	int n;
};

static int setup(void **state)
{
	struct fixture *f = mem_new(struct fixture);
	f->lane = lane_new(1, 8);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < f->n; i++) {
		if (f->conversations[i]->is_listed) {
			lane_remove(f->lane, f->conversations[i]);
		}
		conversation_free(&f->conversations[i]);
	}
	lane_free(&f->lane);
	mem_free(f);
	return 0;
}

static struct conversation *push(struct fixture *f, int32_t tenant_id)
{
	char phone[32];
	(void)snprintf(phone, sizeof(phone), "+100000%04d", f->n);
	struct conversation *c = conversation_new(0, 1, sv_from(phone));
	struct queued_message *m = mem_new(struct queued_message);
	m->tenant_id = tenant_id;
	m->queue_seq = 1;
	(void)snprintf(m->id, sizeof(m->id), "m%d", f->n);
	assert_true(conversation_insert(c, m));
	f->conversations[f->n++] = c;
	lane_push(f->lane, c, false);
	return c;
}

static void tenants_take_turns(void **state)
{
	struct fixture *f = *state;
	struct conversation *busy[3] = {push(f, 7), push(f, 7), push(f, 7)};
	struct conversation *other = push(f, 8);
	assert_ptr_equal(lane_call(f->lane, 0), busy[0]);
	assert_ptr_equal(lane_call(f->lane, 0), other); /* though it came last */
	assert_ptr_equal(lane_call(f->lane, 0), busy[1]);
	assert_ptr_equal(lane_call(f->lane, 0), busy[2]);
	assert_false(lane_may_call(f->lane, 0));
}

static void who_goes_back_to_the_front_is_next(void **state)
{
	struct fixture *f = *state;
	struct conversation *first = push(f, 7);
	push(f, 7);
	assert_ptr_equal(lane_call(f->lane, 0), first);
	lane_push(f->lane, first, true);
	assert_ptr_equal(lane_call(f->lane, 0), first);
}

static void a_closed_lane_calls_nobody_until_it_opens(void **state)
{
	struct fixture *f = *state;
	push(f, 7);
	lane_close(f->lane, 100, HELD_SESSION_PACE);
	assert_false(lane_may_call(f->lane, 99));
	assert_true(lane_may_call(f->lane, 100));
}

static void a_tenants_limit_holds_only_its_line(void **state)
{
	struct fixture *f = *state;
	push(f, 7);
	struct conversation *other = push(f, 8);
	lane_close_line(f->lane, 7, 100);
	assert_ptr_equal(lane_call(f->lane, 0), other);
	assert_null(lane_call(f->lane, 0)); /* closes the lane until the tenant's line opens */
	assert_false(lane_may_call(f->lane, 99));
	assert_true(lane_may_call(f->lane, 100));
	assert_non_null(lane_call(f->lane, 100));
}

static void the_window_is_full_or_it_is_not(void **state)
{
	struct fixture *f = *state;
	push(f, 7);
	f->lane->n_tried = 8;
	assert_false(lane_may_call(f->lane, 0));
	f->lane->n_tried = 7;
	assert_true(lane_may_call(f->lane, 0));
}

static void a_session_that_is_not_ready_is_probed_by_one(void **state)
{
	struct fixture *f = *state;
	push(f, 7);
	assert_false(lane_not_ready(f->lane));
	assert_false(lane_not_ready(f->lane));
	assert_true(lane_not_ready(f->lane));
	lane_close(f->lane, 100, HELD_SESSION_NOT_READY);
	f->lane->n_tried = 1;
	assert_false(lane_may_call(f->lane, 200));
	lane_grow(f->lane); /* a claim went through: it is ready again */
	assert_int_equal(f->lane->closed_until_ms, 0);
	assert_true(lane_may_call(f->lane, 50));
	for (int i = 0; i < 20; i++) {
		lane_grow(f->lane);
	}
	assert_int_equal(f->lane->window, 8);
}

static void the_window_halves_once_a_second_and_not_below_its_least(void **state)
{
	(void)state;
	struct lane *lane = lane_new(1, 1000);
	lane->n_tried = 600;
	lane_shrink(lane, 10000);
	assert_int_equal(lane->window, 300);
	lane_shrink(lane, 10500);
	assert_int_equal(lane->window, 300);
	for (int i = 0; i < 10; i++) {
		lane_shrink(lane, 12000 + 1000 * i);
	}
	assert_int_equal(lane->window, 16);
	lane_free(&lane);
}

static void who_waits_is_told_why_and_until_when(void **state)
{
	struct fixture *f = *state;
	int64_t until_ms = 0;
	struct conversation *a = push(f, 7);
	struct conversation *b = push(f, 7);
	struct conversation *c = push(f, 7);
	assert_int_equal(lane_why(f->lane, b, 0, &until_ms), HELD_NOT);
	f->lane->pace_interval_ms = 3000;
	assert_ptr_equal(lane_call(f->lane, 0), a);
	lane_push(f->lane, a, true);
	lane_close(f->lane, 1000, HELD_SESSION_PACE);
	assert_int_equal(lane_why(f->lane, a, 0, &until_ms), HELD_SESSION_PACE);
	assert_int_equal(until_ms, 1000);
	assert_int_equal(lane_why(f->lane, c, 0, &until_ms), HELD_SESSION_PACE);
	assert_int_equal(until_ms, 1000 + 2 * 3000);
	lane_close_line(f->lane, 7, 500);
	assert_int_equal(lane_why(f->lane, b, 0, &until_ms), HELD_TENANT_PACE);
	assert_int_equal(until_ms, 500);
	assert_string_equal(held_reason_name(HELD_SESSION_NOT_READY), "session_not_ready");
}

static void closed_lines_without_anybody_are_forgotten(void **state)
{
	struct fixture *f = *state;
	lane_close_line(f->lane, 7, 100);
	lane_close_line(f->lane, 8, 900);
	lane_prune(f->lane, 500);
	assert_int_equal(f->lane->lines_by_tenant.n, 1);
	lane_prune(f->lane, 900);
	assert_int_equal(f->lane->lines_by_tenant.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tenants_take_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(
			who_goes_back_to_the_front_is_next, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_closed_lane_calls_nobody_until_it_opens, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_tenants_limit_holds_only_its_line, setup, teardown),
		cmocka_unit_test_setup_teardown(the_window_is_full_or_it_is_not, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_session_that_is_not_ready_is_probed_by_one, setup, teardown),
		cmocka_unit_test(the_window_halves_once_a_second_and_not_below_its_least),
		cmocka_unit_test_setup_teardown(
			who_waits_is_told_why_and_until_when, setup, teardown),
		cmocka_unit_test_setup_teardown(
			closed_lines_without_anybody_are_forgotten, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
