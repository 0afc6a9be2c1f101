/*
 * Evaluation; see expr_eval.h. A program is the expression's tree in a form that the evaluator walks without looking anything up:
 * functions resolved, fields and zones
 * decoded, argument counts fixed. Recursion is as deep as the expression, which the binder bounds.
 */
#include "sql/prog.h"

#include "model/datetime.h"

static void prepare_site(struct arena *a, struct sql_prog *p, const struct sql_expr *e)
{
	const struct sql_expr *field;

	p->site.ret = e->type.kind;
	p->site.typmod = e->type.typmod;
	if (!e->fn)
		return;
	p->call = e->fn->call;
	p->fn = e->fn;
	p->site.zone = e->zone;
	p->site.labels = e->labels;
	if (e->fn->flags & FN_FIELD) {
		field = e->args[0];
		if (field->kind == SQL_CONST && !field->constant.null)
			p->site.field = (uint8_t)dt_field_of(field->constant.text);
	}
}

struct sql_prog *sql_prog_compile(struct arena *a, const struct sql_expr *e)
{
	struct sql_prog *p = arena_zalloc(a, sizeof(*p) + e->nargs * sizeof(p->args[0]));

	p->kind = e->kind;
	p->uses_clock = e->uses_clock;
	p->type = e->type.kind;
	p->column = e->column;
	p->constant = e->constant;
	p->constant.kind = e->constant.kind ? e->constant.kind : e->type.kind;
	p->nargs = e->nargs;
	prepare_site(a, p, e);
	for (uint32_t i = 0; i < e->nargs; i++)
		p->args[i] = sql_prog_compile(a, e->args[i]);
	return p;
}

#define RUN(p_, ret_) sql_prog_run((p_), ev, row, (ret_), err)

static int run_call(const struct sql_prog *p, struct sql_eval *ev, const struct value *row, struct value *ret, struct err *err)
{
	struct value args[SQL_ARGS_MAX];

	for (uint32_t i = 0; i < p->nargs; i++) {
		if (RUN(p->args[i], &args[i]) != 0)
			return -1;
		if (args[i].null) {         /* every function here is strict; the rest may still fail */
			for (i++; i < p->nargs; i++)
				if (RUN(p->args[i], &args[i]) != 0)
					return -1;
			*ret = value_null((enum value_kind)p->type);
			return 0;
		}
	}
	return p->call(&p->site, ev, args, ret, err);
}

/* AND stops at false, OR at true; null when that has not come and a null has. */
static int run_and_or(const struct sql_prog *p, struct sql_eval *ev, const struct value *row, struct value *ret, struct err *err)
{
	bool stop = p->kind == SQL_OR, null = false;

	for (uint32_t i = 0; i < p->nargs; i++) {
		if (RUN(p->args[i], ret) != 0)
			return -1;
		if (ret->null)
			null = true;
		else if ((ret->i != 0) == stop)
			return 0;
	}
	*ret = value_bool(!stop);
	ret->null = null;
	return 0;
}

static int run_case(const struct sql_prog *p, struct sql_eval *ev, const struct value *row, struct value *ret, struct err *err)
{
	for (uint32_t i = 0; i + 1 < p->nargs; i += 2) {
		if (RUN(p->args[i], ret) != 0)
			return -1;
		if (!ret->null && ret->i)
			return RUN(p->args[i + 1], ret);
	}
	return RUN(p->args[p->nargs - 1], ret);
}

static int run_coalesce(const struct sql_prog *p, struct sql_eval *ev, const struct value *row, struct value *ret, struct err *err)
{
	for (uint32_t i = 0; i < p->nargs; i++) {
		if (RUN(p->args[i], ret) != 0)
			return -1;
		if (!ret->null)
			return 0;
	}
	*ret = value_null((enum value_kind)p->type);
	return 0;
}

static int run_greatest(const struct sql_prog *p, struct sql_eval *ev, const struct value *row, struct value *ret, struct err *err)
{
	struct value best = value_null((enum value_kind)p->type), v;
	int sign = p->kind == SQL_GREATEST ? 1 : -1;

	for (uint32_t i = 0; i < p->nargs; i++) {
		if (RUN(p->args[i], &v) != 0)
			return -1;
		if (!v.null && (best.null || value_cmp(&v, &best) * sign > 0))
			best = v;
	}
	*ret = best;
	return 0;
}

/* NULLIF, IS [NOT] DISTINCT FROM */
static int run_equality(const struct sql_prog *p, struct sql_eval *ev, const struct value *row, struct value *ret, struct err *err)
{
	struct value args[2], eq;
	bool same;

	if (RUN(p->args[0], &args[0]) != 0 || RUN(p->args[1], &args[1]) != 0)
		return -1;
	if (args[0].null || args[1].null)
		same = args[0].null && args[1].null;
	else if (p->call(&p->site, ev, args, &eq, err) != 0)
		return -1;
	else
		same = eq.i != 0;
	if (p->kind != SQL_NULLIF) {
		*ret = value_bool(same == (p->kind == SQL_IS_NOT_DISTINCT));
		return 0;
	}
	*ret = args[0];
	if (same)
		ret->null = true;
	return 0;
}

static int run_any_all(const struct sql_prog *p, struct sql_eval *ev, const struct value *row, struct value *ret, struct err *err)
{
	bool stop = p->kind == SQL_ANY, null = false;
	struct value args[2];

	if (RUN(p->args[0], &args[0]) != 0)
		return -1;
	if (args[0].null) {
		*ret = value_null(VALUE_BOOL);
		return 0;
	}
	for (uint32_t i = 1; i < p->nargs; i++) {
		if (RUN(p->args[i], &args[1]) != 0)
			return -1;
		if (args[1].null) {
			null = true;
			continue;
		}
		if (p->call(&p->site, ev, args, ret, err) != 0)
			return -1;
		if ((ret->i != 0) == stop)
			return 0;
	}
	*ret = value_bool(!stop);
	ret->null = null;
	return 0;
}

static int run_test(const struct sql_prog *p, struct sql_eval *ev, const struct value *row, struct value *ret, struct err *err)
{
	struct value v;
	bool is;

	if (RUN(p->args[0], &v) != 0)
		return -1;
	switch (p->kind) {
	case SQL_NOT:
		*ret = value_bool(!v.i);
		ret->null = v.null;
		return 0;
	case SQL_IS_NULL: is = v.null; break;
	case SQL_IS_NOT_NULL: is = !v.null; break;
	case SQL_IS_TRUE: is = !v.null && v.i; break;
	case SQL_IS_NOT_TRUE: is = v.null || !v.i; break;
	case SQL_IS_FALSE: is = !v.null && !v.i; break;
	default: is = v.null || v.i; break;
	}
	*ret = value_bool(is);
	return 0;
}

int sql_prog_run(const struct sql_prog *p, struct sql_eval *ev, const struct value *row, struct value *ret, struct err *err)
{
	switch (p->kind) {
	case SQL_COLUMN: *ret = row[p->column]; return 0;
	case SQL_CONST: *ret = p->constant; return 0;
	case SQL_CALL: return run_call(p, ev, row, ret, err);
	case SQL_AND: case SQL_OR: return run_and_or(p, ev, row, ret, err);
	case SQL_CASE: return run_case(p, ev, row, ret, err);
	case SQL_COALESCE: return run_coalesce(p, ev, row, ret, err);
	case SQL_GREATEST: case SQL_LEAST: return run_greatest(p, ev, row, ret, err);
	case SQL_NULLIF: case SQL_IS_DISTINCT: case SQL_IS_NOT_DISTINCT: return run_equality(p, ev, row, ret, err);
	case SQL_ANY: case SQL_ALL: return run_any_all(p, ev, row, ret, err);
	case SQL_NOW: *ret = value_int(VALUE_TIMESTAMPTZ, ev->now_us); return 0;
	default: return run_test(p, ev, row, ret, err);
	}
}

int sql_prog_test(const struct sql_prog *p, struct sql_eval *ev, const struct value *row, bool *ret, struct err *err)
{
	struct value v;

	if (sql_prog_run(p, ev, row, &v, err) != 0)
		return -1;
	*ret = !v.null && v.i;
	return 0;
}
