/* Members that share leases in a real Postgres. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/io/lease.h"

#define WAIT_MS  15000
#define N_LEASES 8
#define MEMBERS  3

struct member {
	struct pg_conn *conn;
	struct lease_set *set;
	int n_gained, n_lost[3];
	int64_t epochs[N_LEASES]; /* of what it has, 0 else */
	bool release_surplus;
	bool has_left;
	bool free_on_gain;
};

static struct loop *loop;
static struct pg_conn *admin;
static struct member members[MEMBERS];
static int64_t highest_epoch[N_LEASES];

static void on_gained(void *ctx, int id, int64_t epoch)
{
	struct member *member = ctx;
	assert_in_range(id, 0, N_LEASES - 1);
	assert_true(epoch >= highest_epoch[id]);
	highest_epoch[id] = epoch;
	member->n_gained++;
	member->epochs[id] = epoch;
	assert_true(lease_is_held(member->set, id));
	assert_true(lease_epoch(member->set, id) == epoch);
	if (member->free_on_gain)
		lease_set_free(&member->set);
}

static void on_lost(void *ctx, int id, enum lease_loss why)
{
	struct member *member = ctx;
	member->n_lost[why]++;
	if (why == LEASE_SURPLUS) {
		assert_true(lease_is_held(member->set, id));
		if (!member->release_surplus)
			return;
		lease_release(member->set, id);
	}
	assert_false(lease_is_held(member->set, id));
	assert_true(lease_epoch(member->set, id) == 0);
	member->epochs[id] = 0;
}

static const struct lease_events events = {.on_gained = on_gained, .on_lost = on_lost};

static const char *database_url(void)
{
	const char *url = getenv("WA_TEST_DATABASE_URL");
	if (url == NULL)
		fail_msg("run under tests/support/with_services.sh, with WITH_SERVICES_SCHEMA=1");
	return url;
}

static int is_up(void *ctx)
{
	return pg_conn_is_up(ctx);
}

static char member_url[256]; /* with a service's rights */

static struct pg_conn *connect_as(const char *url)
{
	struct pg_conn_options options = {.url = url, .app_name = "test_lease"};
	struct pg_conn *conn = pg_conn_new(loop, &options, NULL, NULL);
	assert_true(loop_run_until(loop, is_up, conn, WAIT_MS));
	return conn;
}

static void on_done(void *ctx, const struct pg_result *result)
{
	if (pg_status(result) != PG_OK)
		fail_msg("%s", pg_err(result)->text);
	*(bool *)ctx = true;
}

static int is_true(void *ctx)
{
	return *(bool *)ctx;
}

static void run(const struct pg_stmt *stmt)
{
	bool is_done = false;
	pg_conn_query(admin, stmt, NULL, WAIT_MS, on_done, &is_done);
	assert_true(loop_run_until(loop, is_true, &is_done, WAIT_MS));
}

static void join(int i, int cap)
{
	char name[16];
	(void)snprintf(name, sizeof(name), "member-%d", i);
	members[i].conn = connect_as(member_url);
	members[i].release_surplus = true;
	members[i].set =
		lease_set_new(loop, members[i].conn, "partition", name, cap, &events, &members[i]);
}

static int set_up(UNUSED void **state)
{
	static const struct pg_stmt clear = {"clear_members", "DELETE FROM members"};
	static const struct pg_stmt fewer = {
		"fewer_leases", "DELETE FROM leases WHERE kind = 'partition'"};
	static const struct pg_stmt more = {
		"more_leases", "INSERT INTO leases (kind, id) SELECT 'partition', n FROM "
			       "generate_series(0, 7) AS n"};
	loop = loop_new();
	memset(members, 0, sizeof(members));
	memset(highest_epoch, 0, sizeof(highest_epoch));
	admin = connect_as(database_url());
	(void)snprintf(member_url, sizeof(member_url), "postgresql://sender%s",
		strchr(database_url(), '@'));
	run(&clear);
	run(&fewer);
	run(&more);
	return 0;
}

static void stop(int i)
{
	lease_set_free(&members[i].set);
	pg_conn_free(&members[i].conn);
}

static int tear_down(UNUSED void **state)
{
	for (int i = 0; i < MEMBERS; i++)
		stop(i);
	pg_conn_free(&admin);
	loop_free(&loop);
	return 0;
}

/* Exactly one member holds each lease, and each member has its fair share. */
static int is_shared_fairly(void *ctx)
{
	int n_members = *(int *)ctx;
	int share = (N_LEASES + n_members - 1) / n_members;
	int total = 0;
	for (int i = 0; i < MEMBERS; i++) {
		if (members[i].set == NULL)
			continue;
		int n = lease_count(members[i].set);
		if (n > share)
			return 0;
		total += n;
	}
	return total == N_LEASES;
}

static int holds_all(void *ctx)
{
	return lease_count(((struct member *)ctx)->set) == N_LEASES;
}

static int holds_none(void *ctx)
{
	return lease_count(((struct member *)ctx)->set) == 0;
}

static void assert_no_overlap(void)
{
	for (int id = 0; id < N_LEASES; id++) {
		int n = 0;
		for (int i = 0; i < MEMBERS; i++)
			n += members[i].set != NULL && lease_is_held(members[i].set, id);
		assert_true(n <= 1);
	}
}

static void TEST(members_share_and_take_over)
{
	int n = 1;
	join(0, 0);
	assert_false(lease_set_is_healthy(members[0].set));
	assert_true(loop_run_until(loop, holds_all, &members[0], WAIT_MS));
	assert_true(lease_set_is_healthy(members[0].set));
	join(1, 0);
	n = 2;
	assert_true(loop_run_until(loop, is_shared_fairly, &n, WAIT_MS));
	assert_no_overlap();
	assert_int_equal(members[0].n_lost[LEASE_SURPLUS], N_LEASES / 2);
	assert_int_equal(members[1].n_gained, N_LEASES / 2);
	join(2, 0);
	n = 3;
	assert_true(loop_run_until(loop, is_shared_fairly, &n, WAIT_MS));
	assert_no_overlap();

	/* Two die without a word: the last one has all within a TTL and two ticks. */
	stop(1);
	stop(2);
	int64_t start_ms = clock_mono_ms();
	assert_true(loop_run_until(loop, holds_all, &members[0], WAIT_MS));
	assert_in_range(clock_mono_ms() - start_ms, 0, LEASE_TTL_MS + 2 * LEASE_TICK_MS);
	assert_int_equal(members[0].n_lost[LEASE_EXPIRED], 0);
	assert_int_equal(members[0].n_lost[LEASE_DELETED], 0);
	for (int id = 4; id < N_LEASES; id++)
		assert_true(lease_epoch(members[0].set, id) >= 3);
	assert_int_equal(lease_epoch(members[0].set, 0), 1);
}

static void on_left(void *ctx)
{
	((struct member *)ctx)->has_left = true;
}

static int has_left(void *ctx)
{
	return ((struct member *)ctx)->has_left;
}

static void TEST(who_leaves_gives_back_at_once)
{
	int n = 2;
	join(0, 0);
	join(1, 0);
	assert_true(loop_run_until(loop, is_shared_fairly, &n, WAIT_MS));
	int64_t start_ms = clock_mono_ms();
	lease_release_all(members[0].set, 5000, on_left, &members[0]);
	assert_false(members[0].has_left);
	assert_int_equal(lease_count(members[0].set), 0);
	assert_true(loop_run_until(loop, has_left, &members[0], WAIT_MS));
	assert_true(loop_run_until(loop, holds_all, &members[1], WAIT_MS));
	assert_in_range(clock_mono_ms() - start_ms, 0, LEASE_TTL_MS / 2);
	assert_int_equal(members[0].n_lost[LEASE_EXPIRED], 0);
	assert_int_equal(lease_count(members[0].set), 0);
}

static void TEST(leaving_ends_at_its_deadline_without_postgres)
{
	join(0, 0);
	assert_true(loop_run_until(loop, holds_all, &members[0], WAIT_MS));
	struct pg_conn *conn = members[0].conn;
	struct pg_conn_options nowhere = {.url = "postgresql://nobody@127.0.0.1:1/none"};
	lease_set_free(&members[0].set);
	pg_conn_free(&conn);
	members[0].conn = pg_conn_new(loop, &nowhere, NULL, NULL);
	members[0].set = lease_set_new(
		loop, members[0].conn, "partition", "member-0", 0, &events, &members[0]);
	lease_release_all(members[0].set, 300, on_left, &members[0]);
	assert_true(loop_run_until(loop, has_left, &members[0], 2000));
}

static void TEST(a_cap_is_kept)
{
	int share = 5;
	join(0, share);
	join(1, 0);
	int n = 2;
	assert_true(loop_run_until(loop, is_shared_fairly, &n, WAIT_MS));
	stop(1);
	bool never = false;
	assert_false(loop_run_until(loop, is_true, &never, LEASE_TTL_MS + 2 * LEASE_TICK_MS));
	assert_int_equal(lease_count(members[0].set), share);
}

static void TEST(a_given_back_lease_goes_to_another)
{
	join(0, 4);
	join(1, 0);
	int n = 2;
	assert_true(loop_run_until(loop, is_shared_fairly, &n, WAIT_MS));
	int64_t before = members[0].n_gained;
	for (int id = 0; id < N_LEASES; id++)
		lease_release(members[0].set, id); /* those of the other are not touched */
	assert_int_equal(lease_count(members[0].set), 0);
	assert_true(loop_run_until(
		loop, is_shared_fairly, &n, WAIT_MS)); /* regained, with new epochs */
	assert_int_equal(members[0].n_gained, before + 4);
	for (int id = 0; id < N_LEASES; id++)
		assert_true(members[0].epochs[id] == 0 || members[0].epochs[id] >= 2);
	assert_no_overlap();
}

static void TEST(leases_run_out_while_postgres_is_away_and_come_back)
{
	static const struct pg_stmt stop_logins = {"stop_logins", "ALTER ROLE sender NOLOGIN"};
	static const struct pg_stmt kill = {"kill_member",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sender'"};
	static const struct pg_stmt start_logins = {"start_logins", "ALTER ROLE sender LOGIN"};
	join(0, 0);
	assert_true(loop_run_until(loop, holds_all, &members[0], WAIT_MS));
	run(&stop_logins);
	run(&kill);
	int64_t start_ms = clock_mono_ms();
	assert_true(loop_run_until(loop, holds_none, &members[0], WAIT_MS));
	assert_in_range(clock_mono_ms() - start_ms,
		LEASE_TTL_MS - LEASE_MARGIN_MS - LEASE_TICK_MS - 300,
		LEASE_TTL_MS - LEASE_MARGIN_MS + 500);
	assert_true(loop_run_until(loop, holds_none, &members[0], WAIT_MS));
	bool never = false;
	assert_false(loop_run_until(loop, is_true, &never, LEASE_TICK_MS + LEASE_MARGIN_MS));
	assert_int_equal(members[0].n_lost[LEASE_EXPIRED], N_LEASES);
	assert_false(lease_set_is_healthy(members[0].set));
	run(&start_logins);
	assert_true(loop_run_until(loop, holds_all, &members[0], WAIT_MS));
	assert_int_equal(lease_epoch(members[0].set, 0), 2);
	assert_true(lease_set_is_healthy(members[0].set));
}

static int has_lost_deleted(void *ctx)
{
	return ((struct member *)ctx)->n_lost[LEASE_DELETED] > 0;
}

static void TEST(a_deleted_lease_is_lost)
{
	static const struct pg_stmt delete_one = {
		"delete_one", "DELETE FROM leases WHERE kind = 'partition' AND id = 3"};
	join(0, 0);
	assert_true(loop_run_until(loop, holds_all, &members[0], WAIT_MS));
	run(&delete_one);
	assert_true(loop_run_until(loop, has_lost_deleted, &members[0], WAIT_MS));
	assert_int_equal(lease_count(members[0].set), N_LEASES - 1);
	assert_false(lease_is_held(members[0].set, 3));
}

static int is_freed(void *ctx)
{
	return ((struct member *)ctx)->set == NULL;
}

static void TEST(a_callback_may_free_the_set)
{
	join(0, 0);
	members[0].free_on_gain = true;
	assert_true(loop_run_until(loop, is_freed, &members[0], WAIT_MS));
	assert_int_equal(members[0].n_gained, 1);
}

#define LEASE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEASE_TEST(members_share_and_take_over),
		LEASE_TEST(who_leaves_gives_back_at_once),
		LEASE_TEST(leaving_ends_at_its_deadline_without_postgres),
		LEASE_TEST(a_cap_is_kept),
		LEASE_TEST(a_given_back_lease_goes_to_another),
		LEASE_TEST(leases_run_out_while_postgres_is_away_and_come_back),
		LEASE_TEST(a_deleted_lease_is_lost),
		LEASE_TEST(a_callback_may_free_the_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
