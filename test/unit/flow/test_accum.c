/* Accumulators: the same results as the server over what is present, whatever came and went before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gmp.h>
#include <math.h>

#include "flow/accum.h"
#include "model/datetime.h"
#include "oracle.h"

static struct oracle oracle;

static struct value make(enum value_kind kind, const char *text, struct arena *a)
{
	struct err err = ERR_INIT;
	struct interval i;
	struct num n;

	switch (kind) {
	case VALUE_NUMERIC:
		assert_int_equal(num_parse(view_str(text), a, &n, &err), 0);
		return value_of_num(n);
	case VALUE_INTERVAL:
		assert_int_equal(interval_parse(view_str(text), &i, &err), 0);
		return value_of_interval(i);
	default: return value_int(kind, strtoll(text, NULL, 10));
	}
}

static const char *show(struct arena *a, const struct value *v)
{
	struct buf b = BUF_INIT(1 << 20);
	struct num n;
	const char *s;

	if (v->null)
		return "~";
	if (v->kind == VALUE_NUMERIC) {
		n = value_num(v);
		num_print(&n, &b);
	} else if (v->kind == VALUE_INTERVAL) {
		interval_print(value_interval(v), &b);
	} else {
		buf_i64(&b, v->i);
	}
	s = arena_printf(a, "=%s", buf_cstr(&b));
	buf_release(&b);
	return s;
}

static const char *random_text(enum value_kind kind, struct arena *a)
{
	static const char *const odd[] = {"NaN", "Infinity", "-Infinity", "1e30", "-1e40", "0.000000000000000000000000000001"};

	switch (kind) {
	case VALUE_NUMERIC:
		if (oracle_below(12) == 0)
			return odd[oracle_below(6)];
		return arena_printf(a, "%d.%0*u", (int)oracle_below(2000) - 1000, (int)oracle_below(4) + 1, oracle_below(10));
	case VALUE_INTERVAL:
		return arena_printf(a, "%d mons %d days %d seconds", (int)oracle_below(30) - 10, (int)oracle_below(60) - 20,
			(int)oracle_below(200000) - 9000);
	case VALUE_INT8: return arena_printf(a, "%lld", (long long)oracle_random());
	case VALUE_INT4: return arena_printf(a, "%d", (int32_t)oracle_random());
	default: return arena_printf(a, "%d", (int16_t)oracle_random());
	}
}

static const char *state_result(enum accum_kind kind, void *state, struct arena *a)
{
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT(1 << 20);
	struct value v;
	struct reader r;

	/* through the stored form, so that it is tested too */
	accum_store(kind, state, &b);
	accum_release(kind, state);
	memset(state, 0, accum_size(kind));
	r = reader_of(buf_view(&b));
	assert_int_equal(accum_load(kind, state, &r, &err), 0);
	assert_true(reader_done(&r));
	buf_release(&b);
	if (accum_result(kind, state, a, &v, &err) != 0)
		return oracle_error(a, &err);
	return show(a, &v);
}

/* One multiset: some values stay, some come and go. */
static void one_case(struct arena *a, const char **expr, const char **mine)
{
	static const struct { enum value_kind kind; const char *type; } types[] = {
		{VALUE_INT2, "int2"}, {VALUE_INT4, "int4"}, {VALUE_INT8, "int8"}, {VALUE_NUMERIC, "numeric"}, {VALUE_NUMERIC, "numeric"},
			{VALUE_INTERVAL, "interval"}};
	uint32_t t = oracle_below(6), n = oracle_below(8);
	bool avg = oracle_below(2);
	enum accum_kind kind = accum_kind_of(avg ? SQL_AVG : SQL_SUM, types[t].kind);
	uint64_t state[16] __attribute__((aligned(16))) = {0};
	struct buf list = BUF_INIT(1 << 20);

	assert_true(accum_size(kind) && accum_size(kind) <= sizeof(state));
	for (uint32_t i = 0; i < n; i++) {
		const char *gone = random_text(types[t].kind, a), *stays = random_text(types[t].kind, a);
		struct value g = make(types[t].kind, gone, a), s = make(types[t].kind, stays, a);

		accum_add(kind, state, &g, 2);
		accum_add(kind, state, &s, 1);
		accum_add(kind, state, &g, -1);
		buf_printf(&list, "%s\"%s\"", list.len ? "," : "", stays);
		accum_add(kind, state, &g, -1);
	}
	*expr = arena_printf(a, "(SELECT %s(x) FROM unnest('{%s}'::%s[]) x)", avg ? "avg" : "sum", buf_cstr(&list), types[t].type);
	*mine = state_result(kind, state, a);
	accum_release(kind, state);
	buf_release(&list);
}

static void sums_and_averages_equal_the_servers_over_what_is_left(void **state)
{
	size_t n = oracle_cases(3000), bad = 0;
	struct arena a = ARENA_INIT;
	const char **exprs = arena_alloc(&a, n * sizeof(*exprs)), **mine = arena_alloc(&a, n * sizeof(*mine));
	const char **theirs = arena_alloc(&a, n * sizeof(*theirs));

	for (size_t i = 0; i < n; i++)
		one_case(&a, &exprs[i], &mine[i]);
	oracle_eval(&oracle, &a, exprs, n, theirs);
	for (size_t i = 0; i < n; i++)
		if (strcmp(mine[i], theirs[i]) != 0 && bad++ < 10)
			print_message("%s\n   ours %.200s\n server %.200s\n", exprs[i], mine[i], theirs[i]);
	arena_release(&a);
	assert_int_equal(bad, 0);
}

static double random_double(void)
{
	uint64_t bits = oracle_random();
	double d;

	switch (oracle_below(4)) {
	case 0: return (double)(int32_t)bits / 100;
	case 1: return ldexp((double)(int64_t)bits, (int)oracle_below(200) - 160);
	case 2: return ldexp(1, (int)oracle_below(2000) - 1074) * (bits & 1 ? -1 : 1);
	default:
		memcpy(&d, &bits, 8);
		return isfinite(d) ? d : 0.1;
	}
}

/* |exact - d| <= half the distance to d's neighbour on that side */
static bool is_nearest(mpq_srcptr exact, double d)
{
	double other = nextafter(d, (double)INFINITY);
	mpq_t q, half;
	bool near;

	mpq_inits(q, half, NULL);
	mpq_set_d(q, d);
	mpq_sub(q, exact, q);
	if (mpq_sgn(q) < 0)
		other = nextafter(d, -(double)INFINITY);
	if (isinf(other))
		other = nextafter(d, 0);
	mpq_set_d(half, fabs(other - d) == 0 ? 0 : fabs(other - d));
	mpq_div_2exp(half, half, 1);
	mpq_abs(q, q);
	near = mpq_cmp(q, half) <= 0;
	mpq_clears(q, half, NULL);
	return near;
}

static void float_sum_is_the_exact_sum_rounded_once(void **state)
{
	for (size_t i = 0; i < oracle_cases(2000); i++) {
		uint64_t st[16] __attribute__((aligned(16))) = {0};
		uint32_t n = 1 + oracle_below(20);
		struct err err = ERR_INIT;
		struct arena a = ARENA_INIT;
		struct value v;
		mpq_t sum, q;

		mpq_inits(sum, q, NULL);
		for (uint32_t k = 0; k < n; k++) {
			double d = random_double(), gone = random_double();
			struct value x = value_float8(d), g = value_float8(gone);
			int64_t w = 1 + oracle_below(3);

			accum_add(ACCUM_SUM_FLOAT8, st, &g, 5);
			accum_add(ACCUM_SUM_FLOAT8, st, &x, w);
			accum_add(ACCUM_SUM_FLOAT8, st, &g, -5);
			mpq_set_d(q, d);
			for (; w; w--)
				mpq_add(sum, sum, q);
		}
		if (accum_result(ACCUM_SUM_FLOAT8, st, &a, &v, &err) == 0)
			assert_true(is_nearest(sum, v.d));
		else
			assert_string_equal(err.sqlstate, "22003");
		accum_release(ACCUM_SUM_FLOAT8, st);
		mpq_clears(sum, q, NULL);
	}
}

static void float_sum_of_nothing_left_is_null_and_owns_nothing(void **state)
{
	static const double values[] = {1e308, 1e308, -1e308, 5e-324, 0.1, -1e16};
	uint64_t st[16] __attribute__((aligned(16))) = {0};
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	struct value v;

	for (size_t i = 0; i < 6; i++) {
		v = value_float8(values[i]);
		accum_add(ACCUM_SUM_FLOAT8, st, &v, 1);
	}
	for (size_t i = 0; i < 5; i++) {
		v = value_float8(values[i]);
		accum_add(ACCUM_SUM_FLOAT8, st, &v, -1);
	}
	assert_int_equal(accum_result(ACCUM_SUM_FLOAT8, st, &a, &v, &err), 0);
	assert_true(v.d == -1e16);
	v = value_float8(-1e16);
	accum_add(ACCUM_SUM_FLOAT8, st, &v, -1);
	assert_int_equal(accum_result(ACCUM_SUM_FLOAT8, st, &a, &v, &err), 0);
	assert_true(v.null);
	assert_int_equal(accum_heap_bytes(ACCUM_SUM_FLOAT8, st), 0);
}

static void sum_of_floats_does_not_depend_on_order(void **state)
{
	static const double values[] = {1e16, 1, -1e16};
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	struct value v;

	for (int first = 0; first < 3; first++) {
		uint64_t st[16] __attribute__((aligned(16))) = {0};

		for (int i = 0; i < 3; i++) {
			v = value_float8(values[(first + i) % 3]);
			accum_add(ACCUM_SUM_FLOAT8, st, &v, 1);
		}
		assert_int_equal(accum_result(ACCUM_SUM_FLOAT8, st, &a, &v, &err), 0);
		assert_true(v.d == 1);
		accum_release(ACCUM_SUM_FLOAT8, st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_and_averages_equal_the_servers_over_what_is_left),
		cmocka_unit_test(float_sum_is_the_exact_sum_rounded_once),
		cmocka_unit_test(float_sum_of_nothing_left_is_null_and_owns_nothing),
		cmocka_unit_test(sum_of_floats_does_not_depend_on_order),
	};
	int rc;

	if (!oracle_start(&oracle))
		return 77;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	oracle_stop(&oracle);
	return rc;
}
