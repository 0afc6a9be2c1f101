/* Many jobs over a random workload: after every batch each target equals its SQL, by the job's own verify and by PostgreSQL's EXCEPT
 * ALL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "workload.h"

enum { BATCHES = 4, TRANSACTIONS = 60 };

static void check_all(struct workload *l, struct job **jobs, bool verify)
{
	lsn_t mark = workload_mark(l);
	size_t i;

	for (i = 0; i < workload_nviews; i++) {
		workload_wait(l, jobs[i], mark);
		workload_compare(l, &workload_views[i]);
		if (verify)
			world_verify(l->w, jobs[i]);
	}
}

static void every_target_equals_its_query_after_every_batch(void **state)
{
	struct job **jobs = mem_zalloc(workload_nviews * sizeof(*jobs));
	static struct workload l;
	static struct world w;
	unsigned batch;
	size_t i;

	world_start(&w, workload_schema, WORKLOAD_TABLES);
	workload_init(&l, &w);
	workload_run(&l, TRANSACTIONS);
	world_connect(&w);
	for (i = 0; i < workload_nviews; i++)
		jobs[i] = workload_job(&l, &workload_views[i]);
	check_all(&l, jobs, false);
	for (batch = 0; batch < BATCHES; batch++) {
		workload_run(&l, TRANSACTIONS);
		check_all(&l, jobs, batch == BATCHES - 1);
	}
	world_sql(&w, "TRUNCATE shop.orders, shop.customers, shop.items, shop.people");
	check_all(&l, jobs, false);
	workload_run(&l, TRANSACTIONS);
	check_all(&l, jobs, false);
	for (i = 0; i < workload_nviews; i++)
		job_free(jobs[i]);
	mem_free(jobs);
	world_stop(&w);
}

/* Jobs stop and start at any moment: each goes on from its own position. */
static void jobs_that_stop_and_start_at_random_end_equal(void **state)
{
	struct job **jobs = mem_zalloc(workload_nviews * sizeof(*jobs));
	static struct workload l;
	static struct world w;
	unsigned round;
	size_t i;

	world_start(&w, workload_schema, WORKLOAD_TABLES);
	workload_init(&l, &w);
	workload_run(&l, TRANSACTIONS / 2);
	world_connect(&w);
	for (i = 0; i < workload_nviews; i++)
		jobs[i] = workload_job(&l, &workload_views[i]);
	for (round = 0; round < 40; round++) {
		struct job *j = jobs[workload_below(&l, (uint32_t)workload_nviews)];

		switch (workload_below(&l, 4)) {
		case 0:
			job_pause(j);
			break;
		case 1:
			job_repair(j);
			break;
		default:
			job_resume(j);
			break;
		}
		workload_run(&l, 3);
	}
	for (i = 0; i < workload_nviews; i++)
		job_resume(jobs[i]);
	check_all(&l, jobs, false);
	for (i = 0; i < workload_nviews; i++)
		job_free(jobs[i]);
	mem_free(jobs);
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_target_equals_its_query_after_every_batch),
		cmocka_unit_test(jobs_that_stop_and_start_at_random_end_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
