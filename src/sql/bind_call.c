/* Binding of function calls and aggregates; see bind.h. */
#include "sql/bind.h"

#define BIND_ARGS \
	struct binder *b, const struct scope *scope, struct agg_list *aggs, const struct tree *t, struct sql_expr **ret, struct err *err

static const struct type type_text = {.kind = VALUE_TEXT, .typmod = -1, .oid = 25, .collation = 100};
static const struct type type_int8 = {.kind = VALUE_INT8, .typmod = -1, .oid = 20};

static const struct { const char *name; enum sql_agg_kind kind; } aggregates[] = {
	{"count", SQL_COUNT}, {"sum", SQL_SUM}, {"avg", SQL_AVG}, {"min", SQL_MIN}, {"max", SQL_MAX}, {"bool_and", SQL_BOOL_AND},
	{"every", SQL_BOOL_AND}, {"bool_or", SQL_BOOL_OR}};

static bool same_agg(const struct sql_agg *x, const struct sql_agg *y)
{
	return x->kind == y->kind && x->distinct == y->distinct && !x->arg == !y->arg && !x->filter == !y->filter && (!x->arg ||
		bind_same(x->arg, y->arg)) &&
	       (!x->filter || bind_same(x->filter, y->filter));
}

/* The aggregate's place in the list, where equal ones share one. */
static int add_agg(struct binder *b, struct agg_list *aggs, const struct sql_agg *agg, struct sql_expr **ret, struct err *err)
{
	uint32_t i = 0;

	while (i < aggs->n && !same_agg(&aggs->aggs[i], agg))
		i++;
	if (i == aggs->n) {
		struct sql_agg *more;

		if (i == AGGS_MAX)
			return err_set(err, ERR_LIMIT, "the query has more than %d aggregates", AGGS_MAX);
		more = arena_alloc(b->arena, (i + 1) * sizeof(*more));
		if (i)
			memcpy(more, aggs->aggs, i * sizeof(*more));
		more[i] = *agg;
		aggs->aggs = more;
		aggs->n++;
	}
	*ret = bind_column(b, AGG_BASE + i, &agg->type, agg->pos);
	return 0;
}

/* What the argument's type must be able to do, and the type of the result. */
static int check_agg(struct binder *b, const char *name, struct sql_agg *agg, struct err *err)
{
	enum value_kind kind = agg->arg ? (enum value_kind)agg->arg->type.kind : VALUE_NONE;
	struct cat_function f;
	bool sums = kind == VALUE_INT2 || kind == VALUE_INT4 || kind == VALUE_INT8 || kind == VALUE_FLOAT4 || kind == VALUE_FLOAT8 ||
		kind == VALUE_NUMERIC ||
	            kind == VALUE_INTERVAL;

	if (agg->distinct && bind_need_equality(b, &agg->arg->type, agg->pos, err) != 0)
		return -1;
	agg->type = type_int8;
	if (agg->kind == SQL_COUNT || agg->kind == SQL_COUNT_STAR)
		return 0;
	if (catalog_function(b->catalog, name, &agg->arg->type, 1, &f, err) != 0)
		return -1;
	if (!f.exists || f.kind != 'a' || ((agg->kind == SQL_SUM || agg->kind == SQL_AVG) && !sums))
		return bind_refuse(b, agg->pos, err, "the aggregate %s(%s)", name, value_kind_name(kind));
	if ((agg->kind == SQL_MIN || agg->kind == SQL_MAX) && bind_need_order(b, &agg->arg->type, agg->pos, err) != 0)
		return -1;
	agg->type = f.result;
	if (value_kind_is_text((enum value_kind)f.result.kind))
		agg->type.collation = agg->arg->type.collation;
	return 0;
}

static int bind_aggregate(struct binder *b, const struct scope *scope, struct agg_list *aggs, const struct tree *t, const char *name,
	enum sql_agg_kind kind,
						  struct sql_expr **ret, struct err *err)
{
	const struct tree *args = tree_get(t, "args"), *filter = tree_get(t, "agg_filter");
	struct sql_agg agg = {.kind = tree_true(t, "agg_star") ? SQL_COUNT_STAR : kind, .distinct = tree_true(t, "agg_distinct"),
		.pos = tree_pos(t)};
	int rc = 0;

	if (!aggs || aggs->inside)
		return bind_refuse(b, agg.pos, err, "an aggregate at this place");
	if (tree_get(t, "agg_order") || tree_true(t, "agg_within_group"))
		return bind_refuse(b, agg.pos, err, "an aggregate with ORDER BY");
	if (agg.kind != SQL_COUNT_STAR && tree_count(args) != 1)
		return bind_refuse(b, agg.pos, err, "an aggregate of several arguments");
	aggs->inside = true;
	if (agg.kind != SQL_COUNT_STAR)
		rc = bind_expr(b, scope, aggs, args->child, &agg.arg, err);
	if (rc == 0 && filter)
		rc = bind_expr(b, scope, aggs, filter, &agg.filter, err);
	aggs->inside = false;
	/* a value does not make min and max different for being there twice */
	if (agg.kind == SQL_MIN || agg.kind == SQL_MAX || agg.kind == SQL_BOOL_AND || agg.kind == SQL_BOOL_OR)
		agg.distinct = false;
	if (rc != 0)
		return -1;
	if ((agg.kind == SQL_MIN || agg.kind == SQL_MAX) && agg.arg->type.kind == VALUE_ENUM) {
		struct type type = agg.arg->type;

		if (bind_enum_rank(b, agg.arg, agg.pos, &agg.arg, err) != 0 || check_agg(b, name, &agg, err) != 0 ||
			add_agg(b, aggs, &agg, ret, err) != 0)
			return -1;
		return bind_enum_label(b, *ret, &type, agg.pos, ret, err);
	}
	if (check_agg(b, name, &agg, err) != 0)
		return -1;
	return add_agg(b, aggs, &agg, ret, err);
}

/* concat(a, b, ...): each argument as text, nulls as nothing */
static int bind_concat(struct binder *b, struct sql_expr **args, uint32_t n, int32_t pos, struct sql_expr **ret, struct err *err)
{
	enum value_kind kinds[2] = {VALUE_TEXT, VALUE_TEXT};
	const struct sql_fn *append = sql_fn_find("||", kinds, 2);
	struct sql_expr *empty = bind_new(b, SQL_CONST, &type_text, 0, pos), *sum = NULL, *pair[2];

	empty->constant = value_text(VALUE_TEXT, view_str(""));
	for (uint32_t i = 0; i < n; i++) {
		struct sql_expr *e = bind_new(b, SQL_COALESCE, &type_text, 2, pos);

		/* as output text: true is "t" here, not what the cast gives */
		if (args[i]->type.kind == VALUE_BOOL)
			return bind_refuse(b, pos, err, "concat() of a boolean");
		if (bind_cast(b, args[i], &type_text, pos, &e->args[0], err) != 0)
			return -1;
		e->args[1] = empty;
		e->uses_clock = e->args[0]->uses_clock;
		pair[0] = sum;
		pair[1] = e;
		if (!sum)
			sum = e;
		else if (bind_fn(b, append, &type_text, pair, 2, pos, &sum, err) != 0)
			return -1;
	}
	*ret = sum ? sum : empty;
	return 0;
}

/* age(t) = age(CURRENT_DATE, t) */
static int bind_age(struct binder *b, struct sql_expr *arg, int32_t pos, struct sql_expr **ret, struct err *err)
{
	static const struct type type_date = {.kind = VALUE_DATE, .typmod = -1, .oid = 1082}, type_tz = {.kind = VALUE_TIMESTAMPTZ,
		.typmod = -1, .oid = 1184};
	static const struct type type_interval = {.kind = VALUE_INTERVAL, .typmod = -1, .oid = 1186};
	struct sql_expr *pair[2] = {bind_new(b, SQL_NOW, &type_tz, 0, pos), arg};
	enum value_kind kinds[2] = {(enum value_kind)arg->type.kind, (enum value_kind)arg->type.kind};

	pair[0]->uses_clock = true;
	if (bind_cast(b, pair[0], &type_date, pos, &pair[0], err) != 0 || bind_cast(b, pair[0], &arg->type, pos, &pair[0], err) != 0)
		return -1;
	return bind_fn(b, sql_fn_find("age", kinds, 2), &type_interval, pair, 2, pos, ret, err);
}

static int resolve(struct binder *b, const char *name, struct sql_expr **args, uint32_t n, int32_t pos, struct sql_expr **ret,
	struct err *err)
{
	enum value_kind kinds[SQL_ARGS_MAX];
	struct type types[SQL_ARGS_MAX];
	const struct sql_fn *fn;
	struct cat_function f;

	if (n > SQL_ARGS_MAX)
		return bind_refuse(b, pos, err, "the function %s()", name);
	for (uint32_t i = 0; i < n; i++) {
		if (args[i]->type.kind == VALUE_NONE && bind_cast(b, args[i], &type_text, pos, &args[i], err) != 0)
			return -1;
		types[i] = args[i]->type;
		kinds[i] = (enum value_kind)types[i].kind;
	}
	if (catalog_function(b->catalog, name, types, n, &f, err) != 0)
		return -1;
	if (f.exists && f.kind == 'a')
		return bind_refuse(b, pos, err, "the aggregate %s()", name);
	if (f.exists && f.volatility == 'v') {
		bind_refuse(b, pos, err, "the volatile function %s()", name);
		return err_hint(err, "Its result changes between calls, so there is no one result to keep a table equal to.");
	}
	fn = f.exists && f.kind == 'f' ? sql_fn_find(name, kinds, n) : NULL;
	if (!fn)
		return bind_refuse(b, pos, err, "the function %s()", name);
	return bind_fn(b, fn, &f.result, args, n, pos, ret, err);
}

static bool is_now(const char *name) { return strcmp(name, "now") == 0 || strcmp(name, "transaction_timestamp") == 0; }

int bind_call(BIND_ARGS)
{
	const struct tree *names = tree_get(t, "funcname"), *list = tree_get(t, "args");
	struct type tz = {.kind = VALUE_TIMESTAMPTZ, .typmod = -1, .oid = 1184};
	const char *schema = "pg_catalog", *name = NULL;
	struct sql_expr **args;
	uint32_t n = 0;

	TREE_EACH(part, names) {
		schema = name ? name : schema;
		name = tree_str(tree_is(part, "String"), "sval");
	}
	if (!name || strcmp(schema, "pg_catalog") != 0)
		return bind_refuse(b, tree_pos(t), err, "a function from outside of pg_catalog");
	if (tree_get(t, "over"))
		return bind_refuse(b, tree_pos(t), err, "a window function");
	for (size_t i = 0; i < sizeof(aggregates) / sizeof(aggregates[0]); i++)
		if (strcmp(aggregates[i].name, name) == 0)
			return bind_aggregate(b, scope, aggs, t, name, aggregates[i].kind, ret, err);
	if (tree_get(t, "agg_filter") || tree_true(t, "agg_distinct") || tree_get(t, "agg_order") || tree_true(t, "func_variadic"))
		return bind_refuse(b, tree_pos(t), err, "the aggregate %s()", name);
	args = arena_alloc(b->arena, (tree_count(list) + 1) * sizeof(*args));
	TREE_EACH(a, list)
		if (bind_expr(b, scope, aggs, a, &args[n++], err) != 0)
			return -1;
	if (n == 0 && is_now(name)) {
		*ret = bind_new(b, SQL_NOW, &tz, 0, tree_pos(t));
		(*ret)->uses_clock = true;
		return 0;
	}
	if (strcmp(name, "concat") == 0)
		return bind_concat(b, args, n, tree_pos(t), ret, err);
	if (n == 1 && strcmp(name, "age") == 0 && (args[0]->type.kind == VALUE_TIMESTAMP || args[0]->type.kind == VALUE_TIMESTAMPTZ))
		return bind_age(b, args[0], tree_pos(t), ret, err);
	return resolve(b, name, args, n, tree_pos(t), ret, err);
}
