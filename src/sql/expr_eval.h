/*
 * Evaluation of expressions over a row, with PostgreSQL's results and PostgreSQL's errors.
 *
 * sql_prog_compile() prepares a tree once (functions, zones and fields resolved); sql_prog_run() evaluates it. A program is
 * immutable and may be run by several threads, each with its own `struct sql_eval`. Values of the result borrow from the row, from
 * the program's constants or from eval->arena, which the caller resets as it likes between rows. The usual path (integers,
 * timestamps, comparisons, numerics below 38 digits) does not allocate.
 */
#ifndef WALMILL_SQL_EXPR_EVAL_H
#define WALMILL_SQL_EXPR_EVAL_H

#include "sql/plan.h"

struct sql_prog;

struct sql_eval {
	struct arena *arena;
	const struct tz *zone;     /* the job's */
	struct tz_cache *zones;    /* for AT TIME ZONE with a zone name */
	int64_t now_us;            /* the step's clock, microseconds since 2000-01-01 UTC */
};

struct sql_prog *sql_prog_compile(struct arena *a, const struct sql_expr *e);

/* -1 with ERR_DATA, the server's SQLSTATE and message, when SQL refuses the value. */
int sql_prog_run(const struct sql_prog *p, struct sql_eval *ev, const struct value *row, struct value *ret, struct err *err) WM_MUST_USE;

/* A predicate: *ret is true only for SQL's true. */
int sql_prog_test(const struct sql_prog *p, struct sql_eval *ev, const struct value *row, bool *ret, struct err *err) WM_MUST_USE;

/*
 * The clock. The first instant after ev->now_us at which the program's result over this row may differ from its result now, or TZ_NEVER.
 * Never too
 * late; it may be too early (by at most 15 minutes near a change of the zone's offset), so that the caller evaluates again then. now_us +
 * 1 for an
 * expression that changes continuously (sql_expr_clock() says which do).
 */
int64_t sql_prog_next_change(const struct sql_prog *p, struct sql_eval *ev, const struct value *row);

enum sql_clock {
	SQL_CLOCK_NONE,         /* does not depend on the clock */
	SQL_CLOCK_STEPS,        /* constant between instants that sql_prog_next_change() finds */
	SQL_CLOCK_CONTINUOUS,   /* now() - started_at: another result at every instant */
};
enum sql_clock sql_expr_clock(const struct sql_expr *e);

/*
 * Whether e is `row_side <op> clock_side` (either way round), where row_side does not use the clock and clock_side uses no column: the
 * form that flow
 * may keep in buckets by row_side's value. op is '=', '<', '>', 'l' (<=), 'g' (>=), 'n' (<>), as seen with row_side on the left.
 */
struct sql_clock_cmp {
	char op;
	const struct sql_expr *row_side, *clock_side;
};
bool sql_expr_clock_cmp(const struct sql_expr *e, struct sql_clock_cmp *ret);

#endif
