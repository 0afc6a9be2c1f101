/*
 * Binding of WHERE; see bind.h.
 *
 * Subqueries are taken where they stand as conditions of their own, joined to the others by AND:
 *
 *	x IN (SELECT y ...)            an inner join with the distinct y
 *	EXISTS (SELECT ... WHERE ...)  an inner join with the distinct inner sides of the equalities that tie it to the outer row
 *	NOT EXISTS (...)               a left join with the same, of which the rows without a partner stay
 *
 *	x NOT IN (SELECT y ...)        the same as NOT EXISTS where no null is about; with a null among the y, or as x, no row unless
 * there is no y
 */
#include "sql/bind.h"

#include <stdio.h>

static const struct type type_bool = {.kind = VALUE_BOOL, .typmod = -1, .oid = 16};

static const struct tree *subquery_of(const struct tree *t, bool *negated)
{
	const struct tree *not = tree_is(t, "BoolExpr"), *sub;
	const char *op = tree_str(not, "boolop"), *kind;

	*negated = op && strcmp(op, "NOT_EXPR") == 0;
	sub = tree_is(*negated ? tree_get(not, "args")->child : t, "SubLink");
	kind = tree_str(sub, "subLinkType");
	/* a value that happens to be a boolean */
	return kind && strcmp(kind, "EXPR_SUBLINK") == 0 ? NULL : sub;
}

/* ---- subqueries as values ---- */

/* The join's right side has a row at most for each key: what IN and EXISTS become. */
static bool finds_one(const struct sql_node *join)
{
	const struct sql_node *r = join->inputs[1];
	uint32_t i, k;

	for (i = 0; i < r->ncolumns; i++) {
		for (k = 0; k < join->nkeys; k++)
			if (join->right_keys[k]->kind == SQL_COLUMN && join->right_keys[k]->column == i)
				break;
		if (k == join->nkeys)
			return false;
	}
	return r->kind == SQL_DISTINCT;
}

bool sql_plan_one_row(const struct sql_node *n)
{
	while (n->kind == SQL_PROJECT || n->kind == SQL_FILTER || n->kind == SQL_DISTINCT)
		n = n->inputs[0];
	if (n->kind == SQL_JOIN)
		return sql_plan_one_row(n->inputs[0]) && (finds_one(n) || sql_plan_one_row(n->inputs[1]));
	return n->kind == SQL_AGGREGATE && !n->grouped;
}

int bind_scalar(struct binder *b, const struct scope *scope, struct agg_list *aggs, const struct tree *t, struct sql_expr **ret,
	struct err *err)
{
	const char *kind = tree_str(t, "subLinkType");
	struct sub_list *subs = scope->subs;
	struct sql_node *sub, **more;

	if (!subs || !kind || strcmp(kind, "EXPR_SUBLINK") != 0 || (aggs && aggs->inside))
		return bind_refuse(b, tree_pos(t), err, "a subquery within an expression");
	if (bind_select(b, tree_is(tree_get(t, "subselect"), "SelectStmt"), subs->ctes, &sub, err) != 0)
		return -1;
	if (sub->ncolumns != 1 || !sql_plan_one_row(sub)) {
		bind_refuse(b, tree_pos(t), err, "a subquery as a value");
		return err_hint(err, "It may be one that has at most one row in any case: an aggregate without GROUP BY.");
	}
	more = arena_alloc(b->arena, (subs->n + 1) * sizeof(*more));
	if (subs->n)
		memcpy(more, subs->nodes, subs->n * sizeof(*more));
	more[subs->n] = sub;
	subs->nodes = more;
	*ret = bind_column(b, SUB_BASE + subs->n++, &sub->types[0], tree_pos(t));
	return 0;
}

struct sql_node *bind_join_subs(struct binder *b, struct sql_node *node, const struct sub_list *subs)
{
	/* no row, as after HAVING, is null */
	for (uint32_t i = 0; i < subs->n; i++)
		node = bind_join_nodes(b, node, subs->nodes[i], true);
	return node;
}

void bind_place_subs(struct sql_expr *e, uint32_t first)
{
	if (e->kind == SQL_COLUMN && e->column >= SUB_BASE)
		e->column = first + (e->column - SUB_BASE);
	for (uint32_t i = 0; i < e->nargs; i++)
		bind_place_subs(e->args[i], first);
}

/* left = right by the types' own equality, of one family: a join key */
static int check_key(struct binder *b, struct sql_expr *l, struct sql_expr *r, int32_t pos, struct err *err)
{
	struct sql_expr *pair[2] = {bind_column(b, 0, &l->type, pos), bind_column(b, 1, &r->type, pos)}, *eq;

	if (bind_operator(b, "=", pair, 2, pos, &eq, err) != 0)
		return -1;
	if (sql_kind_letter((enum value_kind)l->type.kind) != sql_kind_letter((enum value_kind)r->type.kind) || l->uses_clock || r->uses_clock)
		return bind_refuse(b, pos, err, "a subquery compared across types or with the clock");
	return 0;
}

/* The server compares varchar as text, and does not write so where a subquery's column is the one side. */
static int as_text(struct binder *b, struct sql_expr **e, struct err *err)
{
	static const struct type type_text = {.kind = VALUE_TEXT, .typmod = -1, .oid = 25, .collation = 100};

	return (*e)->type.kind == VALUE_VARCHAR ? bind_cast(b, *e, &type_text, (*e)->pos, e, err) : 0;
}

static int bind_in(struct binder *b, const struct scope *scope, const struct cte *ctes, const struct tree *t, struct sql_node **node,
	struct err *err)
{
	const struct tree *op = tree_get(t, "operName");
	struct sql_node *sub, *join;
	struct sql_expr *x, *y;

	if (op && (tree_count(op) != 1 || !tree_str(tree_is(op->child, "String"), "sval") ||
		strcmp(tree_str(tree_is(op->child, "String"), "sval"), "=") != 0))
		return bind_refuse(b, tree_pos(t), err, "this comparison with a subquery");
	if (bind_expr(b, scope, NULL, tree_get(t, "testexpr"), &x, err) != 0 ||
		bind_select(b, tree_is(tree_get(t, "subselect"), "SelectStmt"), ctes, &sub, err) != 0)
		return -1;
	if (sub->ncolumns != 1)
		return bind_refuse(b, tree_pos(t), err, "a subquery of several columns");
	y = bind_column(b, 0, &sub->types[0], tree_pos(t));
	if (as_text(b, &x, err) != 0 || as_text(b, &y, err) != 0 || check_key(b, x, y, tree_pos(t), err) != 0 || bind_distinct(b, sub,
		&sub, err) != 0)
		return -1;
	join = bind_join_nodes(b, *node, sub, false);
	join->nkeys = 1;
	join->left_keys = arena_alloc(b->arena, sizeof(*join->left_keys));
	join->right_keys = arena_alloc(b->arena, sizeof(*join->right_keys));
	join->left_keys[0] = x;
	join->right_keys[0] = y;
	*node = join;
	return 0;
}

/* One row about the subquery's values: is there none, is a null among them. */
static int about_values(struct binder *b, struct sql_node *sub, int32_t pos, struct sql_node **ret, struct err *err)
{
	static const struct type int8 = {.kind = VALUE_INT8, .typmod = -1, .oid = 20};
	struct sql_node *agg = bind_node(b, SQL_AGGREGATE, 1, 2), *p = bind_node(b, SQL_PROJECT, 1, 2);
	struct sql_expr *count[2], *zero = bind_new(b, SQL_CONST, &int8, 0, pos), *pair[2];

	agg->inputs[0] = sub;
	agg->naggs = 2;
	agg->aggs = arena_zalloc(b->arena, 2 * sizeof(*agg->aggs));
	agg->aggs[0] = (struct sql_agg){.kind = SQL_COUNT_STAR, .type = int8, .pos = pos};
	agg->aggs[1] = (struct sql_agg){.kind = SQL_COUNT, .arg = bind_column(b, 0, &sub->types[0], pos), .type = int8, .pos = pos};
	for (uint32_t i = 0; i < 2; i++) {
		agg->types[i] = int8;
		agg->names[i] = "?count?";
		count[i] = bind_column(b, i, &int8, pos);
		p->types[i] = type_bool;
		p->names[i] = i ? "?null?" : "?none?";
	}
	zero->constant = value_int(VALUE_INT8, 0);
	p->inputs[0] = agg;
	p->exprs = arena_alloc(b->arena, 2 * sizeof(*p->exprs));
	pair[0] = count[0];
	pair[1] = zero;
	if (bind_operator(b, "=", pair, 2, pos, &p->exprs[0], err) != 0)
		return -1;
	*ret = p;
	return bind_operator(b, "<>", count, 2, pos, &p->exprs[1], err);
}

static struct sql_expr *test_column(struct binder *b, enum sql_expr_kind kind, struct sql_expr *e)
{
	struct sql_expr *test = bind_new(b, kind, &type_bool, 1, e->pos);

	test->args[0] = e;
	return test;
}

/* bind_in()'s join made an outer one, and of its rows those without a partner; the values are bound once more, for what to do with
 * nulls. */
static int bind_not_in(struct binder *b, const struct scope *scope, const struct cte *ctes, const struct tree *t, struct sql_node **node,
	struct err *err)
{
	struct sql_node *sub, *about;
	struct sql_expr *x, *alone, *none, *any;
	uint32_t width, pair;

	if (bind_expr(b, scope, NULL, tree_get(t, "testexpr"), &x, err) != 0 ||
		bind_select(b, tree_is(tree_get(t, "subselect"), "SelectStmt"), ctes, &sub, err) != 0 ||
		about_values(b, sub, tree_pos(t), &about, err) != 0)
		return -1;
	width = (*node)->ncolumns;
	*node = bind_join_nodes(b, *node, about, false);
	pair = (*node)->ncolumns;
	if (bind_in(b, scope, ctes, t, node, err) != 0)
		return -1;
	(*node)->left = true;
	none = bind_column(b, width, &type_bool, tree_pos(t));
	alone = bind_and(b, test_column(b, SQL_IS_NULL, bind_column(b, pair, &sub->types[0], tree_pos(t))),
		bind_and(b, test_column(b, SQL_IS_NOT_NULL, x), test_column(b, SQL_IS_FALSE, bind_column(b, width + 1, &type_bool, tree_pos(t)))));
	any = bind_new(b, SQL_OR, &type_bool, 2, tree_pos(t));
	any->args[0] = none;
	any->args[1] = alone;
	*node = bind_filter(b, *node, any);
	return 0;
}

/* What an EXISTS subquery's WHERE says, taken apart. */
struct tie {
	struct sql_node *inner;
	uint32_t width;             /* of the inner row */
	struct scope scope;         /* inner columns, then the outer ones behind them */
	uint32_t nkeys;
	struct sql_expr *inner_keys[16], *outer_keys[16];
};

static int take_condition(struct binder *b, struct tie *tie, const struct tree *t, struct err *err)
{
	struct sql_expr *e, *l, *r;
	unsigned side;

	if (bind_expr(b, &tie->scope, NULL, t, &e, err) != 0)
		return -1;
	side = bind_side_of(e, tie->width);
	if (side == SIDE_LEFT || side == SIDE_NONE) {
		tie->inner = bind_filter(b, tie->inner, e);
		return 0;
	}
	if (e->kind != SQL_CALL || !(e->fn->flags & FN_COMPARE) || e->fn->op != '=' || tie->nkeys == 16)
		return bind_refuse(b, e->pos, err, "a subquery tied to the outer query by anything but equalities");
	l = e->args[bind_side_of(e->args[0], tie->width) != SIDE_LEFT];
	r = e->args[bind_side_of(e->args[0], tie->width) == SIDE_LEFT];
	if (bind_side_of(l, tie->width) != SIDE_LEFT || bind_side_of(r, tie->width) != SIDE_RIGHT)
		return bind_refuse(b, e->pos, err, "a subquery tied to the outer query by anything but equalities");
	tie->inner_keys[tie->nkeys] = l;
	tie->outer_keys[tie->nkeys++] = bind_shift(b, r, tie->width);
	return check_key(b, l, r, e->pos, err);
}

static int take_conditions(struct binder *b, struct tie *tie, const struct tree *t, struct err *err)
{
	const char *op = tree_str(tree_is(t, "BoolExpr"), "boolop");

	if (!op || strcmp(op, "AND_EXPR") != 0)
		return take_condition(b, tie, t, err);
	TREE_EACH(arg, tree_get(tree_is(t, "BoolExpr"), "args"))
		if (take_condition(b, tie, arg, err) != 0)
			return -1;
	return 0;
}

/* Grouping, limits and the like change whether there is a row; the select list does not, unless it aggregates. */
static bool is_plain(const struct tree *s)
{
	static const char *const others[] = {"groupClause", "havingClause", "limitCount", "limitOffset", "valuesLists", "withClause",
		"lockingClause"};
	const char *op = tree_str(s, "op");

	if (!op || strcmp(op, "SETOP_NONE") != 0)
		return false;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (tree_get(s, others[i]))
			return false;
	TREE_EACH(target, tree_get(s, "targetList")) {
		const struct tree *value = tree_get(tree_is(target, "ResTarget"), "val");

		if (!tree_is(value, "A_Const") && !tree_is(value, "ColumnRef"))
			return false;
	}
	return true;
}

/* The distinct keys of the inner rows; without keys one row that says "there is one". */
static int distinct_keys(struct binder *b, struct tie *tie, struct sql_node **ret, struct err *err)
{
	uint32_t n = tie->nkeys ? tie->nkeys : 1;
	struct sql_node *p = bind_node(b, SQL_PROJECT, 1, n);

	p->inputs[0] = tie->inner;
	p->exprs = arena_alloc(b->arena, n * sizeof(*p->exprs));
	memcpy(p->exprs, tie->inner_keys, tie->nkeys * sizeof(*p->exprs));
	if (!tie->nkeys) {
		p->exprs[0] = bind_new(b, SQL_CONST, &type_bool, 0, -1);
		p->exprs[0]->constant = value_bool(true);
	}
	for (uint32_t i = 0; i < n; i++) {
		p->types[i] = p->exprs[i]->type;
		p->names[i] = "?key?";
	}
	return bind_distinct(b, p, ret, err);
}

static int bind_exists(struct binder *b, const struct scope *scope, const struct cte *ctes, const struct tree *t, bool negated,
	struct sql_node **node, struct err *err)
{
	const struct tree *s = tree_is(tree_get(t, "subselect"), "SelectStmt"), *where = tree_get(s, "whereClause");
	struct tie tie = {.nkeys = 0};
	struct sql_node *keys, *join;
	struct sql_expr *alone;
	struct scope inner;

	if (!s || !is_plain(s))
		return bind_refuse(b, tree_pos(t), err, "EXISTS over anything but a plain SELECT");
	if (bind_from(b, tree_get(s, "fromClause"), ctes, &tie.inner, &inner, err) != 0)
		return -1;
	tie.width = tie.inner->ncolumns;
	tie.scope = bind_join_scopes(b, &inner, scope, 0, tie.width);
	if ((where && take_conditions(b, &tie, where, err) != 0) || distinct_keys(b, &tie, &keys, err) != 0)
		return -1;
	join = bind_join_nodes(b, *node, keys, negated);
	join->nkeys = tie.nkeys;
	join->left_keys = arena_alloc(b->arena, (tie.nkeys + 1) * sizeof(*join->left_keys));
	join->right_keys = arena_alloc(b->arena, (tie.nkeys + 1) * sizeof(*join->right_keys));
	for (uint32_t i = 0; i < tie.nkeys; i++) {
		join->left_keys[i] = tie.outer_keys[i];
		join->right_keys[i] = bind_column(b, i, &keys->types[i], -1);
	}
	*node = join;
	if (negated) {
		alone = bind_new(b, SQL_IS_NULL, &type_bool, 1, tree_pos(t));
		alone->args[0] = bind_column(b, join->inputs[0]->ncolumns, &keys->types[0], -1);
		*node = bind_filter(b, join, alone);
	}
	return 0;
}

static int bind_subquery(struct binder *b, const struct scope *scope, const struct cte *ctes, const struct tree *t, bool negated,
	struct sql_node **node, struct err *err)
{
	const char *kind = tree_str(t, "subLinkType");

	if (kind && strcmp(kind, "EXISTS_SUBLINK") == 0)
		return bind_exists(b, scope, ctes, t, negated, node, err);
	if (kind && strcmp(kind, "ANY_SUBLINK") == 0)
		return negated ? bind_not_in(b, scope, ctes, t, node, err) : bind_in(b, scope, ctes, t, node, err);
	return bind_refuse(b, tree_pos(t), err, "this form of subquery");
}

/* One pass over the conditions: the plain ones into *predicate, or the subqueries onto *node. */
static int each_condition(struct binder *b, const struct scope *scope, const struct cte *ctes, const struct tree *t,
	struct sql_expr **predicate,
	struct sql_node **node, struct err *err)
{
	const char *op = tree_str(tree_is(t, "BoolExpr"), "boolop");
	const struct tree *sub;
	struct sql_expr *e;
	bool negated;

	if (op && strcmp(op, "AND_EXPR") == 0) {
		TREE_EACH(arg, tree_get(tree_is(t, "BoolExpr"), "args"))
			if (each_condition(b, scope, ctes, arg, predicate, node, err) != 0)
				return -1;
		return 0;
	}
	sub = subquery_of(t, &negated);
	if (sub)
		return node ? bind_subquery(b, scope, ctes, sub, negated, node, err) : 0;
	if (!predicate)
		return 0;
	if (bind_expr(b, scope, NULL, t, &e, err) != 0)
		return -1;
	*predicate = bind_and(b, *predicate, e);
	return 0;
}

int bind_where(struct binder *b, const struct scope *scope, const struct cte *ctes, const struct tree *where, struct sql_node **node,
	struct err *err)
{
	struct sub_list subs = {.ctes = ctes};
	struct sql_expr *predicate = NULL;
	struct scope mine = *scope;
	uint32_t width = (*node)->ncolumns;

	mine.subs = &subs;
	if (each_condition(b, &mine, ctes, where, &predicate, NULL, err) != 0)
		return -1;
	if (subs.n) {
		*node = bind_join_subs(b, *node, &subs);
		bind_place_subs(predicate, width);
	}
	*node = bind_filter(b, *node, predicate);
	return each_condition(b, scope, ctes, where, NULL, node, err);
}
