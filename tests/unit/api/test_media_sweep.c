/* media_sweep: when it looks again. The stores and the clock are of paper. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/check.h"
#include "services/api/api_store_media.h"
#include "services/api/media_sweep.h"

#define LOOK_MS 5000
#define MAX_MS  300000

struct pg_result {
	enum pg_status status;
	int n_rows;
};

static struct {
	loop_fn on_timer;
	void *timer_ctx;
	int64_t delay_ms; /* as the timer was last armed */
	struct pg_result page;
	enum object_end end; /* of deletions */
	int n_deleted;
} fake;

/* --- the loop --- */

struct loop_timer *loop_timer_new(
	UNUSED struct loop *loop, UNUSED const char *name, loop_fn fn, void *ctx)
{
	fake.on_timer = fn;
	fake.timer_ctx = ctx;
	return NULL;
}

void loop_timer_arm(UNUSED struct loop_timer *timer, int64_t delay_ms)
{
	fake.delay_ms = delay_ms;
}

void loop_timer_free(UNUSED struct loop_timer **timer)
{
}

/* --- Postgres --- */

bool api_store_is_up(UNUSED const struct api_store *store)
{
	return true;
}

void store_media_doomed(UNUSED struct api_store *store, UNUSED int limit, pg_done_fn fn, void *ctx)
{
	fn(ctx, &fake.page);
}

void store_media_deleted(
	UNUSED struct api_store *store, UNUSED struct strview object, pg_done_fn fn, void *ctx)
{
	static const struct pg_result done = {.status = PG_OK};
	fake.n_deleted++;
	fn(ctx, &done);
}

enum pg_status pg_status(const struct pg_result *result)
{
	return result->status;
}

const struct err *pg_err(UNUSED const struct pg_result *result)
{
	static const struct err err = {"as the test says"};
	return &err;
}

int pg_rows(const struct pg_result *result)
{
	return result->n_rows;
}

struct strview pg_text(UNUSED const struct pg_result *result, UNUSED int row, UNUSED int col)
{
	return SV_LIT("an-object");
}

/* --- the object store --- */

struct object_call *object_delete(
	UNUSED struct object_store *store, UNUSED const char *name, object_fn fn, void *ctx)
{
	struct object_answer answer = {.end = fake.end, .err = {"as the test says"}};
	fn(ctx, &answer);
	return NULL;
}

void object_call_cancel(struct object_call **call)
{
	ASSERT(*call == NULL);
}

/* --- */

static struct media_sweep *sweep;

static int setup(UNUSED void **state)
{
	memset(&fake, 0, sizeof(fake));
	fake.page.status = PG_OK;
	fake.end = OBJECT_DONE;
	sweep = media_sweep_new(NULL, NULL, NULL);
	assert_int_equal(fake.delay_ms, LOOK_MS);
	return 0;
}

static int teardown(UNUSED void **state)
{
	media_sweep_free(&sweep);
	return 0;
}

static void look(void)
{
	fake.on_timer(fake.timer_ctx);
}

/* So often that it waits as long as it ever does. */
static void fail_for_long(void)
{
	for (int i = 0; i < 10; i++)
		look();
	assert_in_range(fake.delay_ms, MAX_MS / 2, MAX_MS);
}

static void assert_waits_as_at_first(void)
{
	assert_in_range(fake.delay_ms, LOOK_MS / 2, LOOK_MS);
}

static void TEST(a_page_is_deleted_and_a_full_one_followed_by_the_next_at_once)
{
	fake.page.n_rows = 100;
	look();
	assert_int_equal(fake.n_deleted, 100);
	assert_int_equal(fake.delay_ms, 0);
	fake.page.n_rows = 1;
	look();
	assert_int_equal(fake.n_deleted, 101);
	assert_int_equal(fake.delay_ms, LOOK_MS);
}

static void TEST(it_forgets_failures_when_there_is_nothing_left_to_delete)
{
	fake.page.status = PG_FAILED;
	fail_for_long();
	fake.page.status = PG_OK;
	look();
	assert_int_equal(fake.delay_ms, LOOK_MS);
	fake.page.status = PG_FAILED;
	look();
	assert_waits_as_at_first();
}

static void TEST(it_forgets_failures_when_it_deleted_something)
{
	fake.page.n_rows = 1;
	fake.end = OBJECT_FAILED;
	fail_for_long();
	fake.end = OBJECT_DONE;
	look();
	assert_int_equal(fake.n_deleted, 1);
	fake.end = OBJECT_FAILED;
	look();
	assert_waits_as_at_first();
}

/* That Postgres says what is to be deleted does not make the store any better. */
static void TEST(a_page_alone_makes_it_forget_nothing)
{
	fake.page.n_rows = 1;
	fake.end = OBJECT_FAILED;
	fail_for_long();
	look();
	assert_in_range(fake.delay_ms, MAX_MS / 2, MAX_MS);
}

#define TEST_OF(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OF(a_page_is_deleted_and_a_full_one_followed_by_the_next_at_once),
		TEST_OF(it_forgets_failures_when_there_is_nothing_left_to_delete),
		TEST_OF(it_forgets_failures_when_it_deleted_something),
		TEST_OF(a_page_alone_makes_it_forget_nothing),
	};
	return cmocka_run_group_tests_name("media_sweep", tests, NULL, NULL);
}
