/*
 * Values: kinds, equality, order, hashing, key bytes, stored bytes; see value.h. Any thread.
 *
 * Key bytes: a family byte, then
 *	bool      one byte          ints, date, time, timestamps   zig-zag varint
 *	floats    8 bytes, -0 as 0, one NaN                numeric  see num.c
 *	texts     uvarint length + bytes (bpchar trimmed)  interval 16 bytes, microseconds of 30-day months and 24-hour days
 *	uuid      16 bytes                                 jsonb    the text with its numbers in numeric's key form, length first
 *
 * Stored bytes: kind, with 0x80 set for null and nothing behind it; then the same without any folding; numeric as form byte, uvarint
 * scale and
 * uvarint length + coefficient (little endian two's complement, or a sign byte and limbs).
 */
#include "model/value.h"

#include <math.h>

#include "base/map.h"
#include "model/num.h"

static const struct {
	uint32_t oid;
	const char *name;
} kinds[VALUE_KINDS] = {
	[VALUE_NONE] = {0, "unknown"},
	[VALUE_BOOL] = {16, "boolean"},
	[VALUE_INT2] = {21, "smallint"},
	[VALUE_INT4] = {23, "integer"},
	[VALUE_INT8] = {20, "bigint"},
	[VALUE_FLOAT4] = {700, "real"},
	[VALUE_FLOAT8] = {701, "double precision"},
	[VALUE_NUMERIC] = {1700, "numeric"},
	[VALUE_TEXT] = {25, "text"},
	[VALUE_VARCHAR] = {1043, "character varying"},
	[VALUE_BPCHAR] = {1042, "character"},
	[VALUE_CITEXT] = {0, "citext"},
	[VALUE_NAME] = {19, "name"},
	[VALUE_BYTEA] = {17, "bytea"},
	[VALUE_DATE] = {1082, "date"},
	[VALUE_TIME] = {1083, "time without time zone"},
	[VALUE_TIMESTAMP] = {1114, "timestamp without time zone"},
	[VALUE_TIMESTAMPTZ] = {1184, "timestamp with time zone"},
	[VALUE_INTERVAL] = {1186, "interval"},
	[VALUE_UUID] = {2950, "uuid"},
	[VALUE_JSON] = {114, "json"},
	[VALUE_JSONB] = {3802, "jsonb"},
	[VALUE_ENUM] = {0, "enum"},
	[VALUE_OID] = {26, "oid"},
	[VALUE_OTHER] = {0, "other"},
};

/* What may be compared with each other, and the first byte of a key. */
enum family {
	F_NULL, F_BOOL, F_INT, F_FLOAT, F_NUMERIC, F_TEXT, F_BPCHAR, F_BYTES, F_DATE, F_TIME, F_TIMESTAMP, F_TIMESTAMPTZ, F_INTERVAL, F_UUID,
	F_JSONB, F_OPAQUE
};

static const uint8_t families[VALUE_KINDS] = {
	[VALUE_NONE] = F_NULL, [VALUE_BOOL] = F_BOOL, [VALUE_INT2] = F_INT, [VALUE_INT4] = F_INT, [VALUE_INT8] = F_INT, [VALUE_OID] = F_INT,
	[VALUE_FLOAT4] = F_FLOAT, [VALUE_FLOAT8] = F_FLOAT, [VALUE_NUMERIC] = F_NUMERIC, [VALUE_TEXT] = F_TEXT, [VALUE_VARCHAR] = F_TEXT,
	[VALUE_NAME] = F_TEXT, [VALUE_BPCHAR] = F_BPCHAR, [VALUE_BYTEA] = F_BYTES, [VALUE_DATE] = F_DATE, [VALUE_TIME] = F_TIME,
	[VALUE_TIMESTAMP] = F_TIMESTAMP, [VALUE_TIMESTAMPTZ] = F_TIMESTAMPTZ, [VALUE_INTERVAL] = F_INTERVAL, [VALUE_UUID] = F_UUID,
	[VALUE_JSONB] = F_JSONB, [VALUE_JSON] = F_OPAQUE, [VALUE_ENUM] = F_OPAQUE, [VALUE_CITEXT] = F_OPAQUE, [VALUE_OTHER] = F_OPAQUE,
};

static enum family family(const struct value *v)
{
	wm_assert(v->kind < VALUE_KINDS);
	return (enum family)families[v->kind];
}

enum value_kind value_kind_of_oid(uint32_t oid)
{
	for (int k = 1; k < VALUE_KINDS; k++)
		if (kinds[k].oid == oid && oid)
			return (enum value_kind)k;
	return VALUE_OTHER;
}

uint32_t value_kind_oid(enum value_kind kind) { return kinds[kind].oid; }
const char *value_kind_name(enum value_kind kind) { return kinds[kind].name; }

bool value_kind_is_text(enum value_kind kind)
{
	return kind == VALUE_TEXT || kind == VALUE_VARCHAR || kind == VALUE_BPCHAR || kind == VALUE_CITEXT || kind == VALUE_NAME;
}

/* ---- folding to what equality looks at ---- */

static struct view trimmed(struct view v)
{
	while (v.len && v.ptr[v.len - 1] == ' ')
		v.len--;
	return v;
}

static int128 interval_span(const struct value *v)
{
	return (int128)v->interval.us + ((int128)v->interval.days + (int128)v->interval.months * 30) * 86400000000;
}

static uint64_t float_bits(double d)
{
	uint64_t bits;

	if (d == 0)
		d = 0;
	if (isnan(d))
		return 0x7ff8000000000000u;
	memcpy(&bits, &d, 8);
	return bits;
}

static bool number_starts(uint8_t c) { return c == '-' || (c >= '0' && c <= '9'); }

/* The text as jsonb_out writes it (keys sorted, unique, spacing fixed): only numbers have several spellings. */
static void jsonb_canonical(struct view v, struct buf *b)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	size_t i = 0, start;
	struct num n;

	while (i < v.len) {
		start = i;
		if (v.ptr[i] == '"') {
			for (i++; i < v.len && v.ptr[i] != '"'; i++)
				if (v.ptr[i] == '\\')
					i++;
			i = i < v.len ? i + 1 : v.len;
			buf_put(b, v.ptr + start, i - start);
		} else if (number_starts(v.ptr[i])) {
			while (i < v.len && (number_starts(v.ptr[i]) || strchr(".eE+", v.ptr[i])) && v.ptr[i])
				i++;
			if (num_parse(view_of(v.ptr + start, i - start), &a, &n, &err) == 0)
				num_put_key(&n, b);
			else
				buf_put(b, v.ptr + start, i - start);
		} else {
			buf_u8(b, v.ptr[i++]);
		}
	}
	arena_release(&a);
}

static int cmp_jsonb(const struct value *a, const struct value *b)
{
	struct buf x = BUF_INIT(SIZE_MAX / 4), y = BUF_INIT(SIZE_MAX / 4);
	int c;

	if (view_eq(a->text, b->text))
		return 0;
	jsonb_canonical(a->text, &x);
	jsonb_canonical(b->text, &y);
	c = view_cmp(buf_view(&x), buf_view(&y));
	buf_release(&x);
	buf_release(&y);
	return c;
}

/* ---- comparison ---- */

static int cmp_double(double a, double b)
{
	if (isnan(a) || isnan(b))
		return isnan(a) - isnan(b);
	return a < b ? -1 : a > b;
}

static int cmp_num(const struct value *a, const struct value *b)
{
	struct num x = value_num(a), y = value_num(b);

	return num_cmp(&x, &y);
}

int value_cmp(const struct value *a, const struct value *b)
{
	int128 x, y;

	if (a->null || b->null)
		return a->null - b->null;
	wm_assert(family(a) == family(b));
	switch (family(a)) {
	case F_FLOAT: return cmp_double(a->d, b->d);
	case F_NUMERIC: return cmp_num(a, b);
	case F_TEXT: case F_BYTES: case F_OPAQUE: return view_cmp(a->text, b->text);
	case F_BPCHAR: return view_cmp(trimmed(a->text), trimmed(b->text));
	case F_INTERVAL:
		x = interval_span(a);
		y = interval_span(b);
		return x < y ? -1 : x > y;
	case F_UUID: return memcmp(a->uuid, b->uuid, 16);
	case F_JSONB: return cmp_jsonb(a, b);
	default: return a->i < b->i ? -1 : a->i > b->i;
	}
}

bool value_equal(const struct value *a, const struct value *b)
{
	if (a->null || b->null)
		return a->null && b->null;
	switch (family(a)) {
	case F_TEXT: case F_BYTES: case F_OPAQUE: return view_eq(a->text, b->text);
	default: return value_cmp(a, b) == 0;
	}
}

bool value_same(const struct value *a, const struct value *b)
{
	if (a->kind != b->kind || a->null != b->null)
		return false;
	if (a->null)
		return true;
	switch (family(a)) {
	case F_NUMERIC: return a->scale == b->scale && value_equal(a, b);
	case F_FLOAT: return isnan(a->d) ? isnan(b->d) : memcmp(&a->d, &b->d, 8) == 0;
	case F_TEXT: case F_BYTES: case F_OPAQUE: case F_BPCHAR: case F_JSONB: return view_eq(a->text, b->text);
	case F_INTERVAL:
		return a->interval.us == b->interval.us && a->interval.days == b->interval.days && a->interval.months == b->interval.months;
	default: return value_equal(a, b);
	}
}

uint64_t value_hash(const struct value *v)
{
	struct buf b;
	struct num n;
	uint64_t h;

	if (v->null)
		return 0x6e756c6cu;
	switch (family(v)) {
	case F_FLOAT: return hash_u64(float_bits(v->d));
	case F_NUMERIC: n = value_num(v); return num_hash(&n);
	case F_TEXT: case F_BYTES: case F_OPAQUE: return hash_bytes(v->text.ptr, v->text.len);
	case F_BPCHAR: return hash_bytes(v->text.ptr, trimmed(v->text).len);
	case F_INTERVAL: return hash_u64((uint64_t)interval_span(v) ^ hash_u64((uint64_t)(interval_span(v) >> 64)));
	case F_UUID: return hash_bytes(v->uuid, 16);
	case F_JSONB:
		b = BUF_INIT(SIZE_MAX / 4);
		jsonb_canonical(v->text, &b);
		h = hash_bytes(b.ptr, b.len);
		buf_release(&b);
		return h;
	default: return hash_u64((uint64_t)v->i);
	}
}

/* ---- key bytes ---- */

void value_put_key(struct buf *b, const struct value *v)
{
	struct buf tmp;
	struct num n;
	int128 span;

	if (v->null) {
		buf_u8(b, F_NULL);
		return;
	}
	buf_u8(b, family(v));
	switch (family(v)) {
	case F_BOOL: buf_u8(b, v->i != 0); break;
	case F_FLOAT: buf_le64(b, float_bits(v->d)); break;
	case F_NUMERIC:
		n = value_num(v);
		num_put_key(&n, b);
		break;
	case F_TEXT: case F_BYTES: case F_OPAQUE: buf_bytes(b, v->text); break;
	case F_BPCHAR: buf_bytes(b, trimmed(v->text)); break;
	case F_INTERVAL:
		span = interval_span(v);
		buf_put(b, &span, 16);
		break;
	case F_UUID: buf_put(b, v->uuid, 16); break;
	case F_JSONB:
		tmp = BUF_INIT(SIZE_MAX / 4);
		jsonb_canonical(v->text, &tmp);
		buf_bytes(b, buf_view(&tmp));
		buf_release(&tmp);
		break;
	default: buf_varint(b, v->i); break;
	}
}

size_t value_key_size_max(const struct value *v)
{
	if (v->null)
		return 1;
	switch (family(v)) {
	case F_NUMERIC: return v->form == NUM_BIG ? 32 + (size_t)v->big->limbs * 8 : 32;
	case F_TEXT: case F_BYTES: case F_OPAQUE: case F_BPCHAR: return 11 + v->text.len;
	case F_JSONB: return 16 + v->text.len * 24;
	default: return 17;
	}
}

/* ---- stored form ---- */

static void store_num(struct buf *b, const struct value *v)
{
	buf_u8(b, v->form);
	if (v->form > NUM_BIG)
		return;
	buf_uvarint(b, v->scale);
	if (v->form == NUM_BIG) {
		buf_u8(b, v->big->neg);
		buf_bytes(b, view_of(v->big->limb, v->big->limbs * sizeof(uint64_t)));
	} else {
		struct num n = value_num(v);
		uint8_t bytes[16];
		size_t len = 16;

		memcpy(bytes, &n.coef, 16);
		while (len > 1 && bytes[len - 1] == (bytes[len - 2] & 0x80 ? 0xff : 0))
			len--;
		buf_bytes(b, view_of(bytes, len));
	}
}

void value_store(struct buf *b, const struct value *v)
{
	buf_u8(b, (uint8_t)(v->kind | (v->null ? 0x80 : 0)));
	if (v->null)
		return;
	switch (family(v)) {
	case F_FLOAT: buf_put(b, &v->d, 8); break;
	case F_NUMERIC: store_num(b, v); break;
	case F_TEXT: case F_BYTES: case F_OPAQUE: case F_BPCHAR: case F_JSONB: buf_bytes(b, v->text); break;
	case F_INTERVAL:
		buf_varint(b, v->interval.us);
		buf_varint(b, v->interval.days);
		buf_varint(b, v->interval.months);
		break;
	case F_UUID: buf_put(b, v->uuid, 16); break;
	default: buf_varint(b, v->i); break;
	}
}

/* false when the bytes are not a numeric in its only allowed form */
static bool load_num(struct reader *r, struct arena *a, struct value *v)
{
	struct num n = {.form = reader_u8(r)};
	uint64_t scale;
	struct view bytes;
	struct num_big *big;
	bool neg = false;

	if (n.form > NUM_NEG_INF)
		return false;
	if (n.form > NUM_BIG) {
		*v = value_of_num(num_special((enum num_form)n.form));
		return true;
	}
	scale = reader_uvarint(r);
	if (n.form == NUM_BIG)
		neg = reader_u8(r) != 0;
	bytes = reader_bytes(r);
	if (r->bad || scale > NUM_SCALE_MAX)
		return false;
	n.scale = (uint32_t)scale;
	if (n.form == NUM_SMALL) {
		if (bytes.len < 1 || bytes.len > 16)
			return false;
		n.coef = bytes.ptr[bytes.len - 1] & 0x80 ? -1 : 0;
		memcpy(&n.coef, bytes.ptr, bytes.len);
		*v = value_of_num(n);
		return true;
	}
	if (bytes.len % 8 || bytes.len < 16 || bytes.len > NUM_DIGITS_MAX || (bytes.len == 16 && !(bytes.ptr[15] & 0x80)) ||
	    get_le64(bytes.ptr + bytes.len - 8) == 0)
		return false;
	big = arena_alloc(a, sizeof(*big) + bytes.len);
	big->limbs = (uint32_t)(bytes.len / 8);
	big->neg = neg;
	memcpy(big->limb, bytes.ptr, bytes.len);
	n.big = big;
	*v = value_of_num(n);
	return true;
}

static bool load_interval(struct reader *r, struct value *v)
{
	int64_t days, months;

	v->interval.us = reader_varint(r);
	days = reader_varint(r);
	months = reader_varint(r);
	v->interval.days = (int32_t)days;
	v->interval.months = (int32_t)months;
	return days == (int32_t)days && months == (int32_t)months;
}

int value_load(struct reader *r, struct arena *a, struct value *ret, struct err *err)
{
	uint8_t tag = reader_u8(r);
	struct value v = {.kind = tag & 0x7f, .null = tag & 0x80};
	const uint8_t *p;
	bool good = v.kind < VALUE_KINDS;

	if (good && !v.null) {
		switch (family(&v)) {
		case F_FLOAT:
			p = reader_take(r, 8);
			if (p)
				memcpy(&v.d, p, 8);
			break;
		case F_NUMERIC: good = load_num(r, a, &v); break;
		case F_TEXT: case F_BYTES: case F_OPAQUE: case F_BPCHAR: case F_JSONB: v.text = reader_bytes(r); break;
		case F_INTERVAL: good = load_interval(r, &v); break;
		case F_UUID:
			p = reader_take(r, 16);
			if (p)
				memcpy(v.uuid, p, 16);
			break;
		default: v.i = reader_varint(r); break;
		}
	}
	if (!good || r->bad)
		return err_set(err, ERR_CORRUPT, "stored value is damaged");
	*ret = v;
	return 0;
}

struct value value_copy(struct arena *a, const struct value *v)
{
	struct value c = *v;
	size_t len;

	if (v->null)
		return c;
	switch (family(v)) {
	case F_TEXT: case F_BYTES: case F_OPAQUE: case F_BPCHAR: case F_JSONB: c.text = arena_view(a, v->text); break;
	case F_NUMERIC:
		if (v->form == NUM_BIG) {
			struct num_big *big;

			len = sizeof(*big) + v->big->limbs * sizeof(uint64_t);
			big = arena_alloc(a, len);
			memcpy(big, v->big, len);
			c.big = big;
		}
		break;
	default: break;
	}
	return c;
}
