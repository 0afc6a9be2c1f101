/*
 * The log under simulated crashes and faults. SIM_SEED=n starts from another seed (default 1), SIM_ROUNDS=n multiplies the rounds (default 1).
 * A failure prints the seed of its round; SIM_SEED with that number repeats it as the first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <errno.h>

#include "log/log_int.h"
#include "world.h"

static uint64_t from_env(const char *name, uint64_t otherwise)
{
	const char *v = getenv(name);

	return v && *v ? strtoull(v, NULL, 10) : otherwise;
}

static uint64_t seed_of(uint64_t round)
{
	return from_env("SIM_SEED", 1) + round;
}

static unsigned rounds(unsigned n)
{
	return n * (unsigned)from_env("SIM_ROUNDS", 1);
}

/* Ends the world; prints why when something was wrong. */
static bool finish(struct world *w, bool ok, uint64_t seed, const char *what, uint64_t at)
{
	if (!ok)
		print_message("seed %llu, %s %llu: %s\n", (unsigned long long)seed, what, (unsigned long long)at, world_why(w));
	world_free(w);
	return ok;
}

/* A script of `steps` steps with a power cut at change k; k = 0: none. Sets *ret_changes to how many changes it made. */
static bool run_with_cut(uint64_t seed, unsigned steps, uint64_t k, unsigned bugs, uint64_t *ret_changes)
{
	struct world *w = world_new(seed, bugs);
	bool ok;

	simio_crash_at(world_sim(w), k);
	ok = world_open(w);
	simio_crash_at(world_sim(w), k > simio_changes(world_sim(w)) ? k : 0);
	ok = ok && world_run(w, steps);
	if (ret_changes)
		*ret_changes = simio_changes(world_sim(w));
	ok = ok && world_crash(w) && world_verify(w) && world_run(w, 20) && world_crash(w);
	return finish(w, ok, seed, "cut at change", k);
}

static void every_power_cut_in_short_scripts_is_recovered_from(void **state)
{
	uint64_t n, k, total = 0;
	unsigned r;

	for (r = 0; r < rounds(8); r++) {
		assert_true(run_with_cut(seed_of(r), 150, 0, 0, &n));
		for (k = 1; k <= n; k++)
			assert_true(run_with_cut(seed_of(r), 150, k, 0, NULL));
		total += n;
	}
	print_message("%llu power cuts\n", (unsigned long long)total);
}

static bool random_life(uint64_t seed, unsigned lives, unsigned bugs, struct world_counts *sum)
{
	struct world *w = world_new(seed, bugs);
	bool ok = world_open(w);
	unsigned i;

	for (i = 0; ok && i < lives; i++) {
		uint64_t x = simio_random(world_sim(w));

		if (x % 4 == 0)
			simio_fail_next(world_sim(w), x % 8 ? "sync" : "write", EIO);
		else if (x % 4 < 3)
			simio_crash_at(world_sim(w), simio_changes(world_sim(w)) + 1 + (x >> 32) % 200);
		ok = world_run(w, 300);
		if (ok && x % 16 == 1 && !simio_stopped(world_sim(w))) {
			world_close(w); /* in good order, or a process that ends after a failed sync: memory stays */
			ok = world_open(w) && world_crash(w);
		} else {
			ok = ok && world_crash(w);
		}
		ok = ok && (i % 4 || world_verify(w));
	}
	if (sum) {
		struct world_counts c = world_counts(w);

		sum->units += c.units;
		sum->acked += c.acked;
		sum->crashes += c.crashes;
		sum->recovered_more += c.recovered_more;
	}
	return finish(w, ok, seed, "life", i);
}

static void nothing_acknowledged_is_lost_and_nothing_half_is_seen_over_many_lives(void **state)
{
	struct world_counts sum = {0};
	unsigned r;

	for (r = 0; r < rounds(60); r++)
		assert_true(random_life(seed_of(1000 + r), 12, 0, &sum));
	print_message("%llu units closed, %llu acknowledged, %llu crashes\n", (unsigned long long)sum.units, (unsigned long long)sum.acked,
	    (unsigned long long)sum.crashes);
	assert_true(sum.acked > 0 && sum.recovered_more > 0);
}

/* Units acknowledged, process ends after the failed sync without a crash, starts again, and only then the power goes. */
static bool failed_sync_then_restart_then_cut(uint64_t seed, unsigned bugs)
{
	struct world *w = world_new(seed, bugs);
	bool ok = world_open(w) && world_run(w, 100);

	simio_fail_next(world_sim(w), "sync", EIO);
	ok = ok && world_run(w, 200);
	world_close(w);
	simio_fail_next(world_sim(w), "none", 0);
	ok = ok && world_open(w) && world_run(w, 5) && world_crash(w);
	return finish(w, ok, seed, "failed sync", 0);
}

static void what_a_failed_sync_left_in_memory_is_made_durable_by_the_next_start(void **state)
{
	unsigned r;

	for (r = 0; r < rounds(60); r++)
		assert_true(failed_sync_then_restart_then_cut(seed_of(2000 + r), 0));
}

static bool every_call_fails_once(uint64_t seed, int num)
{
	uint64_t k, n = 1;
	bool ok = true;

	for (k = 1; ok && k <= n; k += 3) {
		struct world *w = world_new(seed, 0);

		simio_fail_at(world_sim(w), k, num);
		ok = world_open(w);
		if (!ok && !world_log(w) && world_counts(w).corrupt == 0)
			ok = true; /* refused to start, which is right */
		else if (ok)
			ok = world_run(w, 100);
		n = simio_calls(world_sim(w));
		if (world_log(w))
			ok = ok && world_crash(w) && world_verify(w);
		ok = finish(w, ok, seed, "failing call", k);
	}
	return ok;
}

static void each_call_may_fail_with_an_io_error(void **state)
{
	assert_true(every_call_fails_once(seed_of(3000), EIO));
}

static void each_call_may_find_the_disk_full(void **state)
{
	assert_true(every_call_fails_once(seed_of(3001), ENOSPC));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_power_cut_in_short_scripts_is_recovered_from),
		cmocka_unit_test(nothing_acknowledged_is_lost_and_nothing_half_is_seen_over_many_lives),
		cmocka_unit_test(what_a_failed_sync_left_in_memory_is_made_durable_by_the_next_start),
		cmocka_unit_test(each_call_may_fail_with_an_io_error),
		cmocka_unit_test(each_call_may_find_the_disk_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
