/*
 * numeric: PostgreSQL's arbitrary precision decimals, exact, with the server's display scales, rounding and errors.
 *
 * A finite number is coefficient / 10^scale. NUM_SMALL keeps the coefficient in 128 bits, NUM_BIG in limbs (GMP) in an arena; a number
 * whose coefficient fits 128 bits is always NUM_SMALL, so that the form never distinguishes equal spellings. Scale is the display scale
 * (0..16383), so 1.0 and 1.00 are different spellings of one value. Zero has no sign.
 *
 * Results that do not fit 128 bits are allocated in the arena; what GMP needs in between comes from the heap and is freed before the call
 * returns. Functions that can fail fill err with ERR_DATA, the server's SQLSTATE and the server's message (PostgreSQL 15 wording).
 * Rules: src/backend/utils/adt/numeric.c's behaviour, observed on the server; test/unit/model/test_numeric_diff.c compares.
 */
#ifndef WALMILL_MODEL_NUM_H
#define WALMILL_MODEL_NUM_H

#include "model/value.h"

enum num_form { NUM_SMALL = 0, NUM_BIG = 1, NUM_NAN = 2, NUM_POS_INF = 3, NUM_NEG_INF = 4 };

enum {
	NUM_SCALE_MAX = 16383,      /* of any stored numeric */
	NUM_DIGITS_MAX = 131072,    /* before the decimal point */
	NUM_RESULT_SCALE_MAX = 1000 /* that division chooses by itself */
};

typedef __int128 int128;
typedef unsigned __int128 uint128;

/* |coefficient| in 64-bit limbs, least significant first, the top one not zero */
struct num_big {
	uint32_t limbs;
	bool neg;
	uint64_t limb[];
};

struct num {
	uint8_t form;           /* enum num_form */
	uint32_t scale;
	union {
		int128 coef;
		const struct num_big *big;
	};
};

static inline struct num num_of_int(int64_t i) { return (struct num){.form = NUM_SMALL, .scale = 0, .coef = i}; }
static inline struct num num_small(int128 coef, uint32_t scale) { return (struct num){.form = NUM_SMALL, .scale = scale, .coef = coef}; }
static inline struct num num_special(enum num_form form) { return (struct num){.form = (uint8_t)form, .scale = 0, .coef = 0}; }
static inline bool num_is_finite(const struct num *n) { return n->form <= NUM_BIG; }

static inline struct num value_num(const struct value *v)
{
	struct num n = {.form = v->form, .scale = v->scale};

	if (v->form == NUM_BIG)
		n.big = v->big;
	else
		n.coef = (int128)(((uint128)(uint64_t)v->coef.hi << 64) | v->coef.lo);
	return n;
}

static inline struct value value_of_num(struct num n)
{
	struct value v = {.kind = VALUE_NUMERIC, .form = n.form, .scale = n.scale};

	if (n.form == NUM_BIG)
		v.big = n.big;
	else {
		v.coef.lo = (uint64_t)n.coef;
		v.coef.hi = (int64_t)(n.coef >> 64);
	}
	return v;
}

/* Text as numeric_in takes it (blanks around, sign, exponent, NaN, [+-]inf[inity]); 22P02, 22003. */
int num_parse(struct view text, struct arena *a, struct num *ret, struct err *err) WM_MUST_USE;
/* PostgreSQL's binary send format (ndigits, weight, sign, dscale, base-10000 digits; numeric_send). */
int num_parse_binary(struct view bytes, struct arena *a, struct num *ret, struct err *err) WM_MUST_USE;
void num_print(const struct num *n, struct buf *b);             /* as numeric_out */

/* A big-endian two's complement coefficient and a scale: Debezium's "precise" decimals. */
int num_of_bytes(struct view coefficient, uint32_t scale, struct arena *a, struct num *ret, struct err *err) WM_MUST_USE;

int num_add(const struct num *x, const struct num *y, struct arena *a, struct num *ret, struct err *err) WM_MUST_USE;
int num_sub(const struct num *x, const struct num *y, struct arena *a, struct num *ret, struct err *err) WM_MUST_USE;
int num_mul(const struct num *x, const struct num *y, struct arena *a, struct num *ret, struct err *err) WM_MUST_USE;
int num_div(const struct num *x, const struct num *y, struct arena *a, struct num *ret, struct err *err) WM_MUST_USE;
int num_div_trunc(const struct num *x, const struct num *y, struct arena *a, struct num *ret, struct err *err) WM_MUST_USE; /* div(x, y) */
int num_mod(const struct num *x, const struct num *y, struct arena *a, struct num *ret, struct err *err) WM_MUST_USE;
struct num num_neg(const struct num *x, struct arena *a);
struct num num_abs(const struct num *x, struct arena *a);
int num_sign(const struct num *x);                              /* -1, 0, 1; NaN: 1 */

/* round(x, digits) and trunc(x, digits): half away from zero; negative digits allowed */
int num_round(const struct num *x, int32_t digits, struct arena *a, struct num *ret, struct err *err) WM_MUST_USE;
int num_trunc(const struct num *x, int32_t digits, struct arena *a, struct num *ret, struct err *err) WM_MUST_USE;
int num_floor(const struct num *x, struct arena *a, struct num *ret, struct err *err) WM_MUST_USE;
int num_ceil(const struct num *x, struct arena *a, struct num *ret, struct err *err) WM_MUST_USE;

/* The cast to numeric(p,s): rounds, then 22003 "numeric field overflow" with the server's detail. typmod -1: x itself. */
int num_apply_typmod(const struct num *x, int32_t typmod, struct arena *a, struct num *ret, struct err *err) WM_MUST_USE;

int num_cmp(const struct num *x, const struct num *y);          /* -Infinity < finite < Infinity < NaN */
uint64_t num_hash(const struct num *x);                         /* by value */
void num_put_key(const struct num *x, struct buf *b);           /* by value: the coefficient without trailing zeros */

/* kind: VALUE_INT2, VALUE_INT4 or VALUE_INT8; half away from zero; 22003 or, for NaN and infinities, 0A000 */
int num_to_int(const struct num *x, enum value_kind kind, int64_t *ret, struct err *err) WM_MUST_USE;
int num_to_float8(const struct num *x, double *ret, struct err *err) WM_MUST_USE;
int num_to_float4(const struct num *x, double *ret, struct err *err) WM_MUST_USE;
struct num num_of_float8(double d, struct arena *a);            /* 15 significant digits, as the server's cast */
struct num num_of_float4(double d, struct arena *a);            /* 6 */

#endif
