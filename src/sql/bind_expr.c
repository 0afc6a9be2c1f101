/* Binding of expressions; see bind.h. */
#include "sql/bind.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "model/datetime.h"
#include "model/value_text.h"

#define BIND_ARGS \
	struct binder *b, const struct scope *scope, struct agg_list *aggs, const struct tree *t, struct sql_expr **ret, struct err *err

static const struct type type_bool = {.kind = VALUE_BOOL, .typmod = -1, .oid = 16};
static const struct type type_int4 = {.kind = VALUE_INT4, .typmod = -1, .oid = 23};
static const struct type type_numeric = {.kind = VALUE_NUMERIC, .typmod = -1, .oid = 1700};
static const struct type type_text = {.kind = VALUE_TEXT, .typmod = -1, .oid = 25, .collation = 100};
static const struct type type_timestamptz = {.kind = VALUE_TIMESTAMPTZ, .typmod = -1, .oid = 1184};

/* ---- building ---- */

struct sql_expr *bind_new(struct binder *b, enum sql_expr_kind kind, const struct type *type, uint32_t nargs, int32_t pos)
{
	struct sql_expr *e = arena_zalloc(b->arena, sizeof(*e));

	e->kind = (uint8_t)kind;
	e->type = *type;
	e->nargs = nargs;
	e->args = arena_zalloc(b->arena, (nargs + 1) * sizeof(*e->args));
	e->pos = pos;
	return e;
}

struct sql_expr *bind_column(struct binder *b, uint32_t index, const struct type *type, int32_t pos)
{
	struct sql_expr *e = bind_new(b, SQL_COLUMN, type, 0, pos);

	e->column = index;
	return e;
}

static struct sql_expr *new_const(struct binder *b, const struct type *type, struct value v, int32_t pos)
{
	struct sql_expr *e = bind_new(b, SQL_CONST, type, 0, pos);

	e->constant = v;
	return e;
}

static void note_clock(struct sql_expr *e)
{
	for (uint32_t i = 0; i < e->nargs; i++)
		e->uses_clock = e->uses_clock || e->args[i]->uses_clock;
}

int bind_need_order(struct binder *b, const struct type *type, int32_t pos, struct err *err)
{
	bool is_c, deterministic;

	if (type->kind == VALUE_CITEXT || type->kind == VALUE_ENUM || type->kind == VALUE_OTHER || type->kind == VALUE_JSON ||
		type->kind == VALUE_JSONB)
		return bind_refuse(b, pos, err, "the order of type %s", value_kind_name((enum value_kind)type->kind));
	if (!value_kind_is_text((enum value_kind)type->kind))
		return 0;
	if (catalog_collation_order(b->catalog, type->collation, &is_c, &deterministic, err) != 0)
		return -1;
	if (is_c)
		return 0;
	bind_refuse(b, pos, err, "ordering text by this collation");
	return err_hint(err, "Write COLLATE \"C\" behind the column to order by bytes.");
}

/* Arrays are held as text: that is their equality where an element has one spelling. */
static int need_array_equality(struct binder *b, const struct type *type, int32_t pos, struct err *err)
{
	static const bool one_spelling[VALUE_KINDS] = {
		[VALUE_BOOL] = true, [VALUE_INT2] = true, [VALUE_INT4] = true, [VALUE_INT8] = true, [VALUE_TEXT] = true, [VALUE_VARCHAR] = true,
		[VALUE_BYTEA] = true, [VALUE_DATE] = true, [VALUE_TIME] = true, [VALUE_TIMESTAMP] = true, [VALUE_TIMESTAMPTZ] = true,
		[VALUE_UUID] = true, [VALUE_ENUM] = true};
	struct type elem;

	if (catalog_type(b->catalog, type->elem, &elem, err) != 0)
		return -1;
	if (!one_spelling[elem.kind])
		return bind_refuse(b, pos, err, "comparing arrays of type %s", value_kind_name((enum value_kind)elem.kind));
	elem.collation = type->collation;
	return bind_need_equality(b, &elem, pos, err);
}

int bind_need_equality(struct binder *b, const struct type *type, int32_t pos, struct err *err)
{
	bool is_c, deterministic;

	if (type->elem)
		return need_array_equality(b, type, pos, err);
	if (type->kind == VALUE_CITEXT || type->kind == VALUE_OTHER || type->kind == VALUE_JSON)
		return bind_refuse(b, pos, err, "comparing values of type %s", value_kind_name((enum value_kind)type->kind));
	if (!value_kind_is_text((enum value_kind)type->kind))
		return 0;
	if (catalog_collation_order(b->catalog, type->collation, &is_c, &deterministic, err) != 0)
		return -1;
	return deterministic ? 0 : bind_refuse(b, pos, err, "a nondeterministic collation");
}

static bool all_constant(struct sql_expr *const *args, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (args[i]->kind != SQL_CONST)
			return false;
	return true;
}

/* Text results have a collation: an explicit or column's own one goes before the database's default. */
static uint32_t joined_collation(struct sql_expr *const *args, uint32_t n)
{
	uint32_t c = 0;

	for (uint32_t i = 0; i < n; i++)
		if (value_kind_is_text((enum value_kind)args[i]->type.kind) && args[i]->type.collation && (c == 0 || c == 100))
			c = args[i]->type.collation;
	return c ? c : 100;
}

static int find_zone(struct binder *b, const struct sql_expr *name, int32_t pos, const struct tz **ret, struct err *err)
{
	const char *text;
	bool abbreviation;

	if (name->kind != SQL_CONST || name->constant.null)
		return 0;
	text = arena_str(b->arena, name->constant.text);
	if (strcasecmp(text, "utc") == 0 || strcasecmp(text, "gmt") == 0) {
		*ret = tz_utc();
		return 0;
	}
	if (catalog_is_zone_abbreviation(b->catalog, text, &abbreviation, err) != 0)
		return -1;
	if (abbreviation) {
		bind_refuse(b, pos, err, "the time zone abbreviation \"%s\"", text);
		return err_hint(err, "Write the zone's full name, such as 'Europe/Paris'.");
	}
	*ret = tz_open(b->fold.zones, text, err);
	return *ret ? 0 : -1;
}

int bind_fn(struct binder *b, const struct sql_fn *fn, const struct type *result, struct sql_expr **args, uint32_t n, int32_t pos,
	struct sql_expr **ret,
			struct err *err)
{
	struct sql_expr *e = bind_new(b, SQL_CALL, result, n, pos);
	struct type operand;

	e->fn = fn;
	for (uint32_t i = 0; i < n; i++)
		e->args[i] = args[i];
	note_clock(e);
	if (value_kind_is_text((enum value_kind)result->kind))
		e->type.collation = joined_collation(args, n);
	if (fn->flags & (FN_ORDER | FN_COMPARE)) {
		operand = args[0]->type;
		if (value_kind_is_text((enum value_kind)operand.kind))
			operand.collation = joined_collation(args, n);
		if ((fn->flags & FN_ORDER ? bind_need_order(b, &operand, pos, err) : bind_need_equality(b, &operand, pos, err)) != 0)
			return -1;
	}
	if (fn->flags & FN_CTYPE) {
		uint32_t collation = joined_collation(args, n);

		if (!b->catalog->ctype_known || (collation != 100 && collation != 950 && collation != 951))
			return bind_refuse(b, pos, err, "upper(), lower() and ILIKE in this database's locale");
		if (collation == 100 && !b->catalog->ctype_is_c)
			e->fn = sql_fn_unicode_case(fn);
	}
	if (fn->flags & FN_ZONE_ARG && find_zone(b, args[fn->zone_arg], pos, &e->zone, err) != 0)
		return -1;
	if (fn->flags & FN_PATTERN) {
		struct value sample[2] = {value_int((enum value_kind)args[0]->type.kind, 0), args[1]->constant}, shown;
		struct err why = ERR_INIT;

		if (args[1]->kind != SQL_CONST)
			return bind_refuse(b, pos, err, "to_char() with a pattern that is not a constant");
		if (!sample[1].null && fn->call(NULL, &b->fold, sample, &shown, &why) != 0)
			return bind_refuse(b, pos, err, "this pattern of to_char()");
	}
	*ret = e;
	/* every function here is strict, and the server does not look at the other arguments either */
	for (uint32_t i = 0; i < n; i++) {
		if (args[i]->kind == SQL_CONST && args[i]->constant.null) {
			*ret = new_const(b, &e->type, value_null((enum value_kind)result->kind), pos);
			return 0;
		}
	}
	if (all_constant(args, n) && n) {
		struct err ignored = ERR_INIT;
		struct value v;
		struct sql_prog *p = sql_prog_compile(b->arena, e);

		/* an error is raised when a row gets there, not before: CASE may keep all rows away from it */
		if (sql_prog_run(p, &b->fold, NULL, &v, &ignored) == 0)
			*ret = new_const(b, &e->type, value_copy(b->arena, &v), pos);
	}
	return 0;
}

int bind_cast(struct binder *b, struct sql_expr *e, const struct type *to, int32_t pos, struct sql_expr **ret, struct err *err)
{
	const struct sql_fn *fn;
	struct type result = *to;

	if (value_kind_is_text((enum value_kind)to->kind) && value_kind_is_text((enum value_kind)e->type.kind))
		result.collation = e->type.collation;
	if (e->kind == SQL_CONST && e->constant.null) {
		*ret = new_const(b, &result, value_null((enum value_kind)to->kind), pos);
		return 0;
	}
	if (e->type.oid == to->oid && (to->typmod < 0 || to->typmod == e->type.typmod)) {
		*ret = e;
		return 0;
	}
	/* a literal of a type that only the server's input function knows has passed through it already */
	if (e->kind == SQL_CONST && e->type.kind == VALUE_NONE && (to->kind == VALUE_ENUM || to->kind == VALUE_JSON)) {
		*ret = new_const(b, to, value_text((enum value_kind)to->kind, e->constant.text), pos);
		return 0;
	}
	if (e->kind == SQL_CONST && e->type.kind == VALUE_NONE && to->kind == VALUE_JSONB) {
		const char *text = arena_str(b->arena, e->constant.text);
		struct sql_rows rows;

		if (catalog_query(b->catalog, "SELECT $1::pg_catalog.jsonb::pg_catalog.text", &text, 1, &rows, err) != 0)
			return -1;
		*ret = new_const(b, to, value_text(VALUE_JSONB, view_str(sql_cell(&rows, 0, 0))), pos);
		return 0;
	}
	if (e->type.kind == VALUE_NONE) {       /* a string literal: text's way into every type */
		e->type = type_text;
		e->constant.kind = VALUE_TEXT;
	}
	fn = sql_fn_cast((enum value_kind)e->type.kind, (enum value_kind)to->kind);
	if (!fn || (to->kind == VALUE_OTHER || to->kind == VALUE_ENUM || to->kind == VALUE_CITEXT))
		return bind_refuse(b, pos, err, "the cast from %s to %s", value_kind_name((enum value_kind)e->type.kind),
			value_kind_name((enum value_kind)to->kind));
	if (to->kind == VALUE_INTERVAL && to->typmod >= 0 && (to->typmod >> 16 & 0x7fff) != 0x7fff)
		return bind_refuse(b, pos, err, "an interval restricted to some fields");
	return bind_fn(b, fn, &result, &e, 1, pos, ret, err);
}

/* fn(e) with an enum's labels, folded when e is a constant. */
static int enum_call(struct binder *b, const struct sql_fn *fn, const struct type *result, const struct type *of, struct sql_expr *arg,
	int32_t pos, struct sql_expr **ret, struct err *err)
{
	struct sql_expr *e = bind_new(b, SQL_CALL, result, 1, pos);
	struct value v;

	e->fn = fn;
	e->args[0] = arg;
	note_clock(e);
	*ret = e;
	if (catalog_enum(b->catalog, of, &e->labels, err) != 0)
		return -1;
	if (arg->kind != SQL_CONST)
		return 0;
	if (arg->constant.null)
		v = value_null((enum value_kind)result->kind);
	else if (sql_prog_run(sql_prog_compile(b->arena, e), &b->fold, NULL, &v, err) != 0)
		return -1;
	*ret = new_const(b, result, v, pos);
	return 0;
}

int bind_enum_rank(struct binder *b, struct sql_expr *e, int32_t pos, struct sql_expr **ret, struct err *err)
{
	return enum_call(b, &sql_fn_enum_rank, &type_int4, &e->type, e, pos, ret, err);
}

int bind_enum_label(struct binder *b, struct sql_expr *e, const struct type *type, int32_t pos, struct sql_expr **ret, struct err *err)
{
	return enum_call(b, &sql_fn_enum_label, type, type, e, pos, ret, err);
}

/* Enums under an order operator become their places in the order. */
static int rank_enums(struct binder *b, const char *name, struct sql_expr **args, uint32_t n, int32_t pos, struct err *err)
{
	if (n != 2 || (name[0] != '<' && name[0] != '>') || strcmp(name, "<>") == 0 || args[0]->type.kind != VALUE_ENUM ||
		args[0]->type.oid != args[1]->type.oid)
		return 0;
	return bind_enum_rank(b, args[0], pos, &args[0], err) != 0 ? -1 : bind_enum_rank(b, args[1], pos, &args[1], err);
}

static const char *type_shown(const struct type *t) { return value_kind_name((enum value_kind)t->kind); }

static bool is_null_const(const struct sql_expr *e) { return e->kind == SQL_CONST && e->constant.null; }

/* text || anything: the other side as text */
static int bind_concat(struct binder *b, struct sql_expr **args, int32_t pos, struct sql_expr **ret, struct err *err)
{
	enum value_kind kinds[2] = {VALUE_TEXT, VALUE_TEXT};

	for (int i = 0; i < 2; i++)
		if (bind_cast(b, args[i], &type_text, pos, &args[i], err) != 0)
			return -1;
	return bind_fn(b, sql_fn_find("||", kinds, 2), &type_text, args, 2, pos, ret, err);
}

int bind_operator(struct binder *b, const char *name, struct sql_expr **args, uint32_t n, int32_t pos, struct sql_expr **ret,
	struct err *err)
{
	struct sql_expr *copy[2] = {args[0], args[n - 1]};
	enum value_kind kinds[2];
	uint32_t left, right;
	const struct sql_fn *fn;
	struct cat_function f;
	bool text_left;

	args = copy;
	if (rank_enums(b, name, args, n, pos, err) != 0)
		return -1;
	left = n == 2 ? args[0]->type.oid : 0;
	right = args[n - 1]->type.oid;
	kinds[0] = (enum value_kind)args[0]->type.kind;
	kinds[1] = (enum value_kind)args[n - 1]->type.kind;
	text_left = value_kind_is_text(kinds[0]);
	if (kinds[0] == VALUE_ENUM && kinds[1] == VALUE_ENUM && left == right)
		left = right = 3500;    /* anyenum */
	if (n == 2 && left == right && args[0]->type.elem && (strcmp(name, "=") == 0 || strcmp(name, "<>") == 0)) {
		left = right = 2277;    /* anyarray; what they may hold bind_need_equality() says */
		kinds[0] = kinds[1] = VALUE_BYTEA;
	}
	if (catalog_operator(b->catalog, name, left, right, &f, err) != 0)
		return -1;
	if (!f.exists && n == 2 && strcmp(name, "||") == 0 && (text_left || value_kind_is_text(kinds[1])) && kinds[0] != VALUE_OTHER &&
		kinds[1] != VALUE_OTHER)
		return bind_concat(b, args, pos, ret, err);
	fn = f.exists ? sql_fn_find(name, kinds, n) : NULL;
	if (!fn || f.volatility == 'v') {
		if (n == 1)
			return bind_refuse(b, pos, err, "the operator %s %s", name, type_shown(&args[0]->type));
		return bind_refuse(b, pos, err, "the operator %s %s %s", type_shown(&args[0]->type), name, type_shown(&args[1]->type));
	}
	return bind_fn(b, fn, &f.result, args, n, pos, ret, err);
}

/* An integer literal, read from the text: libpg_query 15's JSON leaves negative ones out. */
static int64_t literal_int(const struct binder *b, const struct tree *constant)
{
	int32_t pos = tree_pos(constant);

	if (pos >= 0 && (size_t)pos < strlen(b->text) && b->text[pos] == '-')
		return -strtoll(b->text + pos + 1 + strspn(b->text + pos + 1, " "), NULL, 10);
	return tree_int(tree_get(constant, "ival"), "ival", 0);
}

/* ---- names of types ---- */

static int32_t typmod_of(enum value_kind kind, const int64_t *mods, uint32_t n)
{
	switch (kind) {
	case VALUE_NUMERIC: return n ? (int32_t)(((uint32_t)mods[0] << 16 | ((uint32_t)(n > 1 ? mods[1] : 0) & 0x7ff)) + 4) : -1;
	case VALUE_VARCHAR: case VALUE_BPCHAR: return n ? (int32_t)mods[0] + 4 : -1;
	case VALUE_TIME: case VALUE_TIMESTAMP: case VALUE_TIMESTAMPTZ: return n ? (int32_t)mods[0] : -1;
	case VALUE_INTERVAL: return n ? (int32_t)((uint32_t)(mods[0] & 0x7fff) << 16 | (n > 1 ? (uint32_t)mods[1] & 0xffff : 0xffff)) : -1;
	default: return -1;
	}
}

int bind_type_name(struct binder *b, const struct tree *name, struct type *ret, bool *ret_array, struct err *err)
{
	const struct tree *names = tree_get(name, "names"), *bounds = tree_get(name, "arrayBounds");
	const char *parts[2] = {"pg_catalog", NULL};
	int64_t mods[2] = {0, 0};
	bool domain = false;
	uint32_t n = 0;

	*ret_array = tree_count(bounds) > 0;
	if (tree_count(names) < 1 || tree_count(names) > 2 || tree_count(bounds) > 1)
		return bind_refuse(b, tree_pos(name), err, "this type");
	TREE_EACH(part, names) {
		parts[0] = tree_count(names) == 2 && part == names->child ? tree_str(tree_is(part, "String"), "sval") : parts[0];
		parts[1] = tree_str(tree_is(part, "String"), "sval");
	}
	/* its constraints would have to be checked */
	if (parts[0] && parts[1] && strcmp(parts[0], "pg_catalog") != 0) {
		if (catalog_is_domain(b->catalog, parts[0], parts[1], &domain, err) != 0)
			return -1;
		if (domain)
			return bind_refuse(b, tree_pos(name), err, "a cast to a domain");
	}
	if (!parts[0] || !parts[1] || catalog_type_named(b->catalog, parts[0], parts[1], ret, err) != 0)
		return parts[0] && parts[1] ? -1 : bind_refuse(b, tree_pos(name), err, "this type");
	TREE_EACH(mod, tree_get(name, "typmods")) {
		const struct tree *c = tree_is(mod, "A_Const");

		if (!c || !tree_get(c, "ival") || n == 2)
			return bind_refuse(b, tree_pos(name), err, "this type modifier");
		mods[n++] = literal_int(b, c);
	}
	if (n)
		ret->typmod = typmod_of((enum value_kind)ret->kind, mods, n);
	return 0;
}

/* ---- the kinds of nodes ---- */

static int bind_column_ref(BIND_ARGS)
{
	const struct tree *fields = tree_get(t, "fields");
	const char *relation = NULL, *name = NULL;
	const struct scope_column *found = NULL;

	TREE_EACH(f, fields) {
		if (!tree_is(f, "String"))
			return bind_refuse(b, tree_pos(t), err, "a whole row as a value");
		relation = name;
		name = tree_str(tree_is(f, "String"), "sval");
	}
	for (uint32_t i = 0; name && i < scope->n && !found; i++) {
		const struct scope_column *c = &scope->columns[i];

		if (strcmp(c->name, name) == 0 && (relation ? strcmp(c->relation, relation) == 0 : !c->hidden))
			found = c;
	}
	if (!found)
		return bind_refuse(b, tree_pos(t), err, "a column from outside of this query");
	if (found->generated)
		return bind_refuse(b, tree_pos(t), err, "a generated column");
	if (found->used)
		*found->used = true;
	*ret = bind_column(b, found->index, &found->type, tree_pos(t));
	return 0;
}

static int bind_const(BIND_ARGS)
{
	const struct tree *c;
	const char *text;
	int32_t pos = tree_pos(t);
	struct type none = {.kind = VALUE_NONE, .typmod = -1};
	struct value v;

	if (tree_true(t, "isnull")) {
		*ret = new_const(b, &none, value_null(VALUE_NONE), pos);
		return 0;
	}
	if (tree_get(t, "ival")) {
		*ret = new_const(b, &type_int4, value_int(VALUE_INT4, literal_int(b, t)), pos);
		return 0;
	}
	if ((c = tree_get(t, "boolval"))) {
		*ret = new_const(b, &type_bool, value_bool(tree_true(c, "boolval")), pos);
		return 0;
	}
	if ((c = tree_get(t, "fval"))) {
		text = tree_str(c, "fval");
		if (!text || value_parse(view_str(text), VALUE_NUMERIC, NULL, b->arena, &v, err) != 0)
			return text ? -1 : bind_refuse(b, pos, err, "this constant");
		*ret = new_const(b, &type_numeric, v, pos);
		return 0;
	}
	if ((c = tree_get(t, "sval"))) {
		text = tree_str(c, "sval");
		*ret = new_const(b, &none, value_text(VALUE_TEXT, view_str(text ? text : "")), pos);
		return 0;
	}
	return bind_refuse(b, pos, err, "this constant");
}

/* '{...}'::t[] and NULL::t[]: the server says how it would write it. */
static int bind_array_literal(struct binder *b, const struct tree *t, const struct type *elem, struct sql_expr **ret, struct err *err)
{
	const struct tree *c = tree_is(tree_get(t, "arg"), "A_Const");
	const char *text = tree_str(tree_get(c, "sval"), "sval");
	struct type type = {.oid = 0};
	struct sql_rows rows;

	if (c && catalog_array_of(b->catalog, elem->oid, &type, err) != 0)
		return -1;
	if (type.oid && tree_true(c, "isnull")) {
		*ret = new_const(b, &type, value_null(VALUE_OTHER), tree_pos(t));
		return 0;
	}
	/* these are written in the session's time zone, ours in UTC */
	if (!type.oid || !text || elem->kind == VALUE_TIMESTAMPTZ)
		return bind_refuse(b, tree_pos(t), err, "an array outside of = ANY (...)");
	if (catalog_query(b->catalog, "SELECT pg_catalog.format_type($1::oid, NULL)", (const char *[]){arena_printf(b->arena, "%u",
		type.oid)}, 1,
		&rows, err) != 0 ||
		catalog_query(b->catalog, arena_printf(b->arena, "SELECT $1::%s::pg_catalog.text", sql_cell(&rows, 0, 0)), &text, 1, &rows,
			err) != 0)
		return -1;
	*ret = new_const(b, &type, value_text(VALUE_OTHER, view_str(sql_cell(&rows, 0, 0))), tree_pos(t));
	return 0;
}

static int bind_type_cast(BIND_ARGS)
{
	struct sql_expr *arg;
	struct type type;
	bool array;

	if (bind_type_name(b, tree_get(t, "typeName"), &type, &array, err) != 0)
		return -1;
	if (array)
		return bind_array_literal(b, t, &type, ret, err);
	if (bind_expr(b, scope, aggs, tree_get(t, "arg"), &arg, err) != 0)
		return -1;
	return bind_cast(b, arg, &type, tree_pos(t), ret, err);
}

/* Elements of ARRAY[...] or '{...}'::t[], each cast to the array's type. */
static int bind_elements(struct binder *b, const struct scope *scope, struct agg_list *aggs, const struct tree *t, struct sql_expr ***ret,
	uint32_t *ret_n,
						 struct err *err)
{
	const struct tree *cast = tree_is(t, "TypeCast"), *array = tree_is(cast ? tree_get(cast, "arg") : t, "A_ArrayExpr"), *literal;
	struct sql_expr **list;
	struct type type;
	bool is_array = false;
	uint32_t n = 0;

	if (cast && bind_type_name(b, tree_get(cast, "typeName"), &type, &is_array, err) != 0)
		return -1;
	if (array) {
		list = arena_alloc(b->arena, (tree_count(tree_get(array, "elements")) + 1) * sizeof(*list));
		TREE_EACH(e, tree_get(array, "elements")) {
			if (bind_expr(b, scope, aggs, e, &list[n], err) != 0 || (is_array && bind_cast(b, list[n], &type, tree_pos(cast), &list[n],
				err) != 0))
				return -1;
			n++;
		}
		*ret = list;
		*ret_n = n;
		return 0;
	}
	literal = is_array ? tree_is(tree_get(cast, "arg"), "A_Const") : NULL;
	if (literal && tree_str(tree_get(literal, "sval"), "sval")) {
		const char *p = tree_str(tree_get(literal, "sval"), "sval");
		size_t len = strlen(p);
		struct type none = {.kind = VALUE_NONE, .typmod = -1};

		/* one dimension, elements without quotes: what the server prints for numbers and plain words */
		if (len >= 2 && p[0] == '{' && p[len - 1] == '}' && !strpbrk(p + 1, "\"\\{ ")) {
			list = arena_alloc(b->arena, (len + 1) * sizeof(*list));
			for (p++; *p && *p != '}'; p += *p == ',') {
				size_t m = strcspn(p, ",}");
				struct sql_expr *e = new_const(b, &none, value_text(VALUE_TEXT, view_of(p, m)), tree_pos(literal));

				if (m == 4 && memcmp(p, "NULL", 4) == 0)
					e->constant = value_null(VALUE_NONE);
				if (bind_cast(b, e, &type, tree_pos(literal), &list[n++], err) != 0)
					return -1;
				p += m;
			}
			*ret = list;
			*ret_n = n;
			return 0;
		}
	}
	return bind_refuse(b, tree_pos(cast ? cast : t->child), err, "= ANY over anything but a list of values");
}

static int bind_any(BIND_ARGS)
{
	bool any = strcmp(tree_str(t, "kind"), "AEXPR_OP_ANY") == 0;
	const char *name = tree_str(tree_is(tree_get(t, "name")->child, "String"), "sval");
	struct sql_expr *left, **list, *e, *one, *pair[2];
	uint32_t n = 0;

	if (bind_expr(b, scope, aggs, tree_get(t, "lexpr"), &left, err) != 0 || bind_elements(b, scope, aggs, tree_get(t, "rexpr"), &list, &n,
		err) != 0)
		return -1;
	e = bind_new(b, any ? SQL_ANY : SQL_ALL, &type_bool, n + 1, tree_pos(t));
	e->args[0] = left;
	for (uint32_t i = 0; i < n; i++) {
		pair[0] = left;
		pair[1] = list[i];
		if (rank_enums(b, name, pair, 2, tree_pos(t), err) != 0)
			return -1;
		e->args[0] = pair[0];
		list[i] = pair[1];
		/* the operator is resolved on columns so that nothing is folded away */
		pair[0] = bind_column(b, 0, &e->args[0]->type, tree_pos(t));
		pair[1] = bind_column(b, 0, &list[i]->type, tree_pos(t));
		if (bind_operator(b, name, pair, 2, tree_pos(t), &one, err) != 0)
			return -1;
		e->fn = one->fn;
		e->args[i + 1] = list[i];
	}
	if (!n) {
		*ret = new_const(b, &type_bool, value_bool(!any), tree_pos(t));
		return 0;
	}
	note_clock(e);
	*ret = e;
	return 0;
}

/* IS [NOT] DISTINCT FROM and NULLIF: nodes around the types' equality */
static int bind_equality_form(struct binder *b, enum sql_expr_kind kind, struct sql_expr **args, int32_t pos, struct sql_expr **ret,
	struct err *err)
{
	const struct type *type = kind == SQL_NULLIF ? &args[0]->type : &type_bool;
	struct sql_expr *e = bind_new(b, kind, type, 2, pos), *eq, *pair[2];

	if (is_null_const(args[0]) || is_null_const(args[1])) {
		/* the server has given the null the other side's type */
		for (int i = 0; i < 2; i++)
			if (args[i]->type.kind == VALUE_NONE)
				args[i]->type = args[1 - i]->type;
	}
	pair[0] = bind_column(b, 0, &args[0]->type, pos);
	pair[1] = bind_column(b, 1, &args[1]->type, pos);
	if (bind_operator(b, "=", pair, 2, pos, &eq, err) != 0)
		return -1;
	if (kind == SQL_NULLIF && is_null_const(args[0])) {
		*ret = args[0];
		return 0;
	}
	e->fn = eq->fn;
	e->args[0] = args[0];
	e->args[1] = args[1];
	note_clock(e);
	*ret = e;
	return 0;
}

static int bind_a_expr(BIND_ARGS)
{
	const char *kind = tree_str(t, "kind"), *name;
	const struct tree *names = tree_get(t, "name"), *l = tree_get(t, "lexpr"), *r = tree_get(t, "rexpr");
	struct sql_expr *args[2];
	uint32_t n = 0;

	if (!kind || tree_count(names) != 1)
		return bind_refuse(b, tree_pos(t), err, "an operator from outside of pg_catalog");
	name = tree_str(tree_is(names->child, "String"), "sval");
	if (strcmp(kind, "AEXPR_OP_ANY") == 0 || strcmp(kind, "AEXPR_OP_ALL") == 0)
		return bind_any(b, scope, aggs, t, ret, err);
	if (l && bind_expr(b, scope, aggs, l, &args[n++], err) != 0)
		return -1;
	if (!r || bind_expr(b, scope, aggs, r, &args[n++], err) != 0)
		return r ? -1 : bind_refuse(b, tree_pos(t), err, "a postfix operator");
	if (strcmp(kind, "AEXPR_OP") == 0)
		return bind_operator(b, name, args, n, tree_pos(t), ret, err);
	if (n == 2 && strcmp(kind, "AEXPR_DISTINCT") == 0)
		return bind_equality_form(b, SQL_IS_DISTINCT, args, tree_pos(t), ret, err);
	if (n == 2 && strcmp(kind, "AEXPR_NOT_DISTINCT") == 0)
		return bind_equality_form(b, SQL_IS_NOT_DISTINCT, args, tree_pos(t), ret, err);
	if (n == 2 && strcmp(kind, "AEXPR_NULLIF") == 0)
		return bind_equality_form(b, SQL_NULLIF, args, tree_pos(t), ret, err);
	return bind_refuse(b, tree_pos(t), err, "this form of expression");
}

static int bind_list(struct binder *b, const struct scope *scope, struct agg_list *aggs, const struct tree *list, struct sql_expr *e,
	struct err *err)
{
	uint32_t n = 0;

	TREE_EACH(a, list)
		if (bind_expr(b, scope, aggs, a, &e->args[n++], err) != 0)
			return -1;
	note_clock(e);
	return 0;
}

static int bind_bool(BIND_ARGS)
{
	const char *op = tree_str(t, "boolop");
	const struct tree *list = tree_get(t, "args");
	enum sql_expr_kind kind = op && strcmp(op, "AND_EXPR") == 0 ? SQL_AND : op && strcmp(op, "OR_EXPR") == 0 ? SQL_OR : SQL_NOT;

	*ret = bind_new(b, kind, &type_bool, tree_count(list), tree_pos(t));
	return bind_list(b, scope, aggs, list, *ret, err);
}

static int bind_test(BIND_ARGS)
{
	static const struct { const char *name; enum sql_expr_kind kind; } tests[] = {
		{"IS_NULL", SQL_IS_NULL}, {"IS_NOT_NULL", SQL_IS_NOT_NULL}, {"IS_TRUE", SQL_IS_TRUE}, {"IS_NOT_TRUE", SQL_IS_NOT_TRUE},
		{"IS_FALSE", SQL_IS_FALSE}, {"IS_NOT_FALSE", SQL_IS_NOT_FALSE}, {"IS_UNKNOWN", SQL_IS_NULL}, {"IS_NOT_UNKNOWN", SQL_IS_NOT_NULL}};
	const char *name = tree_str(t, "nulltesttype");

	name = name ? name : tree_str(t, "booltesttype");
	for (size_t i = 0; name && i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (strcmp(tests[i].name, name) != 0)
			continue;
		*ret = bind_new(b, tests[i].kind, &type_bool, 1, tree_pos(t));
		if (bind_expr(b, scope, aggs, tree_get(t, "arg"), &(*ret)->args[0], err) != 0)
			return -1;
		note_clock(*ret);
		return 0;
	}
	return bind_refuse(b, tree_pos(t), err, "this test");
}

/* The branches of CASE, COALESCE, GREATEST have one type; a bare null takes the others'. */
static void settle_type(struct sql_expr *e, struct sql_expr **branches, uint32_t n, uint32_t step)
{
	const struct type *type = NULL;

	for (uint32_t i = 0; i < n; i += step)
		if (branches[i]->type.kind != VALUE_NONE && (!type || (type->collation == 100 && branches[i]->type.collation)))
			type = &branches[i]->type;
	if (!type)
		return;
	e->type = *type;
	for (uint32_t i = 0; i < n; i += step) {
		if (branches[i]->type.typmod != e->type.typmod)
			e->type.typmod = -1;
		if (branches[i]->type.kind == VALUE_NONE) {
			branches[i]->type = e->type;
			branches[i]->constant.kind = e->type.kind;
		}
	}
}

/* Branches that constants decide go, so that errors in them do not come up: the server's simplification. */
static void simplify_case(struct sql_expr *e, struct sql_expr **ret)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i + 1 < e->nargs; i += 2) {
		const struct sql_expr *when = e->args[i];

		if (when->kind == SQL_CONST && (when->constant.null || !when->constant.i))
			continue;
		if (when->kind == SQL_CONST) {
			e->args[n++] = e->args[i + 1];
			e->nargs = n;
			break;
		}
		e->args[n] = e->args[i];
		e->args[n + 1] = e->args[i + 1];
		n += 2;
	}
	if (e->nargs != n) {
		e->args[n] = e->args[e->nargs - 1];
		e->nargs = n + 1;
	}
	*ret = e->nargs == 1 ? e->args[0] : e;
}

static int bind_case(BIND_ARGS)
{
	const struct tree *whens = tree_get(t, "args"), *other = tree_get(t, "defresult"), *subject = tree_get(t, "arg");
	struct type none = {.kind = VALUE_NONE, .typmod = -1};
	struct sql_expr *e = bind_new(b, SQL_CASE, &none, tree_count(whens) * 2 + 1, tree_pos(t)), *value = NULL;
	uint32_t n = 0;

	if (subject && bind_expr(b, scope, aggs, subject, &value, err) != 0)
		return -1;
	TREE_EACH(w, whens) {
		const struct tree *when = tree_is(w, "CaseWhen");
		struct sql_expr *pair[2] = {value, NULL};

		if (bind_expr(b, scope, aggs, tree_get(when, "expr"), &e->args[n], err) != 0)
			return -1;
		pair[1] = e->args[n];
		if (value && bind_operator(b, "=", pair, 2, tree_pos(when), &e->args[n], err) != 0)
			return -1;
		n++;
		if (bind_expr(b, scope, aggs, tree_get(when, "result"), &e->args[n++], err) != 0)
			return -1;
	}
	e->args[n] = new_const(b, &none, value_null(VALUE_NONE), tree_pos(t));
	if (other && bind_expr(b, scope, aggs, other, &e->args[n], err) != 0)
		return -1;
	settle_type(e, e->args + 1, n - 1, 2);
	if (e->type.kind == VALUE_NONE)
		e->type = e->args[n]->type;
	if (e->args[n]->type.kind == VALUE_NONE) {
		e->args[n]->type = e->type;
		e->args[n]->constant.kind = e->type.kind;
	} else if (e->args[n]->type.typmod != e->type.typmod) {
		e->type.typmod = -1;
	}
	simplify_case(e, ret);
	note_clock(*ret);
	return 0;
}

/* Null constants say nothing, and behind another constant nothing is looked at. */
static void simplify_coalesce(struct sql_expr *e)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < e->nargs; i++) {
		if (is_null_const(e->args[i]) && (n || i + 1 < e->nargs))
			continue;
		e->args[n++] = e->args[i];
		if (e->args[n - 1]->kind == SQL_CONST)
			break;
	}
	e->nargs = n;
}

static int bind_coalesce(BIND_ARGS)
{
	const struct tree *list = tree_get(t, "args");
	struct type none = {.kind = VALUE_NONE, .typmod = -1};
	struct sql_expr *e = bind_new(b, SQL_COALESCE, &none, tree_count(list), tree_pos(t));
	const char *op = tree_str(t, "op");

	if (op)
		e->kind = (uint8_t)(strcmp(op, "IS_LEAST") == 0 ? SQL_LEAST : SQL_GREATEST);
	if (bind_list(b, scope, aggs, list, e, err) != 0)
		return -1;
	settle_type(e, e->args, e->nargs, 1);
	if (op && e->type.kind == VALUE_ENUM) {
		struct type type = e->type;

		for (uint32_t i = 0; i < e->nargs; i++)
			if (bind_enum_rank(b, e->args[i], tree_pos(t), &e->args[i], err) != 0)
				return -1;
		e->type = type_int4;
		return bind_enum_label(b, e, &type, tree_pos(t), ret, err);
	}
	if (op) {
		e->type.collation = value_kind_is_text((enum value_kind)e->type.kind) ? joined_collation(e->args, e->nargs) : 0;
		if (bind_need_order(b, &e->type, tree_pos(t), err) != 0)
			return -1;
	} else {
		simplify_coalesce(e);
	}
	*ret = e->nargs == 1 && !op && e->args[0]->type.oid == e->type.oid ? e->args[0] : e;
	return 0;
}

static int bind_collate(BIND_ARGS)
{
	const struct tree *names = tree_get(t, "collname");
	const char *schema = "pg_catalog", *name = NULL;
	struct sql_expr *arg, *e;
	uint32_t oid;

	TREE_EACH(n, names) {
		if (name)
			schema = name;
		name = tree_str(tree_is(n, "String"), "sval");
	}
	if (!name || bind_expr(b, scope, aggs, tree_get(t, "arg"), &arg, err) != 0 || catalog_collation(b->catalog, schema, name, &oid,
		err) != 0)
		return name ? -1 : bind_refuse(b, tree_pos(t), err, "this collation");
	e = arena_alloc(b->arena, sizeof(*e));
	*e = *arg;
	e->type.collation = oid;
	*ret = e;
	return 0;
}

static int bind_now(struct binder *b, const struct type *to, int32_t typmod, int32_t pos, struct sql_expr **ret, struct err *err)
{
	struct sql_expr *now = bind_new(b, SQL_NOW, &type_timestamptz, 0, pos);
	struct type type = *to;

	now->uses_clock = true;
	type.typmod = typmod;
	return bind_cast(b, now, &type, pos, ret, err);
}

static int bind_value_function(BIND_ARGS)
{
	static const struct { const char *op; struct type type; } forms[] = {
		{"SVFOP_CURRENT_DATE", {.kind = VALUE_DATE, .typmod = -1, .oid = 1082}},
		{"SVFOP_CURRENT_TIMESTAMP", {.kind = VALUE_TIMESTAMPTZ, .typmod = -1, .oid = 1184}},
		{"SVFOP_CURRENT_TIMESTAMP_N", {.kind = VALUE_TIMESTAMPTZ, .typmod = -1, .oid = 1184}},
		{"SVFOP_LOCALTIMESTAMP", {.kind = VALUE_TIMESTAMP, .typmod = -1, .oid = 1114}},
		{"SVFOP_LOCALTIMESTAMP_N", {.kind = VALUE_TIMESTAMP, .typmod = -1, .oid = 1114}},
		{"SVFOP_LOCALTIME", {.kind = VALUE_TIME, .typmod = -1, .oid = 1083}},
		{"SVFOP_LOCALTIME_N", {.kind = VALUE_TIME, .typmod = -1, .oid = 1083}}};
	const char *op = tree_str(t, "op");

	for (size_t i = 0; op && i < sizeof(forms) / sizeof(forms[0]); i++)
		if (strcmp(forms[i].op, op) == 0)
			return bind_now(b, &forms[i].type, (int32_t)tree_int(t, "typmod", -1), tree_pos(t), ret, err);
	return bind_refuse(b, tree_pos(t), err, "a value that depends on the session");
}

int bind_expr(BIND_ARGS)
{
	static const struct {
		const char *tag;
		int (*bind)(BIND_ARGS);
	} kinds[] = {
		{"ColumnRef", bind_column_ref}, {"A_Const", bind_const}, {"TypeCast", bind_type_cast}, {"A_Expr", bind_a_expr},
		{"BoolExpr", bind_bool},
		{"NullTest", bind_test}, {"BooleanTest", bind_test}, {"CaseExpr", bind_case}, {"CoalesceExpr", bind_coalesce},
		{"MinMaxExpr", bind_coalesce}, {"FuncCall", bind_call}, {"CollateClause", bind_collate}, {"SQLValueFunction", bind_value_function}};
	int rc;

	if (!t || !t->child)
		return bind_refuse(b, -1, err, "an empty expression");
	if (b->depth >= SQL_DEPTH_MAX)
		return err_set(err, ERR_LIMIT, "the query is nested too deeply");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!view_is(t->child->key, kinds[i].tag))
			continue;
		b->depth++;
		rc = kinds[i].bind(b, scope, aggs, t->child, ret, err);
		b->depth--;
		return rc;
	}
	if (tree_is(t, "SubLink"))
		return bind_scalar(b, scope, aggs, t->child, ret, err);
	return bind_refuse(b, tree_pos(t->child), err, "this form of expression");
}

/* ---- over bound expressions ---- */

bool bind_same(const struct sql_expr *x, const struct sql_expr *y)
{
	if (x->kind != y->kind || x->fn != y->fn || x->nargs != y->nargs || x->type.oid != y->type.oid || x->type.typmod != y->type.typmod ||
	    x->column != y->column)
		return false;
	if (x->kind == SQL_CONST && !value_same(&x->constant, &y->constant))
		return false;
	for (uint32_t i = 0; i < x->nargs; i++)
		if (!bind_same(x->args[i], y->args[i]))
			return false;
	return true;
}

bool bind_columns_used(const struct sql_expr *e, uint32_t *low, uint32_t *high)
{
	bool any = e->kind == SQL_COLUMN;

	if (any) {
		*low = *high = e->column;
		return true;
	}
	for (uint32_t i = 0; i < e->nargs; i++) {
		uint32_t l, h;

		if (!bind_columns_used(e->args[i], &l, &h))
			continue;
		*low = any && *low < l ? *low : l;
		*high = any && *high > h ? *high : h;
		any = true;
	}
	return any;
}

struct sql_expr *bind_shift(struct binder *b, const struct sql_expr *e, uint32_t by)
{
	struct sql_expr *copy = arena_alloc(b->arena, sizeof(*copy));

	*copy = *e;
	if (e->kind == SQL_COLUMN)
		copy->column -= by;
	copy->args = arena_alloc(b->arena, (e->nargs + 1) * sizeof(*copy->args));
	for (uint32_t i = 0; i < e->nargs; i++)
		copy->args[i] = bind_shift(b, e->args[i], by);
	return copy;
}

struct sql_expr *bind_and(struct binder *b, struct sql_expr *x, struct sql_expr *y)
{
	struct sql_expr *e, *sides[2] = {x, y};
	uint32_t n = 0;

	if (!x || !y)
		return x ? x : y;
	/* one level, however they come */
	e = bind_new(b, SQL_AND, &type_bool, (x->kind == SQL_AND ? x->nargs : 1) + (y->kind == SQL_AND ? y->nargs : 1), x->pos);
	for (int i = 0; i < 2; i++) {
		if (sides[i]->kind != SQL_AND)
			e->args[n++] = sides[i];
		for (uint32_t k = 0; sides[i]->kind == SQL_AND && k < sides[i]->nargs; k++)
			e->args[n++] = sides[i]->args[k];
	}
	note_clock(e);
	return e;
}
