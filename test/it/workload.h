/*
 * A seeded random workload over four tables with everything that is awkward in them: NULLs, NaN and infinities, numerics at their ends,
 * ties, duplicates, keys that change, transactions over several tables, savepoints rolled back, TRUNCATE. And queries over them that jobs
 * keep.
 *
 * The seed is WALMILL_SEED or fixed, and printed. Main thread of a test.
 */
#ifndef WALMILL_TEST_WORKLOAD_H
#define WALMILL_TEST_WORKLOAD_H

#include "world.h"

extern const char workload_schema[];   /* schemas shop (source tables) and kept (target tables) */
#define WORKLOAD_TABLES "shop\\\\..*"

struct workload_view {
	const char *name;
	const char *key;      /* columns; NULL: one row */
	const char *query;
};
extern const struct workload_view workload_views[];
extern const size_t workload_nviews;

struct workload {
	struct world *w;
	uint64_t random;
	bool tame;             /* no instants that nanoseconds cannot reach */
	unsigned truncates;    /* one transaction in so many truncates something; 0 = none */
};

void workload_init(struct workload *l, struct world *w);
/* A world with the workload's schema, and a workload in it; more_config: further keys of the connector, beginning with a comma, or "". */
void workload_begin(struct workload *l, struct world *w, const char *more_config);
const struct workload_view *workload_view_of(const char *name);
void workload_run(struct workload *l, unsigned transactions);
uint32_t workload_below(struct workload *l, uint32_t n);

/* Target table kept.NAME and a job of that name; the job is not waited for. */
struct job *workload_job(struct workload *l, const struct workload_view *v);
/* One more small transaction; returns a position that it commits above. */
lsn_t workload_mark(struct workload *l);
/* Waits until the job has written what committed up to the mark; then target and query must be equal, both ways, as sets with
 * duplicates. */
void workload_wait(struct workload *l, struct job *j, lsn_t mark);
void workload_compare(struct workload *l, const struct workload_view *v);
/* Mark, wait, compare. */
void workload_settle(struct workload *l, struct job *j, const struct workload_view *v);

#endif
