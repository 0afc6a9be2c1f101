/* numeric to and from integers and floats, with the server's rounding and errors; see num.h. Any thread. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/num_int.h"

static const char *int_name(enum value_kind kind)
{
	return kind == VALUE_INT2 ? "smallint" : kind == VALUE_INT4 ? "integer" : "bigint";
}

static int out_of_range(const char *type, struct err *err)
{
	err_set(err, ERR_DATA, "%s out of range", type);
	memcpy(err->sqlstate, "22003", 6);
	return -1;
}

int num_to_int(const struct num *x, enum value_kind kind, int64_t *ret, struct err *err)
{
	int64_t low = kind == VALUE_INT2 ? INT16_MIN : kind == VALUE_INT4 ? INT32_MIN : INT64_MIN;
	int64_t high = kind == VALUE_INT2 ? INT16_MAX : kind == VALUE_INT4 ? INT32_MAX : INT64_MAX;
	struct arena a = ARENA_INIT;
	struct num n;
	int rc = 0;

	if (!num_is_finite(x)) {
		err_set(err, ERR_DATA, "cannot convert %s to %s", x->form == NUM_NAN ? "NaN" : "infinity", int_name(kind));
		memcpy(err->sqlstate, "0A000", 6);
		return -1;
	}
	rc = num_round(x, 0, &a, &n, err);
	if (rc == 0 && (n.form != NUM_SMALL || n.coef < low || n.coef > high))
		rc = out_of_range(int_name(kind), err);
	else if (rc == 0)
		*ret = (int64_t)n.coef;
	arena_release(&a);
	return rc;
}

static int special_to_float(const struct num *x, double *ret)
{
	*ret = x->form == NUM_NAN ? (double)NAN : x->form == NUM_POS_INF ? (double)INFINITY : -(double)INFINITY;
	return 0;
}

static int float_range(const struct num *x, const char *type, struct err *err)
{
	struct buf b = BUF_INIT(1024 * 1024);

	num_print(x, &b);
	err_set(err, ERR_DATA, "\"%.450s\" is out of range for type %s", buf_cstr(&b), type);
	memcpy(err->sqlstate, "22003", 6);
	buf_release(&b);
	return -1;
}

static double by_text(const struct num *x, bool single, bool *out)
{
	struct buf b = BUF_INIT(1024 * 1024);
	double d;

	num_print(x, &b);
	errno = 0;
	d = single ? (double)strtof(buf_cstr(&b), NULL) : strtod(buf_cstr(&b), NULL);
	*out = errno == ERANGE && (d == 0 || isinf(d));
	buf_release(&b);
	return d;
}

int num_to_float8(const struct num *x, double *ret, struct err *err)
{
	static const double pow10[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
	                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	bool out;
	double d;

	if (!num_is_finite(x))
		return special_to_float(x, ret);
	/* both exact in a double: one correctly rounded division */
	if (x->form == NUM_SMALL && x->scale <= 22 && u128_abs(x->coef) <= (uint128)1 << 53) {
		*ret = (double)(int64_t)x->coef / pow10[x->scale];
		return 0;
	}
	d = by_text(x, false, &out);
	if (out)
		return float_range(x, "double precision", err);
	*ret = d;
	return 0;
}

int num_to_float4(const struct num *x, double *ret, struct err *err)
{
	bool out;
	double d;

	if (!num_is_finite(x))
		return special_to_float(x, ret);
	d = by_text(x, true, &out);
	if (out)
		return float_range(x, "real", err);
	*ret = d;
	return 0;
}

static struct num of_float(double d, int digits, struct arena *a)
{
	struct err err = ERR_INIT;
	char text[64];
	struct num n;

	if (isnan(d))
		return num_special(NUM_NAN);
	if (isinf(d))
		return num_special(d > 0 ? NUM_POS_INF : NUM_NEG_INF);
	snprintf(text, sizeof(text), "%.*g", digits, d);
	if (num_parse(view_str(text), a, &n, &err) != 0)
		wm_assert(!"a finite float has a decimal form");
	return n;
}

struct num num_of_float8(double d, struct arena *a) { return of_float(d, 15, a); }
struct num num_of_float4(double d, struct arena *a) { return of_float(d, 6, a); }
