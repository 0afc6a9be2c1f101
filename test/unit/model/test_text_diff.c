/* Values to text and back as the server does it: random bits of floats, dates, times, intervals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "model/datetime.h"
#include "model/value_text.h"
#include "oracle.h"

static struct oracle oracle;

/* exprs[i] must give what mine[i] says. */
static void compare(struct arena *a, const char **exprs, const char **mine, size_t n)
{
	const char **theirs = arena_alloc(a, n * sizeof(*theirs));
	size_t bad = 0;

	oracle_eval(&oracle, a, exprs, n, theirs);
	for (size_t i = 0; i < n; i++)
		if (strcmp(mine[i], theirs[i]) != 0 && bad++ < 10)
			print_message("%s\n   ours %s\n server %s\n", exprs[i], mine[i], theirs[i]);
	assert_int_equal(bad, 0);
}

static const char *shown(struct arena *a, const struct value *v)
{
	struct value_env env = {.zone = tz_utc()};
	struct buf b = BUF_INIT(1000);
	const char *s;

	buf_putc(&b, '=');
	value_print(v, &env, &b);
	s = arena_str(a, view_str(buf_cstr(&b)));
	buf_release(&b);
	return s;
}

static double random_double(void)
{
	uint64_t bits = oracle_random();
	double d;

	switch (oracle_below(5)) {
	case 0: return ldexp(1, (int)oracle_below(2090) - 1074);        /* powers of two: neighbours at unequal distances */
	case 1: return (double)(bits >> oracle_below(60));
	case 2: return (double)(int32_t)bits / 1000;
	case 3: return ldexp((double)(bits >> 12), -1074);              /* subnormal or nearly */
	default:
		memcpy(&d, &bits, 8);
		return isnan(d) ? 1e23 : d;
	}
}

static void floats_have_the_servers_shortest_digits(void **state)
{
	size_t n = oracle_cases(4000);
	struct arena a = ARENA_INIT;
	const char **exprs = arena_alloc(&a, n * sizeof(*exprs)), **mine = arena_alloc(&a, n * sizeof(*mine));

	for (size_t i = 0; i < n; i++) {
		double d = random_double();
		bool single = oracle_below(2) && fabs(d) < 3e38 && fabs(d) > 1e-44;
		struct value v = {.kind = single ? VALUE_FLOAT4 : VALUE_FLOAT8, .d = single ? (double)(float)d : d};

		if (isinf(d))
			v.d = d = 1e23;
		exprs[i] = arena_printf(&a, single ? "'%.9g'::float4" : "'%.17g'::float8", v.d);
		mine[i] = shown(&a, &v);
	}
	compare(&a, exprs, mine, n);
	arena_release(&a);
}

static void dates_and_times_print_and_read_back(void **state)
{
	static const enum value_kind kinds[] = {VALUE_DATE, VALUE_TIMESTAMP, VALUE_TIMESTAMPTZ, VALUE_TIME, VALUE_INTERVAL};
	static const char *const names[] = {"date", "timestamp", "timestamptz", "time", "interval"};
	size_t n = oracle_cases(3000);
	struct arena a = ARENA_INIT;
	struct value_env env = {.zone = tz_utc()};
	const char **exprs = arena_alloc(&a, n * sizeof(*exprs)), **mine = arena_alloc(&a, n * sizeof(*mine));

	for (size_t i = 0; i < n; i++) {
		uint32_t k = oracle_below(5);
		struct value v = {.kind = (uint8_t)kinds[k]}, back;
		int64_t us = (int64_t)oracle_random() >> oracle_below(30);
		struct err err = ERR_INIT;

		if (oracle_below(2))
			us -= us % US_PER_SECOND;
		if (us < TIMESTAMP_FIRST || us >= TIMESTAMP_END)
			us = us % (US_PER_DAY * 365 * 50);
		if (kinds[k] == VALUE_DATE)
			v.i = timestamp_to_date(us);
		else if (kinds[k] == VALUE_TIME)
			v.i = (us < 0 ? -us : us) % US_PER_DAY;
		else if (kinds[k] == VALUE_INTERVAL)
			v = value_of_interval((struct interval){us %= INT64_C(4000000000000000), (int32_t)oracle_below(4000) - 2000,
				(int32_t)oracle_below(400) - 200});
		else
			v.i = us;
		mine[i] = shown(&a, &v);
		assert_int_equal(value_parse(view_str(mine[i] + 1), kinds[k], &env, &a, &back, &err), 0);
		assert_true(value_same(&v, &back));
		/* the server is given the number, not our text */
		if (kinds[k] == VALUE_DATE)
			exprs[i] = arena_printf(&a, "date '2000-01-01' + %lld", (long long)v.i);
		else if (kinds[k] == VALUE_INTERVAL)
			exprs[i] = arena_printf(&a, "make_interval(months => %d, days => %d) + %lld * interval '1 second' + %lld * interval '1 us'",
				v.interval.months,
				v.interval.days, (long long)(us / US_PER_SECOND), (long long)(us % US_PER_SECOND));
		else
			exprs[i] = arena_printf(&a, "%s '%s00:00' + %lld * interval '1 hour' + %lld * interval '1 us'", names[k],
				kinds[k] == VALUE_TIME ? "" : "2000-01-01 ", (long long)(v.i / (3600 * US_PER_SECOND)),
					(long long)(v.i % (3600 * US_PER_SECOND)));
	}
	compare(&a, exprs, mine, n);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(floats_have_the_servers_shortest_digits),
		cmocka_unit_test(dates_and_times_print_and_read_back),
	};
	int rc;

	if (!oracle_start(&oracle))
		return 77;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	oracle_stop(&oracle);
	return rc;
}
