/* numeric: arithmetic and rounding; see num.h. Any thread. 128-bit paths first, GMP where they do not fit. */
#include "model/num_int.h"

static int division_by_zero(struct err *err)
{
	err_set(err, ERR_DATA, "division by zero");
	memcpy(err->sqlstate, "22012", 6);
	return -1;
}

static inline uint32_t max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* Both coefficients at the larger scale. The results are initialised. */
static void align(const struct num *x, const struct num *y, mpz_ptr a, mpz_ptr b, uint32_t *scale)
{
	uint64_t tx[2], ty[2];
	mpz_t rx, ry;

	num_mpz(rx, x, tx);
	num_mpz(ry, y, ty);
	mpz_init(a);
	mpz_init(b);
	*scale = max_u32(x->scale, y->scale);
	num_mpz_pow10(a, *scale - x->scale);
	num_mpz_pow10(b, *scale - y->scale);
	mpz_mul(a, a, rx);
	mpz_mul(b, b, ry);
}

static bool align_small(const struct num *x, const struct num *y, int128 *a, int128 *b, uint32_t *scale)
{
	if (x->form != NUM_SMALL || y->form != NUM_SMALL)
		return false;
	*scale = max_u32(x->scale, y->scale);
	return num_scale_up(x->coef, *scale - x->scale, a) && num_scale_up(y->coef, *scale - y->scale, b);
}

static struct num add_special(const struct num *x, const struct num *y)
{
	if (x->form == NUM_NAN || y->form == NUM_NAN)
		return num_special(NUM_NAN);
	if (num_is_finite(x))
		return *y;
	if (num_is_finite(y) || x->form == y->form)
		return *x;
	return num_special(NUM_NAN);
}

int num_add(const struct num *x, const struct num *y, struct arena *ar, struct num *ret, struct err *err)
{
	uint32_t scale;
	int128 a, b, c;
	mpz_t za, zb;
	int rc;

	if (!num_is_finite(x) || !num_is_finite(y)) {
		*ret = add_special(x, y);
		return 0;
	}
	if (align_small(x, y, &a, &b, &scale) && !__builtin_add_overflow(a, b, &c) && u128_abs(c) <= (uint128)INT128_LARGEST) {
		*ret = num_small(c, scale);
		return 0;
	}
	align(x, y, za, zb, &scale);
	mpz_add(za, za, zb);
	rc = num_make(za, scale, ar, ret, err);
	mpz_clears(za, zb, NULL);
	return rc;
}

struct num num_neg(const struct num *x, struct arena *a)
{
	uint64_t tmp[2];
	struct num n;
	mpz_t z, m;

	switch (x->form) {
	case NUM_SMALL: return num_small(-x->coef, x->scale);
	case NUM_POS_INF: return num_special(NUM_NEG_INF);
	case NUM_NEG_INF: return num_special(NUM_POS_INF);
	case NUM_NAN: return *x;
	default: break;
	}
	num_mpz(z, x, tmp);
	mpz_init(m);
	mpz_neg(m, z);
	n = num_take(m, x->scale, a);
	mpz_clear(m);
	return n;
}

struct num num_abs(const struct num *x, struct arena *a)
{
	return num_sign(x) < 0 ? num_neg(x, a) : *x;
}

int num_sub(const struct num *x, const struct num *y, struct arena *a, struct num *ret, struct err *err)
{
	struct num n = num_neg(y, a);

	return num_add(x, &n, a, ret, err);
}

static struct num mul_special(const struct num *x, const struct num *y)
{
	int sign = num_sign(x) * num_sign(y);

	if (x->form == NUM_NAN || y->form == NUM_NAN || !sign)
		return num_special(NUM_NAN);
	return num_special(sign > 0 ? NUM_POS_INF : NUM_NEG_INF);
}

static bool fits_64(int128 x) { return x == (int64_t)x; }

int num_mul(const struct num *x, const struct num *y, struct arena *a, struct num *ret, struct err *err)
{
	uint64_t tx[2], ty[2];
	mpz_t zx, zy, z;
	struct num n;
	int rc;

	if (!num_is_finite(x) || !num_is_finite(y)) {
		*ret = mul_special(x, y);
		return 0;
	}
	if (x->form == NUM_SMALL && y->form == NUM_SMALL && fits_64(x->coef) && fits_64(y->coef) && x->scale + y->scale <= NUM_SCALE_MAX) {
		*ret = num_small(x->coef * y->coef, x->scale + y->scale);
		return 0;
	}
	num_mpz(zx, x, tx);
	num_mpz(zy, y, ty);
	mpz_init(z);
	mpz_mul(z, zx, zy);
	if (x->scale + y->scale > NUM_SCALE_MAX) {
		n = num_take(z, x->scale + y->scale, a);
		rc = num_round(&n, NUM_SCALE_MAX, a, ret, err);
	} else {
		rc = num_make(z, x->scale + y->scale, a, ret, err);
	}
	mpz_clear(z);
	return rc;
}

/* ---- division ---- */

/* Weight (in base-10000 digits) and first digit, as the server stores the number. */
static void first_digit(const struct num *n, int32_t *weight, int32_t *digit)
{
	uint64_t tmp[2];
	int32_t exponent, down;
	mpz_t z, p;

	*weight = *digit = 0;
	if (num_sign(n) == 0)
		return;
	exponent = (int32_t)num_digits(n) - 1 - (int32_t)n->scale;
	*weight = exponent >= 0 ? exponent / 4 : -((3 - exponent) / 4);
	down = *weight * 4 + (int32_t)n->scale;
	if (n->form == NUM_SMALL) {
		uint128 u = u128_abs(n->coef);

		*digit = (int32_t)(down >= 0 ? u / num_pow10[down] : u * num_pow10[-down]);
		return;
	}
	num_mpz(z, n, tmp);
	mpz_init(p);
	num_mpz_pow10(p, (uint32_t)down);
	mpz_tdiv_q(p, z, p);
	*digit = (int32_t)mpz_get_ui(p);
	mpz_clear(p);
}

/* The server's choice: at least 16 significant digits, no fewer decimals than the inputs show, 1000 at most. */
static uint32_t div_scale(const struct num *x, const struct num *y)
{
	int32_t wx, wy, dx, dy, q, scale;

	first_digit(x, &wx, &dx);
	first_digit(y, &wy, &dy);
	q = wx - wy;
	if (dx <= dy)
		q--;
	scale = 16 - q * 4;
	if (scale < 0)
		scale = 0;
	scale = (int32_t)max_u32((uint32_t)scale, max_u32(x->scale, y->scale));
	return scale > NUM_RESULT_SCALE_MAX ? NUM_RESULT_SCALE_MAX : (uint32_t)scale;
}

/* q = n / d, half away from zero or towards zero; q may be n */
static void div_mpz(mpz_ptr q, mpz_srcptr n, mpz_srcptr d, bool round)
{
	int sign = mpz_sgn(n) * mpz_sgn(d);
	mpz_t r;

	mpz_init(r);
	mpz_tdiv_qr(q, r, n, d);
	if (round) {
		mpz_mul_2exp(r, r, 1);
		if (mpz_cmpabs(r, d) >= 0) {
			if (sign < 0)
				mpz_sub_ui(q, q, 1);
			else
				mpz_add_ui(q, q, 1);
		}
	}
	mpz_clear(r);
}

static int128 div_128(int128 n, int128 d, bool round)
{
	uint128 un = u128_abs(n), ud = u128_abs(d), q, r;

	if (!(un >> 64) && !(ud >> 64)) {
		q = (uint64_t)un / (uint64_t)ud;
		r = (uint64_t)un % (uint64_t)ud;
	} else {
		q = un / ud;
		r = un - q * ud;
	}
	if (round && r >= ud - r)
		q++;
	return (n < 0) != (d < 0) ? -(int128)q : (int128)q;
}

static int div_to_scale(const struct num *x, const struct num *y, uint32_t scale, bool round, struct arena *a, struct num *ret,
	struct err *err)
{
	/* x.coef / 10^x.scale / (y.coef / 10^y.scale) * 10^scale */
	int64_t up = (int64_t)scale + y->scale - x->scale;
	uint64_t tx[2], ty[2];
	mpz_t zx, zy, z, d;
	int128 n;
	int rc;

	if (x->form == NUM_SMALL && y->form == NUM_SMALL) {
		if (up >= 0 && num_scale_up(x->coef, (uint32_t)up, &n)) {
			*ret = num_small(div_128(n, y->coef, round), scale);
			return 0;
		}
		if (up < 0 && num_scale_up(y->coef, (uint32_t)-up, &n)) {
			*ret = num_small(div_128(x->coef, n, round), scale);
			return 0;
		}
	}
	num_mpz(zx, x, tx);
	num_mpz(zy, y, ty);
	mpz_init(z);
	mpz_init_set(d, zy);
	num_mpz_pow10(z, (uint32_t)(up < 0 ? -up : up));
	if (up < 0) {
		mpz_mul(d, d, z);
		mpz_set(z, zx);
	} else {
		mpz_mul(z, z, zx);
	}
	div_mpz(z, z, d, round);
	rc = num_make(z, scale, a, ret, err);
	mpz_clears(z, d, NULL);
	return rc;
}

/* Division where one side is not finite. */
static int div_special(const struct num *x, const struct num *y, struct num *ret, struct err *err)
{
	int sy;

	if (x->form == NUM_NAN || y->form == NUM_NAN || (!num_is_finite(x) && !num_is_finite(y))) {
		*ret = num_special(NUM_NAN);
		return 0;
	}
	if (num_is_finite(x)) {
		*ret = num_of_int(0);
		return 0;
	}
	sy = num_sign(y);
	if (!sy)
		return division_by_zero(err);
	*ret = num_special(num_sign(x) * sy > 0 ? NUM_POS_INF : NUM_NEG_INF);
	return 0;
}

int num_div(const struct num *x, const struct num *y, struct arena *a, struct num *ret, struct err *err)
{
	if (!num_is_finite(x) || !num_is_finite(y))
		return div_special(x, y, ret, err);
	if (num_sign(y) == 0)
		return division_by_zero(err);
	return div_to_scale(x, y, div_scale(x, y), true, a, ret, err);
}

int num_div_trunc(const struct num *x, const struct num *y, struct arena *a, struct num *ret, struct err *err)
{
	if (!num_is_finite(x) || !num_is_finite(y))
		return div_special(x, y, ret, err);
	if (num_sign(y) == 0)
		return division_by_zero(err);
	return div_to_scale(x, y, 0, false, a, ret, err);
}

int num_mod(const struct num *x, const struct num *y, struct arena *ar, struct num *ret, struct err *err)
{
	uint32_t scale;
	int128 a, b;
	mpz_t za, zb;
	int rc;

	if (x->form == NUM_NAN || y->form == NUM_NAN) {
		*ret = num_special(NUM_NAN);
		return 0;
	}
	if (num_sign(y) == 0)
		return division_by_zero(err);
	if (!num_is_finite(x) || !num_is_finite(y)) {
		*ret = num_is_finite(x) ? *x : num_special(NUM_NAN);
		return 0;
	}
	if (align_small(x, y, &a, &b, &scale)) {
		*ret = num_small(a % b, scale);
		return 0;
	}
	align(x, y, za, zb, &scale);
	mpz_tdiv_r(za, za, zb);
	rc = num_make(za, scale, ar, ret, err);
	mpz_clears(za, zb, NULL);
	return rc;
}

/* ---- rounding ---- */

static int to_digits(const struct num *x, int32_t digits, bool round, struct arena *a, struct num *ret, struct err *err)
{
	uint32_t scale = digits > 0 ? (uint32_t)digits : 0;
	int64_t down = (int64_t)x->scale - digits;   /* decimals to drop */
	uint64_t tmp[2];
	int128 c;
	mpz_t z, p, src;
	int rc;

	if (!num_is_finite(x) || down == 0) {
		*ret = *x;
		return 0;
	}
	if (x->form == NUM_SMALL && down < 0 && num_scale_up(x->coef, (uint32_t)-down, &c)) {
		*ret = num_small(c, scale);
		return 0;
	}
	if (x->form == NUM_SMALL && down > 0 && down <= POW10_MAX) {
		c = div_128(x->coef, (int128)num_pow10[down], round);
		if (digits >= 0 || num_scale_up(c, (uint32_t)-digits, &c)) {
			*ret = num_small(c, scale);
			return 0;
		}
	}
	num_mpz(src, x, tmp);
	mpz_init_set(z, src);
	mpz_init(p);
	num_mpz_pow10(p, (uint32_t)(down < 0 ? -down : down));
	if (down < 0)
		mpz_mul(z, z, p);
	else
		div_mpz(z, z, p, round);
	if (digits < 0) {
		num_mpz_pow10(p, (uint32_t)-digits);
		mpz_mul(z, z, p);
	}
	rc = num_make(z, scale, a, ret, err);
	mpz_clears(z, p, NULL);
	return rc;
}

static int32_t clamp_digits(int32_t digits)
{
	return digits > NUM_SCALE_MAX ? NUM_SCALE_MAX : digits < -NUM_DIGITS_MAX ? -NUM_DIGITS_MAX : digits;
}

int num_round(const struct num *x, int32_t digits, struct arena *a, struct num *ret, struct err *err)
{
	return to_digits(x, clamp_digits(digits), true, a, ret, err);
}

int num_trunc(const struct num *x, int32_t digits, struct arena *a, struct num *ret, struct err *err)
{
	return to_digits(x, clamp_digits(digits), false, a, ret, err);
}

static int toward(const struct num *x, int direction, struct arena *a, struct num *ret, struct err *err)
{
	struct num t, one = num_of_int(direction);

	if (to_digits(x, 0, false, a, &t, err) != 0)
		return -1;
	if (num_is_finite(x) && num_sign(x) == direction && num_cmp(x, &t) != 0)
		return num_add(&t, &one, a, ret, err);
	*ret = t;
	return 0;
}

int num_floor(const struct num *x, struct arena *a, struct num *ret, struct err *err) { return toward(x, -1, a, ret, err); }
int num_ceil(const struct num *x, struct arena *a, struct num *ret, struct err *err) { return toward(x, 1, a, ret, err); }

int num_apply_typmod(const struct num *x, int32_t typmod, struct arena *a, struct num *ret, struct err *err)
{
	int32_t precision, scale, most;
	struct num n;

	if (typmod < 4 || x->form == NUM_NAN) {
		*ret = *x;
		return 0;
	}
	precision = (typmod - 4) >> 16 & 0xffff;
	scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
	most = precision - scale;
	if (num_is_finite(x)) {
		if (num_round(x, scale, a, &n, err) != 0)
			return -1;
		if (num_sign(&n) == 0 || (int32_t)num_digits(&n) - (int32_t)n.scale <= most) {
			*ret = n;
			return 0;
		}
	}
	err_set(err, ERR_DATA, "numeric field overflow");
	memcpy(err->sqlstate, "22003", 6);
	if (!num_is_finite(x))
		return err_detail(err, "A field with precision %d, scale %d cannot hold an infinite value.", precision, scale);
	return err_detail(err, "A field with precision %d, scale %d must round to an absolute value less than %s%d.", precision, scale,
	                  most ? "10^" : "", most ? most : 1);
}
