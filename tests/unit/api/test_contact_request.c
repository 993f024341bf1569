/* contact_request: a person's data, read whole or as a change. */
#include "tests/support/test.h"

#include <string.h>

#include "services/api/contact_request.h"

static struct pool *pool;
static struct json *body;
static struct field_errors errors;
static struct store_contact contact;
static struct store_contact_set set;

static int setup(UNUSED void **state)
{
	pool = pool_new();
	return 0;
}

static int teardown(UNUSED void **state)
{
	json_free(&body);
	pool_free(&pool);
	return 0;
}

static int read_text(const char *text, bool is_new)
{
	json_free(&body);
	body = json_parse(sv_from(text), NULL);
	assert_non_null(body);
	field_errors_init(&errors, pool);
	return contact_request_read(body, is_new, pool, &errors, &contact, &set);
}

static void TEST(the_guides_contact)
{
	assert_int_equal(
		read_text("{\"first_name\":\"John\",\"last_name\":\"Doe\",\"phone_numbers\":"
			  "[{\"number\":\"+1 (234) 567-890\"}],\"email\":\"john@example.com\"}",
			true),
		0);
	assert_sv(contact.first_name, "John");
	assert_sv(contact.last_name, "Doe");
	assert_sv(contact.email, "john@example.com");
	assert_int_equal(contact.n_numbers, 1);
	assert_sv(contact.numbers[0], "+1234567890");
	assert_true(sv_is_null(contact.metadata));
}

static void TEST(the_same_number_twice_is_one)
{
	assert_int_equal(read_text("{\"phone_numbers\":[{\"number\":\"+1234567890\"},"
				   "{\"number\":\"001234567890\"},{\"number\":\"+1234567891\"}]}",
				 true),
		0);
	assert_int_equal(contact.n_numbers, 2);
	assert_sv(contact.numbers[1], "+1234567891");
}

static void TEST(mistakes_name_their_item)
{
	static const struct {
		const char *field;
		const char *text;
	} cases[] = {
		{"phone_numbers", "{}"},
		{"phone_numbers", "{\"phone_numbers\":[]}"},
		{"phone_numbers", "{\"phone_numbers\":\"+1234567890\"}"},
		{"phone_numbers[0]", "{\"phone_numbers\":[\"+1234567890\"]}"},
		{"phone_numbers[1].number",
			"{\"phone_numbers\":[{\"number\":\"+1234567890\"},{\"number\":\"x\"}]}"},
		{"phone_numbers[0].number", "{\"phone_numbers\":[{}]}"},
		{"phone_numbers[0].type",
			"{\"phone_numbers\":[{\"number\":\"+1234567890\",\"type\":\"home\"}]}"},
		{"email",
			"{\"phone_numbers\":[{\"number\":\"+1234567890\"}],\"email\":\"nobody\"}"},
		{"email", "{\"phone_numbers\":[{\"number\":\"+1234567890\"}],\"email\":\"a@b@c\"}"},
		{"email", "{\"phone_numbers\":[{\"number\":\"+1234567890\"}],\"email\":\"a b@c\"}"},
		{"email", "{\"phone_numbers\":[{\"number\":\"+1234567890\"}],\"email\":\"@c\"}"},
		{"email", "{\"phone_numbers\":[{\"number\":\"+1234567890\"}],\"email\":\"c@\"}"},
		{"first_name",
			"{\"phone_numbers\":[{\"number\":\"+1234567890\"}],\"first_name\":1}"},
		{"first_name", "{\"phone_numbers\":[{\"number\":\"+1234567890\"}],\"first_name\":"
			       "\"a\\nb\"}"},
		{"metadata", "{\"phone_numbers\":[{\"number\":\"+1234567890\"}],\"metadata\":[]}"},
		{"fist_name",
			"{\"phone_numbers\":[{\"number\":\"+1234567890\"}],\"fist_name\":\"x\"}"},
	};
	for (size_t i = 0; i < array_len(cases); i++) {
		if (read_text(cases[i].text, true) != -1)
			fail_msg("accepted: %s", cases[i].text);
		assert_int_equal(errors.n, 1);
		assert_string_equal(errors.items[0].field, cases[i].field);
	}
}

static void TEST(a_change_knows_what_it_is_about)
{
	assert_int_equal(
		read_text("{\"first_name\":\"\",\"email\":null,\"metadata\":{}}", false), 0);
	assert_true(set.first_name);
	assert_true(sv_is_null(contact.first_name)); /* taken away */
	assert_false(set.last_name);
	assert_false(set.email); /* null is absent */
	assert_true(set.metadata);
	assert_false(set.numbers);
	assert_int_equal(read_text("{}", false), 0);
	assert_false(set.first_name || set.metadata || set.numbers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_guides_contact, setup, teardown),
		cmocka_unit_test_setup_teardown(the_same_number_twice_is_one, setup, teardown),
		cmocka_unit_test_setup_teardown(mistakes_name_their_item, setup, teardown),
		cmocka_unit_test_setup_teardown(a_change_knows_what_it_is_about, setup, teardown),
	};
	return cmocka_run_group_tests_name("contact_request", tests, NULL, NULL);
}
