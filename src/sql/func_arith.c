/* Arithmetic on integers, floats and numeric; see func.h. */
#include <float.h>
#include <math.h>

#include "model/num.h"
#include "sql/func.h"

#define CALL(name) \
	static int name(const struct sql_site *s, struct sql_eval *ev, const struct value *args, struct value *ret, struct err *err)

static int int_overflow(const struct sql_site *s, struct err *err)
{
	return sql_data_error(err, "22003", s->ret == VALUE_INT2 ? "smallint out of range" : s->ret == VALUE_INT4 ? "integer out of range" :
		"bigint out of range");
}

static int give_int(const struct sql_site *s, int64_t i, struct value *ret, struct err *err)
{
	if ((s->ret == VALUE_INT4 && i != (int32_t)i) || (s->ret == VALUE_INT2 && i != (int16_t)i))
		return int_overflow(s, err);
	*ret = value_int((enum value_kind)s->ret, i);
	return 0;
}

#define INT_OP(name, builtin) \
	CALL(name) \
	{ \
		int64_t i; \
\
		if (builtin(args[0].i, args[1].i, &i)) \
			return int_overflow(s, err); \
		return give_int(s, i, ret, err); \
	}

INT_OP(int_add, __builtin_add_overflow)
INT_OP(int_sub, __builtin_sub_overflow)
INT_OP(int_mul, __builtin_mul_overflow)

static int zero_divide(struct err *err) { return sql_data_error(err, "22012", "division by zero"); }

CALL(int_div)
{
	if (args[1].i == 0)
		return zero_divide(err);
	if (args[1].i == -1)
		return args[0].i == INT64_MIN ? int_overflow(s, err) : give_int(s, -args[0].i, ret, err);
	return give_int(s, args[0].i / args[1].i, ret, err);
}

CALL(int_mod)
{
	if (args[1].i == 0)
		return zero_divide(err);
	return give_int(s, args[1].i == -1 ? 0 : args[0].i % args[1].i, ret, err);
}

CALL(int_neg)
{
	return args[0].i == INT64_MIN ? int_overflow(s, err) : give_int(s, -args[0].i, ret, err);
}

CALL(int_abs)
{
	return args[0].i >= 0 ? give_int(s, args[0].i, ret, err) : int_neg(s, ev, args, ret, err);
}

CALL(same)
{
	*ret = args[0];
	return 0;
}

/* ---- floats ---- */

static int give_float(const struct sql_site *s, double d, bool inf_in, bool zero_fine, struct value *ret, struct err *err)
{
	if (s->ret == VALUE_FLOAT4)
		d = (double)(float)d;
	if (isinf(d) && !inf_in)
		return sql_data_error(err, "22003", "value out of range: overflow");
	if (d == 0 && !zero_fine)
		return sql_data_error(err, "22003", "value out of range: underflow");
	*ret = (struct value){.kind = s->ret, .d = d};
	return 0;
}

CALL(float_add) { return give_float(s, args[0].d + args[1].d, isinf(args[0].d) || isinf(args[1].d), true, ret, err); }
CALL(float_sub) { return give_float(s, args[0].d - args[1].d, isinf(args[0].d) || isinf(args[1].d), true, ret, err); }

CALL(float_mul)
{
	return give_float(s, args[0].d * args[1].d, isinf(args[0].d) || isinf(args[1].d), args[0].d == 0 || args[1].d == 0, ret, err);
}

CALL(float_div)
{
	if (args[1].d == 0 && !isnan(args[0].d))
		return zero_divide(err);
	return give_float(s, args[0].d / args[1].d, isinf(args[0].d), args[0].d == 0 || isinf(args[1].d), ret, err);
}

#define FLOAT_FN(name, expr) \
	CALL(name) \
	{ \
		double d = args[0].d; \
\
		*ret = (struct value){.kind = s->ret, .d = (expr)}; \
		return 0; \
	}

FLOAT_FN(float_neg, -d)
FLOAT_FN(float_abs, fabs(d))
FLOAT_FN(float_round, rint(d))
FLOAT_FN(float_trunc, trunc(d))
FLOAT_FN(float_floor, floor(d))
FLOAT_FN(float_ceil, ceil(d))
FLOAT_FN(float_sign, d > 0 ? 1 : d < 0 ? -1 : 0)

CALL(float_sqrt)
{
	if (args[0].d < 0)
		return sql_data_error(err, "2201F", "cannot take square root of a negative number");
	*ret = value_float8(sqrt(args[0].d));
	return 0;
}

/* ---- numeric ---- */

#define NUM_OP(name, fn) \
	CALL(name) \
	{ \
		struct num x = value_num(&args[0]), y = value_num(&args[1]), n; \
\
		if (fn(&x, &y, ev->arena, &n, err) != 0) \
			return -1; \
		*ret = value_of_num(n); \
		return 0; \
	}

NUM_OP(numeric_add, num_add)
NUM_OP(numeric_sub, num_sub)
NUM_OP(numeric_mul, num_mul)
NUM_OP(numeric_div, num_div)
NUM_OP(numeric_mod, num_mod)
NUM_OP(numeric_idiv, num_div_trunc)

static int32_t clamp(int64_t digits) { return digits > NUM_SCALE_MAX ? NUM_SCALE_MAX : digits < -NUM_DIGITS_MAX ? -NUM_DIGITS_MAX :
	(int32_t)digits; }

#define NUM_FN(name, call_) \
	CALL(name) \
	{ \
		struct num x = value_num(&args[0]), n; \
\
		if (call_) \
			return -1; \
		*ret = value_of_num(n); \
		return 0; \
	}

NUM_FN(numeric_round2, num_round(&x, clamp(args[1].i), ev->arena, &n, err) != 0)
NUM_FN(numeric_round, num_round(&x, 0, ev->arena, &n, err) != 0)
NUM_FN(numeric_trunc2, num_trunc(&x, clamp(args[1].i), ev->arena, &n, err) != 0)
NUM_FN(numeric_trunc, num_trunc(&x, 0, ev->arena, &n, err) != 0)
NUM_FN(numeric_floor, num_floor(&x, ev->arena, &n, err) != 0)
NUM_FN(numeric_ceil, num_ceil(&x, ev->arena, &n, err) != 0)
NUM_FN(numeric_neg, (n = num_neg(&x, ev->arena), 0))
NUM_FN(numeric_abs, (n = num_abs(&x, ev->arena), 0))
NUM_FN(numeric_sign, (n = x.form == NUM_NAN ? x : num_of_int(num_sign(&x)), 0))

const struct sql_fn sql_fns_arith[] = {
	{"+(i,i)", int_add, 0, 0, "++", 0}, {"-(i,i)", int_sub, 0, 0, "+-", 0}, {"*(i,i)", int_mul, 0, 0, "..", 0},
	{"/(i,i)", int_div, 0, 0, "..", 0},
	{"%(i,i)", int_mod, 0, 0, "..", 0}, {"mod(i,i)", int_mod, 0, 0, "..", 0}, {"-(i)", int_neg, 0, 0, "-", 0}, {"+(i)", same, 0, 0, "+", 0},
	{"@(i)", int_abs, 0, 0, ".", 0}, {"abs(i)", int_abs, 0, 0, ".", 0},
	{"+(f,f)", float_add, 0, 0, "++", 0}, {"-(f,f)", float_sub, 0, 0, "+-", 0}, {"*(f,f)", float_mul, 0, 0, "..", 0},
	{"/(f,f)", float_div, 0, 0, "..", 0},
	{"-(f)", float_neg, 0, 0, "-", 0}, {"+(f)", same, 0, 0, "+", 0}, {"@(f)", float_abs, 0, 0, ".", 0}, {"abs(f)", float_abs, 0, 0, ".", 0},
	{"round(f)", float_round, 0, 0, "+", 0}, {"trunc(f)", float_trunc, 0, 0, "+", 0}, {"floor(f)", float_floor, 0, 0, "+", 0},
	{"ceil(f)", float_ceil, 0, 0, "+", 0}, {"ceiling(f)", float_ceil, 0, 0, "+", 0}, {"sign(f)", float_sign, 0, 0, "+", 0},
	{"sqrt(f)", float_sqrt, 0, 0, "+", 0},
	{"+(n,n)", numeric_add, 0, 0, "++", 0}, {"-(n,n)", numeric_sub, 0, 0, "+-", 0}, {"*(n,n)", numeric_mul, 0, 0, "..", 0},
	{"/(n,n)", numeric_div, 0, 0, "..", 0}, {"%(n,n)", numeric_mod, 0, 0, "..", 0}, {"mod(n,n)", numeric_mod, 0, 0, "..", 0},
	{"div(n,n)", numeric_idiv, 0, 0, "..", 0}, {"-(n)", numeric_neg, 0, 0, "-", 0}, {"+(n)", same, 0, 0, "+", 0},
	{"@(n)", numeric_abs, 0, 0, ".", 0}, {"abs(n)", numeric_abs, 0, 0, ".", 0}, {"round(n,i)", numeric_round2, 0, 0, "+.", 0},
	{"round(n)", numeric_round, 0, 0, "+", 0}, {"trunc(n,i)", numeric_trunc2, 0, 0, "+.", 0}, {"trunc(n)", numeric_trunc, 0, 0, "+", 0},
	{"floor(n)", numeric_floor, 0, 0, "+", 0}, {"ceil(n)", numeric_ceil, 0, 0, "+", 0}, {"ceiling(n)", numeric_ceil, 0, 0, "+", 0},
	{"sign(n)", numeric_sign, 0, 0, "+", 0},
	{NULL, NULL, 0, 0, NULL, 0},
};
