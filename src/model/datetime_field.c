/* Dates and times: extract(), date_part(), date_trunc(); see datetime.h. Any thread. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "model/datetime_int.h"

/* In the order of strcmp; the server looks at no more than ten bytes. */
static const struct {
	char name[11];
	uint8_t field;
} names[] = {
	{"c", DT_CENTURY}, {"cent", DT_CENTURY}, {"centuries", DT_CENTURY}, {"century", DT_CENTURY}, {"d", DT_DAY}, {"day", DT_DAY},
	{"days", DT_DAY},
	{"dec", DT_DECADE}, {"decade", DT_DECADE}, {"decades", DT_DECADE}, {"decs", DT_DECADE}, {"dow", DT_DOW}, {"doy", DT_DOY},
	{"epoch", DT_EPOCH}, {"h", DT_HOUR}, {"hour", DT_HOUR}, {"hours", DT_HOUR}, {"hr", DT_HOUR}, {"hrs", DT_HOUR}, {"isodow", DT_ISODOW},
	{"isoyear", DT_ISOYEAR}, {"j", DT_JULIAN}, {"jd", DT_JULIAN}, {"julian", DT_JULIAN}, {"m", DT_MINUTE}, {"microsecon", DT_MICROSECOND},
	{"mil", DT_MILLENNIUM}, {"millennia", DT_MILLENNIUM}, {"millennium", DT_MILLENNIUM}, {"millisecon", DT_MILLISECOND},
	{"mils", DT_MILLENNIUM},
	{"min", DT_MINUTE}, {"mins", DT_MINUTE}, {"minute", DT_MINUTE}, {"minutes", DT_MINUTE}, {"mon", DT_MONTH}, {"mons", DT_MONTH},
	{"month", DT_MONTH}, {"months", DT_MONTH}, {"ms", DT_MILLISECOND}, {"msec", DT_MILLISECOND}, {"msecond", DT_MILLISECOND},
	{"mseconds", DT_MILLISECOND}, {"msecs", DT_MILLISECOND}, {"qtr", DT_QUARTER}, {"quarter", DT_QUARTER}, {"s", DT_SECOND},
	{"sec", DT_SECOND},
	{"second", DT_SECOND}, {"seconds", DT_SECOND}, {"secs", DT_SECOND}, {"timezone", DT_TIMEZONE}, {"timezone_h", DT_TIMEZONE_HOUR},
	{"timezone_m", DT_TIMEZONE_MINUTE}, {"us", DT_MICROSECOND}, {"usec", DT_MICROSECOND}, {"usecond", DT_MICROSECOND},
	{"useconds", DT_MICROSECOND}, {"usecs", DT_MICROSECOND}, {"w", DT_WEEK}, {"week", DT_WEEK}, {"weeks", DT_WEEK}, {"y", DT_YEAR},
	{"year", DT_YEAR}, {"years", DT_YEAR}, {"yr", DT_YEAR}, {"yrs", DT_YEAR},
};

enum dt_field dt_field_of(struct view name)
{
	size_t low = 0, high = sizeof(names) / sizeof(names[0]), n = name.len > 10 ? 10 : name.len;
	char lower[11];

	for (size_t i = 0; i < n; i++)
		lower[i] = (char)tolower(name.ptr[i]);
	lower[n] = 0;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = strcmp(lower, names[mid].name);

		if (c == 0)
			return (enum dt_field)names[mid].field;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return DT_UNKNOWN;
}

static int refuse(enum dt_field f, struct view name, enum value_kind kind, struct err *err)
{
	char lower[64];
	size_t n = name.len > 63 ? 63 : name.len;

	for (size_t i = 0; i < n; i++)
		lower[i] = (char)tolower(name.ptr[i]);
	lower[n] = 0;
	err_set(err, ERR_DATA, "unit \"%s\" not %s for type %s", lower, f == DT_UNKNOWN ? "recognized" : "supported", value_kind_name(kind));
	memcpy(err->sqlstate, f == DT_UNKNOWN ? "22023" : "0A000", 6);
	return -1;
}

/* ---- parts of a civil date ---- */

static int day_of_week(const struct civil *c)
{
	int64_t d = civil_days(c->year, c->month, c->day) + 6;     /* 2000-01-01 was a Saturday */

	return (int)(d - floor_div(d, 7) * 7);
}

/* Days since 2000-01-01 of the Monday of the ISO week 1 of a year. */
static int64_t iso_year_start(int64_t year)
{
	int64_t fourth = civil_days(year, 1, 4), monday = fourth + 5;

	return fourth - (monday - floor_div(monday, 7) * 7);
}

static int64_t iso_year(const struct civil *c)
{
	int64_t d = civil_days(c->year, c->month, c->day);

	if (d < iso_year_start(c->year))
		return c->year - 1;
	return d >= iso_year_start(c->year + 1) ? c->year + 1 : c->year;
}

static int64_t iso_week(const struct civil *c)
{
	return (civil_days(c->year, c->month, c->day) - iso_year_start(iso_year(c))) / 7 + 1;
}

static int64_t century_of(int64_t y, int64_t length)
{
	return y > 0 ? (y + length - 1) / length : -((length - 1 - (y - 1)) / length);
}

/* The whole-number fields of a date and time; false when f is none of them. */
static bool civil_field(enum dt_field f, const struct civil *c, int64_t *ret)
{
	switch (f) {
	case DT_MICROSECOND: *ret = c->second * US_PER_SECOND + c->us; break;
	case DT_MINUTE: *ret = c->minute; break;
	case DT_HOUR: *ret = c->hour; break;
	case DT_DAY: *ret = c->day; break;
	case DT_MONTH: *ret = c->month; break;
	case DT_QUARTER: *ret = (c->month - 1) / 3 + 1; break;
	case DT_WEEK: *ret = iso_week(c); break;
	case DT_YEAR: *ret = c->year > 0 ? c->year : c->year - 1; break;
	case DT_DECADE: *ret = c->year >= 0 ? c->year / 10 : -((8 - (c->year - 1)) / 10); break;
	case DT_CENTURY: *ret = century_of(c->year, 100); break;
	case DT_MILLENNIUM: *ret = century_of(c->year, 1000); break;
	case DT_ISOYEAR:
		*ret = iso_year(c);
		*ret -= *ret <= 0;
		break;
	case DT_DOW: *ret = day_of_week(c); break;
	case DT_ISODOW: *ret = day_of_week(c) ? day_of_week(c) : 7; break;
	case DT_DOY: *ret = civil_days(c->year, c->month, c->day) - civil_days(c->year, 1, 1) + 1; break;
	default: return false;
	}
	return true;
}

/* ---- results ---- */

static int give_int(int64_t i, bool as_float, struct value *ret)
{
	*ret = as_float ? value_float8((double)i) : value_of_num(num_of_int(i));
	return 0;
}

/* microseconds / 10^scale, all decimals shown */
static int give_scaled(int128 us, uint32_t scale, bool as_float, struct value *ret)
{
	*ret = as_float ? value_float8((double)us / (scale == 3 ? 1e3 : 1e6)) : value_of_num(num_small(us, scale));
	return 0;
}

static int give_infinity(bool negative, bool as_float, struct value *ret)
{
	*ret = as_float ? value_float8(negative ? -(double)INFINITY : (double)INFINITY) : value_of_num(num_special(negative ? NUM_NEG_INF :
		NUM_POS_INF));
	return 0;
}

static int of_infinity(enum dt_field f, struct view name, enum value_kind kind, bool negative, bool as_float, struct value *ret,
	struct err *err)
{
	switch (f) {
	case DT_YEAR: case DT_DECADE: case DT_CENTURY: case DT_MILLENNIUM: case DT_ISOYEAR: case DT_EPOCH: case DT_JULIAN:
		return give_infinity(negative, as_float, ret);
	case DT_UNKNOWN: return refuse(f, name, kind, err);
	default: break;
	}
	*ret = value_null(as_float ? VALUE_FLOAT8 : VALUE_NUMERIC);
	return 0;
}

static int give_julian(int64_t local_us, bool as_float, struct value *ret, struct err *err)
{
	int64_t day = floor_div(local_us, US_PER_DAY), rest = local_us - day * US_PER_DAY;
	struct num whole = num_of_int(day + 2451545), part = num_of_int(rest), length = num_of_int(US_PER_DAY), sum;
	struct arena a = ARENA_INIT;
	int rc;

	if (as_float) {
		double seconds = (double)(rest / US_PER_SECOND) + (double)(rest % US_PER_SECOND) / 1000000.0;

		*ret = value_float8((double)(day + 2451545) + seconds / 86400.0);
		return 0;
	}
	rc = num_div(&part, &length, &a, &part, err);
	if (rc == 0)
		rc = num_add(&whole, &part, &a, &sum, err);
	if (rc == 0)
		*ret = value_of_num(sum);
	arena_release(&a);      /* seven digits and twenty decimals fit 128 bits: nothing of it is in the result */
	wm_assert(rc != 0 || sum.form == NUM_SMALL);
	return rc;
}

static int of_timestamp(enum dt_field f, struct view name, enum value_kind kind, int64_t us, const struct tz *zone, bool as_float,
	struct value *ret,
						struct err *err)
{
	int32_t offset = 0;
	struct civil c;
	int64_t i, local;

	if (!timestamp_is_finite(us))
		return of_infinity(f, name, kind, us == TIMESTAMP_NEG_INF, as_float, ret, err);
	if (f == DT_EPOCH)
		return give_scaled((int128)us + UNIX_EPOCH_US, 6, as_float, ret);
	if (kind == VALUE_TIMESTAMPTZ)
		offset = tz_offset(zone, us);
	local = us + offset * US_PER_SECOND;
	c = civil_of_us(local);
	if (civil_field(f, &c, &i))
		return give_int(i, as_float, ret);
	switch (f) {
	case DT_SECOND:
		if (as_float) {
			*ret = value_float8(c.second + c.us / 1000000.0);
			return 0;
		}
		return give_scaled(c.second * US_PER_SECOND + c.us, 6, as_float, ret);
	case DT_MILLISECOND:
		if (as_float) {
			*ret = value_float8(c.second * 1000.0 + c.us / 1000.0);
			return 0;
		}
		return give_scaled(c.second * US_PER_SECOND + c.us, 3, as_float, ret);
	case DT_JULIAN: return give_julian(local, as_float, ret, err);
	case DT_TIMEZONE: if (kind == VALUE_TIMESTAMPTZ) return give_int(offset, as_float, ret); break;
	case DT_TIMEZONE_HOUR: if (kind == VALUE_TIMESTAMPTZ) return give_int(offset / 3600, as_float, ret); break;
	case DT_TIMEZONE_MINUTE: if (kind == VALUE_TIMESTAMPTZ) return give_int(offset % 3600 / 60, as_float, ret); break;
	default: break;
	}
	return refuse(f, name, kind, err);
}

static int of_date(enum dt_field f, struct view name, int64_t date, bool as_float, struct value *ret, struct err *err)
{
	struct civil c;
	int64_t i;

	switch (f) {
	case DT_MICROSECOND: case DT_MILLISECOND: case DT_SECOND: case DT_MINUTE: case DT_HOUR: case DT_TIMEZONE: case DT_TIMEZONE_HOUR:
	case DT_TIMEZONE_MINUTE: case DT_UNKNOWN:
		return refuse(f, name, VALUE_DATE, err);
	default: break;
	}
	if (!date_is_finite(date))
		return of_infinity(f, name, VALUE_DATE, date == DATE_NEG_INF, as_float, ret, err);
	c = civil_of_days(date);
	if (f == DT_EPOCH)
		return give_int(date * 86400 + UNIX_EPOCH_US / US_PER_SECOND, as_float, ret);
	if (f == DT_JULIAN)
		return give_int(date + 2451545, as_float, ret);
	if (!civil_field(f, &c, &i))
		return refuse(f, name, VALUE_DATE, err);
	return give_int(i, as_float, ret);
}

static int of_time(enum dt_field f, struct view name, int64_t us, bool as_float, struct value *ret, struct err *err)
{
	int64_t in_minute = us % (60 * US_PER_SECOND);

	switch (f) {
	case DT_MICROSECOND: return give_int(in_minute, as_float, ret);
	case DT_MILLISECOND: return give_scaled(in_minute, 3, as_float, ret);
	case DT_SECOND: return give_scaled(in_minute, 6, as_float, ret);
	case DT_MINUTE: return give_int(us / (60 * US_PER_SECOND) % 60, as_float, ret);
	case DT_HOUR: return give_int(us / (3600 * US_PER_SECOND), as_float, ret);
	case DT_EPOCH: return give_scaled(us, 6, as_float, ret);
	default: return refuse(f, name, VALUE_TIME, err);
	}
}

static int interval_epoch(struct interval i, bool as_float, struct value *ret)
{
	int64_t quarter_days = (int64_t)(i.months / 12) * 1461 + (int64_t)(i.months % 12) * 120 + (int64_t)i.days * 4;
	double d;

	if (!as_float)
		return give_scaled((int128)quarter_days * 21600 * US_PER_SECOND + i.us, 6, false, ret);
	d = (double)i.us / 1000000.0;
	d += 365.25 * 86400 * (i.months / 12);
	d += 30.0 * 86400 * (i.months % 12);
	d += 86400.0 * i.days;
	*ret = value_float8(d);
	return 0;
}

static int of_interval(enum dt_field f, struct view name, struct interval i, bool as_float, struct value *ret, struct err *err)
{
	int64_t in_minute = i.us % (60 * US_PER_SECOND);
	int32_t years = i.months / 12, months = i.months % 12;

	switch (f) {
	case DT_MICROSECOND: return give_int(in_minute, as_float, ret);
	case DT_MILLISECOND: return give_scaled(in_minute, 3, as_float, ret);
	case DT_SECOND: return give_scaled(in_minute, 6, as_float, ret);
	case DT_MINUTE: return give_int(i.us / (60 * US_PER_SECOND) % 60, as_float, ret);
	case DT_HOUR: return give_int(i.us / (3600 * US_PER_SECOND), as_float, ret);
	case DT_DAY: return give_int(i.days, as_float, ret);
	case DT_MONTH: return give_int(months, as_float, ret);
	case DT_QUARTER: return give_int(months / 3 + 1, as_float, ret);
	case DT_YEAR: return give_int(years, as_float, ret);
	case DT_DECADE: return give_int(years / 10, as_float, ret);
	case DT_CENTURY: return give_int(years / 100, as_float, ret);
	case DT_MILLENNIUM: return give_int(years / 1000, as_float, ret);
	case DT_EPOCH: return interval_epoch(i, as_float, ret);
	default: return refuse(f, name, VALUE_INTERVAL, err);
	}
}

int dt_extract(enum dt_field f, struct view name, const struct value *v, const struct tz *zone, bool as_float, struct value *ret,
	struct err *err)
{
	switch (v->kind) {
	case VALUE_DATE: return of_date(f, name, v->i, as_float, ret, err);
	case VALUE_TIME: return of_time(f, name, v->i, as_float, ret, err);
	case VALUE_INTERVAL: return of_interval(f, name, value_interval(v), as_float, ret, err);
	default:
		wm_assert(v->kind == VALUE_TIMESTAMP || v->kind == VALUE_TIMESTAMPTZ);
		return of_timestamp(f, name, (enum value_kind)v->kind, v->i, zone, as_float, ret, err);
	}
}

/* ---- date_trunc ---- */

/* The year that opens a span of `length` years: centuries and millennia start with a year 1. */
static int64_t span_start(int64_t y, int64_t length)
{
	return y > 0 ? (y + length - 1) / length * length - (length - 1) : -((length - 1 - (y - 1)) / length) * length + 1;
}

/* Sets what is below f to its lowest; false when f cannot be truncated to. */
static bool trunc_civil(enum dt_field f, struct civil *c)
{
	int64_t monday;

	switch (f) {
	case DT_MILLENNIUM: c->year = span_start(c->year, 1000); c->month = 1; c->day = 1; break;
	case DT_CENTURY: c->year = span_start(c->year, 100); c->month = 1; c->day = 1; break;
	case DT_DECADE: c->year = c->year > 0 ? c->year / 10 * 10 : -((8 - (c->year - 1)) / 10) * 10; c->month = 1; c->day = 1; break;
	case DT_YEAR: c->month = 1; c->day = 1; break;
	case DT_QUARTER: c->month = (c->month - 1) / 3 * 3 + 1; c->day = 1; break;
	case DT_MONTH: c->day = 1; break;
	case DT_WEEK:
		monday = civil_days(c->year, c->month, c->day) - (day_of_week(c) + 6) % 7;
		*c = civil_of_days(monday);
		break;
	case DT_DAY: break;
	case DT_HOUR: c->minute = c->second = 0; c->us = 0; return true;
	case DT_MINUTE: c->second = 0; c->us = 0; return true;
	case DT_SECOND: c->us = 0; return true;
	case DT_MILLISECOND: c->us = c->us / 1000 * 1000; return true;
	case DT_MICROSECOND: return true;
	default: return false;
	}
	c->hour = c->minute = c->second = 0;
	c->us = 0;
	return true;
}

static int trunc_interval(enum dt_field f, struct view name, struct interval i, struct value *ret, struct err *err)
{
	int64_t unit = 1;

	switch (f) {
	case DT_MILLENNIUM: i.months -= i.months % 12000; i.days = 0; i.us = 0; break;
	case DT_CENTURY: i.months -= i.months % 1200; i.days = 0; i.us = 0; break;
	case DT_DECADE: i.months -= i.months % 120; i.days = 0; i.us = 0; break;
	case DT_YEAR: i.months -= i.months % 12; i.days = 0; i.us = 0; break;
	case DT_QUARTER: i.months -= i.months % 3; i.days = 0; i.us = 0; break;
	case DT_MONTH: i.days = 0; i.us = 0; break;
	case DT_DAY: i.us = 0; break;
	case DT_HOUR: unit = 3600 * US_PER_SECOND; break;
	case DT_MINUTE: unit = 60 * US_PER_SECOND; break;
	case DT_SECOND: unit = US_PER_SECOND; break;
	case DT_MILLISECOND: unit = 1000; break;
	case DT_MICROSECOND: break;
	default: return refuse(f, name, VALUE_INTERVAL, err);
	}
	i.us -= i.us % unit;
	*ret = value_of_interval(i);
	return 0;
}

static bool above_hour(enum dt_field f)
{
	return f == DT_DAY || f == DT_WEEK || f == DT_MONTH || f == DT_QUARTER || f == DT_YEAR || f == DT_DECADE || f == DT_CENTURY ||
		f == DT_MILLENNIUM;
}

int dt_trunc(enum dt_field f, struct view name, const struct value *v, const struct tz *zone, struct value *ret, struct err *err)
{
	enum value_kind kind = (enum value_kind)v->kind;
	int32_t offset;
	struct civil c;
	int64_t us;

	if (kind == VALUE_INTERVAL)
		return trunc_interval(f, name, value_interval(v), ret, err);
	wm_assert(kind == VALUE_TIMESTAMP || kind == VALUE_TIMESTAMPTZ);
	if (!timestamp_is_finite(v->i)) {
		*ret = *v;
		return 0;
	}
	offset = kind == VALUE_TIMESTAMPTZ ? tz_offset(zone, v->i) : 0;
	c = civil_of_us(v->i + offset * US_PER_SECOND);
	if (!trunc_civil(f, &c))
		return refuse(f, name, kind, err);
	us = civil_us(&c);
	/* below a day the offset stays that of the moment; a day or more starts with its own */
	if (kind == VALUE_TIMESTAMPTZ)
		us = above_hour(f) ? tz_to_utc(zone, us) : us - offset * US_PER_SECOND;
	if (us < TIMESTAMP_FIRST || us >= TIMESTAMP_END)
		return dt_error(err, "22008", "timestamp out of range");
	*ret = value_int(kind, us);
	return 0;
}
