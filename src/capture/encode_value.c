/*
 * Values to JSON; see encode_value.h. The binary formats are those of the server's *_send functions (src/backend/utils/adt); what Debezium
 * makes of the values was observed on recorded events. Choice by type and settings: encode_choose.c.
 */
#include "capture/encode_value.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "base/js.h"
#include "capture/encode_puts.h"

#define DAY_US INT64_C(86400000000)
#define EPOCH_DAYS 10957                         /* from 1970-01-01 to 2000-01-01 */
#define EPOCH_US (EPOCH_DAYS * DAY_US)
/* What Debezium has for the infinities of timestamps and dates, in its units (recorded). */
#define INFINITY_US INT64_C(9223372036825200000)
#define NEG_INFINITY_US INT64_C(-9223372036832400000)
#define INFINITY_DAYS (-2147472692)
#define NEG_INFINITY_DAYS (-2147472691)

/* ---- plain ---- */

enum put_result put_bool(struct buf *b, const struct value_encoder *e, struct view raw)
{
	if (raw.len != 1)
		return PUT_BAD;
	buf_puts(b, raw.ptr[0] ? "true" : "false");
	return PUT_PLAIN;
}

enum put_result put_int(struct buf *b, const struct value_encoder *e, struct view raw)
{
	if (raw.len == 4)
		buf_i64(b, (int32_t)get_be32(raw.ptr));
	else if (raw.len == 8)
		buf_i64(b, (int64_t)get_be64(raw.ptr));
	else if (raw.len == 2)
		buf_i64(b, (int16_t)get_be16(raw.ptr));
	else
		return PUT_BAD;
	return PUT_PLAIN;
}

enum put_result put_oid(struct buf *b, const struct value_encoder *e, struct view raw)
{
	if (raw.len != 4)
		return PUT_BAD;
	buf_u64(b, get_be32(raw.ptr));
	return PUT_PLAIN;
}

enum put_result put_float4(struct buf *b, const struct value_encoder *e, struct view raw)
{
	uint32_t bits;
	float f;

	if (raw.len != 4)
		return PUT_BAD;
	bits = get_be32(raw.ptr);
	memcpy(&f, &bits, 4);
	js_put_float(b, f);
	return PUT_PLAIN;
}

enum put_result put_float8(struct buf *b, const struct value_encoder *e, struct view raw)
{
	uint64_t bits;
	double d;

	if (raw.len != 8)
		return PUT_BAD;
	bits = get_be64(raw.ptr);
	memcpy(&d, &bits, 8);
	js_put_double(b, d);
	return PUT_PLAIN;
}

enum put_result put_text(struct buf *b, const struct value_encoder *e, struct view raw)
{
	js_put_string(b, raw);
	return PUT_PLAIN;
}

/* jsonb_send: a version byte, then the text */
enum put_result put_jsonb(struct buf *b, const struct value_encoder *e, struct view raw)
{
	if (raw.len < 1 || raw.ptr[0] != 1)
		return PUT_BAD;
	js_put_string(b, view_of(raw.ptr + 1, raw.len - 1));
	return PUT_PLAIN;
}

static void put_hex_digits(struct buf *b, const uint8_t *p, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n; i++) {
		buf_putc(b, hex[p[i] >> 4]);
		buf_putc(b, hex[p[i] & 15]);
	}
}

enum put_result put_uuid(struct buf *b, const struct value_encoder *e, struct view raw)
{
	static const uint8_t parts[] = {4, 2, 2, 2, 6};
	const uint8_t *p = raw.ptr;
	size_t i;

	if (raw.len != 16)
		return PUT_BAD;
	for (i = 0; i < 5; p += parts[i++]) {
		buf_putc(b, i ? '-' : '"');
		put_hex_digits(b, p, parts[i]);
	}
	buf_putc(b, '"');
	return PUT_PLAIN;
}

enum put_result put_base64(struct buf *b, const struct value_encoder *e, struct view raw)
{
	js_put_base64(b, raw);
	return PUT_PLAIN;
}

enum put_result put_base64_url(struct buf *b, const struct value_encoder *e, struct view raw)
{
	size_t from = b->len, i;

	js_put_base64(b, raw);
	for (i = from; i < b->len; i++)
		if (b->ptr[i] == '+')
			b->ptr[i] = '-';
		else if (b->ptr[i] == '/')
			b->ptr[i] = '_';
	return PUT_PLAIN;
}

enum put_result put_hex(struct buf *b, const struct value_encoder *e, struct view raw)
{
	buf_putc(b, '"');
	put_hex_digits(b, raw.ptr, raw.len);
	buf_putc(b, '"');
	return PUT_PLAIN;
}

/* ---- numeric: int16 ndigits, weight, sign, dscale, then base-10000 digits ---- */

struct digits {
	const uint8_t *digits; /* be16 each */
	int ndigits, weight, dscale;
	bool negative;
};

static enum put_result read_numeric(struct view raw, struct digits *d)
{
	uint16_t sign;

	if (raw.len < 8)
		return PUT_BAD;
	d->ndigits = get_be16(raw.ptr);
	d->weight = (int16_t)get_be16(raw.ptr + 2);
	sign = get_be16(raw.ptr + 4);
	d->dscale = get_be16(raw.ptr + 6);
	d->digits = raw.ptr + 8;
	d->negative = sign == 0x4000;
	if (raw.len != 8 + 2 * (size_t)d->ndigits || d->dscale > 0x3fff)
		return PUT_BAD;
	switch (sign) {
	case 0x0000:
	case 0x4000:
		return PUT_PLAIN;
	case 0xc000:
		return PUT_NAN;
	case 0xd000:
		return PUT_INFINITY;
	case 0xf000:
		return PUT_NEG_INFINITY;
	}
	return PUT_BAD;
}

static int digit_at(const struct digits *d, int group)
{
	return group >= 0 && group < d->ndigits ? get_be16(d->digits + 2 * group) : 0;
}

/* Plain decimal text with `scale` digits behind the point; scale is at least what the value needs or cuts zeros only. */
static void put_plain_decimal(struct buf *b, const struct digits *d, int scale)
{
	int group, k;
	char four[5];

	if (d->negative)
		buf_putc(b, '-');
	if (d->weight < 0)
		buf_putc(b, '0');
	for (group = 0; group <= d->weight; group++) {
		snprintf(four, sizeof(four), group ? "%04d" : "%d", digit_at(d, group));
		buf_puts(b, four);
	}
	if (scale <= 0)
		return;
	buf_putc(b, '.');
	for (group = d->weight + 1; scale > 0; group++) {
		int v = digit_at(d, group), div = 1000;

		for (k = 0; k < 4 && scale > 0; k++, scale--, div /= 10)
			buf_putc(b, (char)('0' + v / div % 10));
	}
}

enum put_result put_decimal_text(struct buf *b, const struct value_encoder *e, struct view raw)
{
	struct digits d;
	enum put_result rc = read_numeric(raw, &d);

	if (rc == PUT_PLAIN) {
		buf_putc(b, '"');
		put_plain_decimal(b, &d, d.dscale);
		buf_putc(b, '"');
	} else if (rc != PUT_BAD) {
		/* the text says it: no exception is needed */
		buf_puts(b, rc == PUT_NAN ? "\"NAN\"" : rc == PUT_INFINITY ? "\"POSITIVE_INFINITY\"" : "\"NEGATIVE_INFINITY\"");
		rc = PUT_PLAIN;
	}
	return rc;
}

/* Up to 15 significant digits are their own shortest form, so that no conversion through binary is needed: the usual case. */
static bool put_short_double(struct buf *b, const struct digits *d)
{
	static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000,
					  1000000000000, 10000000000000, 100000000000000, 1000000000000000};
	uint64_t v = 0, fraction;
	int group, frac, zeros;

	if (d->ndigits > 4 || d->weight > 2 || d->weight < -1)
		return false;
	if (d->ndigits == 0) {
		buf_puts(b, "0.0");
		return true;
	}
	for (group = 0; group < d->ndigits; group++)
		v = v * 10000 + (uint64_t)digit_at(d, group);
	frac = (d->ndigits - 1 - d->weight) * 4; /* digits behind the point in v */
	while (frac > 0 && v % 10 == 0) {
		v /= 10;
		frac--;
	}
	for (; frac < 0; frac++)
		v *= 10;
	/* Java prints plainly from 1e-3 to 1e7 only */
	if (v >= powers[15] || frac > 15 || v * 1000 < powers[frac] || (frac <= 8 && v >= powers[frac + 7]))
		return false;
	if (d->negative)
		buf_putc(b, '-');
	buf_u64(b, v / powers[frac]);
	buf_putc(b, '.');
	fraction = v % powers[frac];
	for (zeros = frac - 1; zeros > 0 && fraction < powers[zeros]; zeros--)
		buf_putc(b, '0');
	buf_u64(b, fraction);
	return true;
}

enum put_result put_decimal_double(struct buf *b, const struct value_encoder *e, struct view raw)
{
	struct digits d;
	struct buf text = BUF_INIT(1 << 20);
	enum put_result rc = read_numeric(raw, &d);
	size_t mark = b->len;

	if (rc == PUT_BAD)
		return rc;
	if (rc != PUT_PLAIN) {
		buf_puts(b, rc == PUT_NAN ? "\"NaN\"" : rc == PUT_INFINITY ? "\"Infinity\"" : "\"-Infinity\"");
		return PUT_PLAIN;
	}
	if (put_short_double(b, &d))
		return PUT_PLAIN;
	b->len = mark;
	put_plain_decimal(&text, &d, d.dscale);
	js_put_double(b, strtod(buf_cstr(&text), NULL));
	buf_release(&text);
	return PUT_PLAIN;
}

/*
 * The unscaled value as a big integer, most significant byte first, minimal two's complement (java.math.BigInteger.toByteArray). Computed
 * in place by multiply-and-add over 32-bit limbs; numerics of a few digits take one or two limbs.
 */
enum { LIMBS_MAX = 16 * 1024 };

static void limbs_muladd(uint32_t *limbs, size_t *n, uint32_t mul, uint32_t add)
{
	uint64_t carry = add;
	size_t i;

	for (i = 0; i < *n; i++) {
		carry += (uint64_t)limbs[i] * mul;
		limbs[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry && *n < LIMBS_MAX)
		limbs[(*n)++] = (uint32_t)carry;
}

static void put_unscaled(struct buf *b, const struct digits *d, int scale)
{
	static __thread uint32_t limbs[LIMBS_MAX];
	static __thread uint8_t bytes[LIMBS_MAX * 4 + 1];
	size_t n = 0, len, i, at;
	int group, k, have = 0; /* fraction digits taken in so far */

	for (group = 0; group <= d->weight; group++)
		limbs_muladd(limbs, &n, 10000, (uint32_t)digit_at(d, group));
	for (group = d->weight + 1; have < scale; group++) {
		int v = digit_at(d, group), div = 1000;

		for (k = 0; k < 4 && have < scale; k++, have++, div /= 10)
			limbs_muladd(limbs, &n, 10, (uint32_t)(v / div % 10));
	}
	len = n * 4 + 1;
	bytes[0] = 0;
	for (i = 0; i < n; i++)
		put_be32(bytes + 1 + 4 * (n - 1 - i), limbs[i]);
	if (d->negative) {
		int carry = 1;

		for (i = len; i-- > 0;) {
			int v = (uint8_t)~bytes[i] + carry;

			bytes[i] = (uint8_t)v;
			carry = v >> 8;
		}
	}
	for (at = 0; at + 1 < len && ((bytes[at] == 0 && !(bytes[at + 1] & 0x80)) || (bytes[at] == 0xff && (bytes[at + 1] & 0x80))); at++)
		;
	js_put_base64(b, view_of(bytes + at, len - at));
}

enum put_result put_decimal_bytes(struct buf *b, const struct value_encoder *e, struct view raw)
{
	struct digits d;
	enum put_result rc = read_numeric(raw, &d);

	if (rc == PUT_PLAIN)
		put_unscaled(b, &d, e->scale);
	else if (rc != PUT_BAD)
		buf_puts(b, "null");
	return rc;
}

enum put_result put_decimal_variable(struct buf *b, const struct value_encoder *e, struct view raw)
{
	struct digits d;
	enum put_result rc = read_numeric(raw, &d);
	int scale, last;

	if (rc != PUT_PLAIN) {
		if (rc != PUT_BAD)
			buf_puts(b, "null");
		return rc;
	}
	/* trailing zeros are stripped: the scale ends with the last digit that is not one */
	last = d.ndigits - 1;
	while (last >= 0 && digit_at(&d, last) == 0)
		last--;
	scale = last < 0 ? 0 : (last - d.weight) * 4;
	if (scale > 0) {
		int v = digit_at(&d, last);

		for (; v % 10 == 0; v /= 10)
			scale--;
	}
	if (scale < 0)
		scale = 0;
	buf_puts(b, "{\"scale\":");
	buf_i64(b, scale);
	buf_puts(b, ",\"value\":");
	put_unscaled(b, &d, scale);
	buf_putc(b, '}');
	return PUT_PLAIN;
}

/* ---- dates and times ---- */

static void put2(uint8_t *to, unsigned v)
{
	to[0] = (uint8_t)('0' + v / 10);
	to[1] = (uint8_t)('0' + v % 10);
}

/* Proleptic Gregorian date of a day number since 1970-01-01 (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static void civil(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (int64_t)yoe + era * 400 + (*month <= 2);
}

/* java.time's year: four digits at least, a sign beyond 9999 */
static void put_date_text(struct buf *b, int64_t days)
{
	unsigned month, day;
	int64_t year;
	uint8_t *to;

	civil(days, &year, &month, &day);
	if (year < 0 || year > 9999)
		buf_printf(b, "%s%04lld", year < 0 ? "-" : "+", (long long)(year < 0 ? -year : year));
	else if ((to = buf_reserve(b, 4)) != NULL) {
		put2(to, (unsigned)year / 100);
		put2(to + 2, (unsigned)year % 100);
		b->len += 4;
	}
	to = buf_reserve(b, 6);
	if (!to)
		return;
	to[0] = to[3] = '-';
	put2(to + 1, month);
	put2(to + 4, day);
	b->len += 6;
}

/* hh:mm:ss and exactly `digits` of fraction; or, with digits < 0, as many as are not zero */
static void put_time_text(struct buf *b, int64_t us, int digits)
{
	uint8_t *to = buf_reserve(b, 16);
	unsigned s = (unsigned)(us / 1000000), frac = (unsigned)(us % 1000000);
	int i, n = digits < 0 ? 6 : digits;

	if (!to)
		return;
	put2(to, s / 3600);
	put2(to + 3, s / 60 % 60);
	put2(to + 6, s % 60);
	to[2] = to[5] = ':';
	b->len += 8;
	if (n == 0 || (digits < 0 && frac == 0))
		return;
	to[8] = '.';
	for (i = 6; i > 0; i--, frac /= 10)
		to[8 + i] = (uint8_t)('0' + frac % 10);
	if (digits < 0)
		while (to[8 + n] == '0')
			n--;
	b->len += 1 + (size_t)n;
}

enum put_result put_date(struct buf *b, const struct value_encoder *e, struct view raw)
{
	int32_t days;
	enum put_result rc = PUT_PLAIN;
	int64_t out;

	if (raw.len != 4)
		return PUT_BAD;
	days = (int32_t)get_be32(raw.ptr);
	out = (int64_t)days + EPOCH_DAYS;
	if (days == INT32_MAX) {
		out = INFINITY_DAYS;
		rc = PUT_INFINITY;
	} else if (days == INT32_MIN) {
		out = NEG_INFINITY_DAYS;
		rc = PUT_NEG_INFINITY;
	}
	if (e->form != FORM_ISO_LOCAL) {
		buf_i64(b, out);
		return rc;
	}
	buf_putc(b, '"');
	put_date_text(b, rc == PUT_PLAIN ? out : (int32_t)(uint32_t)out);
	buf_puts(b, "Z\"");
	return rc;
}

static enum put_result put_scaled(struct buf *b, uint8_t form, int64_t us)
{
	int64_t ns;

	if (form == FORM_EPOCH_MS)
		buf_i64(b, floor_div(us, 1000));
	else if (form == FORM_EPOCH_NS)
		buf_i64(b, (int64_t)((uint64_t)us * 1000));
	else
		buf_i64(b, us);
	/* Java's long wraps around outside of 1677 to 2262 */
	return form == FORM_EPOCH_NS && __builtin_mul_overflow(us, 1000, &ns) ? PUT_LOST : PUT_PLAIN;
}

enum put_result put_time(struct buf *b, const struct value_encoder *e, struct view raw)
{
	int64_t us;

	if (raw.len != 8)
		return PUT_BAD;
	us = (int64_t)get_be64(raw.ptr);
	if (us < 0 || us > DAY_US)
		return PUT_BAD;
	if (e->form != FORM_ISO_LOCAL)
		return put_scaled(b, e->form, us);
	buf_putc(b, '"');
	put_time_text(b, us == DAY_US ? 0 : us, -1); /* java.time has no 24:00 */
	buf_puts(b, "Z\"");
	return PUT_PLAIN;
}

static enum put_result read_timestamp(struct view raw, int64_t *ret_us)
{
	int64_t us;

	if (raw.len != 8)
		return PUT_BAD;
	us = (int64_t)get_be64(raw.ptr);
	*ret_us = us;
	return us == INT64_MAX ? PUT_INFINITY : us == INT64_MIN ? PUT_NEG_INFINITY : PUT_PLAIN;
}

/* us since 2000, as the last years that the server knows do not fit into 64 bits of microseconds since 1970 */
static void put_iso(struct buf *b, int64_t us, int digits)
{
	int64_t days = floor_div(us, DAY_US);

	buf_putc(b, '"');
	put_date_text(b, days + EPOCH_DAYS);
	buf_putc(b, 'T');
	put_time_text(b, us - days * DAY_US, digits);
	buf_puts(b, "Z\"");
}

enum put_result put_timestamp(struct buf *b, const struct value_encoder *e, struct view raw)
{
	int64_t us;
	enum put_result rc = read_timestamp(raw, &us), scaled = PUT_PLAIN;

	if (rc == PUT_BAD)
		return rc;
	if (rc == PUT_INFINITY)
		us = INFINITY_US - EPOCH_US;
	else if (rc == PUT_NEG_INFINITY)
		us = NEG_INFINITY_US;
	if (e->form == FORM_ISO_LOCAL)
		put_iso(b, us, -1);
	else
		scaled = put_scaled(b, e->form, rc == PUT_NEG_INFINITY ? NEG_INFINITY_US : (int64_t)((uint64_t)us + (uint64_t)EPOCH_US));
	return rc == PUT_PLAIN ? scaled : rc;
}

enum put_result put_timestamptz(struct buf *b, const struct value_encoder *e, struct view raw)
{
	int64_t us;
	enum put_result rc = read_timestamp(raw, &us);

	if (rc == PUT_PLAIN)
		put_iso(b, us, e->scale);
	else if (rc != PUT_BAD)
		buf_puts(b, rc == PUT_INFINITY ? "\"infinity\"" : "\"-infinity\"");
	/* the text says it */
	return rc == PUT_BAD ? rc : PUT_PLAIN;
}

/* ---- interval: int64 us, int32 days, int32 months ---- */

enum put_result put_interval_us(struct buf *b, const struct value_encoder *e, struct view raw)
{
	double days, us;
	int64_t out;

	if (raw.len != 16)
		return PUT_BAD;
	/* months of 30.4375 days, in doubles and cut like a Java cast */
	days = (int32_t)get_be32(raw.ptr + 12) * 30.4375 + (int32_t)get_be32(raw.ptr + 8);
	us = days * (double)DAY_US + (double)(int64_t)get_be64(raw.ptr);
	out = us >= 9223372036854775807.0 ? INT64_MAX : us <= -9223372036854775808.0 ? INT64_MIN : (int64_t)us;
	buf_i64(b, out);
	return PUT_PLAIN;
}

enum put_result put_interval_iso(struct buf *b, const struct value_encoder *e, struct view raw)
{
	int64_t us;
	int32_t days, months;
	uint64_t rest, frac;
	const char *sign;
	char six[8];
	int n;

	if (raw.len != 16)
		return PUT_BAD;
	us = (int64_t)get_be64(raw.ptr);
	days = (int32_t)get_be32(raw.ptr + 8);
	months = (int32_t)get_be32(raw.ptr + 12);
	rest = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
	sign = us < 0 ? "-" : "";
	frac = rest % 1000000;
	rest /= 1000000;
	buf_printf(b, "\"P%dY%dM%dDT%s%lluH", months / 12, months % 12, days, rest / 3600 ? sign : "", (unsigned long long)(rest / 3600));
	buf_printf(b, "%s%lluM%s%llu", rest / 60 % 60 ? sign : "", (unsigned long long)(rest / 60 % 60), rest % 60 || frac ? sign : "",
		   (unsigned long long)(rest % 60));
	if (frac) {
		snprintf(six, sizeof(six), "%06u", (unsigned)frac);
		for (n = 6; six[n - 1] == '0'; n--)
			;
		buf_printf(b, ".%.*s", n, six);
	}
	buf_puts(b, "S\"");
	return PUT_PLAIN;
}

/* ---- arrays: int32 ndim, flags, oid, then (size, lower bound) each, then elements ---- */

static enum put_result put_dimension(struct buf *b, const struct value_encoder *e, struct reader *r, const uint32_t *sizes, unsigned dims)
{
	enum put_result rc, all = PUT_PLAIN;
	uint32_t i;

	buf_putc(b, '[');
	for (i = 0; i < sizes[0] && !r->bad; i++) {
		int32_t len;

		if (i)
			buf_putc(b, ',');
		if (dims > 1) {
			rc = put_dimension(b, e, r, sizes + 1, dims - 1);
			if (rc == PUT_BAD)
				return rc;
			all = rc != PUT_PLAIN ? rc : all;
			continue;
		}
		len = (int32_t)reader_be32(r);
		if (len < 0) {
			buf_puts(b, "null");
			continue;
		}
		rc = e->elem->put(b, e->elem, reader_view(r, (uint32_t)len));
		if (rc == PUT_BAD)
			return rc;
		all = rc != PUT_PLAIN ? PUT_LOST : all;
	}
	buf_putc(b, ']');
	return r->bad ? PUT_BAD : all;
}

enum put_result put_array(struct buf *b, const struct value_encoder *e, struct view raw)
{
	struct reader r = reader_of(raw);
	uint32_t ndim = reader_be32(&r), sizes[6], i;
	enum put_result rc = PUT_PLAIN, elements;
	uint64_t total = 1;

	reader_be32(&r);
	reader_be32(&r);
	if (r.bad || ndim > 6)
		return PUT_BAD;
	for (i = 0; i < ndim; i++) {
		sizes[i] = reader_be32(&r);
		/* JSON's arrays have no lower bound to say */
		rc = reader_be32(&r) != 1 ? PUT_LOST : rc;
		/* every element has a length word, so sizes that are not there cannot make us write */
		total *= sizes[i];
		if (r.bad || total > reader_left(&r))
			return PUT_BAD;
	}
	if (ndim == 0) {
		buf_puts(b, "[]");
		return reader_done(&r) ? PUT_PLAIN : PUT_BAD;
	}
	elements = put_dimension(b, e, &r, sizes, ndim);
	if (elements == PUT_BAD || !reader_done(&r))
		return PUT_BAD;
	return elements != PUT_PLAIN ? elements : rc;
}
