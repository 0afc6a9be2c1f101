/* See planexec.h. */
#include "planexec.h"

#include <stdlib.h>

#include "flow/accum.h"
#include "model/value_text.h"

static struct value *row_of(const struct rowset *s, uint32_t i) { return s->values + (size_t)i * s->width; }

static void add_row(struct rowset *s, const struct value *row, struct arena *a)
{
	/* doubling, in an arena: fine for tests */
	if ((s->n & (s->n - 1)) == 0) {
		struct value *more = arena_alloc(a, ((size_t)(s->n ? s->n * 2 : 1) * s->width + 1) * sizeof(*more));

		if (s->n)
			memcpy(more, s->values, (size_t)s->n * s->width * sizeof(*more));
		s->values = more;
	}
	memcpy(row_of(s, s->n++), row, s->width * sizeof(*row));
}

static int test_row(const struct sql_expr *e, const struct value *row, struct sql_eval *ev, bool *ret, struct err *err)
{
	*ret = true;
	return e ? sql_prog_test(sql_prog_compile(ev->arena, e), ev, row, ret, err) : 0;
}

static int run_exprs(struct sql_expr *const *exprs, uint32_t n, const struct value *row, struct value *out, struct sql_eval *ev,
	struct err *err)
{
	for (uint32_t i = 0; i < n; i++)
		if (sql_prog_run(sql_prog_compile(ev->arena, exprs[i]), ev, row, &out[i], err) != 0)
			return -1;
	return 0;
}

static int keys_match(const struct sql_node *n, const struct value *l, const struct value *r, struct sql_eval *ev, bool *ret,
	struct err *err)
{
	struct value x, y;

	*ret = true;
	for (uint32_t i = 0; i < n->nkeys && *ret; i++) {
		if (run_exprs(&n->left_keys[i], 1, l, &x, ev, err) != 0 || run_exprs(&n->right_keys[i], 1, r, &y, ev, err) != 0)
			return -1;
		*ret = !x.null && !y.null && value_equal(&x, &y);
	}
	return 0;
}

static int run_join(const struct sql_node *n, const struct rowset *l, const struct rowset *r, struct rowset *out, struct sql_eval *ev,
	struct err *err)
{
	struct value *row = arena_alloc(ev->arena, (n->ncolumns + 1) * sizeof(*row));

	for (uint32_t i = 0; i < l->n; i++) {
		bool matched = false, ok;

		memcpy(row, row_of(l, i), l->width * sizeof(*row));
		for (uint32_t k = 0; k < r->n; k++) {
			if (keys_match(n, row_of(l, i), row_of(r, k), ev, &ok, err) != 0)
				return -1;
			memcpy(row + l->width, row_of(r, k), r->width * sizeof(*row));
			if (!ok)
				continue;
			if (test_row(n->residual, row, ev, &ok, err) != 0)
				return -1;
			if (ok) {
				matched = true;
				add_row(out, row, ev->arena);
			}
		}
		if (!matched && n->left) {
			for (uint32_t k = 0; k < r->width; k++)
				row[l->width + k] = value_null((enum value_kind)n->types[l->width + k].kind);
			add_row(out, row, ev->arena);
		}
	}
	return 0;
}

static bool rows_equal(const struct value *a, const struct value *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!value_equal(&a[i], &b[i]))
			return false;
	return true;
}

/* One aggregate over the rows of one group. */
static int run_agg(const struct sql_agg *g, const struct rowset *in, const uint32_t *group_of, uint32_t group, struct value *ret,
	struct sql_eval *ev,
				   struct err *err)
{
	enum accum_kind kind = g->kind == SQL_COUNT_STAR ? ACCUM_COUNT : accum_kind_of(g->kind, g->arg ? (enum value_kind)g->arg->type.kind :
		VALUE_NONE);
	uint64_t state[16] __attribute__((aligned(16))) = {0};
	struct rowset seen = {.width = 1};
	struct value v, best = value_null((enum value_kind)g->type.kind);
	bool ok;
	int rc = 0;

	for (uint32_t i = 0; i < in->n; i++) {
		if (group_of[i] != group)
			continue;
		if (test_row(g->filter, row_of(in, i), ev, &ok, err) != 0)
			return -1;
		if (!ok)
			continue;
		v = value_bool(true);
		if (g->arg && run_exprs(&g->arg, 1, row_of(in, i), &v, ev, err) != 0)
			return -1;
		for (uint32_t k = 0; g->distinct && k < seen.n && ok; k++)
			ok = !value_equal(row_of(&seen, k), &v);
		if (!ok)
			continue;
		if (g->distinct)
			add_row(&seen, &v, ev->arena);
		if (kind != ACCUM_NONE)
			accum_add(kind, state, &v, 1);
		else if (!v.null && (best.null || value_cmp(&v, &best) * (g->kind == SQL_MAX ? 1 : -1) > 0))
			best = v;
	}
	*ret = best;
	if (kind != ACCUM_NONE) {
		rc = accum_result(kind, state, ev->arena, ret, err);
		accum_release(kind, state);
	}
	return rc;
}

static int run_aggregate(const struct sql_node *n, const struct rowset *in, struct rowset *out, struct sql_eval *ev, struct err *err)
{
	struct value *row = arena_zalloc(ev->arena, (n->ncolumns + 1) * sizeof(*row));
	uint32_t *group_of = arena_alloc(ev->arena, (in->n + 1) * sizeof(*group_of));
	struct rowset groups = {.width = n->ngroups};

	for (uint32_t i = 0; i < in->n; i++) {
		uint32_t g = 0;

		if (run_exprs(n->exprs, n->ngroups, row_of(in, i), row, ev, err) != 0)
			return -1;
		while (g < groups.n && !rows_equal(row_of(&groups, g), row, n->ngroups))
			g++;
		if (g == groups.n)
			add_row(&groups, row, ev->arena);
		group_of[i] = g;
	}
	if (!n->grouped && !groups.n)
		groups.n = 1;
	for (uint32_t g = 0; g < groups.n; g++) {
		if (groups.values)
			memcpy(row, row_of(&groups, g), n->ngroups * sizeof(*row));
		for (uint32_t i = 0; i < n->naggs; i++)
			if (run_agg(&n->aggs[i], in, group_of, g, &row[n->ngroups + i], ev, err) != 0)
				return -1;
		add_row(out, row, ev->arena);
	}
	return 0;
}

int planexec_run(const struct sql_job *job, const struct sql_node *n, const struct rowset *tables, struct sql_eval *ev, struct rowset *ret,
	struct err *err)
{
	struct rowset in[2] = {{0}, {0}}, out = {.width = n->ncolumns};
	struct value *row = arena_alloc(ev->arena, (n->ncolumns + 1) * sizeof(*row));
	bool ok;

	for (uint32_t i = 0; i < n->ninputs; i++)
		if (planexec_run(job, n->inputs[i], tables, ev, &in[i], err) != 0)
			return -1;
	switch (n->kind) {
	case SQL_SCAN: *ret = tables[n->table]; return 0;
	case SQL_JOIN:
		if (run_join(n, &in[0], &in[1], &out, ev, err) != 0)
			return -1;
		break;
	case SQL_AGGREGATE:
		if (run_aggregate(n, &in[0], &out, ev, err) != 0)
			return -1;
		break;
	default:
		for (uint32_t k = 0; k < n->ninputs; k++) {
			for (uint32_t i = 0; i < in[k].n; i++) {
				const struct value *from = row_of(&in[k], i);

				ok = true;
				if (n->kind == SQL_FILTER && test_row(n->predicate, from, ev, &ok, err) != 0)
					return -1;
				if (n->kind == SQL_PROJECT && run_exprs(n->exprs, n->ncolumns, from, row, ev, err) != 0)
					return -1;
				for (uint32_t d = 0; n->kind == SQL_DISTINCT && d < out.n && ok; d++)
					ok = !rows_equal(row_of(&out, d), from, out.width);
				if (ok)
					add_row(&out, n->kind == SQL_PROJECT ? row : from, ev->arena);
			}
		}
	}
	*ret = out;
	return 0;
}

static int cmp_lines(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

const char *planexec_text(const struct rowset *rows, const struct sql_eval *ev)
{
	const char **lines = arena_alloc(ev->arena, (rows->n + 1) * sizeof(*lines)), *out;
	struct value_env env = {ev->zone, ev->zones};
	struct buf b = BUF_INIT(1 << 24);

	for (uint32_t i = 0; i < rows->n; i++) {
		buf_clear(&b);
		for (uint32_t k = 0; k < rows->width; k++) {
			const struct value *v = row_of(rows, i) + k;

			if (k)
				buf_putc(&b, '|');
			if (v->null)
				buf_puts(&b, "\\N");
			else
				value_print(v, &env, &b);
		}
		lines[i] = arena_str(ev->arena, buf_view(&b));
	}
	qsort(lines, rows->n, sizeof(*lines), cmp_lines);
	buf_clear(&b);
	for (uint32_t i = 0; i < rows->n; i++)
		buf_printf(&b, "%s\n", lines[i]);
	out = arena_str(ev->arena, view_str(buf_cstr(&b)));
	buf_release(&b);
	return out;
}
