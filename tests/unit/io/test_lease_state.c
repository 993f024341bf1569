#include "tests/support/test.h"

#include <string.h>

#include "common/io/lease_state.h"

static struct lease_state leases;
static struct lease_changes changes;

static int set_up(UNUSED void **state)
{
	memset(&leases, 0, sizeof(leases));
	memset(&changes, 0, sizeof(changes));
	return 0;
}

static int tear_down(UNUSED void **state)
{
	lease_state_deinit(&leases);
	lease_changes_deinit(&changes);
	return 0;
}

static void apply(const struct lease_row *rows, int n, int64_t until_ms, int64_t now_ms)
{
	changes.n = 0;
	lease_state_apply(&leases, rows, n, until_ms, now_ms, &changes);
}

static void assert_gain(int at, int id, int64_t epoch)
{
	assert_true(at < changes.n);
	assert_true(changes.items[at].is_gain);
	assert_int_equal(changes.items[at].id, id);
	assert_int_equal(changes.items[at].epoch, epoch);
}

static void assert_loss(int at, int id, enum lease_loss why)
{
	assert_true(at < changes.n);
	assert_false(changes.items[at].is_gain);
	assert_int_equal(changes.items[at].id, id);
	assert_int_equal(changes.items[at].why, why);
}

static void TEST(what_is_new_is_gained_and_renewed_in_silence)
{
	apply((struct lease_row[]){{3, 1, false}, {7, 4, false}}, 2, 1000, 0);
	assert_int_equal(changes.n, 2);
	assert_gain(0, 3, 1);
	assert_gain(1, 7, 4);
	assert_int_equal(lease_state_next_expiry_ms(&leases), 1000);
	assert_int_equal(lease_state_find(&leases, 7, 999)->epoch, 4);
	assert_null(lease_state_find(&leases, 7, 1000));
	assert_null(lease_state_find(&leases, 4, 0));
	apply((struct lease_row[]){{3, 1, false}, {7, 4, false}}, 2, 2000, 900);
	assert_int_equal(changes.n, 0);
	assert_int_equal(lease_state_next_expiry_ms(&leases), 2000);
	apply((struct lease_row[]){{1, 9, false}, {3, 1, false}, {7, 4, false}, {9, 1, false}}, 4,
		3000, 1900);
	assert_int_equal(changes.n, 2);
	assert_gain(0, 1, 9);
	assert_gain(1, 9, 1);
}

static void TEST(what_runs_out_is_lost_once)
{
	apply((struct lease_row[]){{1, 1, false}, {2, 1, false}}, 2, 1000, 0);
	changes.n = 0;
	lease_state_expire(&leases, 999, &changes);
	assert_int_equal(changes.n, 0);
	lease_state_expire(&leases, 1000, &changes);
	assert_int_equal(changes.n, 2);
	assert_loss(0, 1, LEASE_EXPIRED);
	assert_loss(1, 2, LEASE_EXPIRED);
	assert_int_equal(lease_state_next_expiry_ms(&leases), INT64_MAX);
	changes.n = 0;
	lease_state_expire(&leases, 2000, &changes);
	assert_int_equal(changes.n, 0);
	apply((struct lease_row[]){{1, 2, false}}, 1, 4000, 3000);
	assert_int_equal(changes.n, 1);
	assert_gain(0, 1, 2);
}

static void TEST(a_new_epoch_is_a_loss_and_a_gain)
{
	apply((struct lease_row[]){{1, 1, false}, {2, 1, false}}, 2, 1000, 0);
	apply((struct lease_row[]){{1, 3, false}, {2, 1, false}}, 2, 1500, 500);
	assert_int_equal(changes.n, 2);
	assert_loss(0, 1, LEASE_EXPIRED);
	assert_gain(1, 1, 3);
	assert_int_equal(lease_state_find(&leases, 1, 1400)->epoch, 3);
}

static void TEST(a_lease_renewed_before_anyone_noticed_its_end_stays)
{
	apply((struct lease_row[]){{1, 1, false}}, 1, 1000, 0);
	apply((struct lease_row[]){{1, 1, false}}, 1, 2000, 1100);
	assert_int_equal(changes.n, 0);
	assert_non_null(lease_state_find(&leases, 1, 1100));
}

static void TEST(a_missing_row_is_deleted_or_had_run_out)
{
	apply((struct lease_row[]){{1, 1, false}, {2, 1, false}, {3, 1, false}}, 3, 1000, 0);
	apply((struct lease_row[]){{2, 1, false}}, 1, 1500, 500);
	assert_int_equal(changes.n, 2);
	assert_loss(0, 1, LEASE_DELETED);
	assert_loss(1, 3, LEASE_DELETED);
	apply(NULL, 0, 3000, 2000);
	assert_int_equal(changes.n, 1);
	assert_loss(0, 2, LEASE_EXPIRED);
}

static void TEST(an_answer_that_came_too_late_renews_nothing)
{
	apply((struct lease_row[]){{1, 1, false}}, 1, 1000, 0);
	apply((struct lease_row[]){{1, 1, false}, {2, 1, false}}, 2, 1200, 1200);
	assert_int_equal(changes.n, 1);
	assert_loss(0, 1, LEASE_EXPIRED);
	assert_int_equal(leases.n_held, 0);
}

static void TEST(surplus_is_told_once_and_still_held)
{
	apply((struct lease_row[]){{1, 1, false}, {2, 1, false}}, 2, 1000, 0);
	for (int tick = 1; tick <= 3; tick++) {
		apply((struct lease_row[]){{1, 1, false}, {2, 1, true}}, 2, 1000 + tick * 500,
			tick * 500);
		assert_int_equal(changes.n, tick == 1 ? 1 : 0);
		if (tick == 1)
			assert_loss(0, 2, LEASE_SURPLUS);
		assert_non_null(lease_state_find(&leases, 2, tick * 500));
	}
}

static void TEST(what_is_given_back_is_not_gained_until_that_is_confirmed)
{
	apply((struct lease_row[]){{1, 1, false}, {2, 1, true}}, 2, 1000, 0);
	assert_true(lease_state_release(&leases, 2));
	assert_false(lease_state_release(&leases, 2));
	assert_false(lease_state_release(&leases, 5));
	assert_null(lease_state_find(&leases, 2, 0));
	/* This tick was sent before the release. */
	apply((struct lease_row[]){{1, 1, false}, {2, 1, true}}, 2, 1500, 500);
	assert_int_equal(changes.n, 0);
	lease_state_released(&leases, (int[]){2}, 1);
	assert_int_equal(leases.n_releasing, 0);
	apply((struct lease_row[]){{1, 1, false}, {2, 2, false}}, 2, 2000, 1000);
	assert_int_equal(changes.n, 1);
	assert_gain(0, 2, 2);
}

static void TEST(many_leases)
{
	enum { N = 500 };
	struct lease_row rows[N];
	for (int i = 0; i < N; i++)
		rows[i] = (struct lease_row){.id = 3 * i, .epoch = 1};
	apply(rows, N, 1000, 0);
	assert_int_equal(changes.n, N);
	for (int i = 0; i < 3 * N; i++)
		assert_int_equal(lease_state_find(&leases, i, 0) != NULL, i % 3 == 0);
	for (int i = 0; i < N; i += 2)
		assert_true(lease_state_release(&leases, 3 * i));
	apply(rows, N, 1500, 500);
	assert_int_equal(changes.n, 0);
	assert_int_equal(leases.n_held, N / 2);
	lease_state_clear(&leases);
	apply(rows, N, 1500, 500);
	assert_int_equal(changes.n, N);
}

#define LEASE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEASE_TEST(what_is_new_is_gained_and_renewed_in_silence),
		LEASE_TEST(what_runs_out_is_lost_once),
		LEASE_TEST(a_new_epoch_is_a_loss_and_a_gain),
		LEASE_TEST(a_lease_renewed_before_anyone_noticed_its_end_stays),
		LEASE_TEST(a_missing_row_is_deleted_or_had_run_out),
		LEASE_TEST(an_answer_that_came_too_late_renews_nothing),
		LEASE_TEST(surplus_is_told_once_and_still_held),
		LEASE_TEST(what_is_given_back_is_not_gained_until_that_is_confirmed),
		LEASE_TEST(many_leases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
