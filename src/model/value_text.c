/* Values to and from text; see value_text.h. */
#include "model/value_text.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "model/datetime.h"
#include "model/num.h"

static int data_error(struct err *err, const char *sqlstate, const char *before, struct view text, const char *after)
{
	err_set(err, ERR_DATA, "%s\"%.*s\"%s", before, (int)(text.len > 300 ? 300 : text.len), (const char *)text.ptr, after);
	memcpy(err->sqlstate, sqlstate, 6);
	return -1;
}

static int bad_syntax(enum value_kind kind, struct view text, struct err *err)
{
	char before[96];

	snprintf(before, sizeof(before), "invalid input syntax for type %s: ", value_kind_name(kind));
	return data_error(err, "22P02", before, text, "");
}

static struct view trim(struct view v)
{
	while (v.len && isspace(v.ptr[0]))
		v = view_of(v.ptr + 1, v.len - 1);
	while (v.len && isspace(v.ptr[v.len - 1]))
		v.len--;
	return v;
}

/* ---- floats ---- */

/*
 * Whether digits * 10^e lies exactly half way between d and a neighbour. Such text reads back as d (ties go to even), but the server's
 * shortest form does
 * not use it. Equality is only possible where both sides fit 128 bits: digits < 2^60, |e| <= 24.
 */
static bool is_midpoint(double d, uint64_t digits, int e, int mantissa_bits)
{
	int e2, twos = e;
	uint64_t m = (uint64_t)ldexp(frexp(d, &e2), mantissa_bits);
	unsigned __int128 odd = digits, below = 2 * m - 1, above = 2 * m + 1;

	e2 -= mantissa_bits + 1;      /* midpoints are (2m +- 1) * 2^e2, both odd multiples */
	if (e < -24 || e > 24)
		return false;
	for (int i = 0; i < e; i++)
		odd *= 5;
	for (int i = 0; i > e; i--) {
		below *= 5;
		above *= 5;
	}
	for (; !(odd & 1); odd >>= 1)
		twos++;
	return twos == e2 && (odd == below || odd == above);
}

/* Digits (no point, no trailing zeros) and decimal exponent of the first one. */
static bool reads_back(const char *text, bool single, double d)
{
	return (single ? (double)strtof(text, NULL) : strtod(text, NULL)) == d;
}

/*
 * d in scientific notation with n digits that read back as d, or false. The nearest decimal is tried; below a power of two the neighbours
 * are nearer than
 * above it, so that there the next decimal upwards may do where the nearest one does not.
 */
static bool with_digits(double d, bool single, int n, char text[40])
{
	uint64_t digits = 0;
	int e, exponent;
	char *p;

	snprintf(text, 40, "%.*e", n - 1, d);
	if (reads_back(text, single, d))
		return true;
	if (frexp(d, &e) != 0.5)
		return false;
	p = strchr(text, 'e');
	exponent = (int)strtol(p + 1, NULL, 10);
	for (const char *q = text; q < p; q++)
		if (*q != '.')
			digits = digits * 10 + (uint64_t)(*q - '0');
	snprintf(text, 40, "%llue%d", (unsigned long long)digits + 1, exponent - n + 1);
	/* a carry into one more digit would have been a shorter decimal, which was tried before */
	return reads_back(text, single, d) && (int)strcspn(text, "e") == n;
}

static void shortest(double d, bool single, char digits[20], int *exponent)
{
	int least = single ? FLT_DIG : DBL_DIG, most = single ? 9 : 17, n;
	bool subnormal = d < (single ? (double)FLT_MIN : DBL_MIN);
	char text[40];

	for (n = subnormal ? 1 : least; n <= most; n++) {
		char *e;
		size_t len = 0;

		if (!with_digits(d, single, n, text))
			continue;
		e = strchr(text, 'e');
		*exponent = (int)strtol(e + 1, NULL, 10);
		if (!strchr(text, '.'))         /* all digits before the exponent */
			*exponent += (int)(e - text) - 1;
		for (char *p = text; p < e; p++)
			if (*p != '.')
				digits[len++] = *p;
		while (len > 1 && digits[len - 1] == '0')
			len--;
		digits[len] = 0;
		if (n == most || !is_midpoint(d, strtoull(digits, NULL, 10), *exponent - (int)len + 1, single ? 24 : 53))
			return;
	}
}

static void print_float(double d, bool single, struct buf *b)
{
	char digits[20];
	int exponent = 0, len, most = single ? 6 : 15;

	if (isnan(d) || isinf(d)) {
		buf_puts(b, isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
		return;
	}
	if (signbit(d))
		buf_putc(b, '-');
	if (d == 0) {
		buf_putc(b, '0');
		return;
	}
	shortest(fabs(d), single, digits, &exponent);
	len = (int)strlen(digits);
	if (exponent < -4 || exponent >= most) {
		buf_putc(b, digits[0]);
		if (len > 1) {
			buf_putc(b, '.');
			buf_puts(b, digits + 1);
		}
		buf_printf(b, "e%c%02d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
		return;
	}
	if (exponent < 0) {
		buf_puts(b, "0.");
		for (int i = -1; i > exponent; i--)
			buf_putc(b, '0');
		buf_puts(b, digits);
		return;
	}
	for (int i = 0; i <= exponent || i < len; i++) {
		if (i == exponent + 1)
			buf_putc(b, '.');
		buf_putc(b, i < len ? digits[i] : '0');
	}
}

void float8_print(double d, struct buf *b) { print_float(d, false, b); }
void float4_print(double d, struct buf *b) { print_float(d, true, b); }

static int parse_float(struct view text, bool single, double *ret, struct err *err)
{
	enum value_kind kind = single ? VALUE_FLOAT4 : VALUE_FLOAT8;
	struct view v = trim(text);
	char copy[512], *end;
	double d;

	if (!v.len || v.len >= sizeof(copy) || memchr(v.ptr, 0, v.len))
		return bad_syntax(kind, text, err);
	memcpy(copy, v.ptr, v.len);
	copy[v.len] = 0;
	errno = 0;
	d = single ? (double)strtof(copy, &end) : strtod(copy, &end);
	if (end == copy || *end)
		return bad_syntax(kind, text, err);
	if (errno == ERANGE && (d == 0 || isinf(d)))
		return data_error(err, "22003", "", view_str(copy), single ? " is out of range for type real" :
			" is out of range for type double precision");
	*ret = d;
	return 0;
}

int float8_parse(struct view text, double *ret, struct err *err) { return parse_float(text, false, ret, err); }
int float4_parse(struct view text, double *ret, struct err *err) { return parse_float(text, true, ret, err); }

/* ---- the other types ---- */

static int parse_int(struct view text, enum value_kind kind, struct value *ret, struct err *err)
{
	int64_t low = kind == VALUE_INT2 ? INT16_MIN : kind == VALUE_INT4 ? INT32_MIN : kind == VALUE_OID ? 0 : INT64_MIN;
	int64_t high = kind == VALUE_INT2 ? INT16_MAX : kind == VALUE_INT4 ? INT32_MAX : kind == VALUE_OID ? UINT32_MAX : INT64_MAX;
	struct view v = trim(text);
	bool neg = v.len && v.ptr[0] == '-', over = false;
	char after[64];
	int64_t i = 0;
	size_t p = v.len && (neg || v.ptr[0] == '+');

	if (p == v.len)
		return bad_syntax(kind, text, err);
	for (; p < v.len; p++) {
		if (!isdigit(v.ptr[p]))
			return bad_syntax(kind, text, err);
		over = over || __builtin_mul_overflow(i, 10, &i) || __builtin_sub_overflow(i, v.ptr[p] - '0', &i);
	}
	over = over || (!neg && __builtin_sub_overflow((int64_t)0, i, &i));
	if (over || i < low || i > high) {
		snprintf(after, sizeof(after), " is out of range for type %s", value_kind_name(kind));
		return data_error(err, "22003", "value ", text, after);
	}
	*ret = value_int(kind, i);
	return 0;
}

static int parse_bool(struct view text, struct value *ret, struct err *err)
{
	static const struct { const char *word; size_t least; bool is; } words[] = {
		{"true", 1, true}, {"false", 1, false}, {"yes", 1, true}, {"no", 1, false}, {"on", 2, true}, {"off", 2, false}, {"1", 1, true},
			{"0", 1, false}};
	struct view v = trim(text);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (v.len >= words[i].least && v.len <= strlen(words[i].word) && strncasecmp((const char *)v.ptr, words[i].word, v.len) == 0) {
			*ret = value_bool(words[i].is);
			return 0;
		}
	}
	return bad_syntax(VALUE_BOOL, text, err);
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_bytea(struct view v, struct arena *a, struct value *ret, struct err *err)
{
	uint8_t *out = arena_alloc(a, v.len + 1);
	size_t n = 0, i;

	if (v.len >= 2 && v.ptr[0] == '\\' && v.ptr[1] == 'x') {
		for (i = 2; i < v.len; i += 2) {
			if (isspace(v.ptr[i])) {
				i--;
				continue;
			}
			if (i + 1 >= v.len || hex_digit(v.ptr[i]) < 0 || hex_digit(v.ptr[i + 1]) < 0)
				return bad_syntax(VALUE_BYTEA, v, err);
			out[n++] = (uint8_t)(hex_digit(v.ptr[i]) << 4 | hex_digit(v.ptr[i + 1]));
		}
	} else {
		for (i = 0; i < v.len; i++) {
			if (v.ptr[i] != '\\') {
				out[n++] = v.ptr[i];
			} else if (i + 1 < v.len && v.ptr[i + 1] == '\\') {
				out[n++] = '\\';
				i++;
			} else if (i + 3 < v.len && v.ptr[i + 1] >= '0' && v.ptr[i + 1] <= '3' && (v.ptr[i + 2] & ~7) == '0' &&
				(v.ptr[i + 3] & ~7) == '0') {
				out[n++] = (uint8_t)((v.ptr[i + 1] - '0') << 6 | (v.ptr[i + 2] - '0') << 3 | (v.ptr[i + 3] - '0'));
				i += 3;
			} else {
				return bad_syntax(VALUE_BYTEA, v, err);
			}
		}
	}
	*ret = value_text(VALUE_BYTEA, view_of(out, n));
	return 0;
}

/* 32 hex digits, a dash allowed behind every four, braces around */
static int parse_uuid(struct view text, struct value *ret, struct err *err)
{
	struct view v = text;
	struct value u = {.kind = VALUE_UUID};
	size_t p = 0;

	if (v.len > 2 && v.ptr[0] == '{' && v.ptr[v.len - 1] == '}')
		v = view_of(v.ptr + 1, v.len - 2);
	for (int i = 0; i < 16; i++) {
		if (p + 2 > v.len || hex_digit(v.ptr[p]) < 0 || hex_digit(v.ptr[p + 1]) < 0)
			return bad_syntax(VALUE_UUID, text, err);
		u.uuid[i] = (uint8_t)(hex_digit(v.ptr[p]) << 4 | hex_digit(v.ptr[p + 1]));
		p += 2;
		if (i % 2 && i < 15 && p < v.len && v.ptr[p] == '-')
			p++;
	}
	if (p != v.len)
		return bad_syntax(VALUE_UUID, text, err);
	*ret = u;
	return 0;
}

int value_parse(struct view text, enum value_kind kind, const struct value_env *env, struct arena *a, struct value *ret, struct err *err)
{
	struct value v = {.kind = (uint8_t)kind};
	struct interval i;
	struct num n;
	int rc;

	switch (kind) {
	case VALUE_BOOL: return parse_bool(text, ret, err);
	case VALUE_INT2: case VALUE_INT4: case VALUE_INT8: case VALUE_OID: return parse_int(text, kind, ret, err);
	case VALUE_FLOAT4: rc = float4_parse(text, &v.d, err); break;
	case VALUE_FLOAT8: rc = float8_parse(text, &v.d, err); break;
	case VALUE_NUMERIC:
		rc = num_parse(text, a, &n, err);
		v = rc ? v : value_of_num(n);
		break;
	case VALUE_BYTEA: return parse_bytea(text, a, ret, err);
	case VALUE_DATE: rc = date_parse(text, &v.i, err); break;
	case VALUE_TIME: rc = time_parse(text, &v.i, err); break;
	case VALUE_TIMESTAMP: rc = timestamp_parse(text, &v.i, err); break;
	case VALUE_TIMESTAMPTZ: rc = timestamptz_parse(text, env->zone, env->zones, &v.i, err); break;
	case VALUE_INTERVAL:
		rc = interval_parse(text, &i, err);
		v = rc ? v : value_of_interval(i);
		break;
	case VALUE_UUID: return parse_uuid(text, ret, err);
	default:
		v.text = text;
		rc = 0;
	}
	if (rc == 0)
		*ret = v;
	return rc;
}

static void print_hex(struct view v, struct buf *b)
{
	static const char digits[] = "0123456789abcdef";

	buf_puts(b, "\\x");
	for (size_t i = 0; i < v.len; i++) {
		buf_putc(b, digits[v.ptr[i] >> 4]);
		buf_putc(b, digits[v.ptr[i] & 15]);
	}
}

static void print_uuid(const uint8_t u[16], struct buf *b)
{
	for (int i = 0; i < 16; i++)
		buf_printf(b, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", u[i]);
}

void value_print(const struct value *v, const struct value_env *env, struct buf *b)
{
	struct num n;

	wm_assert(!v->null);
	switch (v->kind) {
	case VALUE_BOOL: buf_putc(b, v->i ? 't' : 'f'); break;
	case VALUE_INT2: case VALUE_INT4: case VALUE_INT8: case VALUE_OID: buf_i64(b, v->i); break;
	case VALUE_FLOAT4: float4_print(v->d, b); break;
	case VALUE_FLOAT8: float8_print(v->d, b); break;
	case VALUE_NUMERIC:
		n = value_num(v);
		num_print(&n, b);
		break;
	case VALUE_BYTEA: print_hex(v->text, b); break;
	case VALUE_DATE: date_print(v->i, b); break;
	case VALUE_TIME: time_print(v->i, b); break;
	case VALUE_TIMESTAMP: timestamp_print(v->i, b); break;
	case VALUE_TIMESTAMPTZ: timestamptz_print(v->i, env->zone, b); break;
	case VALUE_INTERVAL: interval_print(value_interval(v), b); break;
	case VALUE_UUID: print_uuid(v->uuid, b); break;
	default: buf_putv(b, v->text); break;
	}
}
