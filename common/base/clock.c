/* The two clocks, and RFC 3339. */
#include "common/base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "common/base/check.h"

#define DAY_MS     INT64_C(86400000)
#define MIN_RFC_MS INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define MAX_RFC_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

static struct {
	bool on;
	int64_t mono_ms;
	int64_t wall_ms;
} fake;

static int64_t read_us(clockid_t id)
{
	struct timespec now;
	int rc = clock_gettime(id, &now);
	ASSERT(rc == 0);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
	return fake.on ? fake.mono_ms * 1000 : read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
	return fake.on ? fake.mono_ms : read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_wall_ms(void)
{
	return fake.on ? fake.wall_ms : read_us(CLOCK_REALTIME) / 1000;
}

void clock_fake(int64_t mono_ms, int64_t wall_ms)
{
	fake.on = true;
	fake.mono_ms = mono_ms;
	fake.wall_ms = wall_ms;
}

void clock_fake_advance(int64_t ms)
{
	ASSERT(fake.on);
	fake.mono_ms += ms;
	fake.wall_ms += ms;
}

void clock_fake_end(void)
{
	fake.on = false;
}

struct date {
	int year;
	int month; /* 1..12 */
	int day;   /* 1..31 */
};

/* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, eras have
 * 400 of them. */
static int64_t days_from_date(struct date date)
{
	int64_t year = date.month <= 2 ? date.year - 1 : date.year;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t month = (date.month + 9) % 12;
	int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

static struct date date_from_days(int64_t days)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t day_of_era = days - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t march_month = (5 * day_of_year + 2) / 153;
	int month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
	return (struct date){
		.year = (int)(year_of_era + era * 400 + (month <= 2 ? 1 : 0)),
		.month = month,
		.day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1),
	};
}

static char *put_digits(char *at, int number, int width, char after)
{
	for (int i = width - 1; i >= 0; i--) {
		at[i] = (char)('0' + number % 10);
		number /= 10;
	}
	at[width] = after;
	return at + width + 1;
}

void clock_format(int64_t wall_ms, char ret_text[CLOCK_RFC3339_SIZE])
{
	if (wall_ms < MIN_RFC_MS)
		wall_ms = MIN_RFC_MS;
	if (wall_ms > MAX_RFC_MS)
		wall_ms = MAX_RFC_MS;
	int64_t days = wall_ms / DAY_MS;
	int of_day_ms = (int)(wall_ms % DAY_MS);
	if (of_day_ms < 0) {
		of_day_ms += (int)DAY_MS;
		days--;
	}
	struct date date = date_from_days(days);
	char *at = ret_text;
	at = put_digits(at, date.year, 4, '-');
	at = put_digits(at, date.month, 2, '-');
	at = put_digits(at, date.day, 2, 'T');
	at = put_digits(at, of_day_ms / 3600000, 2, ':');
	at = put_digits(at, of_day_ms / 60000 % 60, 2, ':');
	at = put_digits(at, of_day_ms / 1000 % 60, 2, '.');
	at = put_digits(at, of_day_ms % 1000, 3, 'Z');
	*at = '\0';
}

/* Take exactly `width` digits off the front. */
static int take_digits(struct strview *text, int width, int *ret_number)
{
	if (text->len < (size_t)width)
		return -1;
	int number = 0;
	for (int i = 0; i < width; i++) {
		char c = text->ptr[i];
		if (c < '0' || c > '9')
			return -1;
		number = number * 10 + (c - '0');
	}
	text->ptr += width;
	text->len -= (size_t)width;
	*ret_number = number;
	return 0;
}

/* Take one character off the front when it is among `any_of`; it, or NUL. */
static char take_char(struct strview *text, const char *any_of)
{
	if (text->len == 0 || text->ptr[0] == '\0' || strchr(any_of, text->ptr[0]) == NULL)
		return '\0';
	char c = text->ptr[0];
	text->ptr++;
	text->len--;
	return c;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static int take_date(struct strview *text, struct date *ret_date)
{
	struct date date;
	if (take_digits(text, 4, &date.year) < 0 || !take_char(text, "-") ||
		take_digits(text, 2, &date.month) < 0 || !take_char(text, "-") ||
		take_digits(text, 2, &date.day) < 0)
		return -1;
	if (date.month < 1 || date.month > 12 || date.day < 1 ||
		date.day > days_in_month(date.year, date.month))
		return -1;
	*ret_date = date;
	return 0;
}

/* The fraction after the seconds, if there is one; digits beyond the third are dropped. */
static int take_fraction_ms(struct strview *text, int *ret_ms)
{
	int ms = 0;
	if (take_char(text, ".")) {
		int digit;
		int worth = 100;
		if (take_digits(text, 1, &digit) < 0)
			return -1;
		do {
			ms += digit * worth;
			worth /= 10;
		} while (take_digits(text, 1, &digit) == 0);
	}
	*ret_ms = ms;
	return 0;
}

static int take_offset_minutes(struct strview *text, int *ret_minutes)
{
	char sign = take_char(text, "Zz+-");
	int hours = 0;
	int minutes = 0;
	if (sign == '\0')
		return -1;
	if (sign == '+' || sign == '-') {
		if (take_digits(text, 2, &hours) < 0 || !take_char(text, ":") ||
			take_digits(text, 2, &minutes) < 0 || hours > 23 || minutes > 59)
			return -1;
	}
	minutes += hours * 60;
	*ret_minutes = sign == '-' ? -minutes : minutes;
	return 0;
}

int clock_parse(struct strview text, int64_t *ret_wall_ms)
{
	struct date date;
	int hour, minute, second, ms, offset_minutes;
	if (take_date(&text, &date) < 0 || !take_char(&text, "Tt") ||
		take_digits(&text, 2, &hour) < 0 || !take_char(&text, ":") ||
		take_digits(&text, 2, &minute) < 0 || !take_char(&text, ":") ||
		take_digits(&text, 2, &second) < 0 || take_fraction_ms(&text, &ms) < 0 ||
		take_offset_minutes(&text, &offset_minutes) < 0 || text.len > 0)
		return -1;
	if (hour > 23 || minute > 59 || second > 60)
		return -1;
	int64_t wall_s = days_from_date(date) * 86400 + hour * 3600 + minute * 60 + second -
			 (int64_t)offset_minutes * 60;
	/* A leap second stands at the end of a month (UTC) only. Unix time has none: it counts as
	 * the next second. */
	if (second == 60 && (wall_s % 86400 != 0 || date_from_days(wall_s / 86400).day != 1))
		return -1;
	int64_t wall_ms = wall_s * 1000 + ms;
	if (wall_ms < MIN_RFC_MS || wall_ms > MAX_RFC_MS)
		return -1;
	*ret_wall_ms = wall_ms;
	return 0;
}
