/* problem: the document's members, and hostile text in them. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "services/api/problem.h"

static struct json *format(enum problem problem, const struct problem_text *text)
{
	struct strbuf out = STRBUF_INIT;
	struct err err;
	problem_format(problem, text, &out);
	struct json *document = json_parse(strbuf_view(&out), &err);
	if (document == NULL)
		fail_msg("%s: %s", strbuf_cstr(&out), err.text);
	strbuf_deinit(&out);
	return document;
}

static void TEST(every_kind_has_its_members)
{
	for (int i = 0; i < PROBLEM_COUNT; i++) {
		struct problem_text text = {
			.detail = "d", .instance = SV_LIT("/p"), .request_id = SV_LIT("req_1")};
		struct json *document = format((enum problem)i, &text);
		char type[128];
		(void)snprintf(
			type, sizeof(type), "/docs/errors#%s", problem_code((enum problem)i));
		assert_sv(json_string(json_object_get(document, "type")), type);
		assert_int_equal(json_int(json_object_get(document, "status")),
			problem_status((enum problem)i));
		assert_sv(json_string(json_object_get(document, "detail")), "d");
		assert_sv(json_string(json_object_get(document, "instance")), "/p");
		assert_sv(json_string(json_object_get(document, "request_id")), "req_1");
		assert_null(json_object_get(document, "errors"));
		json_free(&document);
	}
}

static void TEST(field_errors_are_listed)
{
	struct pool *pool = pool_new();
	struct field_errors errors;
	field_errors_init(&errors, pool);
	field_errors_add(&errors, "a", "is %d", 1);
	field_errors_add(&errors, "b\"\n", "is \"bad\"");
	struct problem_text text = {
		.detail = "", .instance = SV_NULL, .request_id = SV_LIT(""), .errors = &errors};
	struct json *document = format(PROBLEM_VALIDATION, &text);
	const struct json *list = json_object_get(document, "errors");
	assert_int_equal(json_array_len(list), 2);
	assert_sv(json_string(json_object_get(json_array_get(list, 0), "message")), "is 1");
	assert_sv(json_string(json_object_get(json_array_get(list, 1), "field")), "b\"\n");
	assert_null(json_object_get(document, "instance"));
	json_free(&document);
	pool_free(&pool);
}

static void TEST(a_path_that_is_no_text_is_left_out)
{
	struct problem_text text = {
		.detail = "", .instance = SV_LIT("/\xff\xfe"), .request_id = SV_LIT("r")};
	struct json *document = format(PROBLEM_NOT_FOUND, &text);
	assert_null(json_object_get(document, "instance"));
	json_free(&document);
}

static void TEST(a_long_field_is_cut_between_characters)
{
	struct pool *pool = pool_new();
	struct field_errors errors;
	char field[512];
	for (size_t i = 0; i + 1 < sizeof(field); i += 2)
		memcpy(field + i, "\xc3\xa9", 2);
	field[301] = '\0';
	field_errors_init(&errors, pool);
	field_errors_add(&errors, field + 1 - 1, "x");
	assert_true(strlen(errors.items[0].field) <= 128);
	assert_true(sv_is_utf8(sv_from(errors.items[0].field)));
	pool_free(&pool);
}

static void TEST(the_servers_own_statuses_have_a_kind)
{
	static const int statuses[] = {400, 408, 413, 414, 431, 501, 505};
	for (size_t i = 0; i < array_len(statuses); i++)
		assert_int_equal(problem_status(problem_of_status(statuses[i])), statuses[i]);
	assert_int_equal(problem_of_status(418), PROBLEM_MALFORMED);
	assert_int_equal(problem_of_status(599), PROBLEM_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_has_its_members),
		cmocka_unit_test(field_errors_are_listed),
		cmocka_unit_test(a_path_that_is_no_text_is_left_out),
		cmocka_unit_test(a_long_field_is_cut_between_characters),
		cmocka_unit_test(the_servers_own_statuses_have_a_kind),
	};
	return cmocka_run_group_tests_name("problem", tests, NULL, NULL);
}
