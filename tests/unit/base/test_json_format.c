/* json_format: values as text. */
#include "tests/support/test.h"

#include <float.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/rng.h"

static void assert_formats(const char *text, const char *plain, const char *canonical)
{
	struct strbuf out = STRBUF_INIT;
	struct err err;
	struct json *value = json_parse(sv_from(text), &err);
	assert_non_null(value);
	json_format(value, &out);
	assert_string_equal(strbuf_cstr(&out), plain);
	assert_int_equal(out.len, strlen(plain));
	strbuf_reset(&out);
	json_format_canonical(value, &out);
	assert_string_equal(strbuf_cstr(&out), canonical);
	strbuf_deinit(&out);
	json_free(&value);
}

static void TEST(text_is_compact_and_ordered)
{
	assert_formats(
		" { \"z\" : [ 1 , 2.5 , [ ] , { } ] , \"a\" : { \"y\" : null , \"b\" : true } } ",
		"{\"z\":[1,2.5,[],{}],\"a\":{\"y\":null,\"b\":true}}",
		"{\"a\":{\"b\":true,\"y\":null},\"z\":[1,2.5,[],{}]}");
	assert_formats("[{\"b\":1,\"a\":2},{\"d\":3,\"c\":4}]",
		"[{\"b\":1,\"a\":2},{\"d\":3,\"c\":4}]", "[{\"a\":2,\"b\":1},{\"c\":4,\"d\":3}]");
	/* By bytes, not by letters; a prefix comes first. */
	assert_formats("{\"é\":1,\"b\":2,\"B\":3,\"ab\":4,\"a\":5,\"\":6}",
		"{\"é\":1,\"b\":2,\"B\":3,\"ab\":4,\"a\":5,\"\":6}",
		"{\"\":6,\"B\":3,\"a\":5,\"ab\":4,\"b\":2,\"é\":1}");
	assert_formats("false", "false", "false");
	assert_formats("\"\"", "\"\"", "\"\"");
}

static void TEST(a_member_after_a_nested_object_gets_its_comma)
{
	assert_formats("{\"a\":{},\"b\":{\"c\":{}},\"d\":[{}],\"e\":1}",
		"{\"a\":{},\"b\":{\"c\":{}},\"d\":[{}],\"e\":1}",
		"{\"a\":{},\"b\":{\"c\":{}},\"d\":[{}],\"e\":1}");
}

static void TEST(numbers_are_written_as_short_as_they_read_back)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{"0", "0"},
		{"-0", "0"},
		{"-1", "-1"},
		{"9223372036854775807", "9223372036854775807"},
		{"-9223372036854775808", "-9223372036854775808"},
		{"0.1", "0.1"},
		{"1.0", "1.0"},
		{"-0.0", "-0.0"},
		{"2.5e0", "2.5"},
		{"1e3", "1000.0"},
		{"1e20", "1e+20"},
		{"1e-7", "1e-07"},
		{"0.30000000000000004", "0.30000000000000004"},
		{"1.7976931348623157e308", "1.7976931348623157e+308"},
		{"5e-324", "4.94065645841247e-324"},
		{"123456789012345680.0", "1.2345678901234568e+17"},
	};
	for (size_t i = 0; i < array_len(cases); i++)
		assert_formats(cases[i].text, cases[i].want, cases[i].want);
}

static void TEST(every_real_reads_back_as_itself)
{
	rng_fake(11);
	for (int i = 0; i < 20000; i++) {
		struct strbuf out = STRBUF_INIT;
		uint64_t bits = rng_u64();
		double real;
		memcpy(&real, &bits, sizeof(real));
		if (!(real >= -DBL_MAX && real <= DBL_MAX))
			continue;
		struct json *value = json_new_real(real);
		json_format(value, &out);
		json_free(&value);
		value = json_parse(strbuf_view(&out), NULL);
		assert_int_equal(json_type(value), JSON_REAL);
		assert_true(json_real(value) == real);
		json_free(&value);
		strbuf_deinit(&out);
	}
	rng_fake_end();
}

static void assert_escapes(struct strview text, const char *want)
{
	struct strbuf out = STRBUF_INIT;
	strbuf_append_cstr(&out, "<");
	json_escape(text, &out);
	assert_string_equal(out.data + 1, want);
	assert_int_equal(out.len, strlen(want) + 1);
	strbuf_deinit(&out);
}

static void TEST(escapes)
{
	assert_escapes(SV_LIT(""), "\"\"");
	assert_escapes(SV_NULL, "\"\"");
	assert_escapes(
		SV_LIT("plain text, longer than eight"), "\"plain text, longer than eight\"");
	assert_escapes(SV_LIT("say \"hi\" \\ /"), "\"say \\\"hi\\\" \\\\ /\"");
	assert_escapes(SV_LIT("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
	assert_escapes(SV_LIT("\x01\x1f\x7f "), "\"\\u0001\\u001f\x7f \"");
	assert_escapes(SV_LIT("a\0b"), "\"a\\u0000b\"");
	assert_escapes(
		SV_LIT("\"\"\"\"\"\"\"\"\"\""), "\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\"");
	assert_escapes(SV_LIT("grüße an alle 👋👋👋"), "\"grüße an alle 👋👋👋\"");
}

static void escape_slowly(char byte, struct strbuf *out)
{
	static const char named[] = "\b\f\n\r\t\"\\";
	static const char letters[] = "bfnrt\"\\";
	const char *name = byte != '\0' ? strchr(named, byte) : NULL;
	if (name != NULL)
		strbuf_printf(out, "\\%c", letters[name - named]);
	else if (byte < 0x20)
		strbuf_printf(out, "\\u%04x", (unsigned)byte);
	else
		strbuf_append_char(out, byte);
}

static void assert_byte_at(char filler, char byte, size_t at)
{
	char text[19];
	struct strbuf want = STRBUF_INIT;
	memset(text, filler, sizeof(text));
	text[at] = byte;
	strbuf_append_char(&want, '"');
	for (size_t i = 0; i < sizeof(text); i++)
		escape_slowly(text[i], &want);
	strbuf_append_char(&want, '"');
	assert_escapes(sv_make(text, sizeof(text)), strbuf_cstr(&want));
	strbuf_deinit(&want);
}

/* Every byte at every place of a word and beyond it: the search goes by words. */
static void TEST(a_byte_is_escaped_wherever_it_stands)
{
	static const char fillers[] = {'a', ' ', '!', '#', '[', ']', '~', 0x7f};
	for (size_t i = 0; i < array_len(fillers); i++) {
		for (int byte = 0; byte < 0x80; byte++) {
			for (size_t at = 0; at < 19; at++)
				assert_byte_at(fillers[i], (char)byte, at);
		}
	}
}

static void TEST(what_is_escaped_reads_back)
{
	rng_fake(12);
	for (int round = 0; round < 5000; round++) {
		struct strbuf text = STRBUF_INIT;
		struct strbuf out = STRBUF_INIT;
		size_t len = rng_below(40);
		static const char *const pieces[] = {
			"\"", "\\", "\n", "\x1f", "a", "bcdefgh", "é", "👋", "€", "\x7f", "/"};
		while (len-- > 0)
			strbuf_append_cstr(&text, pieces[rng_below(array_len(pieces))]);
		json_escape(strbuf_view(&text), &out);
		struct json *value = json_parse(strbuf_view(&out), NULL);
		assert_non_null(value);
		assert_true(sv_eq(json_string(value), strbuf_view(&text)));
		json_free(&value);
		strbuf_deinit(&text);
		strbuf_deinit(&out);
	}
	rng_fake_end();
}

static void TEST(a_null_pointer_is_null)
{
	struct strbuf out = STRBUF_INIT;
	json_format(NULL, &out);
	assert_string_equal(strbuf_cstr(&out), "null");
	strbuf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_compact_and_ordered),
		cmocka_unit_test(a_member_after_a_nested_object_gets_its_comma),
		cmocka_unit_test(numbers_are_written_as_short_as_they_read_back),
		cmocka_unit_test(every_real_reads_back_as_itself),
		cmocka_unit_test(escapes),
		cmocka_unit_test(a_byte_is_escaped_wherever_it_stands),
		cmocka_unit_test(what_is_escaped_reads_back),
		cmocka_unit_test(a_null_pointer_is_null),
	};
	return cmocka_run_group_tests_name("json_format", tests, NULL, NULL);
}
