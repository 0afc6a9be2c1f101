/*
 * Queries made from a seed over the workload's tables: filter, project, group, inner and left equi-joins, FROM-subqueries and CTEs,
 * aggregates
 * with FILTER and DISTINCT, HAVING, UNION ALL, subqueries in WHERE, over expressions of every type that events carry. Each has a key.
 *
 * They mean one thing whatever the order of rows: what depends on which of several equal spellings is shown (1.0 and 1.00, '1 mon' and '30
 * days', 0 and -0), on the order in which floats are added, or fails on some values, is not made.
 */
#ifndef WALMILL_TEST_GENJOB_H
#define WALMILL_TEST_GENJOB_H

#include "base/bytes.h"

struct genjob {
	char name[16];
	char *query;
	char *key;      /* columns, or NULL: one row */
};

void genjob_make(struct genjob *g, uint64_t seed, unsigned number);
void genjob_release(struct genjob *g);

#endif
