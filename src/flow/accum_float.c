/* Exact sums of doubles; see accum_float.h. */
#include "flow/accum_float.h"

#include <math.h>

#include "base/err.h"
#include "base/mem.h"

/*
 * 2^-1088 .. 2^(64*36-1088): the smallest double is 2^-1074, the largest below 2^1024, sums of 2^63 of them with weights of 2^63 below
 * 2^1150.
 */
enum { BIAS = 1088, LIMBS = 36 };

static uint64_t sign_limb(const struct float_sum *s)
{
	return s->n && s->limb[s->n - 1] >> 63 ? UINT64_MAX : 0;
}

/* Makes the window hold limbs [low, high). */
static void widen(struct float_sum *s, uint32_t low, uint32_t high)
{
	uint32_t old_high = s->low + (uint32_t)s->n;
	uint64_t fill = sign_limb(s), *limb;

	if (s->n && low >= s->low && high <= old_high)
		return;
	if (s->n) {
		low = low < s->low ? low : s->low;
		high = high > old_high ? high : old_high;
	}
	wm_assert(high <= LIMBS);
	limb = mem_zalloc((high - low) * sizeof(*limb));
	if (s->n) {
		memcpy(limb + (s->low - low), s->limb, s->n * sizeof(*limb));
		for (uint32_t i = old_high - low; i < high - low; i++)
			limb[i] = fill;
	}
	mem_free(s->limb);
	s->limb = limb;
	s->low = (uint16_t)low;
	s->n = (uint16_t)(high - low);
}

/* Adds or subtracts three limbs at position `at`, with the carry going up as far as it must. */
static void apply(struct float_sum *s, uint32_t at, const uint64_t part[3], bool subtract)
{
	unsigned char carry = 0;

	for (uint32_t i = at - s->low, k = 0; i < s->n; i++, k++) {
		uint64_t p = k < 3 ? part[k] : 0, old = s->limb[i], sum;

		if (k >= 3 && !carry)
			break;
		if (subtract) {
			sum = old - p - carry;
			carry = old < p || (old == p && carry);
		} else {
			sum = old + p + carry;
			carry = sum < old || (sum == old && carry);
		}
		s->limb[i] = sum;
	}
}

void float_sum_add(struct float_sum *s, double d, int64_t weight)
{
	uint64_t bits, mantissa, part[3], times = weight < 0 ? -(uint64_t)weight : (uint64_t)weight;
	unsigned __int128 product;
	uint32_t exponent, shift;
	bool negative;

	if (d == 0 || !weight)
		return;
	memcpy(&bits, &d, 8);
	negative = (bits >> 63) != (weight < 0);
	exponent = (uint32_t)(bits >> 52 & 0x7ff);
	mantissa = bits & (((uint64_t)1 << 52) - 1);
	if (exponent)
		mantissa |= (uint64_t)1 << 52;
	else
		exponent = 1;
	/* d = mantissa * 2^(exponent - 1075) = mantissa * 2^(exponent + 13 - BIAS) */
	exponent += BIAS - 1075;
	product = (unsigned __int128)mantissa * times;
	shift = exponent % 64;
	part[0] = (uint64_t)product << shift;
	part[1] = (uint64_t)(product << shift >> 64);
	part[2] = shift ? (uint64_t)(product >> 64 >> (64 - shift)) : 0;
	/* one limb more than the operand touches, and one that shows the sign */
	widen(s, exponent / 64, exponent / 64 + (part[2] ? 4 : part[1] ? 3 : 2));
	/* a carry into the top limb must not reach its sign bit: widen before it could */
	if ((s->limb[s->n - 1] >> 62) == 1 || (s->limb[s->n - 1] >> 62) == 2)
		widen(s, s->low, s->low + (uint32_t)s->n + 1);
	apply(s, exponent / 64, part, negative);
}

double float_sum_round(const struct float_sum *s, int bits)
{
	uint64_t limb[LIMBS + 1] = {0}, mantissa = 0, sign = sign_limb(s);
	int top = -1, last, min_last;
	bool half, rest = false;
	double d;

	for (uint32_t i = 0; i < s->n; i++)
		limb[s->low + i] = s->limb[i] ^ sign;
	if (sign)       /* the two's complement of a window of limbs: add one at its lowest limb */
		for (uint32_t i = s->low; i <= LIMBS && !++limb[i]; i++)
			;
	for (int i = LIMBS; i >= 0 && top < 0; i--)
		if (limb[i])
			top = i * 64 + 63 - __builtin_clzll(limb[i]);
	if (top < 0)
		return 0;
	/* the position of the last kept bit: `bits` significant ones, or the smallest subnormal's */
	min_last = BIAS - (bits == 24 ? 149 : 1074);
	last = top - bits + 1 > min_last ? top - bits + 1 : min_last;
	for (int i = top; i >= last; i--)
		mantissa = mantissa << 1 | (limb[i / 64] >> (i % 64) & 1);
	half = last > 0 && last - 1 <= top && (limb[(last - 1) / 64] >> ((last - 1) % 64) & 1);
	for (int i = 0; i < last - 1 && !rest; i++)
		rest = limb[i / 64] >> (i % 64) & 1;
	if (half && (rest || (mantissa & 1)))
		mantissa++;
	d = ldexp((double)mantissa, last - BIAS);
	if (bits == 24 && d > 3.40282346638528859812e38)
		d = (double)INFINITY;
	return sign ? -d : d;
}

void float_sum_release(struct float_sum *s)
{
	mem_free(s->limb);
	*s = (struct float_sum){NULL, 0, 0};
}

void float_sum_store(const struct float_sum *s, struct buf *b)
{
	buf_uvarint(b, s->low);
	buf_uvarint(b, s->n);
	buf_put(b, s->limb, s->n * sizeof(*s->limb));
}

bool float_sum_load(struct float_sum *s, struct reader *r)
{
	uint64_t low = reader_uvarint(r), n = reader_uvarint(r);
	const uint8_t *p;

	if (r->bad || low > LIMBS || n > LIMBS - low)
		return false;
	p = reader_take(r, n * sizeof(*s->limb));
	if (!p)
		return false;
	*s = (struct float_sum){NULL, (uint16_t)low, (uint16_t)n};
	if (n) {
		s->limb = mem_alloc(n * sizeof(*s->limb));
		memcpy(s->limb, p, n * sizeof(*s->limb));
	}
	return true;
}
