/* Binding of SELECT: grouping, select lists, set operations; see bind.h. */
#include "sql/bind.h"

/* ---- grouping ---- */

struct grouping {
	struct binder *b;
	struct sql_expr **groups;
	uint32_t n;
	uint32_t naggs;
	bool any;           /* a GROUP BY was written */
};

static void add_group(struct grouping *g, struct sql_expr *e)
{
	struct sql_expr **more = arena_alloc(g->b->arena, (g->n + 1) * sizeof(*more));

	if (g->n)
		memcpy(more, g->groups, g->n * sizeof(*more));
	more[g->n++] = e;
	g->groups = more;
}

/* First pass: a column that is neither grouped nor within an aggregate depends on a grouped primary key (the server has seen to that):
 * grouping by it too
 * changes nothing. */
static void collect_ungrouped(struct grouping *g, struct sql_expr *e)
{
	for (uint32_t i = 0; i < g->n; i++)
		if (bind_same(g->groups[i], e))
			return;
	if (e->kind == SQL_COLUMN && e->column < AGG_BASE)
		add_group(g, e);
	for (uint32_t i = 0; i < e->nargs; i++)
		collect_ungrouped(g, e->args[i]);
}

/* Second pass: over the aggregate's output row. */
static struct sql_expr *over_groups(struct grouping *g, struct sql_expr *e)
{
	struct sql_expr *copy;

	for (uint32_t i = 0; i < g->n; i++)
		if (bind_same(g->groups[i], e))
			return bind_column(g->b, i, &e->type, e->pos);
	if (e->kind == SQL_COLUMN && e->column >= SUB_BASE)
		return bind_column(g->b, g->n + g->naggs + e->column - SUB_BASE, &e->type, e->pos);
	if (e->kind == SQL_COLUMN) {
		wm_assert(e->column >= AGG_BASE);
		return bind_column(g->b, g->n + e->column - AGG_BASE, &e->type, e->pos);
	}
	copy = arena_alloc(g->b->arena, sizeof(*copy));
	*copy = *e;
	copy->args = arena_alloc(g->b->arena, (e->nargs + 1) * sizeof(*copy->args));
	for (uint32_t i = 0; i < e->nargs; i++)
		copy->args[i] = over_groups(g, e->args[i]);
	return copy;
}

static int bind_groups(struct grouping *g, const struct scope *scope, const struct tree *list, struct err *err)
{
	TREE_EACH(item, list) {
		struct sql_expr *e;

		if (tree_is(item, "GroupingSet"))
			return bind_refuse(g->b, tree_pos(item->child), err, "GROUPING SETS");
		if (bind_expr(g->b, scope, NULL, item, &e, err) != 0 || bind_need_equality(g->b, &e->type, e->pos, err) != 0)
			return -1;
		g->any = true;
		add_group(g, e);
	}
	return 0;
}

static struct sql_node *new_aggregate(struct grouping *g, struct sql_node *input, const struct agg_list *aggs)
{
	struct sql_node *n = bind_node(g->b, SQL_AGGREGATE, 1, g->n + aggs->n);

	n->inputs[0] = input;
	n->grouped = g->any;
	n->ngroups = g->n;
	n->exprs = g->groups;
	n->naggs = aggs->n;
	n->aggs = aggs->aggs;
	for (uint32_t i = 0; i < g->n; i++) {
		n->types[i] = g->groups[i]->type;
		n->names[i] = g->groups[i]->kind == SQL_COLUMN ? input->names[g->groups[i]->column] : "?group?";
	}
	for (uint32_t i = 0; i < aggs->n; i++) {
		n->types[g->n + i] = aggs->aggs[i].type;
		n->names[g->n + i] = "?aggregate?";
	}
	return n;
}

/* ---- select lists ---- */

static const char *target_name(const struct tree *target)
{
	const char *name = tree_str(target, "name");
	const struct tree *fields = tree_get(tree_is(tree_get(target, "val"), "ColumnRef"), "fields");

	if (name)
		return name;
	TREE_EACH(f, fields)
		name = tree_str(tree_is(f, "String"), "sval");
	return name ? name : "?column?";
}

static bool is_identity(struct sql_expr *const *exprs, uint32_t n, const struct sql_node *input)
{
	if (n != input->ncolumns)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (exprs[i]->kind != SQL_COLUMN || exprs[i]->column != i)
			return false;
	return true;
}

static struct sql_node *new_project(struct binder *b, struct sql_node *input, struct sql_expr **exprs, const char **names, uint32_t n)
{
	struct sql_node *p;

	if (is_identity(exprs, n, input) && input->kind != SQL_SCAN) {
		input->names = names;
		return input;
	}
	p = bind_node(b, SQL_PROJECT, 1, n);
	p->inputs[0] = input;
	p->exprs = exprs;
	for (uint32_t i = 0; i < n; i++) {
		p->types[i] = exprs[i]->type;
		p->names[i] = names[i];
	}
	return p;
}

int bind_distinct(struct binder *b, struct sql_node *input, struct sql_node **ret, struct err *err)
{
	struct sql_node *d = bind_node(b, SQL_DISTINCT, 1, input->ncolumns);

	d->inputs[0] = input;
	d->types = input->types;
	d->names = input->names;
	for (uint32_t i = 0; i < input->ncolumns; i++)
		if (bind_need_equality(b, &input->types[i], -1, err) != 0)
			return -1;
	*ret = d;
	return 0;
}

static int refuse_clauses(struct binder *b, const struct tree *s, struct err *err)
{
	static const struct { const char *key, *what; } clauses[] = {
		{"limitCount", "LIMIT"}, {"limitOffset", "OFFSET"}, {"lockingClause", "FOR UPDATE"}, {"valuesLists", "VALUES"},
		{"intoClause", "INTO"}};
	const struct tree *distinct = tree_get(s, "distinctClause");

	for (size_t i = 0; i < sizeof(clauses) / sizeof(clauses[0]); i++) {
		const struct tree *c = tree_get(s, clauses[i].key);

		/* LIMIT ALL is a null constant */
		if (c && !(i == 0 && tree_true(tree_is(c, "A_Const"), "isnull")))
			return bind_refuse(b, c->child && c->child->child ? tree_pos(c->child) : -1, err, "%s", clauses[i].what);
	}
	if (distinct && distinct->child && distinct->child->child)
		return bind_refuse(b, tree_pos(distinct->child->child), err, "DISTINCT ON");
	return 0;
}

static int bind_simple(struct binder *b, const struct tree *s, const struct cte *ctes, struct sql_node **ret, struct err *err)
{
	const struct tree *targets = tree_get(s, "targetList"), *where = tree_get(s, "whereClause"), *having = tree_get(s, "havingClause");
	uint32_t n = tree_count(targets), i = 0;
	struct sql_expr **exprs = arena_alloc(b->arena, (n + 1) * sizeof(*exprs)), *predicate = NULL;
	const char **names = arena_alloc(b->arena, (n + 1) * sizeof(*names));
	struct agg_list aggs = {.allowed = true};
	struct sub_list subs = {.ctes = ctes};
	struct grouping g = {.b = b};
	struct sql_node *node;
	struct scope scope;

	if (refuse_clauses(b, s, err) != 0 || bind_from(b, tree_get(s, "fromClause"), ctes, &node, &scope, err) != 0)
		return -1;
	if (where && bind_where(b, &scope, ctes, where, &node, err) != 0)
		return -1;
	if (bind_groups(&g, &scope, tree_get(s, "groupClause"), err) != 0)
		return -1;
	scope.subs = &subs;
	TREE_EACH(t, targets) {
		const struct tree *target = tree_is(t, "ResTarget");

		names[i] = target_name(target);
		if (bind_expr(b, &scope, &aggs, tree_get(target, "val"), &exprs[i++], err) != 0)
			return -1;
	}
	predicate = NULL;
	if (having && bind_expr(b, &scope, &aggs, having, &predicate, err) != 0)
		return -1;
	if (g.any || aggs.n || having) {
		for (i = 0; i < n; i++)
			collect_ungrouped(&g, exprs[i]);
		if (predicate)
			collect_ungrouped(&g, predicate);
		g.naggs = aggs.n;
		node = bind_join_subs(b, new_aggregate(&g, node, &aggs), &subs);
		for (i = 0; i < n; i++)
			exprs[i] = over_groups(&g, exprs[i]);
		if (predicate)
			node = bind_filter(b, node, over_groups(&g, predicate));
	} else if (subs.n) {
		for (i = 0; i < n; i++)
			bind_place_subs(exprs[i], node->ncolumns);
		node = bind_join_subs(b, node, &subs);
	}
	*ret = new_project(b, node, exprs, names, n);
	return tree_get(s, "distinctClause") ? bind_distinct(b, *ret, ret, err) : 0;
}

/* ---- set operations ---- */

/* The type that two branches of a UNION meet at; the server has made sure that there is one. */
static const struct type *meet(const struct type *x, const struct type *y)
{
	static const uint8_t order[VALUE_KINDS] = {
		[VALUE_INT2] = 1, [VALUE_INT4] = 2, [VALUE_INT8] = 3, [VALUE_NUMERIC] = 4, [VALUE_FLOAT4] = 5, [VALUE_FLOAT8] = 6,
		[VALUE_DATE] = 20, [VALUE_TIMESTAMP] = 21, [VALUE_TIMESTAMPTZ] = 22};

	if (x->kind == VALUE_NONE)
		return y;
	/* the text types turn into each other, and so the first one stays */
	return order[y->kind] > order[x->kind] ? y : x;
}

static int cast_branch(struct binder *b, struct sql_node *branch, const struct type *types, struct sql_node **ret, struct err *err)
{
	struct sql_expr **exprs = arena_alloc(b->arena, (branch->ncolumns + 1) * sizeof(*exprs));

	for (uint32_t i = 0; i < branch->ncolumns; i++) {
		exprs[i] = bind_column(b, i, &branch->types[i], -1);
		if (branch->types[i].oid != types[i].oid && bind_cast(b, exprs[i], &types[i], -1, &exprs[i], err) != 0)
			return -1;
	}
	*ret = new_project(b, branch, exprs, branch->names, branch->ncolumns);
	return 0;
}

static int bind_union(struct binder *b, const struct tree *s, const struct cte *ctes, struct sql_node **ret, struct err *err)
{
	struct sql_node *branch[2], *u;
	struct type *types;

	if (refuse_clauses(b, s, err) != 0 || bind_select(b, tree_get(s, "larg"), ctes, &branch[0], err) != 0 ||
	    bind_select(b, tree_get(s, "rarg"), ctes, &branch[1], err) != 0)
		return -1;
	if (branch[0]->ncolumns != branch[1]->ncolumns)
		return bind_refuse(b, -1, err, "a UNION of different widths");
	types = arena_alloc(b->arena, (branch[0]->ncolumns + 1) * sizeof(*types));
	for (uint32_t i = 0; i < branch[0]->ncolumns; i++) {
		types[i] = *meet(&branch[0]->types[i], &branch[1]->types[i]);
		if (branch[0]->types[i].typmod != branch[1]->types[i].typmod)
			types[i].typmod = -1;
	}
	for (int i = 0; i < 2; i++)
		if (cast_branch(b, branch[i], types, &branch[i], err) != 0)
			return -1;
	u = bind_node(b, SQL_UNION_ALL, 2, branch[0]->ncolumns);
	u->inputs[0] = branch[0];
	u->inputs[1] = branch[1];
	u->types = types;
	u->names = branch[0]->names;
	*ret = u;
	return tree_true(s, "all") ? 0 : bind_distinct(b, u, ret, err);
}

/* The WITH list, each query seeing those before it. */
static int bind_with(struct binder *b, const struct tree *with, const struct cte **ctes, struct err *err)
{
	if (tree_true(with, "recursive"))
		return bind_refuse(b, tree_pos(with), err, "WITH RECURSIVE");
	TREE_EACH(item, tree_get(with, "ctes")) {
		const struct tree *c = tree_is(item, "CommonTableExpr");
		struct cte *cte = arena_zalloc(b->arena, sizeof(*cte));

		cte->name = tree_str(c, "ctename");
		cte->query = tree_is(tree_get(c, "ctequery"), "SelectStmt");
		cte->columns = tree_get(c, "aliascolnames");
		cte->outer = *ctes;
		if (!cte->name || !cte->query)
			return bind_refuse(b, tree_pos(c), err, "this WITH query");
		*ctes = cte;
	}
	return 0;
}

int bind_select(struct binder *b, const struct tree *s, const struct cte *ctes, struct sql_node **ret, struct err *err)
{
	const char *op = tree_str(s, "op");
	const struct tree *with = tree_get(s, "withClause");
	int rc;

	if (!s || !op)
		return bind_refuse(b, -1, err, "anything but SELECT");
	if (b->depth >= SQL_DEPTH_MAX || b->nnodes > NODES_MAX)
		return err_set(err, ERR_LIMIT, "the query is nested too deeply or has more than %d parts", NODES_MAX);
	if (with && bind_with(b, with, &ctes, err) != 0)
		return -1;
	b->depth++;
	if (strcmp(op, "SETOP_NONE") == 0)
		rc = bind_simple(b, s, ctes, ret, err);
	else if (strcmp(op, "SETOP_UNION") == 0)
		rc = bind_union(b, s, ctes, ret, err);
	else
		rc = bind_refuse(b, -1, err, strcmp(op, "SETOP_INTERSECT") == 0 ? "INTERSECT" : "EXCEPT");
	b->depth--;
	return rc;
}
