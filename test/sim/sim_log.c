/*
 * The log under simulated crashes and faults. SIM_SEED=n starts from another seed (default 1), SIM_ROUNDS=n multiplies the rounds
 * (default 1). A failure prints the seed of its round; SIM_SEED with that number repeats it as the first.
 */
#include <setjmp.h>
#include <signal.h>
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

/* A script of `steps` steps with a power cut at change k (0: none), of which `image` chooses what is left. *ret_changes: how many it
 * made. */
static bool run_with_cut(uint64_t seed, unsigned steps, uint64_t k, unsigned image, uint64_t *ret_changes)
{
	struct world *w = world_new(seed, 0);
	bool ok;

	simio_crash_at(world_sim(w), k);
	ok = world_open(w);
	simio_crash_at(world_sim(w), k > simio_changes(world_sim(w)) ? k : 0);
	ok = ok && world_run(w, steps);
	if (ret_changes)
		*ret_changes = simio_changes(world_sim(w));
	while (image--)
		simio_random(world_sim(w));
	ok = ok && world_crash(w) && world_verify(w) && world_run(w, 20) && world_crash(w);
	return finish(w, ok, seed, "cut at change", k);
}

static void every_power_cut_in_short_scripts_is_recovered_from(void **state)
{
	uint64_t n, k, total = 0;
	unsigned r, image;

	for (r = 0; r < rounds(8); r++) {
		assert_true(run_with_cut(seed_of(r), 150, 0, 0, &n));
		for (k = 1; k <= n; k++)
			for (image = 0; image < 3; image++, total++)
				assert_true(run_with_cut(seed_of(r), 150, k, image, NULL));
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
		sum->trims += c.trims;
		sum->rewrites += c.rewrites;
		sum->prepared += c.prepared;
	}
	return finish(w, ok, seed, "life", i);
}

static void nothing_acknowledged_is_lost_and_nothing_half_is_seen_over_many_lives(void **state)
{
	struct world_counts sum = {0};
	unsigned r;

	for (r = 0; r < rounds(40); r++)
		assert_true(random_life(seed_of(1000 + r), 12, 0, &sum));
	print_message("%llu units closed, %llu acknowledged, %llu crashes, files removed %llu times, rewritten %llu times\n",
	    (unsigned long long)sum.units, (unsigned long long)sum.acked, (unsigned long long)sum.crashes, (unsigned long long)sum.trims,
	    (unsigned long long)sum.rewrites);
	assert_true(sum.acked > 0 && sum.recovered_more > 0 && sum.trims > 0 && sum.rewrites > 0 && sum.prepared > 0);
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

/* Each call of a start fails once: the start says so or gets along, and the next one finds everything. */
static bool every_call_of_a_start_fails_once(uint64_t seed, int num)
{
	uint64_t k, n = 1;
	bool ok = true;

	for (k = 1; ok && k <= n; k++) {
		struct world *w = world_new(seed, 0);
		uint64_t from;

		ok = world_open(w) && world_run(w, 200);
		simio_crash_at(world_sim(w), simio_changes(world_sim(w)) + 1);
		world_close(w);
		simio_crash(world_sim(w));
		from = simio_calls(world_sim(w));
		simio_fail_at(world_sim(w), from + k, num);
		ok = ok && (world_open(w) || !world_log(w) || log_failed(world_log(w), NULL) || strstr(world_why(w), "could not"));
		n = simio_calls(world_sim(w)) - from;
		simio_fail_at(world_sim(w), 0, 0);
		world_close(w);
		ok = ok && world_open(w) && world_verify(w) && world_run(w, 10) && world_crash(w);
		ok = finish(w, ok, seed, "failing call of the start", k);
	}
	return ok;
}

static void each_call_of_a_start_may_fail(void **state)
{
	unsigned r;

	for (r = 0; r < rounds(1); r++) {
		assert_true(every_call_of_a_start_fails_once(seed_of(3100 + r), EIO));
		assert_true(every_call_of_a_start_fails_once(seed_of(3200 + r), ENOSPC));
	}
}

static void each_call_may_fail_with_an_io_error(void **state)
{
	assert_true(every_call_fails_once(seed_of(3000), EIO));
}

static void each_call_may_find_the_disk_full(void **state)
{
	assert_true(every_call_fails_once(seed_of(3001), ENOSPC));
}

/* ---- damage ---- */

struct image {
	char path[80];
	uint8_t *bytes;
	size_t len;
};

static unsigned save(struct simio *sim, struct image *to)
{
	unsigned i, n = 0;
	const char *path;

	for (i = 0; (path = simio_name(sim, i)); i++) {
		size_t len;
		uint8_t *p = simio_file(sim, path, &len);

		if (!strstr(path, ".wlog"))
			continue;
		snprintf(to[n].path, sizeof(to[n].path), "%s", path);
		to[n].bytes = mem_alloc(len + 1);
		memcpy(to[n].bytes, p, len);
		to[n++].len = len;
	}
	return n;
}

static void restore(struct simio *sim, const struct image *images, unsigned n)
{
	const char *path;
	unsigned i, k;

	for (i = 0; (path = simio_name(sim, i));) {
		for (k = 0; k < n && strcmp(images[k].path, path) != 0; k++)
			;
		if (k == n && strstr(path, ".wlog"))
			simio_remove(sim, path);
		else
			i++;
	}
	for (k = 0; k < n; k++)
		simio_put(sim, images[k].path, images[k].bytes, images[k].len);
}

/* One bit is turned: the start must refuse, or a read or verify must name the damage, or the damage must have been of no meaning: an index
 * that was built again, or bytes that nothing has. Never may anything that was acknowledged be missing or different. */
static bool flip(struct world *w, const struct image *images, unsigned n, unsigned file, size_t at, unsigned bit, uint64_t *found)
{
	struct simio *sim = world_sim(w);
	size_t len;
	uint8_t *p;
	bool ok;

	restore(sim, images, n);
	p = simio_file(sim, images[file].path, &len);
	p[at] ^= (uint8_t)(1u << bit);
	simio_settle(sim);
	ok = world_open(w) && world_verify(w);
	if (!ok) {
		ok = strstr(world_why(w), "is damaged at byte") || strstr(world_why(w), "a file is missing");
		*found += ok;
	}
	world_close(w);
	return ok;
}

static bool flip_everywhere(uint64_t seed, unsigned bugs, unsigned stride)
{
	struct world *w = world_new(seed, bugs);
	struct image images[200];
	uint64_t found = 0, tried = 0;
	unsigned n, i;
	size_t at = 0;
	bool ok = world_open(w) && world_run(w, 250);

	simio_set_capacity(world_sim(w), 0); /* closed in good order: with a MARK at the end */
	world_close(w);
	simio_settle(world_sim(w));
	n = save(world_sim(w), images);
	ok = ok && world_open(w); /* all that was closed counts as acknowledged now */
	world_close(w);
	for (i = 0; i < n; i++)
		for (at = 0; ok && at < images[i].len; at += stride, tried++)
			ok = flip(w, images, n, i, at, (unsigned)(at / 8 + at) % 8, &found);
	if (!bugs && ok)
		print_message("%llu of %llu bits turned were damage, and found\n", (unsigned long long)found, (unsigned long long)tried);
	if (!bugs)
		ok = ok && found > tried / 2;
	for (i = 0; i < n; i++)
		mem_free(images[i].bytes);
	return finish(w, ok, seed, "flip at byte", at);
}

static void every_turned_bit_below_the_durable_mark_is_found(void **state)
{
	unsigned r;

	for (r = 0; r < rounds(2); r++)
		assert_true(flip_everywhere(seed_of(4000 + r), 0, 5));
}

/* A file taken away is not taken for a shorter log. */
static void a_missing_file_in_the_middle_stops_the_start(void **state)
{
	struct world *w = world_new(seed_of(4100), 0);
	struct image images[200];
	unsigned n, i;

	assert_true(world_open(w) && world_run(w, 400));
	simio_set_capacity(world_sim(w), 0);
	world_close(w);
	simio_settle(world_sim(w));
	n = save(world_sim(w), images);
	assert_true(n > 3);
	for (i = 1; i + 1 < n; i++) {
		restore(world_sim(w), images, n);
		simio_remove(world_sim(w), images[i].path);
		assert_false(world_open(w));
		assert_non_null(strstr(world_why(w), "missing"));
	}
	for (i = 0; i < n; i++)
		mem_free(images[i].bytes);
	world_free(w);
}

/* ---- the tests of the tests ---- */

static bool campaign(unsigned bugs)
{
	unsigned r;

	for (r = 0; r < (bugs ? 200 : 12); r++) {
		if (!random_life(seed_of(5000 + r), 8, bugs, NULL) || !failed_sync_then_restart_then_cut(seed_of(6000 + r), bugs))
			return false;
		if (r < 2 && !flip_everywhere(seed_of(7000 + r), bugs, 11))
			return false;
	}
	return true;
}

/* In a process of its own, as a log with a defect may well run into an assertion. */
static bool is_caught(unsigned bug)
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		/* cmocka would take an abort for its own test's, and go on in this process */
		signal(SIGABRT, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		signal(SIGFPE, SIG_DFL);
		if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
			_exit(9);
		_exit(campaign(bug) ? 0 : 1);
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	assert_true(!WIFEXITED(status) || WEXITSTATUS(status) <= 1);
	return !WIFEXITED(status) || WEXITSTATUS(status) == 1;
}

static void a_log_without_a_defect_is_not_caught(void **state) { assert_false(is_caught(0)); }
static void a_log_that_skips_syncs_is_caught(void **state) { assert_true(is_caught(LOG_BUG_SKIP_SYNC)); }
static void a_log_that_acknowledges_before_the_sync_is_caught(void **state) { assert_true(is_caught(LOG_BUG_ACK_EARLY)); }
static void a_log_that_skips_checksums_is_caught(void **state) { assert_true(is_caught(LOG_BUG_SKIP_CRC)); }
static void a_log_that_does_not_sync_the_directory_is_caught(void **state) { assert_true(is_caught(LOG_BUG_SKIP_DIR_SYNC)); }
static void a_log_that_cuts_damage_off_is_caught(void **state) { assert_true(is_caught(LOG_BUG_CUT_DAMAGE)); }
static void a_log_that_trusts_memory_after_a_failed_sync_is_caught(void **state) { assert_true(is_caught(LOG_BUG_TRUST_CACHE)); }
static void a_log_that_removes_files_too_early_is_caught(void **state) { assert_true(is_caught(LOG_BUG_REMOVE_EARLY)); }
static void a_log_that_tries_a_sync_twice_is_caught(void **state) { assert_true(is_caught(LOG_BUG_RETRY_SYNC)); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_power_cut_in_short_scripts_is_recovered_from),
		cmocka_unit_test(nothing_acknowledged_is_lost_and_nothing_half_is_seen_over_many_lives),
		cmocka_unit_test(what_a_failed_sync_left_in_memory_is_made_durable_by_the_next_start),
		cmocka_unit_test(each_call_may_fail_with_an_io_error),
		cmocka_unit_test(each_call_may_find_the_disk_full),
		cmocka_unit_test(each_call_of_a_start_may_fail),
		cmocka_unit_test(every_turned_bit_below_the_durable_mark_is_found),
		cmocka_unit_test(a_missing_file_in_the_middle_stops_the_start),
		cmocka_unit_test(a_log_without_a_defect_is_not_caught),
		cmocka_unit_test(a_log_that_skips_syncs_is_caught),
		cmocka_unit_test(a_log_that_acknowledges_before_the_sync_is_caught),
		cmocka_unit_test(a_log_that_skips_checksums_is_caught),
		cmocka_unit_test(a_log_that_does_not_sync_the_directory_is_caught),
		cmocka_unit_test(a_log_that_cuts_damage_off_is_caught),
		cmocka_unit_test(a_log_that_trusts_memory_after_a_failed_sync_is_caught),
		cmocka_unit_test(a_log_that_removes_files_too_early_is_caught),
		cmocka_unit_test(a_log_that_tries_a_sync_twice_is_caught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
