/* Values out of published bytes; see row_value.h. The counterpart of capture/encode_value.c: a form there is a form here. */
#include "stream/row_value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model/datetime.h"
#include "model/num.h"
#include "model/value_text.h"

#define DAY_US INT64_C(86400000000)
#define EPOCH_DAYS 10957                    /* from 1970-01-01 to 2000-01-01 */
#define EPOCH_US (EPOCH_DAYS * DAY_US)

static int unreadable(struct err *err, const struct js_token *t)
{
	return err_set(
		err, ERR_CORRUPT, "published value %.*s cannot be read", (int)(t->text.len < 80 ? t->text.len : 80), (const char *)t->text.ptr);
}

static bool parse_int(struct view v, int64_t *ret)
{
	bool neg = v.len && v.ptr[0] == '-';
	uint64_t n = 0;
	size_t i;

	if (v.len == neg || v.len > 20)
		return false;
	for (i = neg; i < v.len; i++) {
		uint8_t c = v.ptr[i];

		if (c < '0' || c > '9' || n > (UINT64_MAX - 9) / 10)
			return false;
		n = n * 10 + (uint64_t)(c - '0');
	}
	if (n > (uint64_t)INT64_MAX + neg)
		return false;
	*ret = neg ? (int64_t)(0 - n) : (int64_t)n;
	return true;
}

static bool two(const uint8_t *p, int64_t *ret)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return false;
	*ret = (p[0] - '0') * 10 + (p[1] - '0');
	return true;
}

/* [+-]YYYY...-MM-DD, as java.time writes it; astronomical years. */
static bool parse_date(struct reader *r, int64_t *ret_days)
{
	bool neg = reader_left(r) && *r->ptr == '-';
	int64_t year = 0, month, day;
	const uint8_t *p;
	int digits = 0;

	if (neg || (reader_left(r) && *r->ptr == '+'))
		r->ptr++;
	for (; reader_left(r) && *r->ptr >= '0' && *r->ptr <= '9' && digits < 9; r->ptr++, digits++)
		year = year * 10 + (*r->ptr - '0');
	p = reader_take(r, 6);
	if (!p || digits < 4 || p[0] != '-' || !two(p + 1, &month) || p[3] != '-' || !two(p + 4, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	*ret_days = civil_days(neg ? -year : year, (int)month, (int)day);
	return true;
}

/* HH:MM:SS[.f{1,6}] */
static bool parse_clock(struct reader *r, int64_t *ret_us)
{
	const uint8_t *p = reader_take(r, 8);
	int64_t h, m, s, frac = 0, unit = 100000;

	if (!p || p[2] != ':' || p[5] != ':' || !two(p, &h) || !two(p + 3, &m) || !two(p + 6, &s))
		return false;
	if (reader_left(r) && *r->ptr == '.')
		for (r->ptr++; reader_left(r) && *r->ptr >= '0' && *r->ptr <= '9'; r->ptr++, unit /= 10)
			frac += (*r->ptr - '0') * unit;
	*ret_us = ((h * 60 + m) * 60 + s) * 1000000 + frac;
	return true;
}

static bool zulu(struct reader *r)
{
	return reader_u8(r) == 'Z' && reader_done(r);
}

static int read_iso(const struct column *c, const struct js_token *t, struct value *ret, struct err *err)
{
	struct reader r = reader_of(t->text);
	int64_t days, us;

	if (t->kind != JS_STRING)
		return unreadable(err, t);
	if (view_is(t->text, "infinity") || view_is(t->text, "-infinity")) {
		ret->i = t->text.ptr[0] == '-' ? TIMESTAMP_NEG_INF : TIMESTAMP_POS_INF;
		return 0;
	}
	if (!parse_date(&r, &days))
		return unreadable(err, t);
	if (c->base.kind == VALUE_DATE) {
		ret->i = days;
		return zulu(&r) ? 0 : unreadable(err, t);
	}
	if (reader_u8(&r) != 'T' || !parse_clock(&r, &us) || !zulu(&r) || __builtin_mul_overflow(days, DAY_US, &days) ||
	    __builtin_add_overflow(days, us, &ret->i))
		return unreadable(err, t);
	return 0;
}

static int read_epoch(const struct column *c, const struct js_token *t, struct value *ret, struct err *err)
{
	int64_t n, shift = c->base.kind == VALUE_TIME ? 0 : EPOCH_US;

	if (t->kind != JS_NUMBER || !parse_int(t->text, &n))
		return unreadable(err, t);
	switch ((enum column_form)c->form) {
	case FORM_EPOCH_DAYS:
		ret->i = n - EPOCH_DAYS;
		return 0;
	case FORM_EPOCH_MS:
		if (__builtin_mul_overflow(n, 1000, &n))
			return unreadable(err, t);
		break;
	case FORM_EPOCH_NS:
		n = n / 1000 - (n % 1000 < 0);
		break;
	default:
		break;
	}
	ret->i = (int64_t)((uint64_t)n - (uint64_t)shift);
	return 0;
}

static int from_base64(const struct js_token *t, struct arena *a, bool url, struct view *ret, struct err *err)
{
	uint8_t *out = arena_alloc(a, t->text.len / 4 * 3 + 3), *to = out;
	uint32_t bits = 0, n = 0;
	size_t i;

	for (i = 0; i < t->text.len && t->text.ptr[i] != '='; i++) {
		uint8_t c = t->text.ptr[i], v;

		if (c >= 'A' && c <= 'Z')
			v = (uint8_t)(c - 'A');
		else if (c >= 'a' && c <= 'z')
			v = (uint8_t)(c - 'a' + 26);
		else if (c >= '0' && c <= '9')
			v = (uint8_t)(c - '0' + 52);
		else if (c == (url ? '-' : '+'))
			v = 62;
		else if (c == (url ? '_' : '/'))
			v = 63;
		else
			return unreadable(err, t);
		bits = bits << 6 | v;
		if (++n % 4 == 0) {
			*to++ = (uint8_t)(bits >> 16);
			*to++ = (uint8_t)(bits >> 8);
			*to++ = (uint8_t)bits;
		}
	}
	if (n % 4 == 2)
		*to++ = (uint8_t)(bits >> 4);
	if (n % 4 == 3) {
		*to++ = (uint8_t)(bits >> 10);
		*to++ = (uint8_t)(bits >> 2);
	}
	*ret = view_of(out, (size_t)(to - out));
	return 0;
}

static int from_hex(const struct js_token *t, struct arena *a, struct view *ret, struct err *err)
{
	uint8_t *out = arena_alloc(a, t->text.len / 2 + 1);
	size_t i;

	for (i = 0; i < t->text.len; i++) {
		uint8_t c = t->text.ptr[i], d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;

		if (d == 16 || t->text.len % 2)
			return unreadable(err, t);
		out[i / 2] = i % 2 ? (uint8_t)(out[i / 2] << 4 | d) : d;
	}
	*ret = view_of(out, t->text.len / 2);
	return 0;
}

static int set_num(struct num n, const struct column *c, struct arena *a, struct value *ret, struct err *err)
{
	/* the published digits may be fewer than the column's scale shows: 43.6 is numeric(9,6) 43.600000 */
	if (c->base.typmod >= 4 && num_is_finite(&n) && num_apply_typmod(&n, c->base.typmod, a, &n, err))
		return -1;
	*ret = value_of_num(n);
	return 0;
}

static int read_decimal_text(const struct column *c, const struct js_token *t, struct arena *a, struct value *ret, struct err *err)
{
	struct num n;

	if (t->kind == JS_STRING && (view_is(t->text, "NAN") || view_is(t->text, "NaN")))
		n = num_special(NUM_NAN);
	else if (t->kind == JS_STRING && (view_is(t->text, "POSITIVE_INFINITY") || view_is(t->text, "Infinity")))
		n = num_special(NUM_POS_INF);
	else if (t->kind == JS_STRING && (view_is(t->text, "NEGATIVE_INFINITY") || view_is(t->text, "-Infinity")))
		n = num_special(NUM_NEG_INF);
	else if ((t->kind != JS_STRING && t->kind != JS_NUMBER) || num_parse(t->text, a, &n, err))
		return unreadable(err, t);
	return set_num(n, c, a, ret, err);
}

static int read_decimal_bytes(
	const struct column *c, const struct js_token *t, uint32_t scale, struct arena *a, struct value *ret, struct err *err)
{
	struct view bytes;
	struct num n;

	if (t->kind != JS_STRING || from_base64(t, a, false, &bytes, err) || num_of_bytes(bytes, scale, a, &n, err))
		return unreadable(err, t);
	*ret = value_of_num(n);
	return 0;
}

static int read_decimal_variable(
	const struct column *c, struct js_reader *r, const struct js_token *first, struct arena *a, struct value *ret, struct err *err)
{
	struct js_token t, value = {.kind = JS_BAD};
	int64_t scale = -1;

	if (first->kind != JS_OBJECT)
		return unreadable(err, first);
	while (js_next(r, &t) != JS_OBJECT_END) {
		if (t.kind == JS_NUMBER && view_is(t.key, "scale") && parse_int(t.text, &scale))
			continue;
		if (t.kind == JS_STRING && view_is(t.key, "value")) {
			value = t;
			continue;
		}
		return unreadable(err, &t);
	}
	if (scale < 0 || scale > NUM_SCALE_MAX || value.kind != JS_STRING)
		return unreadable(err, first);
	return read_decimal_bytes(c, &value, (uint32_t)scale, a, ret, err);
}

/* P1Y2M3DT4H5M6.78S, each part with its own sign */
static int read_interval(const struct js_token *t, struct value *ret, struct err *err)
{
	static const char units[] = "YMDTHMS";
	struct reader r = reader_of(t->text);
	int64_t parts[7] = {0}, frac = 0;
	unsigned u;

	if (t->kind != JS_STRING || reader_u8(&r) != 'P')
		return unreadable(err, t);
	for (u = 0; u < 7; u++) {
		const uint8_t *from = r.ptr;
		bool neg = reader_left(&r) && *from == '-';

		if (u == 3) {
			if (reader_u8(&r) != 'T')
				return unreadable(err, t);
			continue;
		}
		while (reader_left(&r) && (*r.ptr == '-' || (*r.ptr >= '0' && *r.ptr <= '9')))
			r.ptr++;
		if (!parse_int(view_of(from, (size_t)(r.ptr - from)), &parts[u]))
			return unreadable(err, t);
		if (u == 6 && reader_left(&r) && *r.ptr == '.') {
			int64_t unit = 100000;

			for (r.ptr++; reader_left(&r) && *r.ptr >= '0' && *r.ptr <= '9'; r.ptr++, unit /= 10)
				frac += (*r.ptr - '0') * unit;
			frac = neg ? -frac : frac;
		}
		if (reader_u8(&r) != (uint8_t)units[u])
			return unreadable(err, t);
	}
	if (!reader_done(&r))
		return unreadable(err, t);
	ret->interval.months = (int32_t)(parts[0] * 12 + parts[1]);
	ret->interval.days = (int32_t)parts[2];
	ret->interval.us = (int64_t)((uint64_t)((parts[4] * 60 + parts[5]) * 60 + parts[6]) * 1000000u + (uint64_t)frac);
	return 0;
}

static int read_plain(const struct column *c, const struct js_token *t, struct arena *a, struct value *ret, struct err *err)
{
	switch ((enum value_kind)c->base.kind) {
	case VALUE_BOOL:
		ret->i = t->kind == JS_TRUE;
		return t->kind == JS_TRUE || t->kind == JS_FALSE ? 0 : unreadable(err, t);
	case VALUE_INT2: case VALUE_INT4: case VALUE_INT8: case VALUE_OID:
		return t->kind == JS_NUMBER && parse_int(t->text, &ret->i) ? 0 : unreadable(err, t);
	case VALUE_UUID:
		return t->kind == JS_STRING ? value_parse(t->text, VALUE_UUID, NULL, a, ret, err) : unreadable(err, t);
	default:
		if (t->kind != JS_STRING)
			return unreadable(err, t);
		ret->text = js_unescape(a, t->text, t->text_escaped);
		return 0;
	}
}

static int read_float(const struct column *c, const struct js_token *t, struct arena *a, struct value *ret, struct err *err)
{
	if (t->kind == JS_STRING && view_is(t->text, "NaN"))
		ret->d = NAN;
	else if (t->kind == JS_STRING && view_is(t->text, "Infinity"))
		ret->d = INFINITY;
	else if (t->kind == JS_STRING && view_is(t->text, "-Infinity"))
		ret->d = -INFINITY;
	else if (t->kind == JS_NUMBER)
		/* a float4's digits are its own: read as a float, they give the float */
		ret->d = c->base.kind == VALUE_FLOAT4 ? (double)strtof(arena_str(a, t->text), NULL) : strtod(arena_str(a, t->text), NULL);
	else
		return unreadable(err, t);
	return 0;
}

/* ---- arrays: JSON's into the server's output text ---- */

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* As array_out() writes an element: quoted where it would be read as something else. */
static void put_element(struct buf *b, struct view text)
{
	bool quote = text.len == 0 || (text.len == 4 && strncasecmp((const char *)text.ptr, "null", 4) == 0);
	size_t i;

	for (i = 0; i < text.len && !quote; i++)
		quote = is_blank(text.ptr[i]) || strchr("\"\\{},", text.ptr[i]);
	if (!quote) {
		buf_putv(b, text);
		return;
	}
	buf_putc(b, '"');
	for (i = 0; i < text.len; i++) {
		if (text.ptr[i] == '"' || text.ptr[i] == '\\')
			buf_putc(b, '\\');
		buf_putc(b, (char)text.ptr[i]);
	}
	buf_putc(b, '"');
}

static int put_elements(const struct column *elem, struct js_reader *r, struct arena *a, unsigned depth, struct buf *b, struct err *err)
{
	struct value_env env = {.zone = tz_utc()};
	struct buf text = BUF_INIT((size_t)1 << 30);
	struct js_token t;
	struct value v;
	int rc = -1;

	buf_putc(b, '{');
	while (js_next(r, &t) != JS_ARRAY_END) {
		if (b->len && b->ptr[b->len - 1] != '{')
			buf_putc(b, ',');
		if (t.kind == JS_ARRAY) {
			if (depth == 6 ? unreadable(err, &t) : put_elements(elem, r, a, depth + 1, b, err))
				goto out;
			continue;
		}
		if (t.kind == JS_BAD || t.kind == JS_END) {
			unreadable(err, &t);
			goto out;
		}
		if (row_value_read(elem, r, &t, a, &v, err))
			goto out;
		if (v.null) {
			buf_puts(b, "NULL");
			continue;
		}
		buf_clear(&text);
		value_print(&v, &env, &text);
		put_element(b, buf_view(&text));
	}
	buf_putc(b, '}');
	rc = 0;
out:
	buf_release(&text);
	return rc;
}

static int read_array(
	const struct column *c, struct js_reader *r, const struct js_token *t, struct arena *a, struct value *ret, struct err *err)
{
	struct column elem = {.form = c->elem_form, .base = c->elem};
	struct buf b = BUF_INIT((size_t)1 << 30);
	int rc;

	if (t->kind != JS_ARRAY || c->elem_form == FORM_ARRAY)
		return unreadable(err, t);
	rc = put_elements(&elem, r, a, 1, &b, err);
	ret->text = arena_view(a, buf_view(&b));
	buf_release(&b);
	return rc;
}

int row_value_read(
	const struct column *c, struct js_reader *r, const struct js_token *t, struct arena *a, struct value *ret, struct err *err)
{
	*ret = (struct value){.kind = c->base.kind, .null = t->kind == JS_NULL};
	if (t->kind == JS_NULL)
		return 0;
	switch ((enum column_form)c->form) {
	case FORM_PLAIN:
		return read_plain(c, t, a, ret, err);
	case FORM_FLOAT:
		return read_float(c, t, a, ret, err);
	case FORM_DECIMAL_TEXT:
	case FORM_DECIMAL_DOUBLE:
		return read_decimal_text(c, t, a, ret, err);
	case FORM_DECIMAL_BYTES:
		return read_decimal_bytes(c, t, (uint32_t)((((c->base.typmod - 4) & 0x7ff) ^ 1024) - 1024), a, ret, err);
	case FORM_DECIMAL_VARIABLE:
		return read_decimal_variable(c, r, t, a, ret, err);
	case FORM_EPOCH_DAYS: case FORM_EPOCH_MS: case FORM_EPOCH_US: case FORM_EPOCH_NS:
		return read_epoch(c, t, ret, err);
	case FORM_ISO_UTC: case FORM_ISO_LOCAL:
		return read_iso(c, t, ret, err);
	case FORM_INTERVAL_ISO:
		return read_interval(t, ret, err);
	case FORM_BASE64: case FORM_BASE64_URL:
		return t->kind == JS_STRING ? from_base64(t, a, c->form == FORM_BASE64_URL, &ret->text, err) : unreadable(err, t);
	case FORM_HEX:
		return t->kind == JS_STRING ? from_hex(t, a, &ret->text, err) : unreadable(err, t);
	case FORM_ARRAY:
		return read_array(c, r, t, a, ret, err);
	case FORM_OMITTED: case FORM_LOST: case FORM_INTERVAL_US:
		break;
	}
	return err_set(err, ERR_INTERNAL, "a value of form %u was asked for", c->form);
}
