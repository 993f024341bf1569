/* Ids that sort by creation (ULID, https://github.com/ulid/spec) and WhatsApp's own. */
#include "common/model/id.h"

#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/rng.h"

#define ULID_CHARS 26

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The last id's time and random part: ids of one millisecond go on from it. */
struct id_state {
	int64_t ms;
	uint16_t high; /* 80 random bits */
	uint64_t low;
};

static void id_state_advance(struct id_state *state, int64_t wall_ms)
{
	if (wall_ms > state->ms) {
		state->ms = wall_ms;
		state->high = (uint16_t)(rng_u64() & 0x7fff); /* room to count up */
		state->low = rng_u64();
		return;
	}
	/* A random step, so that one id does not tell the next. */
	uint64_t before = state->low;
	state->low += 1 + (rng_u64() >> 16);
	if (state->low < before && ++state->high == 0) {
		state->ms++;
	}
}

static void ulid_format(const struct id_state *state, char *ret_text)
{
	uint64_t top = ((uint64_t)state->ms << 16) | state->high; /* 128 bits: top, low */
	uint64_t low = state->low;
	for (int i = ULID_CHARS - 1; i >= 0; i--) {
		ret_text[i] = crockford[low & 31];
		low = (low >> 5) | (top << 59);
		top >>= 5;
	}
	ret_text[ULID_CHARS] = '\0';
}

void id_new(const char *prefix, int64_t wall_ms, char ret_id[ID_SIZE])
{
	static struct id_state state; /* per process, as the order of ids is */
	char ulid[ULID_CHARS + 1];
	ASSERT(strlen(prefix) + 1 + ULID_CHARS < ID_SIZE);
	ASSERT(wall_ms >= 0 && wall_ms < (INT64_C(1) << 47));
	id_state_advance(&state, wall_ms);
	ulid_format(&state, ulid);
	(void)snprintf(ret_id, ID_SIZE, "%s_%s", prefix, ulid);
}

bool id_is(const char *prefix, struct strview text)
{
	size_t prefix_len = strlen(prefix);
	if (text.len != prefix_len + 1 + ULID_CHARS || !sv_starts_with(text, prefix)) {
		return false;
	}
	const char *ulid = text.ptr + prefix_len + 1;
	if (ulid[-1] != '_' || ulid[0] > '7') { /* 26 characters hold 130 bits, a ULID has 128 */
		return false;
	}
	for (int i = 0; i < ULID_CHARS; i++) {
		if (ulid[i] == '\0' || strchr(crockford, ulid[i]) == NULL) {
			return false;
		}
	}
	return true;
}

void id_of_event(int64_t sequence, char ret_id[ID_SIZE])
{
	(void)snprintf(ret_id, ID_SIZE, "evt_%016llx", (unsigned long long)sequence);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int id_parse_event(struct strview text, int64_t *ret_sequence)
{
	if (text.len != 20 || !sv_starts_with(text, "evt_")) {
		return -1;
	}
	uint64_t number = 0;
	for (size_t i = 4; i < text.len; i++) {
		int digit = hex_digit(text.ptr[i]);
		if (digit < 0) {
			return -1;
		}
		number = number << 4 | (uint64_t)digit;
	}
	if (number > INT64_MAX) {
		return -1;
	}
	*ret_sequence = (int64_t)number;
	return 0;
}

void id_new_wa_message(char ret_id[WA_MESSAGE_ID_SIZE])
{
	uint8_t bytes[9];
	rng_bytes(bytes, sizeof(bytes));
	memcpy(ret_id, "3EB0", 4);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		ret_id[4 + 2 * i] = "0123456789ABCDEF"[bytes[i] >> 4];
		ret_id[5 + 2 * i] = "0123456789ABCDEF"[bytes[i] & 15];
	}
	ret_id[22] = '\0';
}
