/* Random expressions; see gen.h. */
#include "gen.h"

#include <stdio.h>
#include <string.h>

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))
#define PICK(x) ((x)[oracle_below(COUNT(x))])

const char *const gen_sql_types[G_TYPES] = {"int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar(12)", "char(6)",
	"bool", "date", "time",
	"timestamp", "timestamptz", "interval", "uuid"};

static const char *const casts[G_TYPES] = {"int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar", "bpchar", "bool",
	"date", "time",
	"timestamp", "timestamptz", "interval", "uuid"};

static const char *date_value(struct arena *a)
{
	static const char *const odd[] = {"infinity", "-infinity", "0044-03-15 BC", "2024-02-29", "1999-12-31", "2024-03-31", "2024-10-27",
		"12000-01-01"};

	if (oracle_below(6) == 0)
		return PICK(odd);
	return arena_printf(a, "%u-%02u-%02u", 1890 + oracle_below(220), 1 + oracle_below(12), 1 + oracle_below(28));
}

static const char *time_value(struct arena *a)
{
	static const char *const fractions[] = {"", ".5", ".123456", ".000001", ".999999"};

	return arena_printf(a, "%02u:%02u:%02u%s", oracle_below(24), oracle_below(60), oracle_below(60), PICK(fractions));
}

static const char *ts_value(struct arena *a)
{
	static const char *const odd[] = {"infinity", "-infinity", "2024-03-31 02:30:00", "2024-10-27 02:30:00", "2024-03-10 02:30:00",
		"2024-11-03 01:30:00",
		"0044-03-15 10:00:00 BC", "2011-12-30 12:00:00"};

	if (oracle_below(4) == 0)
		return PICK(odd);
	return arena_printf(a, "%u-%02u-%02u %s", 1890 + oracle_below(220), 1 + oracle_below(12), 1 + oracle_below(28), time_value(a));
}

const char *gen_value(struct arena *a, enum gen_type t)
{
	static const char *const ints[] = {"0", "1", "-1", "2", "7", "10", "-13", "100", "32767", "-32768"};
	static const char *const floats[] = {"0", "-0", "1.5", "-2.5", "0.1", "1e10", "NaN", "Infinity", "-Infinity", "3.25", "100", "1e-7",
		"123456.789"};
	static const char *const nums[] = {"0", "0.00", "1.50", "-1.5", "2.5", "100", "3.141592653589793238462643", "-0.001", "NaN",
		"99999999999999999999.5", "7"};
	static const char *const texts[] = {"", "a", "abc", "  pad ", "Été à Łódź", "A_B%C", "x,y,,z", "12", "-7", "true", "2024-05-06",
		"日本語テキスト", "ABCabc"};

	if (oracle_below(8) == 0)
		return NULL;
	switch (t) {
	case G_INT2: return PICK(ints);
	case G_INT4: return oracle_below(3) ? PICK(ints) : arena_printf(a, "%d", (int32_t)oracle_random());
	case G_INT8: return oracle_below(3) ? PICK(ints) : arena_printf(a, "%lld", (long long)oracle_random() >> oracle_below(40));
	case G_FLOAT4: case G_FLOAT8: return PICK(floats);
	case G_NUM: return PICK(nums);
	case G_TEXT: return PICK(texts);
	case G_VARCHAR: return arena_printf(a, "%.9s", texts[oracle_below(4)]);
	case G_BPCHAR: return arena_printf(a, "%.6s", texts[oracle_below(4)]);
	case G_BOOL: return oracle_below(2) ? "true" : "false";
	case G_DATE: return date_value(a);
	case G_TIME: return time_value(a);
	case G_TS: return ts_value(a);
	case G_TZ:
		{
			const char *s = ts_value(a);

			return strstr(s, "inf") || strstr(s, "BC") ? s : arena_printf(a, "%s+%02u", s, oracle_below(14));
		}
	case G_IV:
		return arena_printf(a, "%d mons %d days %d:%02u:%02u.%u", (int)oracle_below(40) - 15, (int)oracle_below(60) - 25,
			(int)oracle_below(60) - 20,
		                    oracle_below(60), oracle_below(60), oracle_below(1000));
	default: return "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
	}
}

static const char *leaf(struct arena *a, enum gen_type t)
{
	const char *v;

	if (oracle_below(4))
		return arena_printf(a, "c%d", (int)t);
	v = gen_value(a, t);
	return v ? arena_printf(a, "'%s'::%s", v, casts[t]) : arena_printf(a, "NULL::%s", casts[t]);
}

enum { RULES_MAX = 44 };

/* Productions: the letters stand for argument types, see the switch in expand(); everything else is SQL. */
static const char *const rules[G_TYPES][RULES_MAX] = {
	[G_INT2] = {"({2} + {2})", "({2} * {2})", "({4})::int2", "(- {2})", "({2} / {2})", "({n})::int2"},
	[G_INT4] = {"({4} + {4})", "({4} - {2})", "({2} * {4})", "({4} / {4})", "({4} % {4})", "length({t})", "({d} - {d})", "({8})::int4",
		"({n})::int4", "({f})::int4",
		"strpos({t}, {t})", "abs({4})", "(- {4})", "mod({4}, {4})", "length({c})", "octet_length({t})", "({b})::int4", "({t})::int4",
			"position({t} in {t})"},
	[G_INT8] = {"({8} + {4})", "({2} - {8})", "({8} * {8})", "({8} / {4})", "({8} % {8})", "({4})::int8", "({n})::int8", "({f})::int8",
		"abs({8})"},
	[G_FLOAT4] = {"({g} + {g})", "({g} * {g})", "({g} / {g})", "({f})::float4", "({n})::float4", "({8})::float4", "abs({g})"},
	[G_FLOAT8] = {"({f} + {f})", "({f} - {g})", "({f} * {f})", "({f} / {f})", "(- {f})", "abs({f})", "round({f})", "floor({f})",
		"ceil({f})", "trunc({f})",
		"({n})::float8", "({8})::float8", "({g})::float8", "date_part('{F}', {s})", "date_part('{F}', {z})", "date_part('{F}', {i})",
			"date_part('{F}', {d})",
		"date_part('{F}', {m})", "sqrt(abs({f}))", "sign({f})"},
	[G_NUM] = {"({n} + {n})", "({n} - {n})", "({n} * {n})", "({n} / {n})", "({n} % {n})", "round({n}, {2})", "round({n})", "trunc({n}, 2)",
		"floor({n})", "ceil({n})",
		"abs({n})", "(- {n})", "sign({n})", "({8})::numeric", "({f})::numeric", "({g})::numeric", "({n})::numeric(8,2)",
			"({n})::numeric(5,-1)",
		"extract({F} from {s})", "extract({F} from {z})", "extract({F} from {i})", "extract({F} from {d})", "extract({F} from {m})",
			"div({n}, {n})",
		"({t})::numeric", "({4} / 2.0)", "trunc({n})"},
	[G_TEXT] = {"({t} || {t})", "({t} || {4})", "({n} || {t})", "lower({t})", "upper({t})", "substring({t} from 2 for 3)",
		"substr({t}, {2})", "btrim({t})",
		"ltrim({t}, 'a ')", "rtrim({t})", "left({t}, 3)", "right({t}, -2)", "replace({t}, 'a', 'bb')", "split_part({t}, ',', 2)",
			"({4})::text", "({n})::text",
		"({f})::text", "({g})::text", "({b})::text", "({d})::text", "({m})::text", "({s})::text", "({z})::text", "({i})::text",
			"({c})::text", "({v})::text",
		"(({u})::text)", "concat({t}, {4}, {n})", "split_part({t}, ',', -1)", "({z})::varchar::text", "left({t}, -1)",
			"to_char({s}, 'YYYY-MM-DD HH24:MI:SS.US')", "to_char({z}, 'YYYY-MM')",
		"to_char({s}, 'Dy, FMDD Month YY HH12 am MS Q')", "to_char({z}, 'IYYY-\"W\"IW ID D DDD WW')",
			"to_char({s}, 'FMDay MON day FMHH:FMMI PM')"},
	[G_VARCHAR] = {"({t})::varchar(3)", "({t})::varchar", "({n})::varchar(4)", "({c})::varchar(2)"},
	[G_BPCHAR] = {"({t})::char(4)", "({v})::char(7)", "({4})::char(3)"},
	[G_BOOL] = {"({4} < {8})", "({2} = {4})", "({n} >= {n})", "({f} <> {g})", "({t} = {t})", "({t} < {t})", "({c} = {c})", "({c} < {c})",
		"({d} <= {d})", "({d} < {s})",
		"({d} >= {z})", "({s} > {z})", "({m} < {m})", "({i} = {i})", "({i} > {i})", "({z} = {z})", "({b} AND {b})", "({b} OR {b})",
			"(NOT {b})", "({b} IS TRUE)",
		"({b} IS NOT FALSE)", "({n} IS NULL)", "({t} IS NOT NULL)", "({4} BETWEEN {4} AND {4})", "({4} IN (1, 2, {4}))",
			"({t} NOT IN ('a', {t}))",
		"({t} LIKE '%a%')", "({t} NOT LIKE '_b%')", "({t} ILIKE '%A%')", "({t} NOT ILIKE '_B%')", "({t} ILIKE {t})",
		"({n} IS DISTINCT FROM {n})", "({z} IS NOT DISTINCT FROM {z})", "({b} IS UNKNOWN)",
			"({u} = {u})", "({4})::bool",
		"({t} LIKE {t})", "starts_with({t}, 'a')", "isfinite({z})", "({v} IN ('a', 'abc'))", "({f} > {f})", "({t})::bool", "({b} = {b})"},
	[G_DATE] = {"({d} + {2})", "({d} - {2})", "({z})::date", "({s})::date", "({z} AT TIME ZONE '{Z}')::date", "({t})::date"},
	[G_TIME] = {"({m} + {i})", "({m} - {i})", "({s})::time", "({z})::time", "({i})::time", "({m})::time(2)"},
	[G_TS] = {"({s} + {i})", "({s} - {i})", "({d} + {i})", "({d} - {i})", "({d} + {m})", "({d})::timestamp", "({z})::timestamp",
		"({z} AT TIME ZONE '{Z}')",
		"date_trunc('{T}', {s})", "({s})::timestamp(3)", "({i} + {s})", "({t})::timestamp"},
	[G_TZ] = {"({z} + {i})", "({z} - {i})", "({d})::timestamptz", "({s})::timestamptz", "({s} AT TIME ZONE '{Z}')",
		"date_trunc('{T}', {z})",
		"date_trunc('{T}', {z}, '{Z}')", "({z})::timestamptz(1)", "to_timestamp({f})", "({t})::timestamptz"},
	[G_IV] = {"({s} - {s})", "({z} - {z})", "({i} + {i})", "({i} - {i})", "({i} * {f})", "({i} / {f})", "(- {i})", "age({s}, {s})",
		"age({z}, {z})", "({m} - {m})",
		"date_trunc('{T}', {i})", "justify_hours({i})", "justify_days({i})", "({m})::interval", "({f} * {i})"},
	[G_UUID] = {"({t})::uuid"},
};

static const char *const any_type[] = {"CASE WHEN {b} THEN {?} ELSE {?} END", "COALESCE({?}, {?})", "NULLIF({?}, {?})",
	"GREATEST({?}, {?})", "LEAST({?}, {?}, {?})",
	"CASE {4} WHEN 1 THEN {?} WHEN {4} THEN {?} END"};

static const char *expand(struct arena *a, const char *rule, enum gen_type self, int depth)
{
	static const char letters[] = "248gfntvcbdmsziu";
	static const char *const fields[] = {"epoch", "year", "month", "day", "hour", "minute", "second", "dow", "doy", "week", "isodow",
		"isoyear", "quarter", "decade",
		"century", "millennium", "milliseconds", "microseconds", "julian", "timezone", "timezone_hour"};
	static const char *const truncs[] = {"microseconds", "milliseconds", "second", "minute", "hour", "day", "week", "month", "quarter",
		"year", "decade", "century",
		"millennium"};
	static const char *const zones[] = {"Europe/Paris", "America/New_York", "UTC", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia",
		"America/Sao_Paulo",
		"Europe/London", "Africa/Casablanca", "America/Havana", "Asia/Tehran", "Europe/Dublin"};
	struct buf b = BUF_INIT(1 << 20);
	const char *out;

	for (const char *p = rule; *p; p++) {
		if (*p != '{') {
			buf_putc(&b, *p);
			continue;
		}
		switch (p[1]) {
		case 'F': buf_puts(&b, PICK(fields)); break;
		case 'T': buf_puts(&b, PICK(truncs)); break;
		case 'Z': buf_puts(&b, PICK(zones)); break;
		case '?': buf_puts(&b, gen_expr(a, self, depth - 1)); break;
		default: buf_puts(&b, gen_expr(a, (enum gen_type)(strchr(letters, p[1]) - letters), depth - 1)); break;
		}
		p += 2;
	}
	out = arena_str(a, buf_view(&b));
	buf_release(&b);
	return out;
}

const char *gen_expr(struct arena *a, enum gen_type t, int depth)
{
	uint32_t n = 0;

	if (depth <= 0)
		return leaf(a, t);
	while (n < RULES_MAX && rules[t][n])
		n++;
	if (oracle_below(8) == 0)
		return expand(a, PICK(any_type), t, depth);
	return expand(a, rules[t][oracle_below(n)], t, depth);
}
