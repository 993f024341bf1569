/* Every type byte of the specification, and garbage. */
#include "tests/support/test.h"

#include <string.h>

#include "common/model/msgpack_reader.h"

static struct msgpack_reader reader_on(struct strview data)
{
	struct msgpack_reader reader;
	msgpack_reader_init(&reader, data);
	return reader;
}

static void TEST(integers_of_every_width)
{
	const struct {
		struct strview data;
		int64_t number;
	} cases[] = {
		{SV_LIT("\x00"), 0},
		{SV_LIT("\x7f"), 127},
		{SV_LIT("\xff"), -1},
		{SV_LIT("\xe0"), -32},
		{SV_LIT("\xcc\xff"), 255},
		{SV_LIT("\xcd\x01\x00"), 256},
		{SV_LIT("\xce\xff\xff\xff\xff"), 4294967295},
		{SV_LIT("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), INT64_MAX},
		{SV_LIT("\xd0\x80"), -128},
		{SV_LIT("\xd1\xff\x00"), -256},
		{SV_LIT("\xd2\x80\x00\x00\x00"), -2147483648LL},
		{SV_LIT("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), INT64_MIN},
	};
	for (size_t i = 0; i < array_len(cases); i++) {
		struct msgpack_reader reader = reader_on(cases[i].data);
		int64_t number = 42;
		assert_int_equal(msgpack_read_int(&reader, &number), 0);
		assert_true(number == cases[i].number);
		assert_ptr_equal(reader.at, reader.end);
		if (cases[i].data.len > 1) { /* cut off by a byte */
			reader = reader_on(sv_make(cases[i].data.ptr, cases[i].data.len - 1));
			assert_int_equal(msgpack_read_int(&reader, &number), -1);
		}
	}
	int64_t number = 42;
	struct msgpack_reader reader = reader_on(SV_LIT("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"));
	assert_int_equal(msgpack_read_int(&reader, &number), -1);
	reader = reader_on(SV_LIT("\xa1"
				  "1"));
	assert_int_equal(msgpack_read_int(&reader, &number), -1);
	reader = reader_on(SV_LIT("\xca\x00\x00\x00\x00")); /* a float is no integer */
	assert_int_equal(msgpack_read_int(&reader, &number), -1);
	assert_int_equal(number, 42);
}

static void TEST(texts_of_every_width)
{
	const struct strview cases[] = {
		SV_LIT("\xa2hi"),
		SV_LIT("\xd9\x02hi"),
		SV_LIT("\xda\x00\x02hi"),
		SV_LIT("\xdb\x00\x00\x00\x02hi"),
		SV_LIT("\xc4\x02hi"),
		SV_LIT("\xc5\x00\x02hi"),
		SV_LIT("\xc6\x00\x00\x00\x02hi"),
	};
	for (size_t i = 0; i < array_len(cases); i++) {
		struct strview text = SV_NULL;
		struct msgpack_reader reader = reader_on(cases[i]);
		assert_int_equal(msgpack_read_text(&reader, &text), 0);
		assert_sv(text, "hi");
		for (size_t len = 0; len < cases[i].len; len++) {
			reader = reader_on(sv_make(cases[i].ptr, len));
			assert_int_equal(msgpack_read_text(&reader, &text), -1);
		}
	}
	struct strview text = SV_LIT("x");
	struct msgpack_reader reader = reader_on(SV_LIT("\xc0"));
	assert_int_equal(msgpack_read_text(&reader, &text), 0);
	assert_true(sv_is_null(text));
	reader = reader_on(SV_LIT("\xdb\xff\xff\xff\xff"
				  "x"));
	assert_int_equal(msgpack_read_text(&reader, &text), -1);
	reader = reader_on(SV_LIT("\x07"));
	assert_int_equal(msgpack_read_text(&reader, &text), -1);
}

static void TEST(an_array_cannot_claim_more_than_there_is)
{
	uint32_t count = 9;
	struct msgpack_reader reader = reader_on(SV_LIT("\x93\x01\x02\x03"));
	assert_int_equal(msgpack_read_array(&reader, &count), 0);
	assert_int_equal(count, 3);
	reader = reader_on(SV_LIT("\xdc\x00\x01\x01"));
	assert_int_equal(msgpack_read_array(&reader, &count), 0);
	assert_int_equal(count, 1);
	reader = reader_on(SV_LIT("\xdd\x00\x00\x00\x01\x01"));
	assert_int_equal(msgpack_read_array(&reader, &count), 0);
	reader = reader_on(SV_LIT("\xdd\xff\xff\xff\xff\x01"));
	assert_int_equal(msgpack_read_array(&reader, &count), -1);
	reader = reader_on(SV_LIT("\x81\x01\x02"));
	assert_int_equal(msgpack_read_array(&reader, &count), -1);
	reader = reader_on(SV_LIT("\xdc\x00"));
	assert_int_equal(msgpack_read_array(&reader, &count), -1);
}

static void TEST(any_value_is_passed_over_whole)
{
	const struct strview cases[] = {
		SV_LIT("\x05"),
		SV_LIT("\xf0"),
		SV_LIT("\xc0"),
		SV_LIT("\xc2"),
		SV_LIT("\xc3"),
		SV_LIT("\xa3"
		       "abc"),
		SV_LIT("\xd9\x01"
		       "a"),
		SV_LIT("\xc4\x01"
		       "a"),
		SV_LIT("\xca\x01\x02\x03\x04"),
		SV_LIT("\xcb\x01\x02\x03\x04\x05\x06\x07\x08"),
		SV_LIT("\xcd\x01\x02"),
		SV_LIT("\xd3\x01\x02\x03\x04\x05\x06\x07\x08"),
		SV_LIT("\xd4\x01\x02"),
		SV_LIT("\xd8\x01"
		       "0123456789abcdef"),
		SV_LIT("\xc7\x02\x01"
		       "ab"),
		SV_LIT("\xc8\x00\x02\x01"
		       "ab"),
		SV_LIT("\xc9\x00\x00\x00\x02\x01"
		       "ab"),
		SV_LIT("\x92\x91\x91\x01\x82\x01\xa1"
		       "x\x02\xc0"),
		SV_LIT("\xde\x00\x01\x01\x02"),
		SV_LIT("\xdf\x00\x00\x00\x01\x01\x02"),
		SV_LIT("\xdc\x00\x02\x01\x02"),
		SV_LIT("\xdd\x00\x00\x00\x00"),
	};
	for (size_t i = 0; i < array_len(cases); i++) {
		struct msgpack_reader reader = reader_on(cases[i]);
		assert_int_equal(msgpack_skip(&reader), 0);
		assert_ptr_equal(reader.at, reader.end);
		for (size_t len = 0; len < cases[i].len; len++) {
			reader = reader_on(sv_make(cases[i].ptr, len));
			assert_int_equal(msgpack_skip(&reader), -1);
		}
	}
	struct msgpack_reader reader = reader_on(SV_LIT("\xc1"));
	assert_int_equal(msgpack_skip(&reader), -1);
}

static void TEST(deep_nesting_costs_no_stack)
{
	char deep[60000];
	memset(deep, 0x91, sizeof(deep));
	struct msgpack_reader reader = reader_on(sv_make(deep, sizeof(deep)));
	assert_int_equal(msgpack_skip(&reader), -1); /* the innermost is missing */
	deep[sizeof(deep) - 1] = 0x01;
	reader = reader_on(sv_make(deep, sizeof(deep)));
	assert_int_equal(msgpack_skip(&reader), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_of_every_width),
		cmocka_unit_test(texts_of_every_width),
		cmocka_unit_test(an_array_cannot_claim_more_than_there_is),
		cmocka_unit_test(any_value_is_passed_over_whole),
		cmocka_unit_test(deep_nesting_costs_no_stack),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
