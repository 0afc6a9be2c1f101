/*
 * A job as data: which tables it reads, and per INSERT statement a tree of operators over typed expressions.
 *
 * Made by sql_job_plan() (sql/sql.h), executed by module flow, never changed afterwards: any thread may read it. Everything lives in the
 * arena of its `struct sql_job`.
 *
 * Rows are arrays of struct value. Each node says how wide its output row is and what types it has; an expression's column numbers
 * are positions in the row of the node's input (for a join: the left row followed by the right row).
 *
 *	SCAN        the rows of job->tables[table], all of that table's used columns in the order of table->columns
 *	FILTER      input rows for which `predicate` is true (not false, not null)
 *	PROJECT     exprs[i] over the input row
 *	JOIN        inner or left; left_keys[i] = right_keys[i] for all i (a null key matches nothing), and `residual` true over the
 *	            concatenated row. No keys: every pair (a cross join). left_keys are over the left row, right_keys over the right row.
 *	            The two keys of a pair are of one family of value.h, so that equal key bytes mean equal.
 *	AGGREGATE   groups[i], then aggs[i]; with no groups exactly one row, also over no input (unless `grouped`)
 *	DISTINCT    each different input row once
 *	UNION_ALL   the rows of all inputs
 */
#ifndef WALMILL_SQL_PLAN_H
#define WALMILL_SQL_PLAN_H

#include "base/arena.h"
#include "base/tz.h"
#include "model/value.h"

struct sql_fn;   /* one PostgreSQL function, cast or operator that walmill evaluates itself: sql/func.h */

enum sql_expr_kind {
	SQL_COLUMN,         /* column */
	SQL_CONST,          /* constant */
	SQL_CALL,           /* fn(args); a strict fn yields null when an argument is null */
	SQL_AND, SQL_OR,    /* of all args, three-valued */
	SQL_NOT,
	SQL_CASE,           /* when, then, when, then, ..., else */
	SQL_COALESCE,
	SQL_NULLIF,         /* null if fn(args[0], args[1]) is true, else args[0] */
	SQL_IS_NULL, SQL_IS_NOT_NULL,
	SQL_IS_TRUE, SQL_IS_NOT_TRUE, SQL_IS_FALSE, SQL_IS_NOT_FALSE,   /* IS [NOT] UNKNOWN is IS [NOT] NULL */
	SQL_IS_DISTINCT, SQL_IS_NOT_DISTINCT,   /* args[0] IS [NOT] DISTINCT FROM args[1]; fn is their `=` */
	SQL_ANY, SQL_ALL,   /* fn(args[0], args[i]) for some, all i >= 1: IN lists and = ANY (ARRAY[...]) */
	SQL_GREATEST, SQL_LEAST,
	SQL_NOW,            /* now() and its synonyms: the step's clock, timestamptz */
};

/* An enum's labels in their order, as they were when the job was planned. */
struct sql_enum {
	const char *name;
	uint32_t n;
	struct view *labels;
};

struct sql_expr {
	uint8_t kind;           /* enum sql_expr_kind */
	bool uses_clock;        /* SQL_NOW is somewhere below (CURRENT_DATE is a cast of it) */
	struct type type;
	uint32_t column;
	uint32_t nargs;
	struct sql_expr **args;
	const struct sql_fn *fn;
	struct value constant;
	const struct tz *zone;  /* AT TIME ZONE 'name' and its like: the zone, of the cache that planning was given */
	const struct sql_enum *labels;  /* of the enum that fn turns into its place in the order, or back */
	int32_t pos;            /* byte offset in the statement's canonical text, -1 = not known */
};

enum sql_agg_kind { SQL_COUNT_STAR, SQL_COUNT, SQL_SUM, SQL_AVG, SQL_MIN, SQL_MAX, SQL_BOOL_AND, SQL_BOOL_OR };

struct sql_agg {
	enum sql_agg_kind kind;
	bool distinct;
	struct sql_expr *arg;      /* NULL for SQL_COUNT_STAR */
	struct sql_expr *filter;   /* NULL = every row */
	struct type type;          /* of the result */
	int32_t pos;
};

enum sql_node_kind { SQL_SCAN, SQL_FILTER, SQL_PROJECT, SQL_JOIN, SQL_AGGREGATE, SQL_DISTINCT, SQL_UNION_ALL };

struct sql_node {
	enum sql_node_kind kind;
	uint32_t id;               /* 0.. within the statement, inputs before their users: names operator state in checkpoints */
	uint32_t ninputs;
	struct sql_node **inputs;
	uint32_t ncolumns;
	struct type *types;        /* of the output row */
	const char **names;        /* for messages and explain */

	uint32_t table;            /* SCAN: index in job->tables */
	struct sql_expr *predicate;  /* FILTER */
	struct sql_expr **exprs;   /* PROJECT: ncolumns of them; AGGREGATE: the ngroups group expressions */

	bool left;                 /* JOIN: left outer */
	uint32_t nkeys;
	struct sql_expr **left_keys, **right_keys;
	struct sql_expr *residual; /* or NULL */

	bool grouped;              /* AGGREGATE: a GROUP BY was written: no input, no row */
	uint32_t ngroups, naggs;
	struct sql_agg *aggs;
};

struct sql_column {
	const char *name;
	int16_t attnum;
	bool not_null, generated;  /* generated: never in a finished plan, as such columns are not in the stream of changes */
	struct type type;          /* domains resolved to their base */
	const struct sql_enum *labels;  /* of an enum, else NULL */
};

struct sql_table {
	uint32_t oid;
	const char *schema, *name;
	uint32_t ncolumns;         /* the columns that some statement of the job uses, and the primary key's */
	struct sql_column *columns;
	uint32_t npk;              /* 0: no primary key */
	uint32_t *pk;              /* indexes in columns */
};

struct sql_statement {
	struct view text;          /* the SELECT as the user wrote it */
	uint32_t pos;              /* its byte offset in the job file */
	const char *canonical;     /* as pg_get_viewdef() writes it */
	const char *target_schema, *target_table;   /* schema is NULL where the file names none */
	uint32_t ncolumns;         /* = root->ncolumns */
	const char **target_columns;  /* NULL where the INSERT has no column list */
	struct sql_node *root;
	uint32_t nnodes;
	bool uses_clock;
	/* column i is now() and nothing else: "when this row was written", left out of comparisons */
	bool *is_write_time;
};

struct sql_option {
	const char *name, *value;
	uint32_t pos;
};

struct sql_job {
	struct arena arena;
	const struct tz *zone;     /* of now()::date, casts, date_trunc; owned by the caller's tz cache */
	const char *timezone;
	uint32_t ntables;
	struct sql_table *tables;
	uint32_t nstatements;
	struct sql_statement *statements;
	uint32_t noptions;         /* SETs of the file other than timezone */
	struct sql_option *options;
};

/* Whether the node has at most one row whatever the tables hold: an aggregate without GROUP BY, or several of them side by side. */
bool sql_plan_one_row(const struct sql_node *n);

/* Text for `job explain` and golden tests: one line a node, inputs indented below. */
void sql_plan_print(const struct sql_job *job, const struct sql_statement *st, struct buf *b);
void sql_node_print(const struct sql_job *job, const struct sql_node *n, struct buf *b);   /* one node, its inputs left out */
void sql_expr_print(const struct sql_expr *e, struct buf *b);

#endif
