/*
 * Binding: the canonical text's parse tree to typed expressions and plan nodes. Shared by the files bind_*.c and job.c; nobody else
 * includes this.
 *
 * A statement is bound twice: the first time to learn which columns of which tables it uses (and rows' layouts are then still growing),
 * the second
 * time, with that settled, for the plan.
 */
#ifndef WALMILL_SQL_BIND_H
#define WALMILL_SQL_BIND_H

#include "sql/catalog.h"
#include "sql/func.h"
#include "sql/tree.h"

/* One column that an expression can name, and where it is in the row. */
struct scope_column {
	const char *relation, *name;
	uint32_t index;
	bool hidden;            /* the other half of a USING column: only by its qualified name */
	bool *used;             /* a table's column: set when it is named */
	bool generated;
	struct type type;
};

/* Subqueries that are values, each of at most one row and one column: in expressions they are columns from SUB_BASE on. */
struct sub_list {
	const struct cte *ctes;         /* what they can see */
	uint32_t n;
	struct sql_node **nodes;
};

struct scope {
	uint32_t n;
	struct scope_column *columns;
	struct sub_list *subs;          /* NULL where a subquery cannot be a value */
};

/* A WITH query, visible in the statements below it. */
struct cte {
	const char *name;
	const struct tree *query;       /* SelectStmt */
	const struct tree *columns;     /* list of names, or NULL */
	const struct cte *outer;        /* what the query itself can see, and the next to look at */
};

/* Aggregates of the select list that is being bound: they appear in expressions as columns from AGG_BASE on. */
struct agg_list {
	bool allowed, inside;
	uint32_t n;
	struct sql_agg *aggs;
};

enum { AGG_BASE = 1 << 20, SUB_BASE = 1 << 21, NODES_MAX = 2000, AGGS_MAX = 1000 };

struct binder {
	struct sql_job *job;
	struct arena *arena;            /* the job's */
	struct catalog *catalog;
	struct sql_eval fold;           /* for constants */
	struct sql_statement *st;
	const char *text;               /* the canonical text that positions refer to */
	uint32_t nnodes, depth;
	bool **used;                    /* per table of the job and column, in the first pass */
};

/* A query's node with the names of its columns. */
int bind_select(struct binder *b, const struct tree *select, const struct cte *ctes, struct sql_node **ret, struct err *err) WM_MUST_USE;

/* An expression over the scope's row. aggs NULL: aggregates are not allowed here. */
int bind_expr(struct binder *b, const struct scope *scope, struct agg_list *aggs, const struct tree *t, struct sql_expr **ret,
	struct err *err) WM_MUST_USE;
int bind_call(struct binder *b, const struct scope *scope, struct agg_list *aggs, const struct tree *call, struct sql_expr **ret,
	struct err *err) WM_MUST_USE;

struct sql_expr *bind_new(struct binder *b, enum sql_expr_kind kind, const struct type *type, uint32_t nargs, int32_t pos);
struct sql_expr *bind_column(struct binder *b, uint32_t index, const struct type *type, int32_t pos);
/* A call whose arguments are bound: checks text order and zones, folds constants. */
int bind_fn(struct binder *b, const struct sql_fn *fn, const struct type *result, struct sql_expr **args, uint32_t n, int32_t pos,
	struct sql_expr **ret,
			struct err *err) WM_MUST_USE;
/* enum_rank(e) and enum_label(e, of that type): what enums are ordered by, and back. */
int bind_enum_rank(struct binder *b, struct sql_expr *e, int32_t pos, struct sql_expr **ret, struct err *err) WM_MUST_USE;
int bind_enum_label(struct binder *b, struct sql_expr *e, const struct type *type, int32_t pos, struct sql_expr **ret,
	struct err *err) WM_MUST_USE;
int bind_cast(struct binder *b, struct sql_expr *e, const struct type *to, int32_t pos, struct sql_expr **ret, struct err *err) WM_MUST_USE;
/* The operator as the catalog resolves it, over bound arguments. */
int bind_operator(struct binder *b, const char *name, struct sql_expr **args, uint32_t n, int32_t pos, struct sql_expr **ret,
	struct err *err) WM_MUST_USE;
/* The text types' order must be that of bytes. */
int bind_need_order(struct binder *b, const struct type *type, int32_t pos, struct err *err) WM_MUST_USE;
int bind_need_equality(struct binder *b, const struct type *type, int32_t pos, struct err *err) WM_MUST_USE;
int bind_type_name(struct binder *b, const struct tree *name, struct type *ret, bool *ret_array, struct err *err) WM_MUST_USE;

bool bind_same(const struct sql_expr *a, const struct sql_expr *b);
/* Fills *low and *high with the smallest and largest column used; false when none is. */
bool bind_columns_used(const struct sql_expr *e, uint32_t *low, uint32_t *high);
struct sql_expr *bind_shift(struct binder *b, const struct sql_expr *e, uint32_t by);   /* a copy with every column moved down by `by` */
struct sql_expr *bind_and(struct binder *b, struct sql_expr *x, struct sql_expr *y);    /* either may be NULL */

struct sql_node *bind_node(struct binder *b, enum sql_node_kind kind, uint32_t ninputs, uint32_t ncolumns);
/* A filter, pushed into joins below as far as it goes, equalities becoming join keys. predicate may be NULL. */
struct sql_node *bind_filter(struct binder *b, struct sql_node *n, struct sql_expr *predicate);
struct sql_node *bind_join_nodes(struct binder *b, struct sql_node *l, struct sql_node *r, bool left);
/* Both scopes' columns in one, their places in the row moved by first_at and second_at; a name found in both is the first's. */
struct scope bind_join_scopes(struct binder *b, const struct scope *first, const struct scope *second, uint32_t first_at,
	uint32_t second_at);
/* Which side of a row whose left part has that width the expression looks at. */
enum side { SIDE_NONE = 0, SIDE_LEFT = 1, SIDE_RIGHT = 2, SIDE_BOTH = 3 };
unsigned bind_side_of(const struct sql_expr *e, uint32_t left_width);
/* WHERE: plain conditions, and IN (SELECT ...), EXISTS and NOT EXISTS as joins with the subquery's distinct keys. The row stays the
 * scope's;
 * columns behind it are nobody's. */
int bind_where(struct binder *b, const struct scope *scope, const struct cte *ctes, const struct tree *where, struct sql_node **node,
	struct err *err) WM_MUST_USE;
/* (SELECT ...) as a value of an expression. */
int bind_scalar(struct binder *b, const struct scope *scope, struct agg_list *aggs, const struct tree *t, struct sql_expr **ret,
	struct err *err) WM_MUST_USE;
/* The subqueries of an expression that was bound over `node` become further columns of the node, in the expression too. */
struct sql_node *bind_join_subs(struct binder *b, struct sql_node *node, const struct sub_list *subs);
void bind_place_subs(struct sql_expr *e, uint32_t first);
int bind_distinct(struct binder *b, struct sql_node *input, struct sql_node **ret, struct err *err) WM_MUST_USE;
int bind_from(struct binder *b, const struct tree *from, const struct cte *ctes, struct sql_node **ret, struct scope *scope,
	struct err *err) WM_MUST_USE;

/* ERR_UNSUPPORTED: "<what> is not supported in a job: "<fragment>"", with the place in the user's text in the detail. */
int bind_refuse(struct binder *b, int32_t pos, struct err *err, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
