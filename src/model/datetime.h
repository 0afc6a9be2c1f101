/*
 * date, time, timestamp, timestamptz and interval: text, arithmetic, fields and truncation as PostgreSQL 15 does them (DateStyle ISO, MDY;
 * IntervalStyle postgres).
 *
 * Units: a date is days since 2000-01-01, a time microseconds since midnight, a timestamp microseconds since 2000-01-01 00:00, local or
 * UTC;
 * infinities are the server's sentinels. Errors are ERR_DATA with the server's SQLSTATE (22007, 22008, 22012, 22023, 0A000) and message.
 *
 * Input: the server's own output forms and ISO 8601 (date, date and time with 'T' or blanks, fractions, Z, numeric offsets, zone names,
 * BC, infinity,
 * epoch). Other forms that the server also reads ("Jan 5 2024", "today") are refused with 22007 and a detail that says so.
 */
#ifndef WALMILL_MODEL_DATETIME_H
#define WALMILL_MODEL_DATETIME_H

#include "base/tz.h"
#include "model/num.h"

#define DATE_NEG_INF ((int64_t)INT32_MIN)
#define DATE_POS_INF ((int64_t)INT32_MAX)
#define TIMESTAMP_NEG_INF INT64_MIN
#define TIMESTAMP_POS_INF INT64_MAX
#define TIMESTAMP_FIRST (-211813488000000000)   /* 4714-11-24 BC */
#define TIMESTAMP_END 9223371331200000000       /* 294277-01-01, the first that is out of range */
#define DATE_FIRST (-2451545)
#define DATE_END (2147483494 - 2451545)
#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY INT64_C(86400000000)
#define UNIX_EPOCH_US INT64_C(946684800000000)  /* add to a timestamp for microseconds since 1970 */

struct interval {
	int64_t us;
	int32_t days, months;
};

static inline struct interval value_interval(const struct value *v)
{
	return (struct interval){v->interval.us, v->interval.days, v->interval.months};
}

static inline struct value value_of_interval(struct interval i)
{
	struct value v = {.kind = VALUE_INTERVAL};

	v.interval.us = i.us;
	v.interval.days = i.days;
	v.interval.months = i.months;
	return v;
}

static inline bool date_is_finite(int64_t d) { return d != DATE_NEG_INF && d != DATE_POS_INF; }
static inline bool timestamp_is_finite(int64_t t) { return t != TIMESTAMP_NEG_INF && t != TIMESTAMP_POS_INF; }

/* ---- calendar ---- */

struct civil {
	int64_t year;           /* astronomical: 0 is 1 BC */
	int month, day, hour, minute, second;
	int32_t us;
};

int64_t civil_days(int64_t year, int month, int day);   /* since 2000-01-01 */
struct civil civil_of_days(int64_t days);
struct civil civil_of_us(int64_t local_us);
int64_t civil_us(const struct civil *c);
int civil_month_length(int64_t year, int month);

/* ---- text ---- */

void date_print(int64_t date, struct buf *b);
void time_print(int64_t us, struct buf *b);
void timestamp_print(int64_t us, struct buf *b);
void timestamptz_print(int64_t us, const struct tz *zone, struct buf *b);
void interval_print(struct interval i, struct buf *b);

int date_parse(struct view text, int64_t *ret, struct err *err) WM_MUST_USE;
int time_parse(struct view text, int64_t *ret, struct err *err) WM_MUST_USE;
int timestamp_parse(struct view text, int64_t *ret, struct err *err) WM_MUST_USE;
/* zones may be NULL: then zone names in the text are refused */
int timestamptz_parse(struct view text, const struct tz *zone, struct tz_cache *zones, int64_t *ret, struct err *err) WM_MUST_USE;
int interval_parse(struct view text, struct interval *ret, struct err *err) WM_MUST_USE;

/* timestamp(p), time(p): typmod -1 leaves the value */
int64_t timestamp_apply_typmod(int64_t us, int32_t typmod);
int64_t time_apply_typmod(int64_t us, int32_t typmod);

/* ---- conversion and arithmetic ---- */

int date_to_timestamp(int64_t date, int64_t *ret, struct err *err) WM_MUST_USE;
int date_to_timestamptz(int64_t date, const struct tz *zone, int64_t *ret, struct err *err) WM_MUST_USE;
int64_t timestamp_to_date(int64_t us);                               /* infinities stay */
int timestamp_to_timestamptz(int64_t local_us, const struct tz *zone, int64_t *ret, struct err *err) WM_MUST_USE;
int timestamptz_to_timestamp(int64_t us, const struct tz *zone, int64_t *ret, struct err *err) WM_MUST_USE;

int date_add_days(int64_t date, int64_t days, int64_t *ret, struct err *err) WM_MUST_USE;
int date_sub(int64_t a, int64_t b, int64_t *ret_days, struct err *err) WM_MUST_USE;
int timestamp_add(int64_t us, struct interval i, int64_t *ret, struct err *err) WM_MUST_USE;
int timestamptz_add(int64_t us, struct interval i, const struct tz *zone, int64_t *ret, struct err *err) WM_MUST_USE;
int timestamp_sub(int64_t a, int64_t b, struct interval *ret, struct err *err) WM_MUST_USE;   /* days and the rest, for both types */
int timestamp_age(int64_t a, int64_t b, struct interval *ret, struct err *err) WM_MUST_USE;   /* age(a, b), local times */
int64_t time_add(int64_t us, struct interval i);                     /* modulo a day */

int interval_neg(struct interval i, struct interval *ret, struct err *err) WM_MUST_USE;
int interval_add(struct interval a, struct interval b, struct interval *ret, struct err *err) WM_MUST_USE;
int interval_sub(struct interval a, struct interval b, struct interval *ret, struct err *err) WM_MUST_USE;
int interval_mul(struct interval i, double by, struct interval *ret, struct err *err) WM_MUST_USE;
int interval_div(struct interval i, double by, struct interval *ret, struct err *err) WM_MUST_USE;
int interval_justify_hours(struct interval i, struct interval *ret, struct err *err) WM_MUST_USE;
int interval_justify_days(struct interval i, struct interval *ret, struct err *err) WM_MUST_USE;

/* ---- fields ---- */

enum dt_field {
	DT_UNKNOWN, DT_MICROSECOND, DT_MILLISECOND, DT_SECOND, DT_MINUTE, DT_HOUR, DT_DAY, DT_WEEK, DT_MONTH, DT_QUARTER, DT_YEAR, DT_DECADE,
	DT_CENTURY, DT_MILLENNIUM, DT_DOW, DT_ISODOW, DT_DOY, DT_ISOYEAR, DT_EPOCH, DT_JULIAN, DT_TIMEZONE, DT_TIMEZONE_HOUR, DT_TIMEZONE_MINUTE
};

enum dt_field dt_field_of(struct view name);    /* any case; the server's abbreviations; DT_UNKNOWN */

/*
 * extract(field from v) as numeric, date_part(field, v) as float8 (`as_float`); v is DATE, TIME, TIMESTAMP, TIMESTAMPTZ or INTERVAL, not
 * null.
 * The result may be null (a field of an infinity). `name` is for the message.
 */
int dt_extract(enum dt_field f, struct view name, const struct value *v, const struct tz *zone, bool as_float, struct value *ret,
			   struct err *err) WM_MUST_USE;

/* date_trunc(); v is TIMESTAMP, TIMESTAMPTZ (in zone) or INTERVAL */
int dt_trunc(enum dt_field f, struct view name, const struct value *v, const struct tz *zone, struct value *ret,
	struct err *err) WM_MUST_USE;

#endif
