#include "tests/support/test.h"

#include <string.h>

#include "services/gateway/baileys_frame.h"

struct scene {
	struct pool *pool;
	struct strbuf out;
	struct baileys_frame frame;
	struct err err;
};

static int setup(void **state)
{
	struct scene *scene = test_calloc(1, sizeof(*scene));
	scene->pool = pool_new();
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;
	pool_free(&scene->pool);
	strbuf_deinit(&scene->out);
	test_free(scene);
	return 0;
}

static int parse(struct scene *scene)
{
	struct err err;
	struct strview whole = strbuf_view(&scene->out);
	assert_int_equal(baileys_frame_size((const uint8_t *)whole.ptr, &err),
		(int64_t)whole.len - BAILEYS_FRAME_HEAD);
	return baileys_frame_parse(
		sv_make(whole.ptr + BAILEYS_FRAME_HEAD, whole.len - BAILEYS_FRAME_HEAD),
		scene->pool, &scene->frame, &scene->err);
}

static void what_is_written_is_read(void **state)
{
	struct scene *scene = *state;
	struct baileys_writer writer;
	baileys_write_begin(&writer, &scene->out, "state", 4);
	baileys_write_int(&writer, 7);
	baileys_write_text(&writer, SV_LIT("connected"));
	baileys_write_text(&writer, SV_NULL);
	baileys_write_text(&writer, SV_LIT("49151"));
	baileys_write_end(&writer);
	assert_int_equal(parse(scene), 0);
	assert_int_equal(scene->frame.kind, BAILEYS_STATE);
	assert_int_equal(scene->frame.fields[BAILEYS_LINE].number, 7);
	assert_sv(scene->frame.fields[STATE_STATE].text, "connected");
	assert_true(sv_is_null(scene->frame.fields[STATE_REASON].text));
}

static void names_come_as_an_array(void **state)
{
	struct scene *scene = *state;
	const struct strview names[] = {SV_LIT("session/a"), SV_LIT("pre-key/7")};
	struct baileys_writer writer;
	baileys_write_begin(&writer, &scene->out, "keys_read", 3);
	baileys_write_int(&writer, 7);
	baileys_write_int(&writer, 1);
	baileys_write_array(&writer, names, 2);
	baileys_write_end(&writer);
	assert_int_equal(parse(scene), 0);
	assert_int_equal(scene->frame.n_names, 2);
	assert_sv(scene->frame.names[1], "pre-key/7");
}

static void a_wrong_count_type_or_kind_is_refused(void **state)
{
	struct scene *scene = *state;
	struct baileys_writer writer;
	baileys_write_begin(&writer, &scene->out, "closed", 2);
	baileys_write_int(&writer, 7);
	baileys_write_int(&writer, 7);
	baileys_write_end(&writer);
	assert_int_equal(parse(scene), -1);
	assert_string_equal(scene->err.text, "closed has 3 elements");
	strbuf_reset(&scene->out);
	baileys_write_begin(&writer, &scene->out, "closed", 1);
	baileys_write_text(&writer, SV_LIT("7"));
	baileys_write_end(&writer);
	assert_int_equal(parse(scene), -1);
	assert_string_equal(scene->err.text, "closed is wrong at element 1");
	strbuf_reset(&scene->out);
	baileys_write_begin(&writer, &scene->out, "send", 1);
	baileys_write_int(&writer, 7);
	baileys_write_end(&writer);
	assert_int_equal(parse(scene), -1);
}

static void a_text_with_nul_or_broken_utf8_is_refused(void **state)
{
	struct scene *scene = *state;
	const struct strview bad[] = {SV_LIT("a\0b"), SV_LIT("\xFF")};
	for (size_t i = 0; i < array_len(bad); i++) {
		struct baileys_writer writer;
		strbuf_reset(&scene->out);
		baileys_write_begin(&writer, &scene->out, "fatal", 1);
		baileys_write_text(&writer, bad[i]);
		baileys_write_end(&writer);
		assert_int_equal(parse(scene), -1);
	}
}

static void TEST(a_length_out_of_bounds_is_refused)
{
	struct err err;
	const uint8_t none[] = {0, 0, 0, 0};
	const uint8_t most[] = {0, 0x40, 0, 0};
	const uint8_t more[] = {0, 0x40, 0, 1};
	assert_int_equal(baileys_frame_size(none, &err), -1);
	assert_int_equal(baileys_frame_size(most, &err), BAILEYS_FRAME_MAX);
	assert_int_equal(baileys_frame_size(more, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_written_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(names_come_as_an_array, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_wrong_count_type_or_kind_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_text_with_nul_or_broken_utf8_is_refused, setup, teardown),
		cmocka_unit_test(a_length_out_of_bounds_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
