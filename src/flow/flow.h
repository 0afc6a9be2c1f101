/*
 * The engine of one job: rows of source tables in, changed result rows out, one step per source transaction.
 *
 *	flow_step_begin(f, now)        the clock moves on; results that time moves are moved
 *	flow_upsert / flow_delete ...  any number of row changes, in any order of tables
 *	flow_step_end(f)               results are rendered from state
 *	flow_changes(f, ...)           what differs from what was written last
 *	flow_written(f)                the caller has written them (durably enough): they are what was written last
 *
 * A step that is not written yet may be followed by further steps: changes then are those of all of them together. When a value makes the
 * SQL fail (division by zero, two result rows with one key), flow_failed() says so; state goes on being folded, and once the value is gone,
 * changes are again what differs from what was written last.
 *
 * Every row counts with a weight; a change is the old row taken away and the new one added (DBSP: Budiu et al., PVLDB 16(7), 2023).
 * Filters, projections and joins pass weighted rows on at once; aggregates fold them and pass their old and new row on when the step ends.
 * So a source row may be changed any number of times within a step, and only the outcome is ever visible.
 *
 * The clock: an expression over now() is evaluated at the step's clock; rows for which it will change later wait in a heap by the instant
 * of the change (flow_next_tick()). State is a function of table contents and clock, never of history.
 *
 * One thread. Rows handed in are copied.
 */
#ifndef WALMILL_FLOW_FLOW_H
#define WALMILL_FLOW_FLOW_H

#include "sql/plan.h"

struct flow;

/* keys[s]: which columns of statement s identify a result row, as indexes; nkeys[s] = 0: at most one row. Refuses plans whose use of the
 * clock it cannot follow (ERR_UNSUPPORTED). The job must outlive the flow. */
struct flow_key {
	const uint32_t *columns;
	uint32_t n;
};
int flow_new(const struct sql_job *job, struct tz_cache *zones, const struct flow_key *keys, size_t memory_max, struct flow **ret,
	struct err *err) WM_MUST_USE;
void flow_free(struct flow *f);

/* now_us: since 2000-01-01 UTC; not before the last one. */
int flow_step_begin(struct flow *f, int64_t now_us, struct err *err) WM_MUST_USE;

/* row: job->tables[table].ncolumns values. unchanged (may be NULL): columns whose value stays what it was in the row of that key, or, where
 * there is none, in the row that was deleted just before (its key has changed). ERR_STATE when there is neither; nothing changed then. */
int flow_upsert(struct flow *f, uint32_t table, const struct value *row, const bool *unchanged, struct err *err) WM_MUST_USE;
int flow_delete(struct flow *f, uint32_t table, const struct value *row, struct err *err) WM_MUST_USE; /* the primary key's columns count */
int flow_clear(struct flow *f, uint32_t table, struct err *err) WM_MUST_USE;                          /* truncate, or a new snapshot */

/* ERR_LIMIT when the state is over its budget. */
int flow_step_end(struct flow *f, struct err *err) WM_MUST_USE;

/* True when some value makes the SQL fail now; *err (may be NULL) is the first such failure. */
bool flow_failed(const struct flow *f, struct err *err);

/* One changed result row; row NULL: to be deleted (key says which). Values live until the iteration's next call. */
struct flow_change {
	const struct value *key;   /* keys[s].n values */
	const struct value *row;   /* statement's ncolumns values */
};

struct flow_cursor {
	size_t pos;
	struct arena arena;
};

/* Changes of one statement, in no order; *c zeroed before the first call and released by flow_cursor_release. 1 = *ret set, 0 = no more. */
int flow_next_change(struct flow *f, uint32_t statement, struct flow_cursor *c, struct flow_change *ret);
void flow_cursor_release(struct flow_cursor *c);
size_t flow_change_count(const struct flow *f);   /* result keys touched since the last flow_written: an upper bound */
void flow_written(struct flow *f);

/* Every result row as it is now: what verify and repair compare; same shape as flow_next_change, row never NULL. */
int flow_next_result(struct flow *f, uint32_t statement, struct flow_cursor *c, struct flow_change *ret);

/* First instant after the last step's clock at which results may change with no event; TZ_NEVER when time moves nothing. */
int64_t flow_next_tick(const struct flow *f);

struct flow_stats {
	size_t bytes;               /* state */
	uint64_t source_rows, result_rows, timers;
	uint64_t upserts, deletes, ticks, steps;
};
void flow_stats(const struct flow *f, struct flow_stats *ret);

/* What went through since the flow was made, and what is kept: a changed row counts twice, as the old one taken away and the new one added,
 * but for rows_in of a table, which counts changes. */
struct flow_op_stats {
	uint64_t rows_in, rows_out, state_rows;
	size_t state_bytes;
};
void flow_table_stats(const struct flow *f, uint32_t table, struct flow_op_stats *ret);
void flow_node_stats(const struct flow *f, uint32_t statement, uint32_t node, struct flow_op_stats *ret); /* no SCAN: see its table */
void flow_result_stats(const struct flow *f, uint32_t statement, struct flow_op_stats *ret);             /* rows_in: rows of the result */

/*
 * Source rows in stored form (value_store, column after column), for checkpoints: all other state is rebuilt by putting them in again.
 *
 * A dump goes in pieces of about n rows, with changes between them: *from begins at 0; false when that was the last piece. A row that is
 * not changed meanwhile is in it exactly once, one that is may be there as before or after, or not at all when it came or went. So a dump
 * is made right by folding the changes since its beginning on top; but a row that comes under a new key with values left unchanged must be
 * added to it (flow_stored), as it may be in it under neither key.
 */
bool flow_dump(const struct flow *f, uint32_t table, uint64_t *from, size_t n, void (*fn)(void *arg, struct view stored), void *arg);
int flow_restore(struct flow *f, uint32_t table, struct view stored, struct err *err) WM_MUST_USE;
/* The row of that primary key in stored form, until the next change; false when it is not known. */
bool flow_stored(struct flow *f, uint32_t table, const struct value *row, struct view *ret);

#endif
