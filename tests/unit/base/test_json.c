/* json: parsing, reading and building values. Writing them is in test_json_format.c. */
#include "tests/support/test.h"

#include <string.h>

#include "common/base/json.h"
#include "tests/support/death.h"

static struct json *parse(const char *text)
{
	struct err err = {""};
	struct json *value = json_parse(sv_from(text), &err);
	if (value == NULL)
		fail_msg("refused %s: %s", text, err.text);
	return value;
}

static void TEST(every_type_is_read)
{
	struct json *value =
		parse(" {\"s\":\"text\", \"i\":-12, \"r\":2.5, \"e\":1e3, \"t\":true,\n"
		      "\"f\":false, \"n\":null, \"a\":[1,[]], \"o\":{}} ");
	assert_int_equal(json_type(value), JSON_OBJECT);
	assert_int_equal(json_object_len(value), 9);
	assert_sv(json_string(json_object_get(value, "s")), "text");
	assert_int_equal(json_int(json_object_get(value, "i")), -12);
	assert_true(json_real(json_object_get(value, "i")) == -12.0);
	assert_true(json_real(json_object_get(value, "r")) == 2.5);
	assert_int_equal(json_type(json_object_get(value, "e")), JSON_REAL);
	assert_true(json_real(json_object_get(value, "e")) == 1000.0);
	assert_true(json_bool(json_object_get(value, "t")));
	assert_false(json_bool(json_object_get(value, "f")));
	assert_int_equal(json_type(json_object_get(value, "n")), JSON_NULL);
	struct json *array = json_object_get(value, "a");
	assert_int_equal(json_array_len(array), 2);
	assert_int_equal(json_int(json_array_get(array, 0)), 1);
	assert_int_equal(json_array_len(json_array_get(array, 1)), 0);
	assert_int_equal(json_object_len(json_object_get(value, "o")), 0);
	json_free(&value);
	assert_null(value);
	json_free(&value);
}

static void TEST(absent_members_are_null_pointers)
{
	struct json *value = parse("{\"a\":{\"b\":1},\"n\":null}");
	assert_null(json_object_get(value, "b"));
	assert_non_null(json_object_get(value, "n"));
	assert_int_equal(json_type(json_object_get(value, "b")), JSON_NULL);
	assert_int_equal(json_int(json_object_get(json_object_get(value, "a"), "b")), 1);
	assert_null(json_object_get(json_object_get(value, "x"), "b"));
	assert_null(json_object_get(json_object_get(value, "n"), "b"));
	assert_null(json_object_get(NULL, "b"));
	json_free(&value);
}

static void TEST(any_value_may_stand_alone)
{
	static const struct {
		const char *text;
		enum json_type type;
	} cases[] = {{"1", JSON_INT}, {"-0", JSON_INT}, {"1.0", JSON_REAL}, {"\"\"", JSON_STRING},
		{"null", JSON_NULL}, {"true", JSON_BOOL}, {" [ ] ", JSON_ARRAY},
		{"\t{\r\n}", JSON_OBJECT}};
	for (size_t i = 0; i < array_len(cases); i++) {
		struct json *value = parse(cases[i].text);
		assert_int_equal(json_type(value), cases[i].type);
		json_free(&value);
	}
}

static void TEST(integers_fill_64_bits)
{
	struct json *value = parse("[9223372036854775807,-9223372036854775808]");
	assert_true(json_int(json_array_get(value, 0)) == INT64_MAX);
	assert_true(json_int(json_array_get(value, 1)) == INT64_MIN);
	json_free(&value);
}

static void TEST(strings_are_decoded)
{
	struct json *value = parse("[\"\\u00e9\\n\\\"\\\\\\/\",\"\\ud83d\\udc4b\",\"\",\"\x7f\"]");
	assert_sv(json_string(json_array_get(value, 0)), "é\n\"\\/");
	assert_sv(json_string(json_array_get(value, 1)), "👋");
	assert_sv(json_string(json_array_get(value, 2)), "");
	assert_false(sv_is_null(json_string(json_array_get(value, 2))));
	assert_sv(json_string(json_array_get(value, 3)), "\x7f");
	json_free(&value);
}

static void TEST(bad_text_is_refused)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"}",
		"[",
		"]",
		"[1",
		"[1,",
		"[1,]",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{a:1}",
		"{'a':1}",
		"{1:2}",
		"[1 2]",
		"1 2",
		"{} {}",
		"[]]",
		"nul",
		"NULL",
		"True",
		"undefined",
		"NaN",
		"Infinity",
		"-Infinity",
		"01",
		"1.",
		".5",
		"+1",
		"-",
		"1e",
		"0x10",
		"\"",
		"\"a",
		"\"\\\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\u12g4\"",
		"\"a\nb\"",
		"\"\x01\"", /* control bytes must be escaped */
		"\"\\u0000\"",
		"{\"\\u0000\":1}",
		"{\"a\\u0000b\":1}",
		"\"\\ud800\"",
		"\"\\udc00\"",
		"\"\\ud800\\ud800\"",
		"\"\\ud800x\"", /* lone surrogates */
		"\"\xff\"",
		"\"\xc3\"",
		"\"\xc0\x80\"",
		"\"\xed\xa0\x80\"",
		"\xef\xbb\xbf{}",
		"{\"a\":1,\"a\":2}",
		"{\"a\":1,\"\\u0061\":2}",
		"[{\"b\":{\"x\":1,\"y\":2,\"x\":3}}]",
		"9223372036854775808",
		"-9223372036854775809",
		"123456789012345678901234567890",
		"1e309",
		"-1e400",
		"[1e99999999999]",
		"// c\n1",
		"/* c */ 1",
		"1;",
	};
	for (size_t i = 0; i < array_len(bad); i++) {
		struct err err = {""};
		struct json *value = json_parse(sv_from(bad[i]), &err);
		if (value != NULL)
			fail_msg("accepted %s", bad[i]);
		assert_true(sv_starts_with(sv_from(err.text), "line "));
		assert_non_null(strstr(err.text, " column "));
		assert_true(sv_is_utf8(sv_from(err.text)));
		assert_null(json_parse(sv_from(bad[i]), NULL));
	}
	assert_null(json_parse(SV_NULL, NULL));
	assert_null(json_parse(SV_LIT("{}\0"), NULL));
	assert_null(json_parse(SV_LIT("\"a\0b\""), NULL));
}

static void TEST(only_the_view_is_read)
{
	struct json *value = json_parse(sv_make("12345", 2), NULL);
	assert_int_equal(json_int(value), 12);
	json_free(&value);
	assert_null(json_parse(sv_make("[1]", 2), NULL));
}

static void TEST(errors_say_where)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{"", "line 1 column 1: no JSON, the text is empty"},
		{"{\"a\": 1,\n \"b\": x}", "line 2 column 7: invalid token"},
		{"{\"a\":1,\"a\":2}", "line 1 column 10: duplicate object key"},
		{"[1,2", "line 1 column 4: ']' expected near end of file"},
		{"[12345678901234567890]", "line 1 column 21: too big integer"},
		{"1e999", "line 1 column 5: real number overflow"},
	};
	for (size_t i = 0; i < array_len(cases); i++) {
		struct err err = {""};
		assert_null(json_parse(sv_from(cases[i].text), &err));
		assert_string_equal(err.text, cases[i].want);
	}
}

/* Errors are logged, and message bodies never are. */
static void TEST(errors_do_not_quote_the_text)
{
	static const char *const texts[] = {"{\"body\":\"PIN 1234\" 5}", "{\"body\" \"PIN 1234\"}",
		"[\"x\",PIN1234]", "\"PIN 1234\n\"", "[\"PIN 1234\" \"a near 'b\"]"};
	for (size_t i = 0; i < array_len(texts); i++) {
		struct err err = {""};
		assert_null(json_parse(sv_from(texts[i]), &err));
		assert_null(strstr(err.text, "PIN"));
		assert_null(strstr(err.text, "1234"));
		assert_true(strlen(err.text) > sizeof("line 1 column 1: ") - 1);
	}
}

static void nest(char *text, size_t depth, const char *open, const char *close)
{
	text[0] = '\0';
	for (size_t i = 0; i < depth; i++)
		(void)strcat(text, open);
	for (size_t i = 0; i < depth; i++)
		(void)strcat(text, close);
}

static void TEST(depth_has_a_bound)
{
	char text[4000];
	struct err err;
	nest(text, JSON_MAX_DEPTH, "[", "]");
	struct json *value = parse(text);
	json_free(&value);
	nest(text, JSON_MAX_DEPTH + 1, "[", "]");
	assert_null(json_parse(sv_from(text), &err));
	assert_string_equal(err.text, "line 1 column 33: nested deeper than 32 levels");
	nest(text, JSON_MAX_DEPTH + 1, "[\"a\", 1,\n", "]");
	assert_null(json_parse(sv_from(text), &err));
	assert_string_equal(err.text, "line 33 column 1: nested deeper than 32 levels");
	nest(text, JSON_MAX_DEPTH, "[\"ab\", {}, 1,\n", "]");
	assert_null(json_parse(sv_from(text), &err));
	nest(text, JSON_MAX_DEPTH + 1, "{\"a]\": ", "}");
	assert_null(json_parse(sv_from(text), &err));
	assert_non_null(strstr(err.text, "nested deeper"));
	nest(text, JSON_MAX_DEPTH, "[{\"a\":", "}]");
	assert_null(json_parse(sv_from(text), &err));
	(void)strcpy(text, "[\"é\\\"\", \n\"\\\\\", ");
	nest(text + strlen(text), JSON_MAX_DEPTH, "[", "]");
	assert_null(json_parse(sv_from(text), &err));
	assert_string_equal(err.text, "line 2 column 38: nested deeper than 32 levels");
	nest(text, 1500, "[", "]");
	assert_null(json_parse(sv_from(text), &err));
}

static void TEST(brackets_in_strings_are_no_depth)
{
	char text[400] = "[\"\\\"";
	for (int i = 0; i < 100; i++)
		(void)strcat(text, "[");
	(void)strcat(text, "\\\\\",\"{{{{\"]");
	struct json *value = parse(text);
	assert_int_equal(json_array_len(value), 2);
	json_free(&value);
	/* Many side by side are not deep. */
	text[0] = '\0';
	(void)strcat(text, "[[]");
	for (int i = 0; i < 100; i++)
		(void)strcat(text, ",[]");
	(void)strcat(text, "]");
	value = parse(text);
	assert_int_equal(json_array_len(value), 101);
	json_free(&value);
}

struct visit {
	char keys[64];
	int stop_at;
	int n;
};

static int on_member(void *ctx, const char *key, struct json *value)
{
	struct visit *visit = ctx;
	(void)strcat(visit->keys, key);
	assert_int_equal(json_int(value), visit->n);
	return ++visit->n == visit->stop_at ? 42 : 0;
}

static void TEST(members_come_in_insertion_order)
{
	struct json *object = json_new_object();
	static const char *const keys[] = {
		"z", "a", "m", "b", "y", "c", "x", "d", "w", "e", "v", "f"};
	for (size_t i = 0; i < array_len(keys); i++)
		json_set_int(object, keys[i], (int64_t)i);
	struct visit all = {.stop_at = -1};
	assert_int_equal(json_object_each(object, on_member, &all), 0);
	assert_string_equal(all.keys, "zambycxdwevf");
	struct visit some = {.stop_at = 3};
	assert_int_equal(json_object_each(object, on_member, &some), 42);
	assert_string_equal(some.keys, "zam");
	json_free(&object);

	object = parse("{\"zz\":0,\"b\":1,\"aa\":2,\"\":3,\"c\":4}");
	struct visit parsed = {.stop_at = -1};
	assert_int_equal(json_object_each(object, on_member, &parsed), 0);
	assert_string_equal(parsed.keys, "zzbaac");
	json_free(&object);
}

static void TEST(containers_own_what_is_put_in)
{
	struct json *object = json_new_object();
	struct json *array = json_new_array();
	json_push(array, json_new_int(1));
	json_push(array, json_new_string(SV_LIT("s")));
	json_set(object, "list", array);
	json_set(object, "none", json_new_null());
	json_set(object, "real", json_new_real(0.5));
	json_set(object, "yes", json_new_bool(true));
	json_set_bool(object, "no", false);
	json_set_sv(object, "view", sv_make("textual", 4));
	json_set_sv(object, "absent", SV_NULL);
	json_set_cstr(object, "text", "t");
	json_set_cstr(object, "gone", NULL);
	json_set_time(object, "time", 1767225600000);
	json_set_time(object, "never", -1);
	json_set_time(object, "epoch", 0);
	json_set_int(object, "n", 1);
	json_set_int(object, "n", 2);
	assert_int_equal(json_object_len(object), 13);
	assert_sv(json_string(json_object_get(object, "epoch")), "1970-01-01T00:00:00.000Z");
	assert_sv(json_string(json_object_get(object, "view")), "text");
	assert_int_equal(json_type(json_object_get(object, "absent")), JSON_NULL);
	assert_int_equal(json_type(json_object_get(object, "gone")), JSON_NULL);
	assert_int_equal(json_type(json_object_get(object, "never")), JSON_NULL);
	assert_sv(json_string(json_object_get(object, "time")), "2026-01-01T00:00:00.000Z");
	assert_int_equal(json_int(json_object_get(object, "n")), 2);
	/* A reference outlives the container. */
	struct json *kept = json_ref(json_object_get(object, "list"));
	json_free(&object);
	assert_int_equal(json_array_len(kept), 2);
	assert_sv(json_string(json_array_get(kept, 1)), "s");
	json_free(&kept);
}

static void TEST(strings_may_hold_nul_bytes_when_built)
{
	struct json *value = json_new_string(SV_LIT("a\0b"));
	assert_int_equal(json_string(value).len, 3);
	json_free(&value);
}

static void read_wrong_type(void *arg)
{
	struct json *value = parse("[\"x\"]");
	switch (*(int *)arg) {
	case 0:
		(void)json_int(value);
		break;
	case 1:
		(void)json_string(value);
		break;
	case 2:
		(void)json_bool(NULL);
		break;
	case 3:
		(void)json_object_len(value);
		break;
	case 4:
		(void)json_array_get(value, 1);
		break;
	case 5:
		(void)json_real(json_array_get(value, 0));
		break;
	case 6:
		(void)json_array_len(json_array_get(value, 0));
		break;
	case 7:
		json_set_int(value, "k", 1);
		break;
	case 8:
		json_push(value, value);
		break;
	case 9:
		(void)json_new_string(SV_LIT("\xff"));
		break;
	default:
		(void)json_new_real(1.0 / 0.0);
		break;
	}
}

static void TEST(misuse_aborts)
{
	for (int i = 0; i <= 10; i++) {
		if (!death_by_abort(read_wrong_type, &i))
			fail_msg("misuse %d went through", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_read),
		cmocka_unit_test(absent_members_are_null_pointers),
		cmocka_unit_test(any_value_may_stand_alone),
		cmocka_unit_test(integers_fill_64_bits),
		cmocka_unit_test(strings_are_decoded),
		cmocka_unit_test(bad_text_is_refused),
		cmocka_unit_test(only_the_view_is_read),
		cmocka_unit_test(errors_say_where),
		cmocka_unit_test(errors_do_not_quote_the_text),
		cmocka_unit_test(depth_has_a_bound),
		cmocka_unit_test(brackets_in_strings_are_no_depth),
		cmocka_unit_test(members_come_in_insertion_order),
		cmocka_unit_test(containers_own_what_is_put_in),
		cmocka_unit_test(strings_may_hold_nul_bytes_when_built),
		cmocka_unit_test(misuse_aborts),
	};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
