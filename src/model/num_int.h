/* What the parts of the numeric code share; nobody else includes this. */
#ifndef WALMILL_MODEL_NUM_INT_H
#define WALMILL_MODEL_NUM_INT_H

#include <gmp.h>

#include "model/num.h"

_Static_assert(sizeof(mp_limb_t) == sizeof(uint64_t) && GMP_NAIL_BITS == 0, "limbs of num_big are GMP's");

enum { POW10_MAX = 38 };
#define INT128_LARGEST ((int128)(((uint128)1 << 127) - 1))

extern const uint128 num_pow10[POW10_MAX + 1];
extern const uint128 num_pow10_room[POW10_MAX + 1];  /* the largest |coefficient| that 10^i leaves within INT128_LARGEST */

static inline uint128 u128_abs(int128 x) { return x < 0 ? -(uint128)x : (uint128)x; }

/* x * 10^e in 128 bits, or false */
static inline bool num_scale_up(int128 x, uint32_t e, int128 *ret)
{
	if (e > POW10_MAX || u128_abs(x) > num_pow10_room[e])
		return x == 0 ? (*ret = 0, true) : false;
	*ret = x * (int128)num_pow10[e];
	return true;
}

/* Borrows the coefficient as a read-only integer; tmp holds it when it is small. No clear afterwards. */
void num_mpz(mpz_ptr z, const struct num *n, uint64_t tmp[2]);

/* The number z / 10^scale; 22003 when it has too many digits. num_take() is for results that cannot have. */
int num_make(mpz_srcptr z, uint32_t scale, struct arena *a, struct num *ret, struct err *err) WM_MUST_USE;
struct num num_take(mpz_srcptr z, uint32_t scale, struct arena *a);

uint32_t num_digits_u128(uint128 x);           /* decimal digits, 1 for zero */
uint32_t num_digits(const struct num *n);      /* of the coefficient */
void num_mpz_pow10(mpz_ptr z, uint32_t e);

int num_overflow(struct err *err);             /* 22003 value overflows numeric format */

#endif
