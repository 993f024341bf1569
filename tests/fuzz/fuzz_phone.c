/* phone_parse() takes any text, and what it accepts is in the stored form. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/check.h"
#include "common/model/phone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char phone[PHONE_SIZE];
	char again[PHONE_SIZE];
	struct err err;
	if (phone_parse(sv_make(data, size), phone, &err) < 0) {
		ASSERT(err.text[0] != '\0');
		return 0;
	}
	ASSERT(phone_is(sv_from(phone)));
	ASSERT(phone_parse(sv_from(phone), again, NULL) == 0 && strcmp(phone, again) == 0);
	return 0;
}
