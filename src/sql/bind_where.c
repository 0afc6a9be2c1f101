/*
 * Binding of WHERE; see bind.h.
 *
 * Subqueries are taken where they stand as conditions of their own, joined to the others by AND:
 *
 *	x IN (SELECT y ...)            an inner join with the distinct y
 *	EXISTS (SELECT ... WHERE ...)  an inner join with the distinct inner sides of the equalities that tie it to the outer row
 *	NOT EXISTS (...)               a left join with the same, of which the rows without a partner stay
 *
 * NOT IN is another thing when a null is among the values, and is refused.
 */
#include "sql/bind.h"

#include <stdio.h>

static const struct type type_bool = {.kind = VALUE_BOOL, .typmod = -1, .oid = 16};

static const struct tree *subquery_of(const struct tree *t, bool *negated)
{
	const struct tree *not = tree_is(t, "BoolExpr");
	const char *op = tree_str(not, "boolop");

	*negated = op && strcmp(op, "NOT_EXPR") == 0;
	return tree_is(*negated ? tree_get(not, "args")->child : t, "SubLink");
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
	if (check_key(b, x, y, tree_pos(t), err) != 0 || bind_distinct(b, sub, &sub, err) != 0)
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
	if (kind && strcmp(kind, "ANY_SUBLINK") == 0 && !negated)
		return bind_in(b, scope, ctes, t, node, err);
	return bind_refuse(b, tree_pos(t), err, negated ? "NOT IN over a subquery" : "a subquery as a value");
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
	struct sql_expr *predicate = NULL;

	if (each_condition(b, scope, ctes, where, &predicate, NULL, err) != 0)
		return -1;
	*node = bind_filter(b, *node, predicate);
	return each_condition(b, scope, ctes, where, NULL, node, err);
}
