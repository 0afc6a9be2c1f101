/* Equality, hashing, keys and the stored form of random values of every kind agree with each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gen.h"
#include "model/num.h"
#include "model/value_text.h"

static const enum value_kind kinds[G_TYPES] = {VALUE_INT2, VALUE_INT4, VALUE_INT8, VALUE_FLOAT4, VALUE_FLOAT8, VALUE_NUMERIC, VALUE_TEXT,
	VALUE_VARCHAR, VALUE_BPCHAR,
	VALUE_BOOL, VALUE_DATE, VALUE_TIME, VALUE_TIMESTAMP, VALUE_TIMESTAMPTZ, VALUE_INTERVAL, VALUE_UUID};

static struct value random_value(struct arena *a, enum gen_type t)
{
	struct value_env env = {.zone = tz_utc()};
	const char *text = gen_value(a, t);
	struct err err = ERR_INIT;
	struct value v;

	if (!text)
		return value_null(kinds[t]);
	if (t == G_INT2 || t == G_INT4)
		text = arena_printf(a, "%d", (int16_t)atoi(text));
	assert_int_equal(value_parse(view_str(text), kinds[t], &env, a, &v, &err), 0);
	return v;
}

static struct view key_of(const struct value *v, struct arena *a)
{
	struct buf b = BUF_INIT(1 << 20);
	struct view out;

	value_put_key(&b, v);
	assert_true(buf_ok(&b) && b.len <= value_key_size_max(v));
	out = arena_view(a, buf_view(&b));
	buf_release(&b);
	return out;
}

static void keys_hashes_and_order_agree_with_equality(void **state)
{
	for (int i = 0; i < 40000; i++) {
		enum gen_type t = (enum gen_type)oracle_below(G_TYPES);
		struct arena a = ARENA_INIT;
		struct value x = random_value(&a, t), y = random_value(&a, t);
		bool equal = value_equal(&x, &y);

		assert_true(equal == view_eq(key_of(&x, &a), key_of(&y, &a)));
		assert_true(equal == (value_cmp(&x, &y) == 0));
		assert_true(!equal || value_hash(&x) == value_hash(&y));
		assert_true((value_cmp(&x, &y) > 0) == (value_cmp(&y, &x) < 0));
		assert_true(!value_same(&x, &y) || equal);
		arena_release(&a);
	}
}

static void stored_values_come_back_as_they_were(void **state)
{
	for (int i = 0; i < 20000; i++) {
		struct arena a = ARENA_INIT;
		struct value x = random_value(&a, (enum gen_type)oracle_below(G_TYPES)), y;
		struct buf b = BUF_INIT(1 << 20);
		struct err err = ERR_INIT;
		struct reader r;
		size_t whole;

		value_store(&b, &x);
		whole = b.len;
		r = reader_of(buf_view(&b));
		assert_int_equal(value_load(&r, &a, &y, &err), 0);
		assert_true(reader_done(&r) && value_same(&x, &y));
		/* cut short it is refused, whatever is missing */
		r = reader_of(view_of(b.ptr, oracle_below((uint32_t)whole)));
		assert_int_equal(value_load(&r, &a, &y, &err), -1);
		buf_release(&b);
		arena_release(&a);
	}
}

static void equal_spellings_are_one_key(void **state)
{
	static const struct { enum value_kind kind; const char *x, *y; } pairs[] = {
		{VALUE_NUMERIC, "1.0", "1.000"}, {VALUE_NUMERIC, "0", "-0.00"},
		{VALUE_NUMERIC, "170141183460469231731687303715884105728.00", "170141183460469231731687303715884105728"},
		{VALUE_NUMERIC, "17014118346046923173168730371588410572.70000", "17014118346046923173168730371588410572.7"},
		{VALUE_NUMERIC, "NaN", "nan"},
		{VALUE_FLOAT8, "0", "-0"}, {VALUE_FLOAT8, "NaN", "nan"}, {VALUE_BPCHAR, "a", "a   "}, {VALUE_INTERVAL, "1 mon", "30 days"},
		{VALUE_INTERVAL, "30 days", "720:00:00"}, {VALUE_JSONB, "{\"a\": [1.0, \"x\"]}", "{\"a\": [1.00, \"x\"]}"}};
	struct value_env env = {.zone = tz_utc()};
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct value x, y;

		assert_int_equal(value_parse(view_str(pairs[i].x), pairs[i].kind, &env, &a, &x, &err), 0);
		assert_int_equal(value_parse(view_str(pairs[i].y), pairs[i].kind, &env, &a, &y, &err), 0);
		assert_true(value_equal(&x, &y));
		assert_true(view_eq(key_of(&x, &a), key_of(&y, &a)));
		assert_true(value_hash(&x) == value_hash(&y));
	}
	arena_release(&a);
}

static void damaged_stored_bytes_are_refused_or_read_but_never_beyond_their_end(void **state)
{
	for (int i = 0; i < 50000; i++) {
		uint8_t bytes[40], n = (uint8_t)oracle_below(40), *exact;
		struct arena a = ARENA_INIT;
		struct err err = ERR_INIT;
		struct buf b = BUF_INIT(4096);
		struct value v;
		struct reader r;

		for (int k = 0; k < n; k++)
			bytes[k] = (uint8_t)oracle_random();
		if (n)
			bytes[0] = (uint8_t)oracle_below(VALUE_KINDS);
		exact = arena_alloc(&a, (size_t)n + 1);
		memcpy(exact, bytes, n);
		r = reader_of(view_of(exact, n));
		if (value_load(&r, &a, &v, &err) == 0)
			value_store(&b, &v);
		buf_release(&b);
		arena_release(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_hashes_and_order_agree_with_equality),
		cmocka_unit_test(stored_values_come_back_as_they_were),
		cmocka_unit_test(equal_spellings_are_one_key),
		cmocka_unit_test(damaged_stored_bytes_are_refused_or_read_but_never_beyond_their_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
