/* Plans as text, for people and golden tests; see plan.h. */
#include "model/value_text.h"
#include "sql/func.h"

static void put_type(const struct type *t, struct buf *b)
{
	buf_puts(b, value_kind_name((enum value_kind)t->kind));
	if (t->typmod < 0)
		return;
	if (t->kind == VALUE_NUMERIC)
		buf_printf(b, "(%d,%d)", (t->typmod - 4) >> 16 & 0xffff, (((t->typmod - 4) & 0x7ff) ^ 1024) - 1024);
	else if (t->kind == VALUE_VARCHAR || t->kind == VALUE_BPCHAR)
		buf_printf(b, "(%d)", t->typmod - 4);
	else
		buf_printf(b, "(%d)", t->typmod & 0xffff);
}

static void put_const(const struct sql_expr *e, struct buf *b)
{
	struct value_env env = {.zone = tz_utc()};
	struct value v = e->constant;

	if (v.null) {
		buf_puts(b, "null");
		return;
	}
	if (v.kind == VALUE_INT4 || v.kind == VALUE_NUMERIC || v.kind == VALUE_BOOL) {
		value_print(&v, &env, b);
		return;
	}
	buf_putc(b, '\'');
	value_print(&v, &env, b);
	buf_putc(b, '\'');
	if (v.kind != VALUE_TEXT) {
		buf_puts(b, "::");
		put_type(&e->type, b);
	}
}

static void put_list(const char *name, const struct sql_expr *e, uint32_t from, struct buf *b)
{
	buf_puts(b, name);
	buf_putc(b, '(');
	for (uint32_t i = from; i < e->nargs; i++) {
		if (i > from)
			buf_puts(b, ", ");
		sql_expr_print(e->args[i], b);
	}
	buf_putc(b, ')');
}

static void put_call(const struct sql_expr *e, struct buf *b)
{
	size_t n = strcspn(e->fn->key, "(");
	char name[64];

	if (strcmp(e->fn->key, "cast") == 0) {
		sql_expr_print(e->args[0], b);
		buf_puts(b, "::");
		put_type(&e->type, b);
		return;
	}
	n = n < sizeof(name) ? n : sizeof(name) - 1;
	memcpy(name, e->fn->key, n);
	name[n] = 0;
	put_list(name, e, 0, b);
}

void sql_expr_print(const struct sql_expr *e, struct buf *b)
{
	static const char *const names[] = {
		[SQL_AND] = "and", [SQL_OR] = "or", [SQL_NOT] = "not", [SQL_CASE] = "case", [SQL_COALESCE] = "coalesce", [SQL_NULLIF] = "nullif",
		[SQL_IS_NULL] = "is null", [SQL_IS_NOT_NULL] = "is not null", [SQL_IS_TRUE] = "is true", [SQL_IS_NOT_TRUE] = "is not true",
		[SQL_IS_FALSE] = "is false", [SQL_IS_NOT_FALSE] = "is not false", [SQL_IS_DISTINCT] = "is distinct",
			[SQL_IS_NOT_DISTINCT] = "is not distinct",
		[SQL_GREATEST] = "greatest", [SQL_LEAST] = "least"};

	switch (e->kind) {
	case SQL_COLUMN: buf_printf(b, "$%u", e->column); break;
	case SQL_CONST: put_const(e, b); break;
	case SQL_CALL: put_call(e, b); break;
	case SQL_NOW: buf_puts(b, "now()"); break;
	case SQL_ANY: case SQL_ALL:
		sql_expr_print(e->args[0], b);
		buf_printf(b, " %s %s", e->fn->key, e->kind == SQL_ANY ? "any" : "all");
		put_list("", e, 1, b);
		break;
	default: put_list(names[e->kind], e, 0, b); break;
	}
}

static void put_exprs(struct sql_expr *const *list, uint32_t n, struct buf *b)
{
	for (uint32_t i = 0; i < n; i++) {
		buf_puts(b, i ? ", " : " ");
		sql_expr_print(list[i], b);
	}
}

static void put_agg(const struct sql_agg *a, struct buf *b)
{
	static const char *const names[] = {"count", "count", "sum", "avg", "min", "max", "bool_and", "bool_or"};

	buf_printf(b, "%s(%s", names[a->kind], a->distinct ? "distinct " : "");
	if (a->arg)
		sql_expr_print(a->arg, b);
	else
		buf_putc(b, '*');
	buf_putc(b, ')');
	if (a->filter) {
		buf_puts(b, " filter ");
		sql_expr_print(a->filter, b);
	}
}

static void put_aggregate(const struct sql_node *n, struct buf *b)
{
	buf_puts(b, n->grouped ? "aggregate by" : "aggregate");
	put_exprs(n->exprs, n->ngroups, b);
	buf_puts(b, ":");
	for (uint32_t i = 0; i < n->naggs; i++) {
		buf_puts(b, i ? ", " : " ");
		put_agg(&n->aggs[i], b);
	}
}

static void put_join(const struct sql_node *n, struct buf *b)
{
	buf_puts(b, n->left ? "left join on" : "join on");
	for (uint32_t i = 0; i < n->nkeys; i++) {
		buf_puts(b, i ? ", " : " ");
		sql_expr_print(n->left_keys[i], b);
		buf_puts(b, " = ");
		sql_expr_print(n->right_keys[i], b);
	}
	if (!n->nkeys)
		buf_puts(b, " everything");
	if (n->residual) {
		buf_puts(b, " if ");
		sql_expr_print(n->residual, b);
	}
}

void sql_node_print(const struct sql_job *job, const struct sql_node *n, struct buf *b)
{
	switch (n->kind) {
	case SQL_SCAN:
		buf_printf(b, "scan %s.%s (", job->tables[n->table].schema, job->tables[n->table].name);
		for (uint32_t i = 0; i < n->ncolumns; i++)
			buf_printf(b, i ? ", %s" : "%s", n->names[i]);
		buf_putc(b, ')');
		break;
	case SQL_FILTER:
		buf_puts(b, "filter ");
		sql_expr_print(n->predicate, b);
		break;
	case SQL_PROJECT:
		buf_puts(b, "project");
		put_exprs(n->exprs, n->ncolumns, b);
		break;
	case SQL_JOIN: put_join(n, b); break;
	case SQL_AGGREGATE: put_aggregate(n, b); break;
	case SQL_DISTINCT: buf_puts(b, "distinct"); break;
	case SQL_UNION_ALL: buf_puts(b, "union all"); break;
	}
}

static void put_node(const struct sql_job *job, const struct sql_node *n, unsigned depth, struct buf *b)
{
	for (unsigned i = 0; i < depth; i++)
		buf_puts(b, "  ");
	sql_node_print(job, n, b);
	buf_putc(b, '\n');
	for (uint32_t i = 0; i < n->ninputs; i++)
		put_node(job, n->inputs[i], depth + 1, b);
}

void sql_plan_print(const struct sql_job *job, const struct sql_statement *st, struct buf *b)
{
	buf_printf(b, "into %s%s%s (", st->target_schema ? st->target_schema : "", st->target_schema ? "." : "", st->target_table);
	for (uint32_t i = 0; i < st->ncolumns; i++) {
		buf_printf(b, i ? ", %s " : "%s ", st->root->names[i]);
		put_type(&st->root->types[i], b);
	}
	buf_printf(b, ")%s\n", st->uses_clock ? " moved by the clock" : "");
	put_node(job, st->root, 1, b);
}
