/* Dates and times: calendar, output, conversion and arithmetic; see datetime.h. Any thread. */
#include "model/datetime_int.h"

#include <math.h>
#include <stdio.h>

int dt_error(struct err *err, const char *sqlstate, const char *text)
{
	err_set(err, ERR_DATA, "%s", text);
	memcpy(err->sqlstate, sqlstate, 6);
	return -1;
}

static int out_of_range(struct err *err, const char *what)
{
	err_set(err, ERR_DATA, "%s out of range", what);
	memcpy(err->sqlstate, "22008", 6);
	return -1;
}

/* ---- calendar, from 2000-01-01 ---- */

enum { DAYS_TO_2000 = 10957 };

int64_t civil_days(int64_t y, int m, int d)
{
	return calendar_days(y, m, d) - DAYS_TO_2000;
}

struct civil civil_of_days(int64_t days)
{
	struct calendar_date d = calendar_of_days(days + DAYS_TO_2000);

	return (struct civil){.year = d.year, .month = d.month, .day = d.day};
}

struct civil civil_of_us(int64_t us)
{
	int64_t days = floor_div(us, US_PER_DAY), rest = us - days * US_PER_DAY;
	struct civil c = civil_of_days(days);

	c.us = (int32_t)(rest % US_PER_SECOND);
	rest /= US_PER_SECOND;
	c.second = (int)(rest % 60);
	c.minute = (int)(rest / 60 % 60);
	c.hour = (int)(rest / 3600);
	return c;
}

int64_t civil_us(const struct civil *c)
{
	return civil_days(c->year, c->month,
		c->day) * US_PER_DAY + ((int64_t)(c->hour * 60 + c->minute) * 60 + c->second) * US_PER_SECOND + c->us;
}

int civil_month_length(int64_t y, int m)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return lengths[m - 1] + (m == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0));
}

/* ---- output ---- */

static void put_2(struct buf *b, int v)
{
	char two[2] = {(char)('0' + v / 10 % 10), (char)('0' + v % 10)};

	buf_put(b, two, 2);
}

static void put_date(const struct civil *c, struct buf *b)
{
	int64_t y = c->year > 0 ? c->year : 1 - c->year;

	if (y < 10000) {
		put_2(b, (int)(y / 100));
		put_2(b, (int)(y % 100));
	} else {
		buf_i64(b, y);
	}
	buf_putc(b, '-');
	put_2(b, c->month);
	buf_putc(b, '-');
	put_2(b, c->day);
}

static void put_fraction(struct buf *b, int32_t us)
{
	char digits[7];
	size_t n = 6;

	if (!us)
		return;
	for (int i = 5; i >= 0; i--, us /= 10)
		digits[i] = (char)('0' + us % 10);
	while (digits[n - 1] == '0')
		n--;
	buf_putc(b, '.');
	buf_put(b, digits, n);
}

static void put_time(int hour, int minute, int second, int32_t us, struct buf *b)
{
	put_2(b, hour);
	buf_putc(b, ':');
	put_2(b, minute);
	buf_putc(b, ':');
	put_2(b, second);
	put_fraction(b, us);
}

void date_print(int64_t date, struct buf *b)
{
	struct civil c;

	if (!date_is_finite(date)) {
		buf_puts(b, date == DATE_NEG_INF ? "-infinity" : "infinity");
		return;
	}
	c = civil_of_days(date);
	put_date(&c, b);
	if (c.year <= 0)
		buf_puts(b, " BC");
}

void time_print(int64_t us, struct buf *b)
{
	int64_t s = us / US_PER_SECOND;

	put_time((int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60), (int32_t)(us % US_PER_SECOND), b);
}

static void print_timestamp(int64_t us, const int32_t *offset, struct buf *b)
{
	struct civil c = civil_of_us(us);

	put_date(&c, b);
	buf_putc(b, ' ');
	put_time(c.hour, c.minute, c.second, c.us, b);
	if (offset) {
		int32_t s = *offset < 0 ? -*offset : *offset;

		buf_putc(b, *offset < 0 ? '-' : '+');
		put_2(b, s / 3600);
		if (s % 3600) {
			buf_putc(b, ':');
			put_2(b, s / 60 % 60);
		}
		if (s % 60) {
			buf_putc(b, ':');
			put_2(b, s % 60);
		}
	}
	if (c.year <= 0)
		buf_puts(b, " BC");
}

static bool print_infinity(int64_t us, struct buf *b)
{
	if (timestamp_is_finite(us))
		return false;
	buf_puts(b, us == TIMESTAMP_NEG_INF ? "-infinity" : "infinity");
	return true;
}

void timestamp_print(int64_t us, struct buf *b)
{
	if (!print_infinity(us, b))
		print_timestamp(us, NULL, b);
}

void timestamptz_print(int64_t us, const struct tz *zone, struct buf *b)
{
	int32_t offset;

	if (print_infinity(us, b))
		return;
	offset = tz_offset(zone, us);
	print_timestamp(us + offset * US_PER_SECOND, &offset, b);
}

static void put_part(struct buf *b, int64_t v, const char *unit, bool *zero, bool *before)
{
	if (!v)
		return;
	if (!*zero)
		buf_putc(b, ' ');
	if (*before && v > 0)
		buf_putc(b, '+');
	buf_i64(b, v);
	buf_putc(b, ' ');
	buf_puts(b, unit);
	if (v != 1)
		buf_putc(b, 's');
	*before = v < 0;
	*zero = false;
}

void interval_print(struct interval i, struct buf *b)
{
	bool zero = true, before = false;
	uint64_t us = i.us < 0 ? -(uint64_t)i.us : (uint64_t)i.us, s = us / (uint64_t)US_PER_SECOND;

	put_part(b, i.months / 12, "year", &zero, &before);
	put_part(b, i.months % 12, "mon", &zero, &before);
	put_part(b, i.days, "day", &zero, &before);
	if (!zero && !i.us)
		return;
	if (!zero)
		buf_putc(b, ' ');
	if (i.us < 0)
		buf_putc(b, '-');
	else if (before)
		buf_putc(b, '+');
	if (s / 3600 < 100)
		put_2(b, (int)(s / 3600));
	else
		buf_u64(b, s / 3600);
	buf_putc(b, ':');
	put_2(b, (int)(s / 60 % 60));
	buf_putc(b, ':');
	put_2(b, (int)(s % 60));
	put_fraction(b, (int32_t)(us % (uint64_t)US_PER_SECOND));
}

/* ---- precision ---- */

static const int64_t scales[] = {1000000, 100000, 10000, 1000, 100, 10, 1};

static int64_t round_us(int64_t us, int32_t typmod)
{
	int64_t unit;

	if (typmod < 0 || typmod >= 6)
		return us;
	unit = scales[typmod];
	return us >= 0 ? (us + unit / 2) / unit * unit : -((-us + unit / 2) / unit * unit);
}

int64_t timestamp_apply_typmod(int64_t us, int32_t typmod) { return timestamp_is_finite(us) ? round_us(us, typmod) : us; }
int64_t time_apply_typmod(int64_t us, int32_t typmod) { return round_us(us, typmod); }

/* ---- conversion ---- */

int date_to_timestamp(int64_t date, int64_t *ret, struct err *err)
{
	if (!date_is_finite(date)) {
		*ret = date == DATE_NEG_INF ? TIMESTAMP_NEG_INF : TIMESTAMP_POS_INF;
		return 0;
	}
	if (date >= TIMESTAMP_END / US_PER_DAY)
		return dt_error(err, "22008", "date out of range for timestamp");
	*ret = date * US_PER_DAY;
	return 0;
}

int date_to_timestamptz(int64_t date, const struct tz *zone, int64_t *ret, struct err *err)
{
	int64_t us;

	if (date_to_timestamp(date, &us, err) != 0)
		return -1;
	if (timestamp_is_finite(us)) {
		us = tz_to_utc(zone, us);
		if (us < TIMESTAMP_FIRST || us >= TIMESTAMP_END)
			return dt_error(err, "22008", "date out of range for timestamp");
	}
	*ret = us;
	return 0;
}

int64_t timestamp_to_date(int64_t us)
{
	if (!timestamp_is_finite(us))
		return us == TIMESTAMP_NEG_INF ? DATE_NEG_INF : DATE_POS_INF;
	return floor_div(us, US_PER_DAY);
}

static int in_range(int64_t us, int64_t *ret, struct err *err)
{
	if (us < TIMESTAMP_FIRST || us >= TIMESTAMP_END)
		return out_of_range(err, "timestamp");
	*ret = us;
	return 0;
}

int timestamp_to_timestamptz(int64_t local_us, const struct tz *zone, int64_t *ret, struct err *err)
{
	if (!timestamp_is_finite(local_us)) {
		*ret = local_us;
		return 0;
	}
	return in_range(tz_to_utc(zone, local_us), ret, err);
}

int timestamptz_to_timestamp(int64_t us, const struct tz *zone, int64_t *ret, struct err *err)
{
	if (!timestamp_is_finite(us)) {
		*ret = us;
		return 0;
	}
	return in_range(tz_to_local(zone, us), ret, err);
}

/* ---- arithmetic ---- */

int date_add_days(int64_t date, int64_t days, int64_t *ret, struct err *err)
{
	int64_t d = date + days;

	if (!date_is_finite(date)) {
		*ret = date;
		return 0;
	}
	if (d < DATE_FIRST || d >= DATE_END)
		return out_of_range(err, "date");
	*ret = d;
	return 0;
}

int date_sub(int64_t a, int64_t b, int64_t *ret_days, struct err *err)
{
	if (!date_is_finite(a) || !date_is_finite(b))
		return dt_error(err, "22008", "cannot subtract infinite dates");
	*ret_days = a - b;
	return 0;
}

static int add_months(int64_t local, int32_t months, int64_t *ret, struct err *err)
{
	struct civil c = civil_of_us(local);
	int64_t m = c.month - 1 + (int64_t)months;

	c.year += floor_div(m, 12);
	c.month = (int)(m - floor_div(m, 12) * 12) + 1;
	if (c.day > civil_month_length(c.year, c.month))
		c.day = civil_month_length(c.year, c.month);
	if (c.year < -4713 || c.year > 294276)
		return out_of_range(err, "timestamp");
	*ret = civil_us(&c);
	return 0;
}

static int add_days(int64_t local, int32_t days, int64_t *ret, struct err *err)
{
	int64_t add;

	if (__builtin_mul_overflow((int64_t)days, US_PER_DAY, &add) || __builtin_add_overflow(local, add, ret))
		return out_of_range(err, "timestamp");
	return 0;
}

/* zone NULL: timestamp. Each step that moves local time goes back to UTC, as the server does. */
static int add_interval(int64_t us, struct interval i, const struct tz *zone, int64_t *ret, struct err *err)
{
	if (!timestamp_is_finite(us)) {
		*ret = us;
		return 0;
	}
	if (i.months) {
		if (add_months(zone ? tz_to_local(zone, us) : us, i.months, &us, err) != 0)
			return -1;
		if (in_range(zone ? tz_to_utc(zone, us) : us, &us, err) != 0)
			return -1;
	}
	if (i.days) {
		if (add_days(zone ? tz_to_local(zone, us) : us, i.days, &us, err) != 0)
			return -1;
		if (in_range(zone ? tz_to_utc(zone, us) : us, &us, err) != 0)
			return -1;
	}
	if (__builtin_add_overflow(us, i.us, &us))
		return out_of_range(err, "timestamp");
	return in_range(us, ret, err);
}

int timestamp_add(int64_t us, struct interval i, int64_t *ret, struct err *err) { return add_interval(us, i, NULL, ret, err); }

int timestamptz_add(int64_t us, struct interval i, const struct tz *zone, int64_t *ret, struct err *err)
{
	return add_interval(us, i, zone, ret, err);
}

int timestamp_sub(int64_t a, int64_t b, struct interval *ret, struct err *err)
{
	int64_t us;

	if (!timestamp_is_finite(a) || !timestamp_is_finite(b))
		return dt_error(err, "22008", "cannot subtract infinite timestamps");
	if (__builtin_sub_overflow(a, b, &us))
		return out_of_range(err, "interval");
	*ret = (struct interval){us % US_PER_DAY, (int32_t)(us / US_PER_DAY), 0};
	return 0;
}

/* Field by field, borrowing from the next larger one; days of the month are the earlier date's. */
int timestamp_age(int64_t a, int64_t b, struct interval *ret, struct err *err)
{
	struct civil x, y;
	int64_t year, us;
	int month, day;
	bool swap = a < b;

	/* the server takes infinity for the instant that stands for it */
	if (a == TIMESTAMP_NEG_INF || b == TIMESTAMP_NEG_INF)
		return out_of_range(err, "timestamp");
	x = civil_of_us(swap ? b : a);
	y = civil_of_us(swap ? a : b);
	year = x.year - y.year;
	month = x.month - y.month;
	day = x.day - y.day;
	us = ((int64_t)((x.hour - y.hour) * 60 + x.minute - y.minute) * 60 + x.second - y.second) * US_PER_SECOND + x.us - y.us;
	if (us < 0) {
		us += US_PER_DAY;
		day--;
	}
	while (day < 0) {
		/* a month is as long as the one the earlier date is in */
		day += civil_month_length(y.year, y.month);
		month--;
	}
	while (month < 0) {
		month += 12;
		year--;
	}
	*ret = (struct interval){us, day, (int32_t)(year * 12 + month)};
	if (swap)
		*ret = (struct interval){-ret->us, -ret->days, -ret->months};
	return 0;
}

int64_t time_add(int64_t us, struct interval i)
{
	int64_t sum = us + i.us % US_PER_DAY;

	return sum - floor_div(sum, US_PER_DAY) * US_PER_DAY;
}

int interval_neg(struct interval i, struct interval *ret, struct err *err)
{
	if (i.us == INT64_MIN || i.days == INT32_MIN || i.months == INT32_MIN)
		return out_of_range(err, "interval");
	*ret = (struct interval){-i.us, -i.days, -i.months};
	return 0;
}

int interval_add(struct interval a, struct interval b, struct interval *ret, struct err *err)
{
	struct interval r;

	if (__builtin_add_overflow(a.us, b.us, &r.us) || __builtin_add_overflow(a.days, b.days, &r.days) ||
	    __builtin_add_overflow(a.months, b.months, &r.months))
		return out_of_range(err, "interval");
	*ret = r;
	return 0;
}

int interval_sub(struct interval a, struct interval b, struct interval *ret, struct err *err)
{
	struct interval r;

	if (__builtin_sub_overflow(a.us, b.us, &r.us) || __builtin_sub_overflow(a.days, b.days, &r.days) ||
	    __builtin_sub_overflow(a.months, b.months, &r.months))
		return out_of_range(err, "interval");
	*ret = r;
	return 0;
}

static double round_6(double d) { return rint(d * 1000000.0) / 1000000.0; }

static bool fits_32(double d) { return d >= INT32_MIN && d <= INT32_MAX; }

/* Fractions of months become days of 30 per month, fractions of days become seconds: the server's cascade, in its order of rounding. */
static int cascade(double months, double days, double us, struct interval *ret, struct err *err)
{
	double month_days, seconds;
	struct interval r;
	int32_t more;

	if (!fits_32(months) || !fits_32(days))
		return out_of_range(err, "interval");
	r.months = (int32_t)months;
	r.days = (int32_t)days;
	month_days = round_6((months - r.months) * 30);
	seconds = round_6((days - r.days + month_days - (int)month_days) * 86400);
	if (fabs(seconds) >= 86400) {
		r.days += (int32_t)(seconds / 86400);
		seconds -= (int)(seconds / 86400) * 86400.0;
	}
	more = (int32_t)month_days;
	if (__builtin_add_overflow(r.days, more, &r.days))
		return out_of_range(err, "interval");
	us = rint(us + seconds * 1000000.0);
	if (!(us >= -9223372036854775808.0 && us < 9223372036854775808.0))
		return out_of_range(err, "interval");
	r.us = (int64_t)us;
	*ret = r;
	return 0;
}

int interval_mul(struct interval i, double by, struct interval *ret, struct err *err)
{
	return cascade(i.months * by, i.days * by, (double)i.us * by, ret, err);
}

int interval_div(struct interval i, double by, struct interval *ret, struct err *err)
{
	if (by == 0)
		return dt_error(err, "22012", "division by zero");
	return cascade(i.months / by, i.days / by, (double)i.us / by, ret, err);
}

int interval_justify_hours(struct interval i, struct interval *ret, struct err *err)
{
	struct interval r = {i.us % US_PER_DAY, 0, i.months};

	if (__builtin_add_overflow(i.days, (int32_t)(i.us / US_PER_DAY), &r.days))
		return out_of_range(err, "interval");
	if (r.days > 0 && r.us < 0) {
		r.us += US_PER_DAY;
		r.days--;
	} else if (r.days < 0 && r.us > 0) {
		r.us -= US_PER_DAY;
		r.days++;
	}
	*ret = r;
	return 0;
}

int interval_justify_days(struct interval i, struct interval *ret, struct err *err)
{
	struct interval r = {i.us, i.days % 30, 0};

	if (__builtin_add_overflow(i.months, i.days / 30, &r.months))
		return out_of_range(err, "interval");
	if (r.months > 0 && r.days < 0) {
		r.days += 30;
		r.months--;
	} else if (r.months < 0 && r.days > 0) {
		r.days -= 30;
		r.months++;
	}
	*ret = r;
	return 0;
}
