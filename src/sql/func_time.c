/* Dates, times and intervals; see func.h. */
#include <math.h>

#include "model/datetime.h"
#include "sql/func.h"

#define CALL(name) \
	static int name(const struct sql_site *s, struct sql_eval *ev, const struct value *args, struct value *ret, struct err *err)

static struct interval neg_parts(struct interval i) { return (struct interval){-i.us, -i.days, -i.months}; }

/* ---- date ---- */

CALL(date_plus)
{
	*ret = value_int(VALUE_DATE, 0);
	return date_add_days(args[0].i, args[1].i, &ret->i, err);
}

CALL(plus_date)
{
	*ret = value_int(VALUE_DATE, 0);
	return date_add_days(args[1].i, args[0].i, &ret->i, err);
}

CALL(date_minus)
{
	*ret = value_int(VALUE_DATE, 0);
	return date_add_days(args[0].i, -args[1].i, &ret->i, err);
}

CALL(date_minus_date)
{
	*ret = value_int(VALUE_INT4, 0);
	return date_sub(args[0].i, args[1].i, &ret->i, err);
}

static int date_with(const struct value *date, struct interval i, struct value *ret, struct err *err)
{
	*ret = value_int(VALUE_TIMESTAMP, 0);
	if (date_to_timestamp(date->i, &ret->i, err) != 0)
		return -1;
	return timestamp_add(ret->i, i, &ret->i, err);
}

CALL(date_plus_interval) { return date_with(&args[0], value_interval(&args[1]), ret, err); }
CALL(interval_plus_date) { return date_with(&args[1], value_interval(&args[0]), ret, err); }
CALL(date_minus_interval) { return date_with(&args[0], neg_parts(value_interval(&args[1])), ret, err); }
CALL(date_plus_time) { return date_with(&args[0], (struct interval){args[1].i, 0, 0}, ret, err); }
CALL(time_plus_date) { return date_with(&args[1], (struct interval){args[0].i, 0, 0}, ret, err); }

/* ---- timestamps ---- */

static int add_to(struct sql_eval *ev, const struct value *t, struct interval i, struct value *ret, struct err *err)
{
	*ret = value_int((enum value_kind)t->kind, 0);
	if (t->kind == VALUE_TIMESTAMPTZ)
		return timestamptz_add(t->i, i, ev->zone, &ret->i, err);
	return timestamp_add(t->i, i, &ret->i, err);
}

CALL(ts_plus) { return add_to(ev, &args[0], value_interval(&args[1]), ret, err); }
CALL(plus_ts) { return add_to(ev, &args[1], value_interval(&args[0]), ret, err); }
CALL(ts_minus) { return add_to(ev, &args[0], neg_parts(value_interval(&args[1])), ret, err); }

CALL(ts_minus_ts)
{
	struct interval i;

	if (timestamp_sub(args[0].i, args[1].i, &i, err) != 0)
		return -1;
	*ret = value_of_interval(i);
	return 0;
}

CALL(ts_age)
{
	int64_t a = args[0].i, b = args[1].i;
	struct interval i;

	if (args[0].kind == VALUE_TIMESTAMPTZ && (!timestamp_is_finite(a) || !timestamp_is_finite(b)))
		return sql_data_error(err, "22008", "timestamp out of range");
	if (args[0].kind == VALUE_TIMESTAMPTZ && (timestamptz_to_timestamp(a, ev->zone, &a, err) != 0 || timestamptz_to_timestamp(b, ev->zone,
		&b, err) != 0))
		return -1;
	if (timestamp_age(a, b, &i, err) != 0)
		return -1;
	*ret = value_of_interval(i);
	return 0;
}

CALL(to_timestamp)
{
	double d = args[0].d;

	*ret = value_int(VALUE_TIMESTAMPTZ, 0);
	if (isnan(d))
		return sql_data_error(err, "22008", "timestamp cannot be NaN");
	if (isinf(d)) {
		ret->i = d > 0 ? TIMESTAMP_POS_INF : TIMESTAMP_NEG_INF;
		return 0;
	}
	d = rint((d - (double)(UNIX_EPOCH_US / US_PER_SECOND)) * 1000000.0);
	if (!(d >= (double)TIMESTAMP_FIRST && d < (double)TIMESTAMP_END)) {
		err_set(err, ERR_DATA, "timestamp out of range: \"%g\"", args[0].d);
		memcpy(err->sqlstate, "22008", 6);
		return -1;
	}
	ret->i = (int64_t)d;
	return 0;
}

CALL(is_finite)
{
	*ret = value_bool(args[0].kind == VALUE_DATE ? date_is_finite(args[0].i) : args[0].kind == VALUE_INTERVAL ||
		timestamp_is_finite(args[0].i));
	return 0;
}

/* ---- time ---- */

CALL(time_plus)
{
	*ret = value_int(VALUE_TIME, time_add(args[0].i, value_interval(&args[1])));
	return 0;
}

CALL(plus_time)
{
	*ret = value_int(VALUE_TIME, time_add(args[1].i, value_interval(&args[0])));
	return 0;
}

CALL(time_minus)
{
	*ret = value_int(VALUE_TIME, time_add(args[0].i, (struct interval){-(args[1].interval.us % US_PER_DAY), 0, 0}));
	return 0;
}

CALL(time_minus_time)
{
	*ret = value_of_interval((struct interval){args[0].i - args[1].i, 0, 0});
	return 0;
}

/* ---- intervals ---- */

#define INTERVAL_CALL(name, call_) \
	CALL(name) \
	{ \
		struct interval i; \
\
		if (call_ != 0) \
			return -1; \
		*ret = value_of_interval(i); \
		return 0; \
	}

INTERVAL_CALL(interval_plus, interval_add(value_interval(&args[0]), value_interval(&args[1]), &i, err))
INTERVAL_CALL(interval_minus, interval_sub(value_interval(&args[0]), value_interval(&args[1]), &i, err))
INTERVAL_CALL(interval_negate, interval_neg(value_interval(&args[0]), &i, err))
INTERVAL_CALL(interval_times, interval_mul(value_interval(&args[0]), args[1].d, &i, err))
INTERVAL_CALL(times_interval, interval_mul(value_interval(&args[1]), args[0].d, &i, err))
INTERVAL_CALL(interval_over, interval_div(value_interval(&args[0]), args[1].d, &i, err))
INTERVAL_CALL(justify_hours, interval_justify_hours(value_interval(&args[0]), &i, err))
INTERVAL_CALL(justify_days, interval_justify_days(value_interval(&args[0]), &i, err))

/* ---- fields ---- */

static enum dt_field field_of(const struct sql_site *s, const struct value *name)
{
	return s->field ? (enum dt_field)s->field : dt_field_of(name->text);
}

CALL(extract) { return dt_extract(field_of(s, &args[0]), args[0].text, &args[1], ev->zone, false, ret, err); }

CALL(date_part)
{
	struct value v = args[1];

	if (v.kind == VALUE_DATE) {     /* the server's is SQL over the timestamp */
		v.kind = VALUE_TIMESTAMP;
		if (date_to_timestamp(args[1].i, &v.i, err) != 0)
			return -1;
	}
	return dt_extract(field_of(s, &args[0]), args[0].text, &v, ev->zone, true, ret, err);
}

CALL(date_trunc) { return dt_trunc(field_of(s, &args[0]), args[0].text, &args[1], ev->zone, ret, err); }

/* The start of the stride-long interval, counted from the origin, that the instant is in. */
CALL(date_bin)
{
	int64_t stride, diff, past;

	*ret = value_int((enum value_kind)args[1].kind, args[1].i);
	if (!timestamp_is_finite(args[1].i))
		return 0;
	if (!timestamp_is_finite(args[2].i))
		return sql_data_error(err, "22008", "origin out of range");
	if (args[0].interval.months)
		return sql_data_error(err, "0A000", "timestamps cannot be binned into intervals containing months or years");
	if (__builtin_mul_overflow((int64_t)args[0].interval.days, US_PER_DAY, &stride) ||
		__builtin_add_overflow(stride, args[0].interval.us, &stride))
		return sql_data_error(err, "22008", "interval out of range");
	if (stride <= 0)
		return sql_data_error(err, "22008", "stride must be greater than zero");
	if (__builtin_sub_overflow(args[1].i, args[2].i, &diff))
		return sql_data_error(err, "22008", "interval out of range");
	past = diff % stride;
	ret->i = args[1].i - (past < 0 ? past + stride : past);
	return ret->i < TIMESTAMP_FIRST ? sql_data_error(err, "22008", "timestamp out of range") : 0;
}

static const struct tz *zone_of(const struct sql_site *s, struct sql_eval *ev, const struct value *name, struct err *err)
{
	char text[128];

	if (s->zone)
		return s->zone;
	if (!ev->zones || name->text.len >= sizeof(text) || memchr(name->text.ptr, 0, name->text.len)) {
		err_set(err, ERR_DATA, "time zone \"%.*s\" not recognized", (int)(name->text.len > 100 ? 100 : name->text.len),
			(const char *)name->text.ptr);
		memcpy(err->sqlstate, "22023", 6);
		return NULL;
	}
	memcpy(text, name->text.ptr, name->text.len);
	text[name->text.len] = 0;
	/* short names may be the server's abbreviations, whose offsets only the server knows */
	if (!strchr(text, '/') && strcmp(text, "UTC") != 0 && strcmp(text, "GMT") != 0) {
		err_set(err, ERR_UNSUPPORTED, "cannot tell whether \"%.60s\" is a time zone or the server's abbreviation of one", text);
		return NULL;
	}
	return tz_open(ev->zones, text, err);
}

CALL(date_trunc_zone)
{
	const struct tz *zone = zone_of(s, ev, &args[2], err);

	return zone ? dt_trunc(field_of(s, &args[0]), args[0].text, &args[1], zone, ret, err) : -1;
}

CALL(at_zone)
{
	const struct tz *zone = zone_of(s, ev, &args[0], err);

	if (!zone)
		return -1;
	if (args[1].kind == VALUE_TIMESTAMPTZ) {
		*ret = value_int(VALUE_TIMESTAMP, 0);
		return timestamptz_to_timestamp(args[1].i, zone, &ret->i, err);
	}
	*ret = value_int(VALUE_TIMESTAMPTZ, 0);
	return timestamp_to_timestamptz(args[1].i, zone, &ret->i, err);
}

CALL(at_offset)
{
	int64_t us = args[1].i, by = args[0].interval.us;
	bool zoned = args[1].kind == VALUE_TIMESTAMPTZ;

	if (args[0].interval.months || args[0].interval.days)
		return sql_data_error(err, "22023", "interval time zone must not include months or days");
	*ret = value_int(zoned ? VALUE_TIMESTAMP : VALUE_TIMESTAMPTZ, us);
	if (!timestamp_is_finite(us))
		return 0;
	by = by / US_PER_SECOND * US_PER_SECOND;
	ret->i = zoned ? us + by : us - by;
	if (ret->i < TIMESTAMP_FIRST || ret->i >= TIMESTAMP_END)
		return sql_data_error(err, "22008", "timestamp out of range");
	return 0;
}

const struct sql_fn sql_fns_time[] = {
	{"+(d,i)", date_plus, 0, 0, "++", 0}, {"+(i,d)", plus_date, 0, 0, "++", 0}, {"-(d,i)", date_minus, 0, 0, "+-", 0},
	{"-(d,d)", date_minus_date, 0, 0, "+-", 0}, {"+(d,v)", date_plus_interval, 0, 0, "+.", 0},
	{"+(v,d)", interval_plus_date, 0, 0, ".+", 0},
	{"-(d,v)", date_minus_interval, 0, 0, "+.", 0}, {"+(d,T)", date_plus_time, 0, 0, "++", 0}, {"+(T,d)", time_plus_date, 0, 0, "++", 0},
	{"+(s,v)", ts_plus, 0, 0, "+.", 0}, {"+(v,s)", plus_ts, 0, 0, ".+", 0}, {"-(s,v)", ts_minus, 0, 0, "+.", 0},
	{"-(s,s)", ts_minus_ts, 0, 0, "+-", 0},
	{"+(z,v)", ts_plus, FN_USES_ZONE, 0, "+.", 0}, {"+(v,z)", plus_ts, FN_USES_ZONE, 0, ".+", 0},
	{"-(z,v)", ts_minus, FN_USES_ZONE, 0, "+.", 0},
	{"-(z,z)", ts_minus_ts, 0, 0, "+-", 0}, {"age(s,s)", ts_age, 0, 0, "..", 0}, {"age(z,z)", ts_age, FN_USES_ZONE, 0, "..", 0},
	{"to_timestamp(f)", to_timestamp, 0, 0, "+", 0},
	{"isfinite(d)", is_finite, 0, 0, ".", 0}, {"isfinite(s)", is_finite, 0, 0, ".", 0}, {"isfinite(z)", is_finite, 0, 0, ".", 0},
	{"isfinite(v)", is_finite, 0, 0, ".", 0},
	{"+(T,v)", time_plus, 0, 0, "..", 0}, {"+(v,T)", plus_time, 0, 0, "..", 0}, {"-(T,v)", time_minus, 0, 0, "..", 0},
	{"-(T,T)", time_minus_time, 0, 0, "+-", 0},
	{"+(v,v)", interval_plus, 0, 0, "++", 0}, {"-(v,v)", interval_minus, 0, 0, "+-", 0}, {"-(v)", interval_negate, 0, 0, "-", 0},
	{"*(v,f)", interval_times, 0, 0, "..", 0}, {"*(f,v)", times_interval, 0, 0, "..", 0}, {"/(v,f)", interval_over, 0, 0, "..", 0},
	{"justify_hours(v)", justify_hours, 0, 0, ".", 0}, {"justify_days(v)", justify_days, 0, 0, ".", 0},
	{"extract(t,d)", extract, FN_FIELD, 0, "..", 0}, {"extract(t,T)", extract, FN_FIELD, 0, "..", 0},
	{"extract(t,s)", extract, FN_FIELD, 0, "..", 0},
	{"extract(t,z)", extract, FN_FIELD | FN_USES_ZONE, 0, "..", 0}, {"extract(t,v)", extract, FN_FIELD, 0, "..", 0},
	{"date_part(t,d)", date_part, FN_FIELD, 0, "..", 0}, {"date_part(t,T)", date_part, FN_FIELD, 0, "..", 0},
	{"date_part(t,s)", date_part, FN_FIELD, 0, "..", 0}, {"date_part(t,z)", date_part, FN_FIELD | FN_USES_ZONE, 0, "..", 0},
	{"date_part(t,v)", date_part, FN_FIELD, 0, "..", 0},
	{"date_trunc(t,s)", date_trunc, FN_FIELD, 0, ".+", 0}, {"date_trunc(t,z)", date_trunc, FN_FIELD | FN_USES_ZONE, 0, ".+", 0},
	{"date_trunc(t,v)", date_trunc, FN_FIELD, 0, "..", 0}, {"date_trunc(t,z,t)", date_trunc_zone, FN_FIELD | FN_ZONE_ARG, 0, ".+.", 2},
	{"date_bin(v,s,s)", date_bin, 0, 0, ".+.", 0}, {"date_bin(v,z,z)", date_bin, 0, 0, ".+.", 0},
	{"timezone(t,z)", at_zone, FN_ZONE_ARG, 0, ".+", 0}, {"timezone(t,s)", at_zone, FN_ZONE_ARG, 0, ".+", 0},
	{"timezone(v,z)", at_offset, 0, 0, ".+", 0}, {"timezone(v,s)", at_offset, 0, 0, ".+", 0},
	{NULL, NULL, 0, 0, NULL, 0},
};
