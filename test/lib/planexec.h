/*
 * Plans run the plainest way: every table whole in memory, nested loops, no increments. The judge of module sql's plans (against the
 * server) and of module flow's operators.
 */
#ifndef WALMILL_TEST_PLANEXEC_H
#define WALMILL_TEST_PLANEXEC_H

#include "sql/expr_eval.h"
#include "sql/plan.h"

struct rowset {
	uint32_t n, width;
	struct value *values;   /* row by row */
};

/* tables[i] holds the rows of job->tables[i] in the layout of its columns. Rows and values are in ev->arena. */
int planexec_run(const struct sql_job *job, const struct sql_node *node, const struct rowset *tables, struct sql_eval *ev,
	struct rowset *ret,
				 struct err *err) WM_MUST_USE;

/* One line a row, columns joined by '|', null as \N; sorted. */
const char *planexec_text(const struct rowset *rows, const struct sql_eval *ev);

#endif
