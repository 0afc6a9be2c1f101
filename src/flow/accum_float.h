/*
 * An exact sum of doubles: a fixed-point number wide enough for every double, of which only the limbs in use are kept.
 *
 * The value is limb[0..n) as a two's complement integer, times 2^(64 * low - 1088). Adding and subtracting are exact, so order does not
 * matter and what
 * is taken away leaves nothing behind (after R. M. Neal, "Fast exact summation using small and large superaccumulators", 2015; here
 * with carries propagated at once and a window of limbs). Used by accum.c only.
 */
#ifndef WALMILL_FLOW_ACCUM_FLOAT_H
#define WALMILL_FLOW_ACCUM_FLOAT_H

#include "base/bytes.h"

struct float_sum {
	uint64_t *limb;
	uint16_t low, n;    /* limb[0] is limb number `low` of the whole; n = 0: zero */
};

void float_sum_add(struct float_sum *s, double d, int64_t weight);      /* d finite */
/* Rounded half to even: bits 53 for a double, 24 for a float; infinite when beyond the largest. */
double float_sum_round(const struct float_sum *s, int bits);
void float_sum_release(struct float_sum *s);
void float_sum_store(const struct float_sum *s, struct buf *b);
bool float_sum_load(struct float_sum *s, struct reader *r);

#endif
