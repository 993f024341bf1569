/* The Retry-After header of an answer. */
#include "common/io/retry_after.h"

#include <string.h>
#include <time.h>

#include <curl/curl.h>

#define MAX_MS             (INT64_C(24) * 3600 * 1000)
#define MAX_DATE_BYTES     64
#define MAX_SECONDS_DIGITS 12

static int64_t within_day(int64_t ms)
{
	return ms < 0 ? 0 : ms > MAX_MS ? MAX_MS : ms;
}

static bool is_digits(struct strview text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	return text.len > 0;
}

int64_t retry_after_parse_ms(struct strview value, int64_t now_wall_ms)
{
	char date[MAX_DATE_BYTES];
	int64_t seconds;

	value = sv_trim(value);
	if (is_digits(value)) {
		if (value.len > MAX_SECONDS_DIGITS || sv_to_i64(value, &seconds) != 0)
			return MAX_MS;
		return within_day(seconds * 1000);
	}
	/* curl reads nearly everything as a date; ours starts with a weekday's name. */
	if (value.len >= sizeof(date) || value.len < 8 || value.ptr[0] < 'A' || value.ptr[0] > 'Z')
		return -1;
	memcpy(date, value.ptr, value.len);
	date[value.len] = '\0';
	time_t then_s = curl_getdate(date, NULL);
	if (then_s < 0)
		return -1;
	/* Of years that no clock comes to, milliseconds do not fit. */
	return then_s > INT64_MAX / 1000 ? MAX_MS : within_day((int64_t)then_s * 1000 - now_wall_ms);
}
