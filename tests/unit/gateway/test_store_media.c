/* Media files in an object store: a row never names what is not there, and nothing is forgotten. */
#include "tests/support/test.h"

#include "services/gateway/gateway_store_media.h"
#include "tests/unit/gateway/store_scene.h"

#define PHONE  "+491511"
#define WANTED ", type = 2, media_url = 'http://x/y', media_wanted = true"
#define LOOSE  "SELECT object, doomed FROM media_loose ORDER BY object"
#define FILES  "SELECT sha256, content_type, size_bytes, object, bytes IS NULL FROM media"

static struct gateway_media_object object_of(const char *name, const char *message_id)
{
	return (struct gateway_media_object){
		.object = sv_from(name),
		.message_id = sv_from(message_id),
		.sha256 = SV_LIT("abc"),
		.content_type = SV_LIT("image/png"),
		.size_bytes = 6,
	};
}

static void on_begun(void *ctx, const struct pg_result *result)
{
	enum gateway_media_begun *begun = ctx;
	*begun = gateway_store_media_begun(result);
}

static enum gateway_media_begun begin(struct scene *scene, const char *name)
{
	enum gateway_media_begun begun;
	struct gateway_media_object object = object_of(name, NULL);
	gateway_store_media_begin(scene->conn, &object, scene_on_done, scene);
	scene_wait(scene, on_begun, &begun);
	return begun;
}

static void on_ended(void *ctx, const struct pg_result *result)
{
	bool *ended = ctx;
	*ended = gateway_store_media_ended(result);
}

static bool end(struct scene *scene, const char *name, const char *message_id)
{
	bool ended;
	struct gateway_media_object object = object_of(name, message_id);
	gateway_store_media_end(scene->conn, &object, scene_on_done, scene);
	scene_wait(scene, on_ended, &ended);
	return ended;
}

static int reset(void **state)
{
	if (scene_reset(state) != 0)
		return -1;
	scene_sql(*state, "DELETE FROM media; DELETE FROM media_loose");
	return 0;
}

static void an_object_is_loose_until_a_row_names_it(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, WANTED);
	for (int i = 0; i < 2; i++)
		assert_int_equal(begin(scene, "abc-1"), GATEWAY_MEDIA_BEGUN);
	scene_expect(scene, LOOSE, "abc-1|f");
	scene_expect(scene, FILES, "");
	for (int i = 0; i < 2; i++)
		assert_true(end(scene, "abc-1", "msg_A"));
	scene_expect(scene, LOOSE, "");
	scene_expect(scene, FILES, "abc|image/png|6|abc-1|t");
	scene_expect(scene, "SELECT media_sha256, media_wanted FROM messages", "abc|f");
}

static void a_file_that_is_here_is_not_put_again(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, WANTED);
	assert_int_equal(begin(scene, "abc-1"), GATEWAY_MEDIA_BEGUN);
	assert_true(end(scene, "abc-1", NULL));
	assert_int_equal(begin(scene, "abc-2"), GATEWAY_MEDIA_IS_HERE);
	assert_true(end(scene, "abc-2", "msg_A"));
	scene_expect(scene, LOOSE, "");
	scene_expect(scene, FILES, "abc|image/png|6|abc-1|t");
	scene_expect(scene, "SELECT media_sha256, media_wanted FROM messages", "abc|f");
}

static void of_two_that_put_the_same_file_one_stays_loose(void **state)
{
	struct scene *scene = *state;
	assert_int_equal(begin(scene, "abc-1"), GATEWAY_MEDIA_BEGUN);
	assert_int_equal(begin(scene, "abc-2"), GATEWAY_MEDIA_BEGUN);
	assert_true(end(scene, "abc-2", NULL));
	assert_true(end(scene, "abc-1", NULL));
	scene_expect(scene, LOOSE, "abc-1|f");
	scene_expect(scene, FILES, "abc|image/png|6|abc-2|t");
}

static void what_is_doomed_is_named_by_nobody(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, WANTED);
	assert_int_equal(begin(scene, "abc-1"), GATEWAY_MEDIA_BEGUN);
	scene_sql(scene, "UPDATE media_loose SET doomed = true");
	assert_int_equal(begin(scene, "abc-1"), GATEWAY_MEDIA_DOOMED);
	assert_false(end(scene, "abc-1", "msg_A"));
	scene_sql(scene, "DELETE FROM media_loose");
	assert_false(end(scene, "abc-1", "msg_A"));
	scene_expect(scene, FILES, "");
	scene_expect(scene, "SELECT media_sha256, media_wanted FROM messages", "|t");
}

/* The file was here when it was begun, and its last message was erased since. */
static void a_row_that_is_gone_meanwhile_is_no_row(void **state)
{
	struct scene *scene = *state;
	assert_int_equal(begin(scene, "abc-1"), GATEWAY_MEDIA_BEGUN);
	assert_true(end(scene, "abc-1", NULL));
	assert_int_equal(begin(scene, "abc-2"), GATEWAY_MEDIA_IS_HERE);
	scene_sql(scene, "DELETE FROM media");
	assert_false(end(scene, "abc-2", NULL));
	assert_int_equal(begin(scene, "abc-2"), GATEWAY_MEDIA_BEGUN);
	assert_true(end(scene, "abc-2", NULL));
	scene_expect(scene, FILES, "abc|image/png|6|abc-2|t");
}

static void what_nobody_wants_any_more_stays_loose(void **state)
{
	struct scene *scene = *state;
	scene_message(scene, "msg_A", PHONE, 1, WANTED ", erased = true");
	assert_int_equal(begin(scene, "abc-1"), GATEWAY_MEDIA_BEGUN);
	assert_true(end(scene, "abc-1", "msg_A"));
	scene_expect(scene, LOOSE, "abc-1|f");
	scene_expect(scene, FILES, "");
	scene_expect(scene, "SELECT media_sha256, media_wanted FROM messages", "|f");
	assert_true(end(scene, "abc-1", "msg_B"));
	scene_expect(scene, FILES, "");
}

#define TEST_OF(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OF(an_object_is_loose_until_a_row_names_it),
		TEST_OF(a_file_that_is_here_is_not_put_again),
		TEST_OF(of_two_that_put_the_same_file_one_stays_loose),
		TEST_OF(what_is_doomed_is_named_by_nobody),
		TEST_OF(a_row_that_is_gone_meanwhile_is_no_row),
		TEST_OF(what_nobody_wants_any_more_stays_loose),
	};
	return cmocka_run_group_tests(tests, scene_setup, scene_teardown);
}
