/* The contract's table of sandbox numbers. */
#include "services/gateway/sandbox_fate.h"

#define FATE_DIGITS 4

static const struct {
	const char *digits;
	enum sandbox_fate fate;
} fates[] = {
	{"0001", SANDBOX_FATE_NOT_ON_WHATSAPP},
	{"0002", SANDBOX_FATE_FAILS_TWICE},
	{"0003", SANDBOX_FATE_FAILS_ALWAYS},
	{"0004", SANDBOX_FATE_NOT_DELIVERED},
	{"0005", SANDBOX_FATE_ACK_LOST},
};

enum sandbox_fate sandbox_fate_of(struct strview phone)
{
	if (phone.len < FATE_DIGITS)
		return SANDBOX_FATE_READ;
	struct strview digits = sv_make(phone.ptr + phone.len - FATE_DIGITS, FATE_DIGITS);
	for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++) {
		if (sv_eq_cstr(digits, fates[i].digits))
			return fates[i].fate;
	}
	return SANDBOX_FATE_READ;
}

bool sandbox_fate_is_acked(enum sandbox_fate fate, int64_t copies)
{
	return fate != SANDBOX_FATE_ACK_LOST || copies > 1;
}

bool sandbox_fate_has_receipts(enum sandbox_fate fate, int64_t copies)
{
	return fate != SANDBOX_FATE_NOT_DELIVERED && sandbox_fate_is_acked(fate, copies);
}
