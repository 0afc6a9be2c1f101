/*
 * Jobs over queries that a generator makes, under the random workload: each target equals its query by PostgreSQL's EXCEPT ALL and by the
 * job's own verify.
 *
 * WALMILL_SEED chooses the first seed, WALMILL_SEEDS how many, WALMILL_JOBS how many queries for each; WALMILL_SHOW prints them.
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
#include "base/thread.h"
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

/* Verifies one job after another, on a thread of its own: the workload goes on meanwhile. */
struct verifier {
	struct thread thread;
	struct job **jobs;
	unsigned n, bad;         /* bad: index + 1 of the first that is not equal */
	struct buf text;
	struct lock lock;
	bool done;
};

static void verify_all(void *arg)
{
	struct verifier *v = arg;
	unsigned i;

	for (i = 0; i < v->n && !v->bad; i++) {
		struct job_verdict verdict;
		struct err err = ERR_INIT;

		if (!v->jobs[i])
			continue;
		if (job_verify(v->jobs[i], &verdict, &v->text, &err)) {
			v->bad = i + 1;
			buf_printf(&v->text, "%s | %s", err.text, err.detail);
		} else if (!verdict.equal) {
			v->bad = i + 1;
		}
	}
	lock_take(&v->lock);
	v->done = true;
	lock_drop(&v->lock);
}

static void verify_under_load(struct job **jobs, const struct workload_view *views, unsigned n)
{
	struct verifier v = {.jobs = jobs, .n = n, .text = BUF_INIT(1 << 20)};
	bool done;

	lock_init(&v.lock);
	thread_start(&v.thread, "verifier", verify_all, &v);
	do {
		workload_run(&l, 1);
		lock_take(&v.lock);
		done = v.done;
		lock_drop(&v.lock);
	} while (!done);
	thread_join(&v.thread);
	lock_release(&v.lock);
	if (v.bad)
		fail_msg("%s: %s\n%s", views[v.bad - 1].name, buf_cstr(&v.text), views[v.bad - 1].query);
	buf_release(&v.text);
}

static void compare_all(struct job **jobs, const struct workload_view *views, unsigned n)
{
	lsn_t mark = workload_mark(&l);
	unsigned i;

	for (i = 0; i < n; i++) {
		if (!jobs[i])
			continue;
		workload_wait(&l, jobs[i], mark);
		workload_compare(&l, &views[i]);
	}
}

/* Empty targets show little. */
static bool has_rows(const struct workload_view *v)
{
	char *sql, *text;
	bool any;

	assert_true(asprintf(&sql, "SELECT count(*) FROM kept.%s", v->name) > 0);
	text = world_value(&w, sql);
	any = strcmp(text, "0") != 0;
	if (getenv("WALMILL_SHOW"))
		fprintf(stderr, "%s: %s rows, key %s\n%s\n", v->name, text, v->key ? v->key : "none", v->query);
	free(text);
	free(sql);
	return any;
}

/* The forms of events that keep every value, one after another. */
static void choose_forms(uint64_t seed)
{
	switch (seed % 4) {
	case 0:
		world_setting(&w, "decimal.handling.mode", "precise");
		world_setting(&w, "time.precision.mode", "microseconds");
		world_setting(&w, "binary.handling.mode", "hex");
		world_setting(&w, "value.converter.schemas.enable", "true");
		break;
	case 1:
		world_setting(&w, "transforms", "unwrap");
		world_setting(&w, "transforms.unwrap.type", "io.debezium.transforms.ExtractNewRecordState");
		world_setting(&w, "transforms.unwrap.delete.tombstone.handling.mode", "rewrite");
		world_setting(&w, "time.precision.mode", "adaptive_time_microseconds");
		break;
	case 2:
		world_setting(&w, "time.precision.mode", "nanoseconds");
		world_setting(&w, "binary.handling.mode", "base64-url-safe");
		world_setting(&w, "key.converter.schemas.enable", "true");
		break;
	default:
		break;
	}
}

static void run_seed(uint64_t seed, unsigned n, unsigned *ret_accepted, unsigned *ret_with_rows)
{
	struct genjob *made = mem_zalloc(n * sizeof(*made));
	struct workload_view *views = mem_zalloc(n * sizeof(*views));
	struct job **jobs = mem_zalloc(n * sizeof(*jobs));
	unsigned i, batch;

	world_start(&w, workload_schema, WORKLOAD_TABLES);
	choose_forms(seed);
	workload_init(&l, &w);
	l.tame = seed % 4 == 2; /* nanoseconds */
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
		/* some stop for a while, or begin anew from the tables, at any moment */
		for (i = 0; i < n; i++) {
			if (!jobs[i] || workload_below(&l, 4))
				continue;
			if (workload_below(&l, 3))
				job_pause(jobs[i]);
			else
				job_repair(jobs[i]);
			workload_run(&l, 2);
		}
		/* the last ones find nothing, and then something again */
		if (batch == BATCHES - 1)
			world_sql(&w, "TRUNCATE shop.orders, shop.customers, shop.items, shop.people, shop.events");
		workload_run(&l, TRANSACTIONS);
		for (i = 0; i < n; i++)
			if (jobs[i])
				job_resume(jobs[i]);
		compare_all(jobs, views, n);
		for (i = 0; i < n && batch == 1; i++)
			if (jobs[i])
				*ret_with_rows += has_rows(&views[i]);
	}
	verify_under_load(jobs, views, n);
	compare_all(jobs, views, n);
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
	unsigned seed = number_of("WALMILL_SEED", 1), seeds = number_of("WALMILL_SEEDS", 2), n = number_of("WALMILL_JOBS", 25), ok = 0,
		with_rows = 0, i;

	for (i = 0; i < seeds; i++) {
		fprintf(stderr, "WALMILL_SEED=%u WALMILL_SEEDS=1 WALMILL_JOBS=%u\n", seed + i, n);
		run_seed(seed + i, n, &ok, &with_rows);
	}
	fprintf(stderr, "%u of %u queries accepted, %u with rows\n", ok, n * seeds, with_rows);
	assert_true(ok * 10 > n * seeds * 7);
	assert_true(with_rows * 3 > n * seeds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_equal_whatever_query_a_generator_makes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
