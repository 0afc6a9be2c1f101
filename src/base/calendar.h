/*
 * The proleptic Gregorian calendar, days counted from 1970-01-01. Years are astronomical: 0 is 1 BC. Pure; any thread.
 * Source: Howard Hinnant, "chrono-compatible low-level date algorithms".
 */
#ifndef WALMILL_BASE_CALENDAR_H
#define WALMILL_BASE_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

/* Rounds towards minus infinity; b > 0. */
static inline int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

static inline int64_t calendar_days(int64_t y, int m, int d)
{
	int64_t era, yoe, doy, doe;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + doe - 719468;
}

struct calendar_date {
	int64_t year;
	int month, day;
};

static inline struct calendar_date calendar_of_days(int64_t days)
{
	int64_t z = days + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int month = (int)(mp < 10 ? mp + 3 : mp - 9);

	return (struct calendar_date){.year = yoe + era * 400 + (month <= 2), .month = month, .day = (int)(doy - (153 * mp + 2) / 5 + 1)};
}

#endif
