/* message_request: what is good is read as it stands, and every mistake is named, all at once. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "services/api/message_request.h"

#define NOW 1767258000000 /* 2026-01-01T09:00:00Z */

struct world {
	bool has_key;
	struct pool *pool;
	struct url_guard *guard;
	struct json *body;
	struct field_errors errors;
	struct message_request request;
};

static int setup(void **state)
{
	struct world *world = mem_new(struct world);
	world->pool = pool_new();
	world->guard = url_guard_new(false, SV_LIT(""), NULL);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	json_free(&world->body);
	pool_free(&world->pool);
	url_guard_free(&world->guard);
	mem_free(world);
	return 0;
}

static int read_text(struct world *world, const char *text)
{
	struct err err;
	json_free(&world->body);
	world->body = json_parse(sv_from(text), &err);
	if (world->body == NULL)
		fail_msg("%s: %s", text, err.text);
	field_errors_init(&world->errors, world->pool);
	return message_request_read(world->body, world->guard, NOW, world->has_key, world->pool,
		&world->errors, &world->request);
}

static bool names_field(const struct world *world, const char *field)
{
	for (int i = 0; i < world->errors.n; i++) {
		if (strcmp(world->errors.items[i].field, field) == 0)
			return true;
	}
	return false;
}

static void the_guides_text_message(void **state)
{
	struct world *world = *state;
	assert_int_equal(
		read_text(world,
			"{\"contact_id\":1,\"message_body\":\"hello\",\"message_type\":\"text\"}"),
		0);
	assert_int_equal(world->request.contact_id, 1);
	assert_int_equal(world->request.type, MESSAGE_TEXT);
	assert_sv(world->request.body, "hello");
	assert_true(sv_is_null(world->request.caption));
	assert_true(sv_is_null(world->request.external_ref));
	assert_true(world->request.send_at == MESSAGE_NO_TIME);
	assert_int_equal(world->request.session_id, 0);
	assert_string_equal(world->request.phone, "");
}

static void the_guides_media_message(void **state)
{
	struct world *world = *state;
	assert_int_equal(
		read_text(world, "{\"contact_id\":\"12\",\"message_type\":\"image\",\"media_url\":"
				 "\"https://finance.app/i.png\",\"caption\":\"Your invoice\"}"),
		0);
	assert_int_equal(world->request.contact_id, 12);
	assert_int_equal(world->request.type, MESSAGE_IMAGE);
	assert_sv(world->request.media_url, "https://finance.app/i.png");
	assert_sv(world->request.caption, "Your invoice");
	assert_true(sv_is_null(world->request.body));
}

static void a_body_stands_for_a_media_messages_caption(void **state)
{
	struct world *world = *state;
	assert_int_equal(
		read_text(world, "{\"contact_id\":1,\"message_type\":\"document\","
				 "\"media_url\":\"https://x.example/a.pdf\","
				 "\"message_body\":\"as a caption\",\"filename\":\"a.pdf\"}"),
		0);
	assert_sv(world->request.caption, "as a caption");
	assert_true(sv_is_null(world->request.body));
	assert_int_equal(read_text(world, "{\"contact_id\":1,\"message_type\":\"document\","
					  "\"media_url\":\"https://x.example/a.pdf\","
					  "\"message_body\":\"b\",\"caption\":\"c\"}"),
		-1);
	assert_true(names_field(world, "message_body"));
}

static void everything_optional(void **state)
{
	struct world *world = *state;
	assert_int_equal(
		read_text(world, "{\"phone_number\":\"+49 170 1234567\",\"message_body\":\"x\","
				 "\"external_ref\":\"INV-1\",\"once\":true,\"session_id\":3,"
				 "\"send_at\":\"2026-01-01T10:00:00Z\","
				 "\"valid_until\":\"2026-01-01T12:00:00+01:00\","
				 "\"metadata\":{\"b\":1, \"a\":[true,null]}}"),
		0);
	assert_string_equal(world->request.phone, "+491701234567");
	assert_sv(world->request.external_ref, "INV-1");
	assert_true(world->request.once);
	assert_int_equal(world->request.session_id, 3);
	assert_int_equal(world->request.send_at, NOW + 3600000);
	assert_int_equal(world->request.valid_until, NOW + 2 * 3600000);
	assert_sv(world->request.metadata, "{\"b\":1,\"a\":[true,null]}");
}

static void null_is_absent(void **state)
{
	struct world *world = *state;
	assert_int_equal(
		read_text(world,
			"{\"contact_id\":1,\"phone_number\":null,\"message_body\":\"x\","
			"\"caption\":null,\"send_at\":null,\"once\":null,\"metadata\":null,"
			"\"message_type\":null,\"session_id\":null}"),
		0);
	assert_int_equal(world->request.type, MESSAGE_TEXT);
}

static void each_mistake_names_its_field(void **state)
{
	struct world *world = *state;
	static const struct {
		const char *field;
		const char *body;
	} cases[] = {
		{"contact_id", "{\"contact_id\":{},\"message_body\":\"x\"}"},
		{"contact_id", "{\"contact_id\":1.5,\"message_body\":\"x\"}"},
		{"contact_id", "{\"contact_id\":-1,\"message_body\":\"x\"}"},
		{"contact_id", "{\"contact_id\":\"abc\",\"message_body\":\"x\"}"},
		{"contact_id", "{\"contact_id\":\"\",\"message_body\":\"x\"}"},
		{"contact_id", "{\"contact_id\":\"-1\",\"message_body\":\"x\"}"},
		{"contact_id", "{\"message_body\":\"x\"}"},
		{"phone_number", "{\"phone_number\":\"12\",\"message_body\":\"x\"}"},
		{"phone_number", "{\"phone_number\":7,\"message_body\":\"x\"}"},
		{"phone_number", "{\"contact_id\":1,\"phone_number\":\"+1234567890\",\"message_"
				 "body\":\"x\"}"},
		{"message_body", "{\"contact_id\":1}"},
		{"message_body", "{\"contact_id\":1,\"message_body\":\"\"}"},
		{"message_body", "{\"contact_id\":1,\"message_body\":\" \\n \"}"},
		{"message_body", "{\"contact_id\":1,\"message_body\":17}"},
		{"message_type",
			"{\"contact_id\":1,\"message_body\":\"x\",\"message_type\":\"pigeon\"}"},
		{"message_type", "{\"contact_id\":1,\"message_body\":\"x\",\"message_type\":[]}"},
		{"message_type",
			"{\"contact_id\":1,\"message_body\":\"x\",\"message_type\":\"location\"}"},
		{"media_url", "{\"contact_id\":1,\"message_type\":\"image\"}"},
		{"media_url", "{\"contact_id\":1,\"message_type\":\"image\",\"media_url\":\"ftp://"
			      "x/y\"}"},
		{"media_url", "{\"contact_id\":1,\"message_type\":\"image\",\"media_url\":\"http://"
			      "x.example/\"}"},
		{"media_url", "{\"contact_id\":1,\"message_body\":\"x\",\"media_url\":\"https://"
			      "x.example/\"}"},
		{"caption", "{\"contact_id\":1,\"message_body\":\"x\",\"caption\":\"y\"}"},
		{"filename", "{\"contact_id\":1,\"message_type\":\"image\",\"media_url\":"
			     "\"https://x.example/\",\"filename\":\"../a\"}"},
		{"external_ref", "{\"contact_id\":1,\"message_body\":\"x\",\"external_ref\":5}"},
		{"external_ref", "{\"contact_id\":1,\"message_body\":\"x\",\"once\":true}"},
		{"external_ref",
			"{\"contact_id\":1,\"message_body\":\"x\",\"external_ref\":\"a\\u0007\"}"},
		{"once", "{\"contact_id\":1,\"message_body\":\"x\",\"once\":\"yes\"}"},
		{"send_at", "{\"contact_id\":1,\"message_body\":\"x\",\"send_at\":\"tomorrow\"}"},
		{"send_at", "{\"contact_id\":1,\"message_body\":\"x\",\"send_at\":\"2027-02-01T00:"
			    "00:00Z\"}"},
		{"valid_until", "{\"contact_id\":1,\"message_body\":\"x\",\"valid_until\":\"2020-"
				"01-01T00:00:00Z\"}"},
		{"valid_until", "{\"contact_id\":1,\"message_body\":\"x\",\"send_at\":\"2026-01-"
				"02T00:00:00Z\","
				"\"valid_until\":\"2026-01-02T00:00:00Z\"}"},
		{"metadata", "{\"contact_id\":1,\"message_body\":\"x\",\"metadata\":\"text\"}"},
		{"session_id", "{\"contact_id\":1,\"message_body\":\"x\",\"session_id\":0}"},
		{"session_id", "{\"contact_id\":1,\"message_body\":\"x\",\"session_id\":\"x\"}"},
		{"mesage_type",
			"{\"contact_id\":1,\"message_body\":\"x\",\"mesage_type\":\"text\"}"},
	};
	for (size_t i = 0; i < array_len(cases); i++) {
		if (read_text(world, cases[i].body) != -1)
			fail_msg("accepted: %s", cases[i].body);
		if (!names_field(world, cases[i].field))
			fail_msg("%s is not named for %s", cases[i].field, cases[i].body);
		if (world->errors.n != 1)
			fail_msg("%d errors for %s", world->errors.n, cases[i].body);
	}
}

static void what_may_be_repeated_is_not_too_late(void **state)
{
	struct world *world = *state;
	const char *keyed = "{\"contact_id\":1,\"message_body\":\"x\",\"valid_until\":"
			    "\"2020-01-01T00:00:00Z\"}";
	const char *once = "{\"contact_id\":1,\"message_body\":\"x\",\"valid_until\":"
			   "\"2020-01-01T00:00:00Z\",\"external_ref\":\"r\",\"once\":true}";
	assert_int_equal(read_text(world, keyed), -1);
	assert_int_equal(read_text(world, once), 0);
	world->has_key = true;
	assert_int_equal(read_text(world, keyed), 0);
	assert_true(world->request.valid_until < NOW);
}

static void all_mistakes_at_once(void **state)
{
	struct world *world = *state;
	assert_int_equal(
		read_text(world, "{\"contact_id\":{},\"message_body\":5,\"nonsense\":1}"), -1);
	assert_int_equal(world->errors.n, 3);
	assert_true(names_field(world, "contact_id"));
	assert_true(names_field(world, "message_body"));
	assert_true(names_field(world, "nonsense"));
}

static void errors_are_bounded(void **state)
{
	struct world *world = *state;
	char body[4096];
	size_t len = (size_t)snprintf(body, sizeof(body), "{\"contact_id\":1");
	for (int i = 0; i < 100; i++)
		len += (size_t)snprintf(body + len, sizeof(body) - len, ",\"field_%d\":1", i);
	(void)snprintf(body + len, sizeof(body) - len, "}");
	assert_int_equal(read_text(world, body), -1);
	assert_int_equal(world->errors.n, FIELD_ERRORS_MAX);
}

/* A text of this many bytes as message_body, with a character of two bytes at its end. */
static char *body_of(struct pool *pool, const char *field, size_t len)
{
	char *text = pool_alloc(pool, len + 256);
	size_t at = (size_t)sprintf(text,
		"{\"contact_id\":1,\"message_type\":\"%s\",\"media_url\":%s,\"%s\":\"",
		strcmp(field, "caption") == 0 ? "image" : "text",
		strcmp(field, "caption") == 0 ? "\"https://x.example/\"" : "null", field);
	memset(text + at, 'x', len - 2);
	memcpy(text + at + len - 2, "\xc3\xa9\"}", 5);
	return text;
}

static void lengths_are_counted_in_bytes(void **state)
{
	struct world *world = *state;
	struct pool *pool = world->pool;
	assert_int_equal(read_text(world, body_of(pool, "message_body", 65536)), 0);
	assert_int_equal(read_text(world, body_of(pool, "message_body", 65537)), -1);
	assert_true(names_field(world, "message_body"));
	assert_int_equal(read_text(world, body_of(pool, "caption", 4096)), 0);
	assert_int_equal(read_text(world, body_of(pool, "caption", 4097)), -1);
	assert_true(names_field(world, "caption"));
}

static void an_id_beyond_all_ids_is_no_such_contact(void **state)
{
	struct world *world = *state;
	assert_int_equal(read_text(world, "{\"contact_id\":4294967296,\"message_body\":\"x\"}"), 0);
	assert_true(world->request.contact_id == 4294967296);
	assert_int_equal(
		read_text(
			world, "{\"contact_id\":\"99999999999999999999\",\"message_body\":\"x\"}"),
		0);
	assert_true(world->request.contact_id == INT64_MAX);
}

static void a_send_at_in_the_past_is_good(void **state)
{
	struct world *world = *state;
	assert_int_equal(read_text(world, "{\"contact_id\":1,\"message_body\":\"x\","
					  "\"send_at\":\"2025-12-31T00:00:00Z\"}"),
		0);
	assert_true(world->request.send_at < NOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_guides_text_message, setup, teardown),
		cmocka_unit_test_setup_teardown(the_guides_media_message, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_body_stands_for_a_media_messages_caption, setup, teardown),
		cmocka_unit_test_setup_teardown(everything_optional, setup, teardown),
		cmocka_unit_test_setup_teardown(null_is_absent, setup, teardown),
		cmocka_unit_test_setup_teardown(each_mistake_names_its_field, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_may_be_repeated_is_not_too_late, setup, teardown),
		cmocka_unit_test_setup_teardown(all_mistakes_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(lengths_are_counted_in_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_id_beyond_all_ids_is_no_such_contact, setup, teardown),
		cmocka_unit_test_setup_teardown(a_send_at_in_the_past_is_good, setup, teardown),
	};
	return cmocka_run_group_tests_name("message_request", tests, NULL, NULL);
}
