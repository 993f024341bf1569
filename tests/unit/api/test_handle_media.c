/* handle_media: how much of files may lie in memory, on their way from the object store or from
 * Postgres and until their clients have taken them. What stands around it is of paper. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/check.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_media.h"
#include "services/api/handlers.h"

#define MIB       (INT64_C(1024) * 1024)
#define ROOM      (128 * MIB)
#define SHA       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define MAX_CALLS 8

struct fetch {
	object_fn fn;
	void *ctx;
	int64_t max_bytes;
};

static struct {
	struct api api;
	int64_t unread_bytes;
	struct store_media media; /* what Postgres has */
	int n_fetches;            /* ever begun */
	struct fetch fetches[MAX_CALLS];
	int status; /* of the last answer; 0: none came */
	enum problem problem;
	int64_t body_bytes;
} fake;

/* --- Postgres, the object store, the HTTP server --- */

void store_media_get(UNUSED struct api_store *store, UNUSED int32_t tenant_id,
	UNUSED struct strview sha256, pg_done_fn fn, void *ctx)
{
	fn(ctx, NULL);
}

struct store_media store_media_at(UNUSED const struct pg_result *result)
{
	return fake.media;
}

bool api_call_pg_found(UNUSED struct api_call *call, UNUSED const struct pg_result *result,
	UNUSED const char *what)
{
	return true;
}

struct object_call *object_get(UNUSED struct object_store *store, UNUSED const char *name,
	int64_t max_bytes, object_fn fn, void *ctx)
{
	ASSERT(fake.n_fetches < MAX_CALLS);
	fake.fetches[fake.n_fetches++] = (struct fetch){fn, ctx, max_bytes};
	return NULL;
}

int64_t http_server_unread_bytes(UNUSED const struct http_server *server)
{
	return fake.unread_bytes;
}

/* Its memory goes, as with the real one. */
static void answer(struct api_call *call, int status, enum problem problem, int64_t body_bytes)
{
	struct pool *pool = call->pool;
	fake.status = status;
	fake.problem = problem;
	fake.body_bytes = body_bytes;
	pool_free(&pool);
}

void api_reply_header(
	UNUSED struct api_call *call, UNUSED const char *name, UNUSED struct strview value)
{
}

void api_reply_raw(
	struct api_call *call, int status, UNUSED const char *content_type, struct strview body)
{
	answer(call, status, PROBLEM_INTERNAL, (int64_t)body.len);
}

void api_reply_retry(
	struct api_call *call, enum problem problem, int retry_after_s, UNUSED const char *detail)
{
	ASSERT(retry_after_s > 0);
	answer(call, problem_status(problem), problem, 0);
}

void api_reply_not_found(struct api_call *call, UNUSED const char *what)
{
	answer(call, 404, PROBLEM_NOT_FOUND, 0);
}

/* --- */

static int setup(UNUSED void **state)
{
	memset(&fake, 0, sizeof(fake));
	fake.api.media_store.objects = (struct object_store *)&fake; /* not NULL: there is one */
	return 0;
}

static void get_file(void)
{
	struct pool *pool = pool_new();
	struct api_call *call = pool_new_in(pool, struct api_call);
	call->api = &fake.api;
	call->pool = pool;
	call->params[0] = SV_LIT(SHA);
	fake.status = 0;
	handle_media_get(call);
}

static void get_object(int64_t size_bytes)
{
	fake.media = (struct store_media){.content_type = SV_LIT("image/png"),
		.object = SV_LIT("x"),
		.size_bytes = size_bytes};
	get_file();
}

static void get_row(int64_t size_bytes)
{
	fake.media = (struct store_media){
		.content_type = SV_LIT("image/png"), .bytes = sv_make("", (size_t)size_bytes)};
	get_file();
}

/* The store ends fetch number i; nobody looks at the bytes. */
static void end_fetch(int i, enum object_end end, int64_t n_bytes)
{
	struct object_answer object = {.end = end, .bytes = sv_make("", (size_t)n_bytes)};
	fake.fetches[i].fn(fake.fetches[i].ctx, &object);
}

static void assert_begun(int n)
{
	assert_int_equal(fake.status, 0);
	assert_int_equal(fake.n_fetches, n);
}

static void assert_problem(enum problem problem)
{
	assert_int_equal(fake.status, problem_status(problem));
	assert_int_equal(fake.problem, problem);
}

static void assert_given(int64_t n_bytes)
{
	assert_int_equal(fake.status, 200);
	assert_int_equal(fake.body_bytes, n_bytes);
}

/* --- */

static void TEST(what_is_being_fetched_counts)
{
	get_object(100 * MIB);
	assert_begun(1);
	get_object(28 * MIB + 1);
	assert_problem(PROBLEM_OVERLOADED);
	assert_int_equal(fake.n_fetches, 1);
	get_object(28 * MIB);
	assert_begun(2);
	get_row(1);
	assert_problem(PROBLEM_OVERLOADED);
	end_fetch(0, OBJECT_DONE, 100 * MIB);
	assert_given(100 * MIB);
	get_row(100 * MIB);
	assert_given(100 * MIB);
	end_fetch(1, OBJECT_DONE, 28 * MIB);
	assert_given(28 * MIB);
	assert_int_equal(fake.api.fetching_bytes, 0);
}

static void TEST(what_was_not_taken_counts_with_it)
{
	fake.unread_bytes = 60 * MIB;
	get_object(40 * MIB);
	assert_begun(1);
	get_object(28 * MIB + 1);
	assert_problem(PROBLEM_OVERLOADED);
	fake.unread_bytes = 100 * MIB; /* others were answered meanwhile */
	end_fetch(0, OBJECT_DONE, 40 * MIB);
	assert_problem(PROBLEM_OVERLOADED);
	get_object(28 * MIB);
	assert_begun(2);
	end_fetch(1, OBJECT_DONE, 28 * MIB);
	assert_given(28 * MIB);
}

static void TEST(however_a_fetch_ends_its_bytes_count_no_more)
{
	get_object(ROOM);
	end_fetch(0, OBJECT_FAILED, 0);
	assert_problem(PROBLEM_MEDIA_UNAVAILABLE);
	get_object(ROOM);
	end_fetch(1, OBJECT_ABSENT, 0);
	assert_problem(PROBLEM_NOT_FOUND);
	get_object(ROOM);
	end_fetch(2, OBJECT_DONE, 1); /* not whole */
	assert_problem(PROBLEM_MEDIA_UNAVAILABLE);
	get_object(ROOM);
	assert_begun(4);
	end_fetch(3, OBJECT_DONE, ROOM);
	assert_given(ROOM);
	assert_int_equal(fake.api.fetching_bytes, 0);
}

static void TEST(a_file_larger_than_all_room_passes_alone)
{
	fake.unread_bytes = 1;
	get_object(ROOM + 1);
	assert_problem(PROBLEM_OVERLOADED);
	get_row(ROOM + 1);
	assert_problem(PROBLEM_OVERLOADED);
	fake.unread_bytes = 0;
	get_row(ROOM + 1);
	assert_given(ROOM + 1);
	get_object(ROOM + 1);
	assert_begun(1);
	assert_int_equal(fake.fetches[0].max_bytes, ROOM + 1);
	get_object(1);
	assert_problem(PROBLEM_OVERLOADED);
	end_fetch(0, OBJECT_DONE, ROOM + 1);
	assert_given(ROOM + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_being_fetched_counts, setup),
		cmocka_unit_test_setup(what_was_not_taken_counts_with_it, setup),
		cmocka_unit_test_setup(however_a_fetch_ends_its_bytes_count_no_more, setup),
		cmocka_unit_test_setup(a_file_larger_than_all_room_passes_alone, setup),
	};
	return cmocka_run_group_tests_name("handle_media", tests, NULL, NULL);
}
