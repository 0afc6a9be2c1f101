/*
 * numeric: text and binary input, output, comparison, hashing, keys; see num.h. Any thread.
 *
 * Key bytes (num_put_key): form byte; for finite numbers uvarint scale and the coefficient as uvarint length + two's complement bytes,
 * least
 * significant first, as short as its sign allows, both after trailing zeros of the fraction are gone.
 */
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "base/map.h"
#include "base/mem.h"
#include "model/num_int.h"

#define P4(x) (uint128)(x), (uint128)(x) * 10u, (uint128)(x) * 100u, (uint128)(x) * 1000u
#define E16 ((uint128)10000000000000000ull)
#define P16(x) P4(x), P4((x) * 10000u), P4((x) * 100000000u), P4((x) * 1000000000000u)

const uint128 num_pow10[POW10_MAX + 1] = {
	P16((uint128)1), P16(E16), P4(E16 * E16), E16 * E16 * 10000u, E16 * E16 * 100000u, E16 * E16 * 1000000u,
};

#define R(i) (((uint128)1 << 127) - 1) / (i)
#define R4(x) R((uint128)(x)), R((uint128)(x) * 10u), R((uint128)(x) * 100u), R((uint128)(x) * 1000u)
#define R16(x) R4(x), R4((x) * 10000u), R4((x) * 100000000u), R4((x) * 1000000000000u)

const uint128 num_pow10_room[POW10_MAX + 1] = {
	R16((uint128)1), R16(E16), R4(E16 * E16), R(E16 * E16 * 10000u), R(E16 * E16 * 100000u), R(E16 * E16 * 1000000u),
};

int num_overflow(struct err *err)
{
	err_set(err, ERR_DATA, "value overflows numeric format");
	memcpy(err->sqlstate, "22003", 6);
	return -1;
}

void num_mpz(mpz_ptr z, const struct num *n, uint64_t tmp[2])
{
	if (n->form == NUM_BIG) {
		mp_size_t len = (mp_size_t)n->big->limbs;

		mpz_roinit_n(z, (const mp_limb_t *)n->big->limb, n->big->neg ? -len : len);
	} else {
		uint128 u = u128_abs(n->coef);

		tmp[0] = (uint64_t)u;
		tmp[1] = (uint64_t)(u >> 64);
		mpz_roinit_n(z, (const mp_limb_t *)tmp, n->coef < 0 ? -2 : 2);
	}
}

struct num num_take(mpz_srcptr z, uint32_t scale, struct arena *a)
{
	size_t limbs = mpz_size(z);
	struct num_big *big;

	if (limbs <= 2 && (limbs < 2 || mpz_getlimbn(z, 1) >> 63 == 0)) {
		uint128 u = limbs ? mpz_getlimbn(z, 0) : 0;

		if (limbs == 2)
			u |= (uint128)mpz_getlimbn(z, 1) << 64;
		return num_small(mpz_sgn(z) < 0 ? -(int128)u : (int128)u, scale);
	}
	big = arena_alloc(a, sizeof(*big) + limbs * sizeof(uint64_t));
	big->limbs = (uint32_t)limbs;
	big->neg = mpz_sgn(z) < 0;
	memcpy(big->limb, mpz_limbs_read(z), limbs * sizeof(uint64_t));
	return (struct num){.form = NUM_BIG, .scale = scale, .big = big};
}

int num_make(mpz_srcptr z, uint32_t scale, struct arena *a, struct num *ret, struct err *err)
{
	size_t digits = mpz_sizeinbase(z, 10);

	if (scale > NUM_SCALE_MAX)
		return num_overflow(err);
	if (digits > (size_t)NUM_DIGITS_MAX + scale) {
		struct num n = num_take(z, scale, a);

		if (num_digits(&n) > NUM_DIGITS_MAX + scale)
			return num_overflow(err);
	}
	*ret = num_take(z, scale, a);
	return 0;
}

uint32_t num_digits_u128(uint128 x)
{
	uint32_t bits, guess;

	if (x < 10)
		return 1;
	bits = (uint32_t)(x >> 64 ? 128 - __builtin_clzll((uint64_t)(x >> 64)) : 64 - __builtin_clzll((uint64_t)x));
	guess = bits * 1233 >> 12; /* log10(2) = 0.30103 */
	return guess > POW10_MAX || x >= num_pow10[guess] ? guess + 1 : guess;
}

void num_mpz_pow10(mpz_ptr z, uint32_t e)
{
	mpz_ui_pow_ui(z, 10, e);
}

uint32_t num_digits(const struct num *n)
{
	uint64_t tmp[2];
	uint32_t digits;
	mpz_t z, p;

	if (n->form == NUM_SMALL)
		return num_digits_u128(u128_abs(n->coef));
	num_mpz(z, n, tmp);
	digits = (uint32_t)mpz_sizeinbase(z, 10); /* exact or one too many */
	mpz_init(p);
	num_mpz_pow10(p, digits - 1);
	if (mpz_cmpabs(z, p) < 0)
		digits--;
	mpz_clear(p);
	return digits;
}

int num_sign(const struct num *x)
{
	switch (x->form) {
	case NUM_SMALL: return x->coef > 0 ? 1 : x->coef < 0 ? -1 : 0;
	case NUM_BIG: return x->big->neg ? -1 : 1;
	case NUM_NEG_INF: return -1;
	default: return 1;
	}
}

/* ---- output ---- */

static void put_digits(struct buf *b, const char *digits, size_t len, bool neg, uint32_t scale)
{
	size_t whole = len > scale ? len - scale : 0;

	if (neg)
		buf_putc(b, '-');
	if (whole)
		buf_put(b, digits, whole);
	else
		buf_putc(b, '0');
	if (!scale)
		return;
	buf_putc(b, '.');
	for (size_t zeros = scale - (len - whole); zeros; zeros--)
		buf_putc(b, '0');
	buf_put(b, digits + whole, len - whole);
}

static size_t u128_to_text(uint128 u, char out[40])
{
	char tmp[40];
	size_t n = 0;

	while (u >> 64) {
		tmp[n++] = (char)('0' + (int)(u % 10));
		u /= 10;
	}
	for (uint64_t low = (uint64_t)u; low || !n; low /= 10)
		tmp[n++] = (char)('0' + (int)(low % 10));
	for (size_t i = 0; i < n; i++)
		out[i] = tmp[n - 1 - i];
	return n;
}

static void print_big(const struct num *n, struct buf *b)
{
	uint64_t tmp[2];
	char *text, *digits;
	mpz_t z;

	num_mpz(z, n, tmp);
	text = mem_alloc(mpz_sizeinbase(z, 10) + 2);
	mpz_get_str(text, 10, z);
	digits = text + (n->big->neg ? 1 : 0);
	put_digits(b, digits, strlen(digits), n->big->neg, n->scale);
	mem_free(text);
}

void num_print(const struct num *n, struct buf *b)
{
	char digits[40];

	switch (n->form) {
	case NUM_SMALL:
		put_digits(b, digits, u128_to_text(u128_abs(n->coef), digits), n->coef < 0, n->scale);
		break;
	case NUM_BIG: print_big(n, b); break;
	case NUM_NAN: buf_puts(b, "NaN"); break;
	case NUM_POS_INF: buf_puts(b, "Infinity"); break;
	default: buf_puts(b, "-Infinity"); break;
	}
}

/* ---- input ---- */

static int bad_syntax(struct view text, struct err *err)
{
	err_set(err, ERR_DATA, "invalid input syntax for type numeric: \"%.*s\"", (int)(text.len > 400 ? 400 : text.len),
		(const char *)text.ptr);
	memcpy(err->sqlstate, "22P02", 6);
	return -1;
}

static bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static bool word_is(struct view v, const char *word)
{
	return v.len == strlen(word) && strncasecmp((const char *)v.ptr, word, v.len) == 0;
}

static bool parse_special(struct view v, struct num *ret)
{
	bool sign = v.len && (v.ptr[0] == '+' || v.ptr[0] == '-'), neg = sign && v.ptr[0] == '-';

	if (word_is(v, "NaN")) {
		*ret = num_special(NUM_NAN);
		return true;
	}
	if (sign)
		v = view_of(v.ptr + 1, v.len - 1);
	if (!word_is(v, "inf") && !word_is(v, "infinity"))
		return false;
	*ret = num_special(neg ? NUM_NEG_INF : NUM_POS_INF);
	return true;
}

/* The parts of a decimal literal: digits (the point taken out by the reader), how many stand behind the point, the exponent. */
struct literal {
	bool neg;
	const uint8_t *ptr, *end;
	size_t digits, fraction;
	int64_t exponent;
};

static bool scan_exponent(const uint8_t *p, const uint8_t *end, int64_t *ret)
{
	bool neg = false;
	int64_t e = 0;

	if (p < end && (*p == '+' || *p == '-'))
		neg = *p++ == '-';
	if (p == end)
		return false;
	for (; p < end; p++) {
		if (!isdigit(*p))
			return false;
		if (e < INT32_MAX)
			e = e * 10 + (*p - '0');
	}
	*ret = neg ? -e : e;
	return true;
}

static bool scan_literal(struct view v, struct literal *l)
{
	const uint8_t *p = v.ptr, *end = v.ptr + v.len;
	bool point = false;

	*l = (struct literal){.exponent = 0};
	if (p < end && (*p == '+' || *p == '-'))
		l->neg = *p++ == '-';
	l->ptr = p;
	for (; p < end; p++) {
		if (*p == '.' && !point) {
			point = true;
		} else if (isdigit(*p)) {
			l->digits++;
			l->fraction += point;
		} else {
			break;
		}
	}
	l->end = p;
	/* the server wants a digit right behind a leading point */
	if (!l->digits)
		return false;
	if (p == end)
		return true;
	return (*p == 'e' || *p == 'E') && scan_exponent(p + 1, end, &l->exponent);
}

static int literal_to_num(const struct literal *l, struct arena *a, struct num *ret, struct err *err)
{
	int64_t scale = (int64_t)l->fraction - l->exponent;
	char *text = NULL, *to;
	int rc = -1;
	mpz_t z, p;

	mpz_inits(z, p, NULL);
	to = text = mem_alloc(l->digits + 1);
	for (const uint8_t *q = l->ptr; q < l->end; q++)
		if (*q != '.')
			*to++ = (char)*q;
	*to = 0;
	mpz_set_str(z, text, 10);
	if (l->neg)
		mpz_neg(z, z);
	if (scale > NUM_SCALE_MAX || l->exponent >= INT32_MAX / 2 || l->exponent <= -(INT32_MAX / 2) ||
	    (scale < 0 && mpz_sgn(z) != 0 && -scale > NUM_DIGITS_MAX)) {
		num_overflow(err);
		goto out;
	}
	if (scale < 0 && mpz_sgn(z) != 0) {
		num_mpz_pow10(p, (uint32_t)-scale);
		mpz_mul(z, z, p);
	}
	rc = num_make(z, scale < 0 ? 0 : (uint32_t)scale, a, ret, err);
out:
	mem_free(text);
	mpz_clears(z, p, NULL);
	return rc;
}

int num_parse(struct view text, struct arena *a, struct num *ret, struct err *err)
{
	struct view v = text;
	struct literal l;

	while (v.len && is_space(v.ptr[0]))
		v = view_of(v.ptr + 1, v.len - 1);
	while (v.len && is_space(v.ptr[v.len - 1]))
		v.len--;
	if (parse_special(v, ret))
		return 0;
	if (!v.len || !scan_literal(v, &l))
		return bad_syntax(text, err);
	if (l.digits <= 18 && !l.exponent) {
		int64_t c = 0;

		for (const uint8_t *p = l.ptr; p < l.end; p++)
			if (*p != '.')
				c = c * 10 + (*p - '0');
		*ret = num_small(l.neg ? -c : c, (uint32_t)l.fraction);
		return 0;
	}
	return literal_to_num(&l, a, ret, err);
}

static int bad_binary(struct err *err)
{
	err_set(err, ERR_PROTOCOL, "invalid binary numeric");
	return -1;
}

/* Digits in base 10000, most significant first, the first of weight 10000^weight, cut to dscale decimals. */
static int digits_to_num(struct reader *r, uint16_t ndigits, int16_t weight, bool neg, uint32_t dscale, struct arena *a, struct num *ret,
						 struct err *err)
{
	int64_t shift = ((int64_t)weight - ndigits + 1) * 4 + dscale;
	int128 small = 0;
	int rc = -1;
	mpz_t z, p;

	mpz_inits(z, p, NULL);
	for (uint32_t i = 0; i < ndigits; i++) {
		uint16_t d = reader_be16(r);

		if (r->bad || d > 9999) {
			bad_binary(err);
			goto out;
		}
		if (i < 8) {
			small = small * 10000 + d;
			continue;
		}
		if (i == 8) {
			uint64_t tmp[2];
			struct num n = num_small(small, 0);
			mpz_t v;

			num_mpz(v, &n, tmp);
			mpz_set(z, v);
		}
		mpz_mul_ui(z, z, 10000);
		mpz_add_ui(z, z, d);
	}
	if (ndigits <= 8) {
		uint64_t tmp[2];
		struct num n = num_small(neg ? -small : small, 0);
		mpz_t v;

		if (shift >= 0 && num_scale_up(n.coef, (uint32_t)shift, &small)) {
			*ret = num_small(small, dscale);
			rc = 0;
			goto out;
		}
		num_mpz(v, &n, tmp);
		mpz_set(z, v);
	} else if (neg) {
		mpz_neg(z, z);
	}
	num_mpz_pow10(p, (uint32_t)(shift < 0 ? -shift : shift));
	if (shift < 0)
		mpz_tdiv_q(z, z, p);
	else
		mpz_mul(z, z, p);
	rc = num_make(z, dscale, a, ret, err);
out:
	mpz_clears(z, p, NULL);
	return rc;
}

int num_parse_binary(struct view bytes, struct arena *a, struct num *ret, struct err *err)
{
	struct reader r = reader_of(bytes);
	uint16_t ndigits = reader_be16(&r);
	int16_t weight = (int16_t)reader_be16(&r);
	uint16_t sign = reader_be16(&r), dscale = reader_be16(&r);

	if (r.bad || dscale > NUM_SCALE_MAX || reader_left(&r) != (size_t)ndigits * 2)
		return bad_binary(err);
	switch (sign) {
	case 0xC000: *ret = num_special(NUM_NAN); return 0;
	case 0xD000: *ret = num_special(NUM_POS_INF); return 0;
	case 0xF000: *ret = num_special(NUM_NEG_INF); return 0;
	case 0x0000: case 0x4000: break;
	default: return bad_binary(err);
	}
	return digits_to_num(&r, ndigits, weight, sign == 0x4000, dscale, a, ret, err);
}

int num_of_bytes(struct view coefficient, uint32_t scale, struct arena *a, struct num *ret, struct err *err)
{
	bool neg = coefficient.len && coefficient.ptr[0] & 0x80;
	int128 small = neg ? -1 : 0;
	mpz_t z, p;
	int rc;

	if (coefficient.len <= 15) {
		for (size_t i = 0; i < coefficient.len; i++)
			small = (int128)((uint128)small << 8 | coefficient.ptr[i]);
		if (scale <= NUM_SCALE_MAX) {
			*ret = num_small(small, scale);
			return 0;
		}
	}
	mpz_inits(z, p, NULL);
	mpz_import(z, coefficient.len, 1, 1, 0, 0, coefficient.ptr);
	if (neg) {
		mpz_setbit(p, coefficient.len * 8);
		mpz_sub(z, z, p);
	}
	rc = num_make(z, scale, a, ret, err);
	mpz_clears(z, p, NULL);
	return rc;
}

/* ---- comparison ---- */

static int form_rank(const struct num *n)
{
	switch (n->form) {
	case NUM_NEG_INF: return 0;
	case NUM_POS_INF: return 2;
	case NUM_NAN: return 3;
	default: return 1;
	}
}

static int cmp_slow(const struct num *x, const struct num *y)
{
	uint32_t up = x->scale < y->scale ? y->scale - x->scale : x->scale - y->scale;
	const struct num *less = x->scale < y->scale ? x : y, *more = less == x ? y : x;
	uint64_t t1[2], t2[2];
	mpz_t l, m, p;
	int c;

	num_mpz(l, less, t1);
	num_mpz(m, more, t2);
	mpz_init(p);
	num_mpz_pow10(p, up);
	mpz_mul(p, p, l);
	c = mpz_cmp(p, m);
	mpz_clear(p);
	c = c < 0 ? -1 : c > 0 ? 1 : 0;
	return less == x ? c : -c;
}

int num_cmp(const struct num *x, const struct num *y)
{
	int128 a, b;

	if (!num_is_finite(x) || !num_is_finite(y))
		return form_rank(x) - form_rank(y);
	if (x->form == NUM_SMALL && y->form == NUM_SMALL) {
		a = x->coef;
		b = y->coef;
		if (x->scale == y->scale ||
		    (x->scale < y->scale ? num_scale_up(a, y->scale - x->scale, &a) : num_scale_up(b, x->scale - y->scale, &b)))
			return a < b ? -1 : a > b;
	}
	if (num_sign(x) != num_sign(y))
		return num_sign(x) < num_sign(y) ? -1 : 1;
	return cmp_slow(x, y);
}

/* Takes trailing zeros off the fraction. */
static void reduce_small(int128 *coef, uint32_t *scale)
{
	int128 c = *coef;
	uint32_t s = *scale;

	if (!c)
		s = 0;
	while (s && (c > INT64_MAX || c < INT64_MIN) && c % 10 == 0) {
		c /= 10;
		s--;
	}
	if (c <= INT64_MAX && c >= INT64_MIN) {
		int64_t low = (int64_t)c;

		for (; s && low % 10 == 0; s--)
			low /= 10;
		c = low;
	}
	*coef = c;
	*scale = s;
}

static void put_key_small(int128 c, uint32_t s, struct buf *b)
{
	uint8_t bytes[16];
	size_t len = 16;

	buf_u8(b, NUM_SMALL);
	buf_uvarint(b, s);
	memcpy(bytes, &c, 16);
	while (len > 1 && bytes[len - 1] == (bytes[len - 2] & 0x80 ? 0xff : 0))
		len--;
	buf_bytes(b, view_of(bytes, len));
}

static void put_key_big(const struct num *x, struct buf *b)
{
	struct arena a = ARENA_INIT;
	uint32_t s = x->scale;
	struct num n;
	uint64_t tmp[2];
	mpz_t z, src;

	num_mpz(src, x, tmp);
	mpz_init_set(z, src);
	while (s && mpz_divisible_ui_p(z, 10)) {
		mpz_divexact_ui(z, z, 10);
		s--;
	}
	n = num_take(z, s, &a);
	if (n.form == NUM_SMALL) {
		put_key_small(n.coef, s, b);
	} else {
		buf_u8(b, NUM_BIG);
		buf_uvarint(b, s);
		buf_u8(b, n.big->neg);
		buf_bytes(b, view_of(n.big->limb, n.big->limbs * sizeof(uint64_t)));
	}
	mpz_clear(z);
	arena_release(&a);
}

void num_put_key(const struct num *x, struct buf *b)
{
	if (x->form == NUM_SMALL) {
		int128 c = x->coef;
		uint32_t s = x->scale;

		reduce_small(&c, &s);
		put_key_small(c, s, b);
	} else if (x->form == NUM_BIG) {
		put_key_big(x, b);
	} else {
		buf_u8(b, x->form);
	}
}

uint64_t num_hash(const struct num *x)
{
	struct buf b;
	uint64_t h;

	if (x->form == NUM_SMALL) {
		int128 c = x->coef;
		uint32_t s = x->scale;

		reduce_small(&c, &s);
		h = hash_u64((uint64_t)c ^ hash_u64((uint64_t)(c >> 64) + s));
		return h;
	}
	if (x->form != NUM_BIG)
		return hash_u64(x->form);
	b = BUF_INIT(1024 * 1024);
	put_key_big(x, &b);
	/* a big spelling of a number that is small without its zeros must hash as the small one */
	if (b.ptr[0] == NUM_SMALL) {
		struct reader r = reader_of(view_of(b.ptr + 1, b.len - 1));
		uint32_t s = (uint32_t)reader_uvarint(&r);
		struct view v = reader_bytes(&r);
		int128 c = v.ptr[v.len - 1] & 0x80 ? -1 : 0;

		memcpy(&c, v.ptr, v.len);
		h = hash_u64((uint64_t)c ^ hash_u64((uint64_t)(c >> 64) + s));
	} else {
		h = hash_bytes(b.ptr, b.len);
	}
	buf_release(&b);
	return h;
}
