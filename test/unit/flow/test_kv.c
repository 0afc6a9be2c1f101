/* Keyed state: a table that keeps what it was given, and walks in pieces with changes between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "flow/kv.h"
#include "oracle.h"

enum { KEYS = 3000 };

struct model {
	struct kv kv;
	bool there[KEYS], moved[KEYS];     /* moved: put or removed since the walk began */
	unsigned met[KEYS];
};

static struct view key_of(uint32_t *n)
{
	return view_of(n, sizeof(*n));
}

static uint32_t number_of(const struct kv_entry *e)
{
	uint32_t n;

	assert_int_equal(e->len, sizeof(n));
	memcpy(&n, e->key, sizeof(n));
	assert_true(n < KEYS);
	return n;
}

static void change(struct model *m, unsigned times, unsigned percent_puts)
{
	while (times--) {
		uint32_t n = oracle_below(KEYS);
		struct kv_entry *e = kv_find(&m->kv, key_of(&n));

		assert_int_equal(e != NULL, m->there[n]);
		if (oracle_below(100) < percent_puts) {
			e = kv_put(&m->kv, key_of(&n));
			assert_int_equal(number_of(e), n);
			m->moved[n] = m->moved[n] || !m->there[n];
			m->there[n] = true;
		} else if (e) {
			kv_remove(&m->kv, e);
			m->there[n] = false;
			m->moved[n] = true;
		}
	}
}

static void meet(void *arg, struct kv_entry *e)
{
	struct model *m = arg;

	m->met[number_of(e)]++;
}

static void check_all(struct model *m)
{
	struct kv_entry *e;
	size_t pos = 0, count = 0;
	uint32_t n;

	while ((e = kv_next(&m->kv, &pos)) != NULL) {
		assert_true(m->there[number_of(e)]);
		count++;
	}
	assert_int_equal(count, m->kv.count);
	for (n = 0; n < KEYS; n++)
		assert_int_equal(kv_find(&m->kv, key_of(&n)) != NULL, m->there[n]);
}

static void what_was_put_is_there_until_it_is_removed(void **state)
{
	static struct model m;
	unsigned round;

	for (round = 0; round < 40; round++) {
		change(&m, 500, round % 4 < 2 ? 80 : 20);
		check_all(&m);
	}
	kv_release(&m.kv);
	assert_int_equal(m.kv.bytes, 0);
}

static void a_walk_meets_what_stays_exactly_once_while_others_come_and_go(void **state)
{
	unsigned round;

	for (round = 0; round < 300; round++) {
		static struct model m;
		uint64_t from = 0;
		uint32_t n;

		memset(&m, 0, sizeof(m));
		/* small tables have long runs across the end, large ones grow in the middle of a walk */
		change(&m, 1 + oracle_below(round % 3 ? 4000 : 20), 70);
		memset(m.moved, 0, sizeof(m.moved));
		while (kv_walk(&m.kv, &from, 1 + oracle_below(60), meet, &m))
			change(&m, oracle_below(30), round % 2 ? 90 : 30);
		for (n = 0; n < KEYS; n++) {
			if (!m.moved[n])
				assert_int_equal(m.met[n], m.there[n]);
			assert_true(m.met[n] <= 1);
		}
		kv_release(&m.kv);
	}
}

static void a_walk_over_nothing_ends_at_once(void **state)
{
	struct kv kv = KV_INIT;
	uint64_t from = 0;

	assert_false(kv_walk(&kv, &from, 10, meet, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_is_there_until_it_is_removed),
		cmocka_unit_test(a_walk_meets_what_stays_exactly_once_while_others_come_and_go),
		cmocka_unit_test(a_walk_over_nothing_ends_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
