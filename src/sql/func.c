/* Function look-up, comparisons, casts; see func.h. */
#include "sql/func.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "model/datetime.h"
#include "model/num.h"
#include "model/value_text.h"

int sql_data_error(struct err *err, const char *sqlstate, const char *text)
{
	err_set(err, ERR_DATA, "%s", text);
	memcpy(err->sqlstate, sqlstate, 6);
	return -1;
}

char sql_kind_letter(enum value_kind kind)
{
	static const char letters[VALUE_KINDS] = {
		[VALUE_BOOL] = 'o', [VALUE_INT2] = 'i', [VALUE_INT4] = 'i', [VALUE_INT8] = 'i', [VALUE_OID] = 'O', [VALUE_FLOAT4] = 'f',
			[VALUE_FLOAT8] = 'f',
		[VALUE_NUMERIC] = 'n', [VALUE_TEXT] = 't', [VALUE_VARCHAR] = 't', [VALUE_NAME] = 't', [VALUE_BPCHAR] = 'b', [VALUE_BYTEA] = 'y',
		[VALUE_DATE] = 'd', [VALUE_TIME] = 'T', [VALUE_TIMESTAMP] = 's', [VALUE_TIMESTAMPTZ] = 'z', [VALUE_INTERVAL] = 'v',
			[VALUE_UUID] = 'u',
		[VALUE_ENUM] = 'e', [VALUE_JSON] = 'j', [VALUE_JSONB] = 'J', [VALUE_CITEXT] = 'c',
	};

	return letters[kind];
}

/* ---- comparisons: one function for all kinds ---- */

/* date, timestamp and timestamptz compare with each other, through the job's zone */
static int cmp_mixed(struct sql_eval *ev, const struct value *a, const struct value *b, int *ret, struct err *err)
{
	struct value x[2] = {*a, *b};
	bool zoned = a->kind == VALUE_TIMESTAMPTZ || b->kind == VALUE_TIMESTAMPTZ;

	for (int i = 0; i < 2; i++) {
		/* beyond the range of timestamps a date is simply later than all of them */
		if (x[i].kind == VALUE_DATE && date_is_finite(x[i].i) && x[i].i >= TIMESTAMP_END / US_PER_DAY)
			x[i].i = TIMESTAMP_POS_INF - 1;
		else if (x[i].kind == VALUE_DATE && date_to_timestamp(x[i].i, &x[i].i, err) != 0)
			return -1;
		if (zoned && x[i].kind != VALUE_TIMESTAMPTZ && timestamp_is_finite(x[i].i) && x[i].i != TIMESTAMP_POS_INF - 1)
			x[i].i = tz_to_utc(ev->zone, x[i].i);
	}
	*ret = x[0].i < x[1].i ? -1 : x[0].i > x[1].i;
	return 0;
}

static int compare(struct sql_eval *ev, const struct value *args, int *ret, struct err *err)
{
	if (args[0].kind != args[1].kind && (args[0].kind == VALUE_DATE || args[0].kind == VALUE_TIMESTAMP ||
		args[0].kind == VALUE_TIMESTAMPTZ))
		return cmp_mixed(ev, &args[0], &args[1], ret, err);
	*ret = value_cmp(&args[0], &args[1]);
	return 0;
}

static int call_eq(const struct sql_site *s, struct sql_eval *ev, const struct value *args, struct value *ret, struct err *err)
{
	int c;

	if (args[0].kind == args[1].kind) {
		*ret = value_bool(value_equal(&args[0], &args[1]));
		return 0;
	}
	if (compare(ev, args, &c, err) != 0)
		return -1;
	*ret = value_bool(c == 0);
	return 0;
}

static int call_ne(const struct sql_site *s, struct sql_eval *ev, const struct value *args, struct value *ret, struct err *err)
{
	if (call_eq(s, ev, args, ret, err) != 0)
		return -1;
	ret->i = !ret->i;
	return 0;
}

#define ORDER_CALL(name, test) \
	static int name(const struct sql_site *s, struct sql_eval *ev, const struct value *args, struct value *ret, struct err *err) \
	{ \
		int c; \
\
		if (compare(ev, args, &c, err) != 0) \
			return -1; \
		*ret = value_bool(test); \
		return 0; \
	}

ORDER_CALL(call_lt, c < 0)
ORDER_CALL(call_le, c <= 0)
ORDER_CALL(call_gt, c > 0)
ORDER_CALL(call_ge, c >= 0)

static const struct sql_fn comparisons[] = {
	{"=", call_eq, FN_COMPARE, '=', "..", 0},
	{"<>", call_ne, FN_COMPARE, 'n', "..", 0},
	{"<", call_lt, FN_COMPARE | FN_ORDER, '<', "-+", 0},
	{"<=", call_le, FN_COMPARE | FN_ORDER, 'l', "-+", 0},
	{">", call_gt, FN_COMPARE | FN_ORDER, '>', "+-", 0},
	{">=", call_ge, FN_COMPARE | FN_ORDER, 'g', "+-", 0},
};

static bool comparable(char a, char b)
{
	if (!a || !b)
		return false;
	if (a == b)
		return a != 'j';
	return (a == 'd' || a == 's' || a == 'z') && (b == 'd' || b == 's' || b == 'z');
}

static const struct sql_fn *find_comparison(const char *name, char a, char b)
{
	bool equality = strcmp(name, "=") == 0 || strcmp(name, "<>") == 0;

	if (!comparable(a, b) || (!equality && (a == 'e' || a == 'J')))
		return NULL;
	for (size_t i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++)
		if (strcmp(comparisons[i].key, name) == 0)
			return &comparisons[i];
	return NULL;
}

const struct sql_fn *sql_fn_find(const char *name, const enum value_kind *kinds, uint32_t n)
{
	static const struct sql_fn *const tables[] = {sql_fns_arith, sql_fns_text, sql_fns_time, sql_fns_char};
	const struct sql_fn *f;
	char key[100], *p;

	if (n > SQL_ARGS_MAX || strlen(name) > 64)
		return NULL;
	if (n == 2 && (f = find_comparison(name, sql_kind_letter(kinds[0]), sql_kind_letter(kinds[1]))))
		return f;
	p = key + snprintf(key, sizeof(key), "%s(", name);
	for (uint32_t i = 0; i < n; i++) {
		if (!sql_kind_letter(kinds[i]))
			return NULL;
		if (i)
			*p++ = ',';
		*p++ = sql_kind_letter(kinds[i]);
	}
	memcpy(p, ")", 2);
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (f = tables[t]; f->key; f++)
			if (strcmp(f->key, key) == 0)
				return f;
	return NULL;
}

/* ---- the order of enums ---- */

static int enum_rank(const struct sql_site *s, struct sql_eval *ev, const struct value *args, struct value *ret, struct err *err)
{
	for (uint32_t i = 0; i < s->labels->n; i++) {
		if (!view_eq(s->labels->labels[i], args[0].text))
			continue;
		*ret = value_int(VALUE_INT4, i);
		return 0;
	}
	err_set(err, ERR_STATE, "enum %s had no label \"%.*s\" when the job was planned", s->labels->name,
		(int)(args[0].text.len < 64 ? args[0].text.len : 64), (const char *)args[0].text.ptr);
	err->retriable = true;
	return -1;
}

static int enum_label(const struct sql_site *s, struct sql_eval *ev, const struct value *args, struct value *ret, struct err *err)
{
	*ret = value_text(VALUE_ENUM, s->labels->labels[args[0].i]);
	return 0;
}

const struct sql_fn sql_fn_enum_rank = {"enum_rank", enum_rank, 0, 0, ".", 0};
const struct sql_fn sql_fn_enum_label = {"enum_label", enum_label, 0, 0, ".", 0};

/* ---- casts ---- */

static bool is_int(int kind) { return kind == VALUE_INT2 || kind == VALUE_INT4 || kind == VALUE_INT8; }
static bool is_float(int kind) { return kind == VALUE_FLOAT4 || kind == VALUE_FLOAT8; }

static int int_range(int kind, int64_t i, struct value *ret, struct err *err)
{
	if (kind == VALUE_INT2 && i != (int16_t)i)
		return sql_data_error(err, "22003", "smallint out of range");
	if (kind == VALUE_INT4 && i != (int32_t)i)
		return sql_data_error(err, "22003", "integer out of range");
	*ret = value_int((enum value_kind)kind, i);
	return 0;
}

static int float_to_int(int kind, double d, struct value *ret, struct err *err)
{
	double r = rint(d);

	if (!(r >= -9223372036854775808.0 && r < 9223372036854775808.0))
		return sql_data_error(err, "22003", kind == VALUE_INT2 ? "smallint out of range" : kind == VALUE_INT4 ? "integer out of range" :
			"bigint out of range");
	return int_range(kind, (int64_t)r, ret, err);
}

static int to_float4(double d, struct value *ret, struct err *err)
{
	float f = (float)d;

	if (isinf(f) && !isinf(d))
		return sql_data_error(err, "22003", "value out of range: overflow");
	if (f == 0 && d != 0)
		return sql_data_error(err, "22003", "value out of range: underflow");
	*ret = (struct value){.kind = VALUE_FLOAT4, .d = (double)f};
	return 0;
}

/* Between integers, floats and numeric. */
static int cast_number(int to, int32_t typmod, struct sql_eval *ev, const struct value *v, struct value *ret, struct err *err)
{
	struct num n;

	if (to == VALUE_NUMERIC) {
		if (v->kind == VALUE_NUMERIC)
			n = value_num(v);
		else if (is_int(v->kind))
			n = num_of_int(v->i);
		else
			n = v->kind == VALUE_FLOAT4 ? num_of_float4(v->d, ev->arena) : num_of_float8(v->d, ev->arena);
		if (num_apply_typmod(&n, typmod, ev->arena, &n, err) != 0)
			return -1;
		*ret = value_of_num(n);
		return 0;
	}
	if (is_int(to)) {
		if (is_int(v->kind))
			return int_range(to, v->i, ret, err);
		if (is_float(v->kind))
			return float_to_int(to, v->d, ret, err);
		n = value_num(v);
		*ret = value_int((enum value_kind)to, 0);
		return num_to_int(&n, (enum value_kind)to, &ret->i, err);
	}
	*ret = (struct value){.kind = (uint8_t)to};
	if (v->kind == VALUE_NUMERIC) {
		n = value_num(v);
		return to == VALUE_FLOAT4 ? num_to_float4(&n, &ret->d, err) : num_to_float8(&n, &ret->d, err);
	}
	if (is_int(v->kind)) {
		ret->d = to == VALUE_FLOAT4 ? (double)(float)v->i : (double)v->i;
		return 0;
	}
	if (to == VALUE_FLOAT4 && v->kind == VALUE_FLOAT8)
		return to_float4(v->d, ret, err);
	ret->d = v->d;
	return 0;
}

static int cast_time(int to, struct sql_eval *ev, const struct value *v, struct value *ret, struct err *err)
{
	int64_t us = v->i;

	*ret = value_int((enum value_kind)to, v->i);
	if (v->kind == VALUE_INTERVAL) {        /* to time */
		us = v->interval.us % US_PER_DAY;
		ret->i = us < 0 ? us + US_PER_DAY : us;
		return 0;
	}
	if (v->kind == VALUE_TIME) {            /* to interval */
		*ret = value_of_interval((struct interval){v->i, 0, 0});
		return 0;
	}
	if (v->kind == VALUE_DATE)
		return to == VALUE_TIMESTAMP ? date_to_timestamp(us, &ret->i, err) : to == VALUE_TIMESTAMPTZ ? date_to_timestamptz(us, ev->zone,
			&ret->i, err) : 0;
	if (v->kind == VALUE_TIMESTAMPTZ && to != VALUE_TIMESTAMPTZ && timestamptz_to_timestamp(us, ev->zone, &us, err) != 0)
		return -1;
	if (v->kind == VALUE_TIMESTAMP && to == VALUE_TIMESTAMPTZ)
		return timestamp_to_timestamptz(us, ev->zone, &ret->i, err);
	ret->i = us;
	if (to == VALUE_DATE)
		ret->i = timestamp_to_date(us);
	if (to == VALUE_TIME) {
		if (!timestamp_is_finite(us)) {
			*ret = value_null(VALUE_TIME);
			return 0;
		}
		ret->i = us - timestamp_to_date(us) * US_PER_DAY;
	}
	return 0;
}

/* The first n characters of UTF-8 text, and how many there were at most n. */
static struct view first_chars(struct view v, uint32_t n, uint32_t *had)
{
	size_t i = 0;

	*had = 0;
	while (i < v.len && *had < n) {
		for (i++; i < v.len && (v.ptr[i] & 0xc0) == 0x80; i++)
			;
		++*had;
	}
	return view_of(v.ptr, i);
}

/* varchar(n) cuts, character(n) cuts and fills with blanks: an explicit cast does both silently. */
static void fit_text(int kind, int32_t typmod, struct arena *a, struct value *v)
{
	uint32_t had, want = (uint32_t)(typmod - 4);
	struct view cut;
	uint8_t *p;

	v->kind = (uint8_t)kind;
	if (typmod < 4 || (kind != VALUE_VARCHAR && kind != VALUE_BPCHAR))
		return;
	cut = first_chars(v->text, want, &had);
	if (kind == VALUE_BPCHAR && had < want) {
		p = arena_alloc(a, cut.len + want - had);
		memcpy(p, cut.ptr, cut.len);
		memset(p + cut.len, ' ', want - had);
		cut = view_of(p, cut.len + want - had);
	}
	v->text = cut;
}

static struct view print_value(const struct value *v, struct sql_eval *ev)
{
	struct value_env env = {ev->zone, ev->zones};
	struct buf b = BUF_INIT(SIZE_MAX / 4);
	struct view out;

	if (v->kind == VALUE_BOOL)
		return view_str(v->i ? "true" : "false");
	value_print(v, &env, &b);
	out = arena_view(ev->arena, buf_view(&b));
	buf_release(&b);
	return out;
}

static int cast_to_text(int to, int32_t typmod, struct sql_eval *ev, const struct value *v, struct value *ret)
{
	*ret = *v;
	if (v->kind == VALUE_BPCHAR && to != VALUE_BPCHAR)
		while (ret->text.len && ret->text.ptr[ret->text.len - 1] == ' ')
			ret->text.len--;
	else if (!value_kind_is_text((enum value_kind)v->kind))
		*ret = value_text((enum value_kind)to, print_value(v, ev));
	fit_text(to, typmod, ev->arena, ret);
	return 0;
}

static int apply_typmod(int32_t typmod, struct sql_eval *ev, struct value *v, struct err *err)
{
	struct num n;

	if (typmod < 0 || v->null)
		return 0;
	switch (v->kind) {
	case VALUE_NUMERIC:
		n = value_num(v);
		if (num_apply_typmod(&n, typmod, ev->arena, &n, err) != 0)
			return -1;
		*v = value_of_num(n);
		break;
	case VALUE_TIME: v->i = time_apply_typmod(v->i, typmod); break;
	case VALUE_TIMESTAMP: case VALUE_TIMESTAMPTZ: v->i = timestamp_apply_typmod(v->i, typmod); break;
	case VALUE_INTERVAL: v->interval.us = time_apply_typmod(v->interval.us, typmod & 0xffff); break;
	default: break;
	}
	return 0;
}

static bool is_number(int kind) { return is_int(kind) || is_float(kind) || kind == VALUE_NUMERIC; }

static int call_cast(const struct sql_site *s, struct sql_eval *ev, const struct value *args, struct value *ret, struct err *err)
{
	struct value_env env = {ev->zone, ev->zones};
	const struct value *v = &args[0];
	struct view text;

	if (is_number(v->kind) && is_number(s->ret))
		return cast_number(s->ret, s->typmod, ev, v, ret, err);
	if (value_kind_is_text((enum value_kind)s->ret))
		return cast_to_text(s->ret, s->typmod, ev, v, ret);
	if (value_kind_is_text((enum value_kind)v->kind)) {
		text = v->text;
		if (value_parse(text, (enum value_kind)s->ret, &env, ev->arena, ret, err) != 0)
			return -1;
		return apply_typmod(s->typmod, ev, ret, err);
	}
	if (v->kind == VALUE_BOOL || s->ret == VALUE_BOOL) {
		*ret = value_int((enum value_kind)s->ret, s->ret == VALUE_BOOL ? v->i != 0 : v->i);
		return 0;
	}
	if (v->kind == s->ret)
		*ret = *v;
	else if (cast_time(s->ret, ev, v, ret, err) != 0)
		return -1;
	return apply_typmod(s->typmod, ev, ret, err);
}

static const struct sql_fn cast_up = {"cast", call_cast, FN_USES_ZONE, 0, "+", 0}, cast_any = {"cast", call_cast, FN_USES_ZONE, 0, ".", 0};

const struct sql_fn *sql_fn_cast(enum value_kind from, enum value_kind to)
{
	char f = sql_kind_letter(from), t = sql_kind_letter(to);
	static const char *const pairs[] = {"ds", "dz", "sd", "sT", "sz", "zd", "zs", "zT", "Tv", "vT", "oi", "io", "dd", "TT", "ss", "zz",
		"vv", "oo", "yy", "uu", "ee", "JJ", "jj"};
	bool up = true;

	if (!f || !t)
		return NULL;
	if (is_number(from) && is_number(to))
		return &cast_up;
	if (value_kind_is_text(to))
		return f != 'y' || value_kind_is_text(from) ? &cast_any : NULL;
	if (value_kind_is_text(from))
		return strchr("ifnodTszvuy", t) ? &cast_any : NULL;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (pairs[i][0] != f || pairs[i][1] != t)
			continue;
		if ((f == 'o' && t == 'i') || (f == 'i' && t == 'o'))
			return from == VALUE_INT4 || to == VALUE_INT4 ? &cast_any : NULL;
		up = t != 'T' && !(f == 'v' && t == 'v');
		return up ? &cast_up : &cast_any;
	}
	return NULL;
}
