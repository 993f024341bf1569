/* Phone numbers as people write them, and as they are stored. */
#include "common/model/phone.h"

#include <string.h>

#include "common/base/attr.h"

#define DIGITS_MIN 7
#define DIGITS_MAX 15

/* Written between digits and dropped: ASCII, then no-break, figure, thin and narrow spaces, the
   dashes, the minus, and the marks of writing direction and zero width that come along when a
   number is copied from a page. */
static const char *const separators[] = {
	" ",
	"\t",
	"-",
	".",
	"/",
	"(",
	")",
	"[",
	"]",
	"\u00a0",
	"\u2007",
	"\u2009",
	"\u202f",
	"\u2060",
	"\u2010",
	"\u2011",
	"\u2012",
	"\u2013",
	"\u2014",
	"\u2212",
	"\u200b",
	"\u200e",
	"\u200f",
	"\u202a",
	"\u202c",
	"\u2066",
	"\u2068",
	"\u2069",
	"\ufeff",
};

/* Bytes of the separator at the front; 0 when there is none. */
static size_t separator_len(struct strview text)
{
	for (size_t i = 0; i < array_len(separators); i++) {
		if (sv_starts_with(text, separators[i])) {
			return strlen(separators[i]);
		}
	}
	return 0;
}

static struct strview skip(struct strview text, size_t len)
{
	return (struct strview){text.ptr + len, text.len - len};
}

static struct strview skip_separators(struct strview text)
{
	size_t len = 0;
	while (text.len > 0 && (len = separator_len(text)) > 0) {
		text = skip(text, len);
	}
	return text;
}

/* The digits of text without separators; ret_digits has room for two more than a number may have.
 * Their count, or -1. */
static int take_digits(struct strview text, char ret_digits[DIGITS_MAX + 2], struct err *err)
{
	int n = 0;
	for (text = skip_separators(text); text.len > 0; text = skip_separators(text)) {
		char c = text.ptr[0];
		if (c < '0' || c > '9') {
			return err_set(
				err, "has a character that does not belong in a phone number");
		}
		if (n == DIGITS_MAX + 2) {
			return err_set(err, "has more than %d digits", DIGITS_MAX);
		}
		ret_digits[n++] = c;
		text = skip(text, 1);
	}
	return n;
}

static int check_digits(const char *digits, int n, struct err *err)
{
	if (n == 0) {
		return err_set(err, "has no digits");
	}
	if (digits[0] == '0') {
		return err_set(err, "starts with 0: the country code is missing");
	}
	if (n < DIGITS_MIN || n > DIGITS_MAX) {
		return err_set(err, "has %s than %d digits", n < DIGITS_MIN ? "fewer" : "more",
			n < DIGITS_MIN ? DIGITS_MIN : DIGITS_MAX);
	}
	return 0;
}

int phone_parse(struct strview text, char ret_phone[PHONE_SIZE], struct err *err)
{
	char buffer[DIGITS_MAX + 2];
	char *digits = buffer;
	struct strview rest = skip_separators(
		text); /* a '+' that became a space goes here too: nothing stands for it */
	bool has_plus = rest.len > 0 && rest.ptr[0] == '+';
	int n = take_digits(has_plus ? skip(rest, 1) : rest, buffer, err);
	if (n < 0) {
		return -1;
	}
	if (!has_plus && n >= 2 && digits[0] == '0' && digits[1] == '0') {
		digits += 2;
		n -= 2;
	}
	if (check_digits(digits, n, err) < 0) {
		return -1;
	}
	ret_phone[0] = '+';
	memcpy(ret_phone + 1, digits, (size_t)n);
	ret_phone[n + 1] = '\0';
	return 0;
}

bool phone_is(struct strview text)
{
	if (text.len < DIGITS_MIN + 1 || text.len > DIGITS_MAX + 1 || text.ptr[0] != '+' ||
		text.ptr[1] == '0') {
		return false;
	}
	for (size_t i = 1; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9') {
			return false;
		}
	}
	return true;
}
