/* Binding of FROM: tables, subqueries, joins, and where conditions go in the tree; see bind.h. */
#include "sql/bind.h"

#include <stdarg.h>
#include <stdio.h>

struct sql_node *bind_node(struct binder *b, enum sql_node_kind kind, uint32_t ninputs, uint32_t ncolumns)
{
	struct sql_node *n = arena_zalloc(b->arena, sizeof(*n));

	n->kind = kind;
	n->id = b->nnodes++;
	n->ninputs = ninputs;
	n->inputs = arena_zalloc(b->arena, (ninputs + 1) * sizeof(*n->inputs));
	n->ncolumns = ncolumns;
	n->types = arena_zalloc(b->arena, (ncolumns + 1) * sizeof(*n->types));
	n->names = arena_zalloc(b->arena, (ncolumns + 1) * sizeof(*n->names));
	return n;
}

/* ---- filters ---- */

static struct sql_node *wrap_filter(struct binder *b, struct sql_node *input, struct sql_expr *predicate)
{
	struct sql_node *f;

	if (!predicate)
		return input;
	if (input->kind == SQL_FILTER) {
		input->predicate = bind_and(b, input->predicate, predicate);
		return input;
	}
	f = bind_node(b, SQL_FILTER, 1, input->ncolumns);
	f->inputs[0] = input;
	f->types = input->types;
	f->names = input->names;
	f->predicate = predicate;
	return f;
}

unsigned bind_side_of(const struct sql_expr *e, uint32_t left_width)
{
	uint32_t low, high;

	if (!bind_columns_used(e, &low, &high))
		return SIDE_NONE;
	return (low < left_width ? SIDE_LEFT : 0u) | (high >= left_width ? SIDE_RIGHT : 0u);
}

static char family(const struct type *t) { return sql_kind_letter((enum value_kind)t->kind); }

/* left = right, each from its side and of one family: a key of the join */
static bool take_key(struct binder *b, struct sql_node *join, const struct sql_expr *e)
{
	uint32_t width = join->inputs[0]->ncolumns, n = join->nkeys;
	struct sql_expr **lefts, **rights, *l, *r;

	if (e->kind != SQL_CALL || !(e->fn->flags & FN_COMPARE) || e->fn->op != '=' || e->uses_clock ||
		family(&e->args[0]->type) != family(&e->args[1]->type))
		return false;
	l = e->args[0];
	r = e->args[1];
	if (bind_side_of(l, width) == SIDE_RIGHT && bind_side_of(r, width) == SIDE_LEFT) {
		l = e->args[1];
		r = e->args[0];
	}
	if (bind_side_of(l, width) != SIDE_LEFT || bind_side_of(r, width) != SIDE_RIGHT)
		return false;
	lefts = arena_alloc(b->arena, (n + 1) * sizeof(*lefts));
	rights = arena_alloc(b->arena, (n + 1) * sizeof(*rights));
	if (n) {
		memcpy(lefts, join->left_keys, n * sizeof(*lefts));
		memcpy(rights, join->right_keys, n * sizeof(*rights));
	}
	lefts[n] = l;
	rights[n] = bind_shift(b, r, width);
	join->left_keys = lefts;
	join->right_keys = rights;
	join->nkeys++;
	return true;
}

/* One condition of WHERE or of an inner join's ON. Returns what must stay above the join. */
static struct sql_expr *push_into_join(struct binder *b, struct sql_node *join, struct sql_expr *e, bool is_on)
{
	uint32_t width = join->inputs[0]->ncolumns;
	unsigned side = bind_side_of(e, width);

	if (side == SIDE_LEFT && !(join->left && is_on)) {
		join->inputs[0] = bind_filter(b, join->inputs[0], e);
		return NULL;
	}
	/* ON of a left join may filter the right side before joining; WHERE may not: it sees the nulls */
	if (side == SIDE_RIGHT && (!join->left || is_on)) {
		join->inputs[1] = bind_filter(b, join->inputs[1], bind_shift(b, e, width));
		return NULL;
	}
	if (join->left && !is_on)
		return e;
	if (side == SIDE_BOTH && take_key(b, join, e))
		return NULL;
	join->residual = bind_and(b, join->residual, e);
	return NULL;
}

static struct sql_expr *push_conjuncts(struct binder *b, struct sql_node *join, struct sql_expr *e, bool is_on)
{
	struct sql_expr *rest = NULL;

	if (e->kind != SQL_AND)
		return push_into_join(b, join, e, is_on);
	for (uint32_t i = 0; i < e->nargs; i++)
		rest = bind_and(b, rest, push_conjuncts(b, join, e->args[i], is_on));
	return rest;
}

struct sql_node *bind_filter(struct binder *b, struct sql_node *n, struct sql_expr *predicate)
{
	if (!predicate)
		return n;
	if (n->kind == SQL_JOIN)
		return wrap_filter(b, n, push_conjuncts(b, n, predicate, false));
	return wrap_filter(b, n, predicate);
}

/* ---- scopes ---- */

static void set_scope(struct binder *b, struct scope *s, const struct sql_node *n, const char *relation, const struct tree *names)
{
	const struct tree *name = names ? names->child : NULL;

	s->n = n->ncolumns;
	s->subs = NULL;
	s->columns = arena_zalloc(b->arena, (s->n + 1) * sizeof(*s->columns));
	for (uint32_t i = 0; i < s->n; i++) {
		const char *given = name ? tree_str(tree_is(name, "String"), "sval") : NULL;

		s->columns[i] = (struct scope_column){.relation = relation, .name = given ? given : n->names[i], .index = i, .type = n->types[i]};
		if (n->kind == SQL_SCAN && b->used) {
			s->columns[i].used = &b->used[n->table][i];
			s->columns[i].generated = b->job->tables[n->table].columns[i].generated;
		}
		name = name ? name->next : NULL;
	}
}

/* ---- tables ---- */

/* The table of the job, made at its first mention; its columns are those used. */
static int job_table(struct binder *b, const struct cat_relation *rel, uint32_t *ret, struct err *err)
{
	struct sql_job *job = b->job;
	struct sql_table *more;
	bool **used;

	for (uint32_t i = 0; i < job->ntables; i++) {
		if (job->tables[i].oid == rel->oid) {
			*ret = i;
			return 0;
		}
	}
	more = arena_zalloc(b->arena, (job->ntables + 1) * sizeof(*more));
	if (job->ntables)
		memcpy(more, job->tables, job->ntables * sizeof(*more));
	job->tables = more;
	more = &job->tables[job->ntables];
	more->oid = rel->oid;
	more->schema = rel->schema;
	more->name = rel->name;
	more->npk = rel->npk;
	more->pk = arena_zalloc(b->arena, (rel->npk + 1) * sizeof(*more->pk));
	/* all of them for now; the second pass has those that the first has found to be used */
	more->columns = arena_zalloc(b->arena, (rel->ncolumns + 1) * sizeof(*more->columns));
	for (uint32_t i = 0; i < rel->ncolumns; i++)
		more->columns[i] = (struct sql_column){rel->columns[i].name, rel->columns[i].attnum, rel->columns[i].not_null,
			rel->columns[i].generated, rel->columns[i].type, rel->columns[i].labels};
	more->ncolumns = rel->ncolumns;
	for (uint32_t k = 0; k < rel->npk; k++)
		for (uint32_t i = 0; i < rel->ncolumns; i++)
			if (rel->columns[i].attnum == rel->pk[k])
				more->pk[k] = i;
	wm_assert(b->used);
	used = arena_zalloc(b->arena, (job->ntables + 1) * sizeof(*used));
	memcpy(used, b->used, job->ntables * sizeof(*used));
	used[job->ntables] = arena_zalloc(b->arena, rel->ncolumns + 1);
	b->used = used;
	*ret = job->ntables++;
	return 0;
}

static int bind_view(struct binder *b, const struct cat_relation *rel, struct sql_node **ret, struct err *err)
{
	const char *outer_text = b->text;
	const struct tree *stmt, *select;
	int32_t pos;
	int rc = -1;

	b->text = rel->viewdef;
	if (tree_parse_sql(rel->viewdef, b->arena, &stmt, &pos, err) == 0) {
		select = tree_is(stmt, "SelectStmt");
		b->depth++;
		rc = b->depth < 30 ? bind_select(b, select, NULL, ret, err) : err_set(err, ERR_LIMIT, "views are nested too deeply");
		b->depth--;
	}
	b->text = outer_text;
	if (rc != 0)
		return err_context(err, "view \"%s.%s\"", rel->schema, rel->name);
	for (uint32_t i = 0; i < (*ret)->ncolumns && i < rel->ncolumns; i++)
		(*ret)->names[i] = rel->columns[i].name;
	return 0;
}

static int bind_relation(struct binder *b, const struct tree *t, const char *schema, const char *name, struct sql_node **ret,
	struct err *err)
{
	const struct cat_relation *rel;
	struct sql_table *table;
	struct sql_node *n;
	uint32_t index;

	if (catalog_relation(b->catalog, schema, name, &rel, err) != 0)
		return -1;
	if (rel->kind == 'v')
		return bind_view(b, rel, ret, err);
	if (rel->kind != 'r' && rel->kind != 'p')
		return bind_refuse(b, tree_pos(t), err, "reading from something that is not a table or view");
	if (!tree_true(t, "inh") && rel->kind == 'p')
		return bind_refuse(b, tree_pos(t), err, "ONLY");
	if (rel->inherited)
		return bind_refuse(b, tree_pos(t), err, "a table that others inherit from");
	if (job_table(b, rel, &index, err) != 0)
		return -1;
	table = &b->job->tables[index];
	n = bind_node(b, SQL_SCAN, 0, table->ncolumns);
	n->table = index;
	for (uint32_t i = 0; i < table->ncolumns; i++) {
		n->types[i] = table->columns[i].type;
		n->names[i] = table->columns[i].name;
	}
	*ret = n;
	return 0;
}

static const struct cte *find_cte(const struct cte *c, const char *name)
{
	while (c && strcmp(c->name, name) != 0)
		c = c->outer;
	return c;
}

static int bind_range_var(struct binder *b, const struct tree *t, const struct cte *ctes, struct sql_node **ret, struct scope *scope,
	struct err *err)
{
	const char *schema = tree_str(t, "schemaname"), *name = tree_str(t, "relname"), *alias = tree_str(tree_get(t, "alias"), "aliasname");
	const struct tree *names = tree_get(tree_get(t, "alias"), "colnames");
	const struct cte *c = schema ? NULL : find_cte(ctes, name);

	if (c) {
		if (bind_select(b, c->query, c->outer, ret, err) != 0)
			return -1;
		names = names ? names : c->columns;
	} else if (bind_relation(b, t, schema ? schema : "pg_catalog", name, ret, err) != 0) {
		return -1;
	}
	set_scope(b, scope, *ret, alias ? alias : name, names);
	return 0;
}

/* ---- joins ---- */

struct sql_node *bind_join_nodes(struct binder *b, struct sql_node *l, struct sql_node *r, bool left)
{
	struct sql_node *j = bind_node(b, SQL_JOIN, 2, l->ncolumns + r->ncolumns);

	j->inputs[0] = l;
	j->inputs[1] = r;
	j->left = left;
	memcpy(j->types, l->types, l->ncolumns * sizeof(*j->types));
	memcpy(j->types + l->ncolumns, r->types, r->ncolumns * sizeof(*j->types));
	memcpy(j->names, l->names, l->ncolumns * sizeof(*j->names));
	memcpy(j->names + l->ncolumns, r->names, r->ncolumns * sizeof(*j->names));
	return j;
}

struct scope bind_join_scopes(struct binder *b, const struct scope *first, const struct scope *second, uint32_t first_at,
	uint32_t second_at)
{
	struct scope s = {.n = first->n + second->n};

	s.columns = arena_alloc(b->arena, (s.n + 1) * sizeof(*s.columns));
	memcpy(s.columns, first->columns, first->n * sizeof(*s.columns));
	memcpy(s.columns + first->n, second->columns, second->n * sizeof(*s.columns));
	for (uint32_t i = 0; i < s.n; i++)
		s.columns[i].index += i < first->n ? first_at : second_at;
	return s;
}

/* USING (a, b): equality of the columns of that name, of which the outer side's stands for both */
static int bind_using(struct binder *b, const struct tree *names, struct scope *s, uint32_t kept, struct sql_expr **ret, struct err *err)
{
	struct sql_expr *pair[2], *eq;

	TREE_EACH(n, names) {
		const char *name = tree_str(tree_is(n, "String"), "sval");
		struct scope_column *found[2] = {NULL, NULL};

		for (uint32_t i = 0; name && i < s->n; i++)
			if (strcmp(s->columns[i].name, name) == 0 && !s->columns[i].hidden && !found[i >= kept])
				found[i >= kept] = &s->columns[i];
		if (!found[0] || !found[1])
			return bind_refuse(b, -1, err, "this USING clause");
		for (int i = 0; i < 2; i++)
			if (found[i]->used)
				*found[i]->used = true;
		pair[0] = bind_column(b, found[0]->index, &found[0]->type, -1);
		pair[1] = bind_column(b, found[1]->index, &found[1]->type, -1);
		/* int = bigint and the like compare as they are; other mixtures the server would have to coerce */
		if (bind_operator(b, "=", pair, 2, -1, &eq, err) != 0)
			return -1;
		*ret = bind_and(b, *ret, eq);
		found[1]->hidden = true;
	}
	return 0;
}

static int bind_from_item(struct binder *b, const struct tree *t, const struct cte *ctes, struct sql_node **ret, struct scope *scope,
	struct err *err);

static int bind_join(struct binder *b, const struct tree *t, const struct cte *ctes, struct sql_node **ret, struct scope *scope,
	struct err *err)
{
	const char *type = tree_str(t, "jointype");
	bool right = type && strcmp(type, "JOIN_RIGHT") == 0, outer = right || (type && strcmp(type, "JOIN_LEFT") == 0);
	const struct tree *quals = tree_get(t, "quals"), *names = tree_get(t, "usingClause");
	struct sql_node *l, *r, *join;
	struct sql_expr *on = NULL;
	struct scope ls, rs;

	if (!type || (!outer && strcmp(type, "JOIN_INNER") != 0))
		return bind_refuse(b, quals ? tree_pos(quals->child) : -1, err, "FULL JOIN");
	if (tree_get(t, "alias") || tree_get(t, "join_using_alias") || tree_true(t, "isNatural"))
		return bind_refuse(b, -1, err, "a join with a name of its own");
	if (bind_from_item(b, tree_get(t, "larg"), ctes, &l, &ls, err) != 0 || bind_from_item(b, tree_get(t, "rarg"), ctes, &r, &rs, err) != 0)
		return -1;
	join = right ? bind_join_nodes(b, r, l, true) : bind_join_nodes(b, l, r, outer);
	*scope = right ? bind_join_scopes(b, &rs, &ls, 0, r->ncolumns) : bind_join_scopes(b, &ls, &rs, 0, l->ncolumns);
	if (names && bind_using(b, names, scope, right ? rs.n : ls.n, &on, err) != 0)
		return -1;
	if (quals && bind_expr(b, scope, NULL, quals, &on, err) != 0)
		return -1;
	if (on && outer)
		push_conjuncts(b, join, on, true);
	*ret = on && !outer ? bind_filter(b, join, on) : join;
	return 0;
}

static int bind_from_item(struct binder *b, const struct tree *t, const struct cte *ctes, struct sql_node **ret, struct scope *scope,
	struct err *err)
{
	const struct tree *inner;
	int rc;

	if (b->nnodes > NODES_MAX || b->depth >= SQL_DEPTH_MAX)
		return err_set(err, ERR_LIMIT, "the query has more than %d parts", NODES_MAX);
	b->depth++;
	if ((inner = tree_is(t, "RangeVar"))) {
		rc = bind_range_var(b, inner, ctes, ret, scope, err);
	} else if ((inner = tree_is(t, "JoinExpr"))) {
		rc = bind_join(b, inner, ctes, ret, scope, err);
	} else if ((inner = tree_is(t, "RangeSubselect"))) {
		const char *alias = tree_str(tree_get(inner, "alias"), "aliasname");

		rc = tree_true(inner, "lateral") ? bind_refuse(b, -1, err, "LATERAL") :
		     bind_select(b, tree_is(tree_get(inner, "subquery"), "SelectStmt"), ctes, ret, err);
		if (rc == 0)
			set_scope(b, scope, *ret, alias ? alias : "", tree_get(tree_get(inner, "alias"), "colnames"));
	} else if (tree_is(t, "RangeFunction")) {
		rc = bind_refuse(b, -1, err, "a function in FROM");
	} else {
		rc = bind_refuse(b, -1, err, "this FROM item");
	}
	b->depth--;
	return rc;
}

int bind_from(struct binder *b, const struct tree *from, const struct cte *ctes, struct sql_node **ret, struct scope *scope,
	struct err *err)
{
	struct sql_node *all = NULL;

	TREE_EACH(item, from) {
		struct sql_node *n;
		struct scope s;

		if (bind_from_item(b, item, ctes, &n, &s, err) != 0)
			return -1;
		*scope = all ? bind_join_scopes(b, scope, &s, 0, all->ncolumns) : s;
		all = all ? bind_join_nodes(b, all, n, false) : n;
	}
	if (!all)
		return bind_refuse(b, -1, err, "a query without FROM");
	*ret = all;
	return 0;
}
