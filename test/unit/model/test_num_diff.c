/* Numerics against the server: the same text or the same error for random operands, every operation and cast. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/num.h"
#include "oracle.h"

static struct oracle oracle;

static char *random_digits(struct arena *a, uint32_t n)
{
	char *p = arena_alloc(a, n + 1);

	for (uint32_t i = 0; i < n; i++)
		p[i] = (char)('0' + oracle_below(10));
	/* runs of nines and zeros make carries and ties */
	if (n > 3 && oracle_below(4) == 0)
		memset(p + n / 2, oracle_below(2) ? '9' : '0', n - n / 2);
	p[n] = 0;
	return p;
}

static const char *random_operand(struct arena *a)
{
	static const char *const fixed[] = {"0", "1", "-1", "0.0", "0.5", "-0.5", "2.5", "1.5", "10", "100", "9999", "10000", "10001", "0.0001",
		"0.00009999", "NaN", "Infinity", "-Infinity", "1e3", "1e-3", "1.50", "99999999999999999999999999999999999999",
			"0.000000000000000000001",
		"170141183460469231731687303715884105727", "-170141183460469231731687303715884105728", "9223372036854775807",
			"-9223372036854775808",
		"2147483647.5", "-2147483648.5", "32767.49", "1e200", "1e-200", "123456789012345678901234567890123456789012345678901234567890.5"};
	const char *sign = oracle_below(3) ? "" : "-";
	uint32_t whole, fraction;

	if (oracle_below(4) == 0)
		return fixed[oracle_below(sizeof(fixed) / sizeof(fixed[0]))];
	whole = oracle_below(3) ? 1 + oracle_below(9) : oracle_below(40);
	fraction = oracle_below(3) ? oracle_below(8) : oracle_below(40);
	if (!whole && !fraction)
		whole = 1;
	return arena_printf(a, "%s%s%s%s", sign, random_digits(a, whole), fraction ? "." : "", random_digits(a, fraction));
}

enum op { ADD, SUB, MUL, DIV, MOD, IDIV, ROUND, TRUNC, CEIL, FLOOR, ABS, NEG, CMP, TYPMOD, TO2, TO4, TO8, TOF8, TOF4, FROMF8, PARSE, OPS };

static const char *const forms[OPS] = {"'%s'::numeric + '%s'::numeric", "'%s'::numeric - '%s'::numeric", "'%s'::numeric * '%s'::numeric",
	"'%s'::numeric / '%s'::numeric", "'%s'::numeric %% '%s'::numeric", "div('%s'::numeric, '%s'::numeric)", "round('%s'::numeric, %s)",
	"trunc('%s'::numeric, %s)", "ceil('%s'::numeric)", "floor('%s'::numeric)", "abs('%s'::numeric)", "- '%s'::numeric",
	"", "'%s'::numeric(12,%s)",
	"'%s'::numeric::smallint", "'%s'::numeric::integer", "'%s'::numeric::bigint", "'%s'::numeric::float8", "'%s'::numeric::float4",
	"'%s'::float8::numeric", "'%s'::numeric"};

static int parse(const char *text, struct arena *a, struct num *ret, struct err *err)
{
	return num_parse(view_str(text), a, ret, err);
}

static const char *shown(struct arena *a, const struct num *n)
{
	struct buf b = BUF_INIT(1 << 20);
	const char *s;

	num_print(n, &b);
	s = arena_printf(a, "=%s", buf_cstr(&b));
	buf_release(&b);
	return s;
}

static int compute(enum op op, const struct num *x, const struct num *y, int32_t digits, struct arena *a, struct num *n, struct err *err)
{
	switch (op) {
	case ADD: return num_add(x, y, a, n, err);
	case SUB: return num_sub(x, y, a, n, err);
	case MUL: return num_mul(x, y, a, n, err);
	case DIV: return num_div(x, y, a, n, err);
	case MOD: return num_mod(x, y, a, n, err);
	case IDIV: return num_div_trunc(x, y, a, n, err);
	case ROUND: return num_round(x, digits, a, n, err);
	case TRUNC: return num_trunc(x, digits, a, n, err);
	case CEIL: return num_ceil(x, a, n, err);
	case FLOOR: return num_floor(x, a, n, err);
	case ABS: *n = num_abs(x, a); return 0;
	case NEG: *n = num_neg(x, a); return 0;
	case CMP: *n = num_of_int((num_cmp(x, y) > 0) - (num_cmp(x, y) < 0)); return 0;
	case TYPMOD: return num_apply_typmod(x, ((12 << 16) | (digits & 0x7ff)) + 4, a, n, err);
	default: *n = *x; return 0;
	}
}

static const char *ours(enum op op, const char *sx, const char *sy, struct arena *a)
{
	struct err err = ERR_INIT;
	struct num x, y = num_of_int(0), n;
	int64_t i;
	double d;
	int rc;

	if (parse(sx, a, &x, &err) != 0)
		return oracle_error(a, &err);
	if (parse(sy, a, &y, &err) != 0)
		return oracle_error(a, &err);
	switch (op) {
	case TO2: case TO4: case TO8:
		rc = num_to_int(&x, op == TO2 ? VALUE_INT2 : op == TO4 ? VALUE_INT4 : VALUE_INT8, &i, &err);
		return rc ? oracle_error(a, &err) : arena_printf(a, "=%lld", (long long)i);
	case TOF8: case TOF4: case FROMF8:
		rc = op == TOF4 ? num_to_float4(&x, &d, &err) : num_to_float8(&x, &d, &err);
		if (rc)
			return oracle_error(a, &err);
		n = op == TOF4 ? num_of_float4(d, a) : num_of_float8(d, a);
		return shown(a, &n);
	default:
		rc = compute(op, &x, &y, (int32_t)strtol(sy, NULL, 10), a, &n, &err);
		return rc ? oracle_error(a, &err) : shown(a, &n);
	}
}

static void every_operation_agrees_with_the_server(void **state)
{
	size_t n = oracle_cases(6000), bad = 0;
	struct arena a = ARENA_INIT;
	const char **exprs = arena_alloc(&a, n * sizeof(*exprs)), **mine = arena_alloc(&a, n * sizeof(*mine));
	const char **theirs = arena_alloc(&a, n * sizeof(*theirs));

	for (size_t i = 0; i < n; i++) {
		enum op op = (enum op)oracle_below(OPS);
		const char *x = random_operand(&a), *y = random_operand(&a);

		if (op == ROUND || op == TRUNC || op == TYPMOD)
			y = arena_printf(&a, "%d", (int)oracle_below(30) - (op == TYPMOD ? 5 : 10));
		#pragma GCC diagnostic push
		#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		#pragma GCC diagnostic ignored "-Wformat-security"
		if (op == CMP)
			exprs[i] = arena_printf(&a,
				"CASE WHEN '%s'::numeric < '%s'::numeric THEN -1 WHEN '%s'::numeric = '%s'::numeric THEN 0 ELSE 1 END", x, y, x, y);
		else
			exprs[i] = arena_printf(&a, forms[op], x, y);
		#pragma GCC diagnostic pop
		if (op == TOF8 || op == TOF4)
			exprs[i] = arena_printf(&a, "(%s)::numeric", exprs[i]);
		mine[i] = ours(op, x, y, &a);
	}
	oracle_eval(&oracle, &a, exprs, n, theirs);
	for (size_t i = 0; i < n; i++)
		if (strcmp(mine[i], theirs[i]) != 0 && bad++ < 20)
			print_message("%s\n   ours %.200s\n server %.200s\n", exprs[i], mine[i], theirs[i]);
	assert_int_equal(bad, 0);
	arena_release(&a);
}

static void binary_form_is_read_as_the_server_sends_it(void **state)
{
	size_t n = oracle_cases(800);
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		const char *x = random_operand(&a);
		PGresult *r = PQexecParams(oracle.conn, "SELECT $1::numeric", 1, NULL, &x, NULL, NULL, 1);
		struct num p, q;

		assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
		assert_int_equal(num_parse_binary(view_of(PQgetvalue(r, 0, 0), (size_t)PQgetlength(r, 0, 0)), &a, &p, &err), 0);
		assert_int_equal(parse(x, &a, &q, &err), 0);
		assert_string_equal(shown(&a, &p), shown(&a, &q));
		PQclear(r);
	}
	arena_release(&a);
}

static void literals_are_accepted_and_refused_as_by_the_server(void **state)
{
	static const char *const literals[] = {"", " ", ".", "5.", ".5", "-.5", "+5", "--5", "5e", "5e+", "5e1", "5E-2", "1e131071",
		"1e131072", "1e-16383",
		"1e-16384", "0e999999", "1 2", " 12 ", "1_000", "0x10", "nan", " NaN ", "-nan", "inf", "-inf", "+Infinity", "infinit", "1..2",
			"1.2.3", "e5",
		"1e99999999999", "1e-99999999999", "-0", "-0.00", "00012.500", "\t7\n"};
	enum { N = sizeof(literals) / sizeof(literals[0]) };
	const char *exprs[N], *theirs[N];
	struct arena a = ARENA_INIT;

	for (size_t i = 0; i < N; i++)
		exprs[i] = arena_printf(&a, "'%s'::numeric", literals[i]);
	oracle_eval(&oracle, &a, exprs, N, theirs);
	for (size_t i = 0; i < N; i++)
		assert_string_equal(ours(PARSE, literals[i], "0", &a), theirs[i]);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation_agrees_with_the_server),
		cmocka_unit_test(binary_form_is_read_as_the_server_sends_it),
		cmocka_unit_test(literals_are_accepted_and_refused_as_by_the_server),
	};
	int rc;

	if (!oracle_start(&oracle))
		return 77;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	oracle_stop(&oracle);
	return rc;
}
