/* One value after another out of a buffer. Type bytes as in the msgpack specification. */
#include "common/model/msgpack_reader.h"

#include <stdbool.h>

enum {
	FIXMAP = 0x80,
	FIXARRAY = 0x90,
	FIXSTR = 0xa0,
	NIL = 0xc0,
	NEVER_USED = 0xc1,
	BIN8 = 0xc4,
	EXT8 = 0xc7,
	FLOAT32 = 0xca,
	UINT8 = 0xcc,
	UINT64 = 0xcf,
	INT64 = 0xd3,
	FIXEXT1 = 0xd4,
	STR8 = 0xd9,
	ARRAY16 = 0xdc,
	MAP16 = 0xde,
	MAP32 = 0xdf,
	NEGATIVE_FIXINT = 0xe0,
};

void msgpack_reader_init(struct msgpack_reader *reader, struct strview data)
{
	reader->at = (const uint8_t *)data.ptr;
	reader->end = reader->at + data.len;
}

static size_t left(const struct msgpack_reader *reader)
{
	return (size_t)(reader->end - reader->at);
}

static int take_byte(struct msgpack_reader *reader, uint8_t *ret_byte)
{
	if (left(reader) < 1) {
		return -1;
	}
	*ret_byte = *reader->at++;
	return 0;
}

/* A big-endian number of 1, 2, 4 or 8 bytes. */
static int take_number(struct msgpack_reader *reader, size_t size, uint64_t *ret_number)
{
	if (left(reader) < size) {
		return -1;
	}
	uint64_t number = 0;
	for (size_t i = 0; i < size; i++) {
		number = number << 8 | *reader->at++;
	}
	*ret_number = number;
	return 0;
}

static int drop_bytes(struct msgpack_reader *reader, uint64_t count)
{
	if (count > left(reader)) {
		return -1;
	}
	reader->at += count;
	return 0;
}

int msgpack_read_array(struct msgpack_reader *reader, uint32_t *ret_count)
{
	uint8_t type;
	uint64_t count = 0;
	if (take_byte(reader, &type) < 0) {
		return -1;
	}
	if ((type & 0xf0) == FIXARRAY) {
		count = type & 0x0f;
	} else if (type != ARRAY16 && type != ARRAY16 + 1) {
		return -1;
	} else if (take_number(reader, type == ARRAY16 ? 2 : 4, &count) < 0) {
		return -1;
	}
	if (count > left(reader)) { /* each element has a byte at least */
		return -1;
	}
	*ret_count = (uint32_t)count;
	return 0;
}

int msgpack_read_int(struct msgpack_reader *reader, int64_t *ret_number)
{
	uint8_t type;
	uint64_t number;
	if (take_byte(reader, &type) < 0) {
		return -1;
	}
	if (type < FIXMAP || type >= NEGATIVE_FIXINT) {
		*ret_number = (int8_t)type;
		return 0;
	}
	if (type < UINT8 || type > INT64) {
		return -1;
	}
	size_t size = (size_t)1 << ((type - UINT8) & 3);
	if (take_number(reader, size, &number) < 0) {
		return -1;
	}
	if (type <= UINT64) {
		if (number > INT64_MAX) {
			return -1;
		}
		*ret_number = (int64_t)number;
		return 0;
	}
	int unused_bits = (int)(64 - 8 * size);
	*ret_number = (int64_t)(number << unused_bits) >> unused_bits; /* the sign */
	return 0;
}

/* How many bytes follow the header of a str or bin whose type byte was taken. */
static int text_len(struct msgpack_reader *reader, uint8_t type, uint64_t *ret_len)
{
	if ((type & 0xe0) == FIXSTR) {
		*ret_len = type & 0x1f;
		return 0;
	}
	if (type >= STR8 && type <= STR8 + 2) {
		return take_number(reader, (size_t)1 << (type - STR8), ret_len);
	}
	if (type >= BIN8 && type <= BIN8 + 2) {
		return take_number(reader, (size_t)1 << (type - BIN8), ret_len);
	}
	return -1;
}

int msgpack_read_text(struct msgpack_reader *reader, struct strview *ret_text)
{
	uint8_t type;
	uint64_t len = 0;
	if (take_byte(reader, &type) < 0) {
		return -1;
	}
	if (type == NIL) {
		*ret_text = SV_NULL;
		return 0;
	}
	if (text_len(reader, type, &len) < 0) {
		return -1;
	}
	const uint8_t *start = reader->at;
	if (drop_bytes(reader, len) < 0) {
		return -1;
	}
	*ret_text = (struct strview){(const char *)start, (size_t)len};
	return 0;
}

/* Values that hold values: how many follow, given the type byte. False when type is none. */
static bool is_container(uint8_t type)
{
	return (type >= FIXMAP && type < FIXSTR) || (type >= ARRAY16 && type <= MAP32);
}

static int container_count(struct msgpack_reader *reader, uint8_t type, uint64_t *ret_count)
{
	bool is_map = type < FIXARRAY || type == MAP16 || type == MAP32;
	uint64_t count = type & 0x0f;
	if (type >= ARRAY16 && take_number(reader, (type & 1) != 0 ? 4 : 2, &count) < 0) {
		return -1;
	}
	*ret_count = is_map ? 2 * count : count;
	return 0;
}

/* The bytes of a value that holds none, after its type byte. */
static int skip_scalar(struct msgpack_reader *reader, uint8_t type)
{
	uint64_t len = 0;
	if (type < FIXMAP || type >= NEGATIVE_FIXINT) {
		return 0;
	}
	if (type == NEVER_USED) {
		return -1;
	}
	if (type >= NIL && type < BIN8) {
		return 0; /* nil, false, true */
	}
	if (type >= EXT8 && type < FLOAT32) {
		return take_number(reader, (size_t)1 << (type - EXT8), &len) < 0
			       ? -1
			       : drop_bytes(reader, len + 1);
	}
	if (type == FLOAT32 || type == FLOAT32 + 1) {
		return drop_bytes(reader, type == FLOAT32 ? 4 : 8);
	}
	if (type >= UINT8 && type <= INT64) {
		return drop_bytes(reader, 1u << ((type - UINT8) & 3));
	}
	if (type >= FIXEXT1 && type < STR8) {
		return drop_bytes(reader, 1 + (1u << (type - FIXEXT1)));
	}
	return text_len(reader, type, &len) < 0 ? -1 : drop_bytes(reader, len);
}

int msgpack_skip(struct msgpack_reader *reader)
{
	/* Counting what is still to come needs no stack, however deep values nest. */
	for (uint64_t values = 1; values > 0; values--) {
		uint8_t type;
		uint64_t inside = 0;
		if (take_byte(reader, &type) < 0) {
			return -1;
		}
		if (!is_container(type)) {
			if (skip_scalar(reader, type) < 0) {
				return -1;
			}
			continue;
		}
		if (container_count(reader, type, &inside) < 0 || inside > left(reader)) {
			return -1;
		}
		values += inside;
		if (values - 1 > left(reader)) {
			return -1;
		}
	}
	return 0;
}
