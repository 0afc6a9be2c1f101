/*
 * Jobs over queries that a generator makes, under the random workload: each target equals its query by PostgreSQL's EXCEPT ALL and by the
 * job's own verify.
 *
 * WALMILL_SEED chooses the first seed, WALMILL_SEEDS how many, WALMILL_JOBS how many queries for each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "genjob.h"
#include "workload.h"

enum { WAIT_US = 20000000, BATCHES = 3, TRANSACTIONS = 40 };

static struct world w;
static struct workload l;

static unsigned number_of(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);

	return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

/* What a job may refuse of what the generator makes. */
static bool may_be_refused(const struct err *err)
{
	static const char *const texts[] = {"is nested too deeply", "a subquery compared across types"};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (strstr(err->text, texts[i]))
			return true;
	return false;
}

/* Waits until the job is planned and follows; false when it was refused, which must be for a reason of the list. */
static bool accepted(struct job *j, const struct workload_view *v)
{
	int64_t deadline = io_monotonic_us(io_system()) + WAIT_US;

	for (;;) {
		uint64_t seen = wake_seen(&w.wake);
		struct job_status s;

		job_status(j, &s);
		if (s.state == JOB_RUNNING)
			return true;
		if (s.state == JOB_FAILED && may_be_refused(&s.error))
			return false;
		if (s.state == JOB_FAILED || s.state == JOB_DEGRADED || io_monotonic_us(io_system()) > deadline)
			fail_msg("job is %s: %s | %s\n%s", job_state_name(s.state), s.error.text, s.error.detail, v->query);
		wake_wait(&w.wake, seen, 10000);
	}
}

static void compare(const struct workload_view *v, struct job *j, lsn_t mark, bool verify)
{
	workload_wait(&l, j, mark);
	workload_compare(&l, v);
	if (verify)
		world_verify(&w, j);
}

static void run_seed(uint64_t seed, unsigned n, unsigned *ret_accepted)
{
	struct genjob *made = mem_zalloc(n * sizeof(*made));
	struct workload_view *views = mem_zalloc(n * sizeof(*views));
	struct job **jobs = mem_zalloc(n * sizeof(*jobs));
	unsigned i, batch;

	world_start(&w, workload_schema, WORKLOAD_TABLES);
	workload_init(&l, &w);
	l.random += seed;
	workload_run(&l, TRANSACTIONS * 2);
	world_connect(&w);
	for (i = 0; i < n; i++) {
		genjob_make(&made[i], seed, i);
		views[i] = (struct workload_view){made[i].name, made[i].key, made[i].query};
		jobs[i] = workload_job(&l, &views[i]);
	}
	for (i = 0; i < n; i++) {
		if (accepted(jobs[i], &views[i])) {
			++*ret_accepted;
			continue;
		}
		job_free(jobs[i]);
		jobs[i] = NULL;
	}
	for (batch = 0; batch < BATCHES; batch++) {
		lsn_t mark;

		/* the last ones find nothing, and then something again */
		if (batch == BATCHES - 1)
			world_sql(&w, "TRUNCATE shop.orders, shop.customers, shop.items, shop.people, shop.events");
		workload_run(&l, TRANSACTIONS);
		mark = workload_mark(&l);
		for (i = 0; i < n; i++)
			if (jobs[i])
				compare(&views[i], jobs[i], mark, batch == 1);
	}
	for (i = 0; i < n; i++) {
		job_free(jobs[i]);
		genjob_release(&made[i]);
	}
	mem_free(jobs);
	mem_free(views);
	mem_free(made);
	world_stop(&w);
}

static void targets_equal_whatever_query_a_generator_makes(void **state)
{
	unsigned seed = number_of("WALMILL_SEED", 1), seeds = number_of("WALMILL_SEEDS", 2), n = number_of("WALMILL_JOBS", 25), ok = 0, i;

	for (i = 0; i < seeds; i++) {
		fprintf(stderr, "WALMILL_SEED=%u WALMILL_SEEDS=1 WALMILL_JOBS=%u\n", seed + i, n);
		run_seed(seed + i, n, &ok);
	}
	fprintf(stderr, "%u of %u queries accepted\n", ok, n * seeds);
	assert_true(ok * 10 > n * seeds * 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_equal_whatever_query_a_generator_makes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
