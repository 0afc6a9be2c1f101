/* Dates and times: input; see datetime.h for the forms that are read. Any thread. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "model/datetime_int.h"

enum { TEXT_MAX = 128 };

/* A cursor over a NUL-terminated copy, and what has been read. */
struct scan {
	const char *p;
	struct civil c;
	bool has_time, has_zone;
	int32_t zone_s;             /* seconds east */
	char zone_name[64];
	int infinity;               /* -1, 1 */
	bool epoch;
	bool out_of_range;          /* a field is beyond what it can be */
};

static int bad_syntax(struct view text, const char *type, struct err *err)
{
	err_set(err, ERR_DATA, "invalid input syntax for type %s: \"%.*s\"", type, (int)(text.len > 300 ? 300 : text.len),
		(const char *)text.ptr);
	memcpy(err->sqlstate, "22007", 6);
	return err_detail(err, "Dates and times are read in ISO 8601 form only.");
}

static int bad_field(struct view text, struct err *err)
{
	err_set(err, ERR_DATA, "date/time field value out of range: \"%.*s\"", (int)(text.len > 300 ? 300 : text.len), (const char *)text.ptr);
	memcpy(err->sqlstate, "22008", 6);
	return -1;
}

static int beyond(struct view text, const char *type, struct err *err)
{
	err_set(err, ERR_DATA, "%s out of range: \"%.*s\"", type, (int)(text.len > 300 ? 300 : text.len), (const char *)text.ptr);
	memcpy(err->sqlstate, "22008", 6);
	return -1;
}

static bool copy_text(struct view text, char out[TEXT_MAX + 1])
{
	while (text.len && isspace(text.ptr[0]))
		text = view_of(text.ptr + 1, text.len - 1);
	while (text.len && isspace(text.ptr[text.len - 1]))
		text.len--;
	if (!text.len || text.len > TEXT_MAX || memchr(text.ptr, 0, text.len))
		return false;
	memcpy(out, text.ptr, text.len);
	out[text.len] = 0;
	return true;
}

static void skip_spaces(struct scan *s)
{
	while (isspace((unsigned char)*s->p))
		s->p++;
}

/* Digits, min..max of them. */
static bool take_int(struct scan *s, int min, int max, int *ret)
{
	int n = 0, v = 0;

	for (; n < max && isdigit((unsigned char)s->p[n]); n++)
		v = v * 10 + (s->p[n] - '0');
	if (n < min || isdigit((unsigned char)s->p[n]))
		return false;
	s->p += n;
	*ret = v;
	return true;
}

static bool take_date(struct scan *s)
{
	int y, m, d;

	if (!take_int(s, 3, 7, &y) || *s->p++ != '-' || !take_int(s, 1, 2, &m) || *s->p++ != '-' || !take_int(s, 1, 2, &d))
		return false;
	s->c.year = y;
	s->c.month = m;
	s->c.day = d;
	return true;
}

static int32_t take_fraction(struct scan *s)
{
	char *end;
	double f;

	if (*s->p != '.' || !isdigit((unsigned char)s->p[1])) {
		s->p += *s->p == '.';
		return 0;
	}
	f = strtod(s->p, &end);
	/* an exponent is none of a time's business */
	while (!isdigit((unsigned char)end[-1]))
		end--;
	for (const char *q = s->p + 1; q < end; q++)
		if (!isdigit((unsigned char)*q))
			return -1;
	s->p = end;
	return (int32_t)rint(f * 1000000);
}

static bool take_time(struct scan *s)
{
	struct civil *c = &s->c;

	if (!take_int(s, 1, 2, &c->hour) || *s->p++ != ':' || !take_int(s, 1, 2, &c->minute))
		return false;
	if (*s->p == ':') {
		s->p++;
		if (!take_int(s, 1, 2, &c->second))
			return false;
		c->us = take_fraction(s);
		if (c->us < 0)
			return false;
	}
	s->has_time = true;
	if (c->hour > 24 || c->minute > 59 || c->second > 60 || (c->hour == 24 && (c->minute || c->second || c->us)))
		s->out_of_range = true;
	return true;
}

/* +02, +0230, +02:30, +02:30:15 */
static bool take_offset(struct scan *s)
{
	int sign = *s->p++ == '-' ? -1 : 1, h, m = 0, sec = 0, digits = 0;

	while (isdigit((unsigned char)s->p[digits]))
		digits++;
	if (digits == 4) {
		int hm;

		if (!take_int(s, 4, 4, &hm))
			return false;
		h = hm / 100;
		m = hm % 100;
	} else {
		if (!take_int(s, 1, 2, &h))
			return false;
		if (*s->p == ':') {
			s->p++;
			if (!take_int(s, 2, 2, &m))
				return false;
			if (*s->p == ':') {
				s->p++;
				if (!take_int(s, 2, 2, &sec))
					return false;
			}
		}
	}
	s->has_zone = true;
	s->zone_s = sign * (h * 3600 + m * 60 + sec);
	if (h > 15 || m > 59 || sec > 59)
		s->out_of_range = true;
	return true;
}

static bool take_word(struct scan *s)
{
	size_t n = 0;
	char word[64];

	while (isalpha((unsigned char)s->p[n]) || (n && (strchr("/_", s->p[n]) || (strchr("+-", s->p[n]) && memchr(s->p, '/', n)))) ||
	       (n && isdigit((unsigned char)s->p[n]))) {
		if (!s->p[n])
			break;
		n++;
	}
	if (!n || n >= sizeof(word))
		return false;
	memcpy(word, s->p, n);
	word[n] = 0;
	s->p += n;
	if (strcasecmp(word, "bc") == 0) {
		s->c.year = 1 - s->c.year;
		return true;
	}
	if (strcasecmp(word, "ad") == 0)
		return true;
	if (s->has_zone)
		return false;
	s->has_zone = true;
	if (strcasecmp(word, "z") != 0 && strcasecmp(word, "utc") != 0 && strcasecmp(word, "gmt") != 0)
		memcpy(s->zone_name, word, n + 1);
	return true;
}

static bool take_special(struct scan *s)
{
	const char *p = s->p;
	int sign = *p == '-' ? -1 : 1;

	if (strcasecmp(p, "epoch") == 0) {
		s->epoch = true;
		return true;
	}
	if (*p == '-' || *p == '+')
		p++;
	if (strcasecmp(p, "infinity") != 0)
		return false;
	s->infinity = sign;
	return true;
}

static bool take_tail(struct scan *s)
{
	while (*s->p) {
		skip_spaces(s);
		if (*s->p == '+' || *s->p == '-') {
			if (s->has_zone || !take_offset(s))
				return false;
		} else if (!take_word(s)) {
			return false;
		}
	}
	return true;
}

/* 0 fine, -1 err filled */
static int scan_datetime(struct view text, const char *type, struct scan *s, struct err *err)
{
	char copy[TEXT_MAX + 1];
	int rc = 0;

	*s = (struct scan){.p = copy};
	if (!copy_text(text, copy))
		return bad_syntax(text, type, err);
	if (take_special(s)) {
		s->p = NULL;
		return 0;
	}
	if (!take_date(s))
		return bad_syntax(text, type, err);
	if (*s->p == 'T' || *s->p == 't')
		s->p++;
	skip_spaces(s);
	if (isdigit((unsigned char)*s->p) && !take_time(s))
		rc = bad_syntax(text, type, err);
	if (rc == 0 && !take_tail(s))
		rc = bad_syntax(text, type, err);
	s->p = NULL;
	if (rc != 0)
		return -1;
	if (s->out_of_range || s->c.month < 1 || s->c.month > 12 || s->c.day < 1 || s->c.day > 31 ||
	    s->c.day > civil_month_length(s->c.year, s->c.month))
		return bad_field(text, err);
	return 0;
}

int date_parse(struct view text, int64_t *ret, struct err *err)
{
	struct scan s;
	int64_t d;

	if (scan_datetime(text, "date", &s, err) != 0)
		return -1;
	if (s.zone_name[0] || (s.has_zone && !s.has_time))
		return bad_syntax(text, "date", err);
	if (s.infinity)
		d = s.infinity < 0 ? DATE_NEG_INF : DATE_POS_INF;
	else
		d = s.epoch ? -UNIX_EPOCH_US / US_PER_DAY : civil_days(s.c.year, s.c.month, s.c.day);
	if (!s.infinity && (d < DATE_FIRST || d >= DATE_END))
		return beyond(text, "date", err);
	*ret = d;
	return 0;
}

int time_parse(struct view text, int64_t *ret, struct err *err)
{
	char copy[TEXT_MAX + 1];
	struct scan s = {.p = copy};
	int64_t us;

	if (!copy_text(text, copy) || !take_time(&s) || !take_tail(&s) || s.zone_name[0])
		return bad_syntax(text, "time", err);
	us = ((int64_t)(s.c.hour * 60 + s.c.minute) * 60 + s.c.second) * US_PER_SECOND + s.c.us;
	if (s.out_of_range || us > US_PER_DAY)
		return bad_field(text, err);
	*ret = us;
	return 0;
}

static int special(const struct scan *s, int64_t *ret)
{
	if (s->infinity)
		*ret = s->infinity < 0 ? TIMESTAMP_NEG_INF : TIMESTAMP_POS_INF;
	else
		*ret = -UNIX_EPOCH_US;
	return 0;
}

int timestamp_parse(struct view text, int64_t *ret, struct err *err)
{
	struct scan s;
	int64_t us;

	if (scan_datetime(text, "timestamp", &s, err) != 0)
		return -1;
	if (s.zone_name[0] || (s.has_zone && !s.has_time))
		return bad_syntax(text, "timestamp", err);
	if (s.infinity || s.epoch)
		return special(&s, ret);
	us = civil_us(&s.c);
	if (us < TIMESTAMP_FIRST || us >= TIMESTAMP_END || s.c.year > 294277)
		return beyond(text, "timestamp", err);
	*ret = us;
	return 0;
}

int timestamptz_parse(struct view text, const struct tz *zone, struct tz_cache *zones, int64_t *ret, struct err *err)
{
	struct scan s;
	int64_t us;

	if (scan_datetime(text, "timestamp with time zone", &s, err) != 0)
		return -1;
	if (s.infinity || s.epoch)
		return special(&s, ret);
	if (s.c.year > 294277)
		return beyond(text, "timestamp", err);
	us = civil_us(&s.c);
	if (s.zone_name[0]) {
		/* a bare word may be one of the server's abbreviations, which are not zone names */
		if (!zones || !strchr(s.zone_name, '/'))
			return bad_syntax(text, "timestamp with time zone", err);
		zone = tz_open(zones, s.zone_name, err);
		if (!zone)
			return -1;
	}
	us = s.has_zone && !s.zone_name[0] ? us - s.zone_s * US_PER_SECOND : tz_to_utc(zone, us);
	if (us < TIMESTAMP_FIRST || us >= TIMESTAMP_END)
		return beyond(text, "timestamp", err);
	*ret = us;
	return 0;
}

/* ---- intervals ---- */

static int interval_overflow(struct view text, struct err *err)
{
	err_set(err, ERR_DATA, "interval field value out of range: \"%.*s\"", (int)(text.len > 300 ? 300 : text.len), (const char *)text.ptr);
	memcpy(err->sqlstate, "22015", 6);
	return -1;
}

static bool add_us(struct interval *i, double unit_us, int64_t whole, double fraction)
{
	int64_t add;

	if (__builtin_mul_overflow(whole, (int64_t)unit_us, &add) || __builtin_add_overflow(i->us, add, &i->us))
		return false;
	return !__builtin_add_overflow(i->us, (int64_t)rint(fraction * unit_us), &i->us);
}

static bool add_days_part(struct interval *i, int64_t whole, double fraction)
{
	double rest;

	if (__builtin_add_overflow(i->days, whole, &i->days) || __builtin_add_overflow(i->days, (int64_t)fraction, &i->days))
		return false;
	rest = fraction - (double)(int64_t)fraction;
	return add_us(i, 86400e6, 0, rest);
}

static bool add_months_part(struct interval *i, int64_t per, int64_t whole)
{
	int64_t months;

	return !__builtin_mul_overflow(whole, per, &months) && !__builtin_add_overflow(i->months, months, &i->months);
}

/* 0 fine, 1 no such unit, 2 overflow */
static int add_unit(struct interval *i, struct view unit, int64_t whole, double fraction)
{
	bool fits;

	switch (dt_field_of(unit)) {
	case DT_MICROSECOND: fits = add_us(i, 1, whole, fraction); break;
	case DT_MILLISECOND: fits = add_us(i, 1e3, whole, fraction); break;
	case DT_SECOND: fits = add_us(i, 1e6, whole, fraction); break;
	case DT_MINUTE: fits = add_us(i, 60e6, whole, fraction); break;
	case DT_HOUR: fits = add_us(i, 3600e6, whole, fraction); break;
	case DT_DAY: fits = add_days_part(i, whole, fraction); break;
	case DT_WEEK: fits = whole < INT32_MAX && whole > INT32_MIN && add_days_part(i, whole * 7, fraction * 7); break;
	case DT_MONTH: fits = add_months_part(i, 1, whole) && add_days_part(i, 0, fraction * 30); break;
	case DT_YEAR: fits = add_months_part(i, 12, whole) && add_months_part(i, 1, (int64_t)rint(fraction * 12)); break;
	case DT_DECADE: fits = add_months_part(i, 120, whole) && add_months_part(i, 1, (int64_t)rint(fraction * 120)); break;
	case DT_CENTURY: fits = add_months_part(i, 1200, whole) && add_months_part(i, 1, (int64_t)rint(fraction * 1200)); break;
	case DT_MILLENNIUM: fits = add_months_part(i, 12000, whole) && add_months_part(i, 1, (int64_t)rint(fraction * 12000)); break;
	default: return 1;
	}
	return fits ? 0 : 2;
}

/* h+:mm[:ss[.f]] behind a sign that was read */
static int take_clock(struct scan *s, int sign, int64_t hours, struct interval *i)
{
	int64_t us, h;
	int m, sec = 0, fraction = 0;

	s->p++;
	if (!take_int(s, 1, 2, &m))
		return 1;
	if (*s->p == ':') {
		s->p++;
		if (!take_int(s, 1, 2, &sec))
			return 1;
		fraction = take_fraction(s);
		if (fraction < 0)
			return 1;
	}
	if (m > 59 || sec > 59 || __builtin_mul_overflow(hours, 3600 * US_PER_SECOND, &h))
		return 2;
	us = (int64_t)(m * 60 + sec) * US_PER_SECOND + fraction;
	if (__builtin_add_overflow(us, h, &us) || __builtin_add_overflow(i->us, sign * us, &i->us))
		return 2;
	return 0;
}

static int take_quantity(struct scan *s, struct interval *i)
{
	int sign = *s->p == '-' ? -1 : 1, digits = 0;
	double fraction = 0;
	int64_t whole = 0;
	size_t n = 0;

	s->p += *s->p == '-' || *s->p == '+';
	for (; isdigit((unsigned char)*s->p); s->p++, digits++)
		if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, *s->p - '0', &whole))
			return 2;
	if (digits && *s->p == ':')
		return take_clock(s, sign, whole, i);
	if (*s->p == '.') {
		double unit = 0.1;

		for (s->p++; isdigit((unsigned char)*s->p); s->p++, digits++, unit /= 10)
			fraction += (*s->p - '0') * unit;
	}
	skip_spaces(s);
	while (isalpha((unsigned char)s->p[n]))
		n++;
	if (!digits)
		return 1;
	s->p += n;
	return add_unit(i, n ? view_of(s->p - n, n) : view_str("second"), sign * whole, sign * fraction);
}

int interval_parse(struct view text, struct interval *ret, struct err *err)
{
	char copy[TEXT_MAX + 1];
	struct scan s = {.p = copy};
	struct interval i = {0, 0, 0};
	int rc = 0;

	if (!copy_text(text, copy))
		return bad_syntax(text, "interval", err);
	if (*s.p == '@')
		s.p++;
	while (rc == 0) {
		skip_spaces(&s);
		if (!*s.p)
			break;
		if (strcasecmp(s.p, "ago") == 0) {
			if (interval_neg(i, &i, err) != 0)
				return -1;
			break;
		}
		rc = take_quantity(&s, &i);
	}
	if (rc == 1)
		return bad_syntax(text, "interval", err);
	if (rc == 2)
		return interval_overflow(text, err);
	*ret = i;
	return 0;
}
