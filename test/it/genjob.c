/* Queries from a seed; see genjob.h. */
#include "genjob.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Types, by a letter each:
 *	I integers     N numeric of fixed scale   M numeric of any scale      G float8 of few bits   F any float8   R real of few bits
 *	T text         P character(n)             B bool                      D date                 Z timestamptz  S timestamp
 *	C time         V interval                 U uuid    E enum            Y bytea                J jsonb
 *	A text[]       X int[]                    L enum[]
 */
enum { COLUMNS = 40, KEYS = 12, DEPTH = 2 };

struct col {
	char name[40];
	char type;
	bool base;      /* a table's own column: its spelling is the row's */
};

struct rel {
	unsigned n, nkey;
	struct col cols[COLUMNS];
	unsigned key[KEYS];     /* in cols; unique together, nulls being equal */
	bool one_row;
};

struct gen {
	uint64_t random;
	unsigned aliases, ctes;
	struct buf with;
};

static const struct {
	const char *name;
	unsigned nkey;
	struct { const char *name; char type; } cols[20];
} tables[] = {
	{"customers", 1, {{"id", 'I'}, {"name", 'T'}, {"region", 'T'}, {"credit", 'M'}, {"vip", 'B'}, {"created_at", 'Z'}}},
	{"orders", 1, {{"id", 'I'}, {"customer_id", 'I'}, {"status", 'T'}, {"amount", 'N'}, {"score", 'F'}, {"half", 'G'}, {"created_at", 'Z'},
		{"note", 'T'}}},
	{"items", 2, {{"order_id", 'I'}, {"line", 'I'}, {"sku", 'T'}, {"qty", 'I'}, {"price", 'M'}}},
	{"people", 1, {{"id", 'I'}, {"boss_id", 'I'}, {"name", 'T'}, {"salary", 'I'}, {"hired", 'D'}}},
	{"events", 1, {{"id", 'U'}, {"order_id", 'I'}, {"kind", 'E'}, {"prior", 'E'}, {"took", 'V'}, {"tags", 'A'}, {"nums", 'X'}, {"raw", 'Y'},
		{"doc", 'J'}, {"at", 'S'}, {"clock", 'C'}, {"code", 'P'}, {"small", 'I'}, {"ratio", 'R'}, {"label", 'T'}, {"total", 'N'},
		{"kinds", 'L'}}},
};

/* ---- chance ---- */

static uint32_t below(struct gen *g, uint32_t n)
{
	g->random ^= g->random << 13;
	g->random ^= g->random >> 7;
	g->random ^= g->random << 17;
	return (uint32_t)((g->random >> 20) % n);
}

static bool chance(struct gen *g, uint32_t of) { return below(g, of) == 0; }

#define ONE_OF(g, ...) ((const char *const[]){__VA_ARGS__}[below(g, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))])

static void put(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct buf *b, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_puts(b, text);
}

static const struct col *some_column(struct gen *g, const struct rel *r, char type, bool base)
{
	unsigned from = below(g, r->n ? r->n : 1), i;

	for (i = 0; i < r->n; i++) {
		const struct col *c = &r->cols[(from + i) % r->n];

		if (c->type == type && (c->base || !base))
			return c;
	}
	return NULL;
}

/* ---- expressions ---- */

static void put_expr(struct gen *g, struct buf *b, const struct rel *r, char type, unsigned depth);
static void put_bool(struct gen *g, struct buf *b, const struct rel *r, unsigned depth);

static void put_constant(struct gen *g, struct buf *b, char type)
{
	switch (type) {
	case 'I': put(b, "%d", (int)below(g, 40) - 3); break;
	case 'N': put(b, "%u.%02u", below(g, 100), below(g, 100)); break;
	case 'M': buf_puts(b, ONE_OF(g, "1.5", "0::numeric", "1.000", "'NaN'::numeric", "(-3)::numeric", "100::numeric")); break;
	case 'G': case 'F': put(b, "%u.25::float8", below(g, 50)); break;
	case 'R': put(b, "%u.5::real", below(g, 50)); break;
	case 'T': buf_puts(b, ONE_OF(g, "'ann'::text", "''::text", "'paid'::text", "'open'::text", "'zz'::text", "'a'::text")); break;
	case 'P': buf_puts(b, ONE_OF(g, "'ab'::character(4)", "'c'::character(4)")); break;
	case 'B': buf_puts(b, ONE_OF(g, "true", "false")); break;
	case 'D': buf_puts(b, ONE_OF(g, "'2024-02-29'::date", "'1999-12-31'::date")); break;
	case 'Z': buf_puts(b, ONE_OF(g, "'2024-03-10 07:00+00'::timestamptz", "'2024-11-04 05:00+00'::timestamptz")); break;
	case 'S': buf_puts(b, ONE_OF(g, "'2024-03-10 02:30'::timestamp", "'1970-01-01'::timestamp")); break;
	case 'C': buf_puts(b, "'12:30:00.5'::time"); break;
	case 'V': buf_puts(b, ONE_OF(g, "'30 days'::interval", "'24:00'::interval", "'1 year -1 day'::interval")); break;
	case 'U': buf_puts(b, "'00000000-0000-0000-0000-000000000007'::uuid"); break;
	case 'E': buf_puts(b, ONE_OF(g, "'opened'::shop.kind", "'zipped'::shop.kind", "'billed'::shop.kind")); break;
	case 'Y': buf_puts(b, "'\\x01ff'::bytea"); break;
	case 'J': buf_puts(b, "'{\"a\": 1.0}'::jsonb"); break;
	case 'A': buf_puts(b, "'{a,\"b c\",NULL}'::text[]"); break;
	case 'X': buf_puts(b, "'{1,2}'::int[]"); break;
	default: buf_puts(b, "'{opened,zipped}'::shop.kind[]"); break;
	}
}

static bool has_order(char type) { return !strchr("BJAXL", type); }

/* One of the ways to make a type out of others; false when there is none, and nothing was put. */
static bool put_made(struct gen *g, struct buf *b, const struct rel *r, char type, unsigned depth)
{
	const struct col *c;

#define EXPR(t) put_expr(g, b, r, t, depth - 1)
#define PUT(s) buf_puts(b, s)
	switch (type) {
	case 'I':
		switch (below(g, 6)) {
		case 0: PUT("("); EXPR('I'); PUT(ONE_OF(g, " + ", " - ")); EXPR('I'); PUT(")"); return true;
		case 1: PUT("("); EXPR('I'); PUT(" * 3)"); return true;
		case 2: PUT("("); EXPR('I'); PUT(" % 7)"); return true;
		case 3: PUT("length("); EXPR('T'); PUT(")"); return true;
		case 4: PUT("octet_length("); EXPR('Y'); PUT(")"); return true;
		default: PUT("abs("); EXPR('I'); PUT(")"); return true;
		}
	case 'N':
		switch (below(g, 3)) {
		case 0: PUT("("); EXPR('N'); PUT(ONE_OF(g, " + ", " - ")); EXPR('N'); PUT(")"); return true;
		case 1: PUT("round("); EXPR('M'); PUT(", 2)"); return true;
		default: PUT("abs("); EXPR('N'); PUT(")"); return true;
		}
	case 'M':
		switch (below(g, 4)) {
		case 0: PUT("("); EXPR('M'); PUT(ONE_OF(g, " + ", " - ")); EXPR('M'); PUT(")"); return true;
		case 1: PUT("(100 * "); EXPR('N'); PUT(" / NULLIF("); EXPR('N'); PUT(", 0))"); return true;
		case 2: PUT("("); EXPR('I'); PUT(")::numeric"); return true;
		default: put(b, "extract(%s FROM ", ONE_OF(g, "epoch", "year", "hour", "dow", "quarter")); EXPR('Z'); PUT(")"); return true;
		}
	case 'G': PUT("("); EXPR('G'); PUT(ONE_OF(g, " + ", " * 2 - ")); EXPR('G'); PUT(")"); return true;
	case 'T':
		switch (below(g, 7)) {
		case 0: put(b, "%s(", ONE_OF(g, "upper", "lower", "btrim")); EXPR('T'); PUT(")"); return true;
		case 1: PUT("left("); EXPR('T'); put(b, ", %u)", below(g, 5)); return true;
		case 2: PUT("("); EXPR('T'); PUT(" || "); EXPR('T'); PUT(")"); return true;
		case 3: PUT("("); EXPR('E'); PUT(")::text"); return true;
		case 4: PUT("replace("); EXPR('T'); PUT(", 'a', 'xy')"); return true;
		case 5: PUT("("); EXPR('I'); PUT(")::text"); return true;
		default: PUT("to_char("); EXPR('S'); PUT(", 'YYYY-MM-DD HH24:MI')"); return true;
		}
	case 'D':
		if (chance(g, 2)) {
			PUT("("); EXPR('Z'); PUT(")::date");
			return true;
		}
		PUT("("); EXPR('D'); put(b, " + %u)", below(g, 40));
		return true;
	case 'Z':
		c = some_column(g, r, 'V', true);
		if (c && chance(g, 2)) {
			PUT("("); EXPR('Z'); put(b, " + %s)", c->name);
			return true;
		}
		put(b, "date_trunc('%s', ", ONE_OF(g, "day", "hour", "month", "week")); EXPR('Z'); PUT(")");
		return true;
	case 'S':
		PUT("("); EXPR('Z'); put(b, " AT TIME ZONE '%s')", ONE_OF(g, "America/New_York", "Asia/Kolkata", "UTC"));
		return true;
	default:
		return false;
	}
}

static void put_expr(struct gen *g, struct buf *b, const struct rel *r, char type, unsigned depth)
{
	const struct col *c = some_column(g, r, type, false);

	if (type == 'B') {
		put_bool(g, b, r, depth);
		return;
	}
	if (depth && chance(g, 3)) {
		switch (below(g, 4)) {
		case 0:
			PUT("CASE WHEN "); put_bool(g, b, r, depth - 1); PUT(" THEN "); EXPR(type);
			PUT(" ELSE "); EXPR(type); PUT(" END");
			return;
		case 1:
			PUT("COALESCE("); EXPR(type); PUT(", "); EXPR(type); PUT(")");
			return;
		case 2:
			PUT("NULLIF("); EXPR(type); PUT(", "); EXPR(type); PUT(")");
			return;
		default:
			if (!has_order(type))
				break;
			put(b, "%s(", ONE_OF(g, "greatest", "least")); EXPR(type); PUT(", "); EXPR(type); PUT(")");
			return;
		}
	}
	if (depth && (!c || chance(g, 2)) && put_made(g, b, r, type, depth))
		return;
	if (c && !chance(g, 12))
		buf_puts(b, c->name);
	else
		put_constant(g, b, type);
}

static char some_type(struct gen *g, const struct rel *r) { return r->cols[below(g, r->n)].type; }

static void put_comparison(struct gen *g, struct buf *b, const struct rel *r, unsigned depth)
{
	char type = some_type(g, r);

	if (type == 'B')
		type = 'I';
	switch (below(g, 6)) {
	case 0:
		EXPR(type);
		put(b, " IN (");
		put_constant(g, b, type); PUT(", "); put_constant(g, b, type); PUT(")");
		break;
	case 1:
		EXPR(type); PUT(ONE_OF(g, " IS NULL", " IS NOT NULL"));
		break;
	case 2:
		EXPR(type); PUT(ONE_OF(g, " IS DISTINCT FROM ", " IS NOT DISTINCT FROM ", " <> ")); EXPR(type);
		break;
	case 3:
		if (type == 'T') {
			EXPR('T'); PUT(ONE_OF(g, " LIKE '%a%'", " NOT LIKE 'o_en'", " LIKE ''"));
			break;
		}
		if (has_order(type)) {
			EXPR(type); PUT(" BETWEEN "); EXPR(type); PUT(" AND "); EXPR(type);
			break;
		}
		/* fall through */
	default:
		EXPR(type); PUT(has_order(type) ? ONE_OF(g, " < ", " <= ", " > ", " >= ", " = ") : " = ");
		if (chance(g, 2))
			EXPR(type);
		else
			put_constant(g, b, type);
	}
}

static void put_bool(struct gen *g, struct buf *b, const struct rel *r, unsigned depth)
{
	const struct col *c = some_column(g, r, 'B', false);

	if (c && chance(g, 4)) {
		put(b, "%s%s", c->name, ONE_OF(g, "", " IS TRUE", " IS NOT FALSE", " IS NULL"));
		return;
	}
	if (depth == 0) {
		depth = 1;
		PUT("(");
		put_comparison(g, b, r, depth);
		PUT(")");
		return;
	}
	switch (below(g, 5)) {
	case 0:
		PUT("("); put_bool(g, b, r, depth - 1); PUT(ONE_OF(g, " AND ", " OR ")); put_bool(g, b, r, depth - 1); PUT(")");
		break;
	case 1:
		PUT("NOT "); put_bool(g, b, r, depth - 1);
		break;
	default:
		PUT("(");
		put_comparison(g, b, r, depth);
		PUT(")");
	}
}

/* ---- relations ---- */

static void put_select(struct gen *g, struct buf *b, struct rel *ret, unsigned depth);
static char put_aggregate(struct gen *g, struct buf *b, const struct rel *r);

static void add_column(struct rel *r, char type, bool base, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void add_column(struct rel *r, char type, bool base, const char *fmt, ...)
{
	struct col *c = &r->cols[r->n++];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->name, sizeof(c->name), fmt, ap);
	va_end(ap);
	c->type = type;
	c->base = base;
}

static void put_table(struct gen *g, struct buf *b, struct rel *ret)
{
	unsigned t = below(g, sizeof(tables) / sizeof(*tables)), alias = g->aliases++, i;

	put(b, "shop.%s t%u", tables[t].name, alias);
	*ret = (struct rel){.nkey = tables[t].nkey};
	for (i = 0; tables[t].cols[i].name; i++)
		add_column(ret, tables[t].cols[i].type, true, "t%u.%s", alias, tables[t].cols[i].name);
	for (i = 0; i < ret->nkey; i++)
		ret->key[i] = i;
}

/* What a derived column may still be used for: no spelling, no sum of floats. */
static char derived(char type) { return type == 'N' ? 'M' : type == 'G' ? 'F' : type; }

static void put_derived(struct gen *g, struct buf *b, struct rel *ret, unsigned depth)
{
	unsigned alias = g->aliases++, i;
	struct rel inner;

	if (chance(g, 3)) {
		struct buf text = BUF_INIT(1 << 20);
		unsigned number = g->ctes++;

		put_select(g, &text, &inner, depth - 1);
		/* those within it come before it */
		if (g->with.len)
			buf_puts(&g->with, ", ");
		put(&g->with, "w%u AS (", number);
		buf_putv(&g->with, buf_view(&text));
		buf_puts(&g->with, ")");
		buf_release(&text);
		put(b, "w%u t%u", number, alias);
	} else {
		buf_puts(b, "(");
		put_select(g, b, &inner, depth - 1);
		put(b, ") t%u", alias);
	}
	*ret = inner;
	for (i = 0; i < inner.n; i++) {
		snprintf(ret->cols[i].name, sizeof(ret->cols[i].name), "t%u.%.30s", alias, inner.cols[i].name);
		ret->cols[i].type = derived(inner.cols[i].type);
		ret->cols[i].base = false;
	}
}

static void put_item(struct gen *g, struct buf *b, struct rel *ret, unsigned depth)
{
	if (depth && chance(g, 3))
		put_derived(g, b, ret, depth);
	else
		put_table(g, b, ret);
}

static void append(struct rel *r, const struct rel *more)
{
	unsigned i;

	for (i = 0; i < more->nkey && r->nkey < KEYS; i++)
		r->key[r->nkey++] = r->n + more->key[i];
	for (i = 0; i < more->n; i++)
		r->cols[r->n++] = more->cols[i];
	r->one_row = r->one_row && more->one_row;
}

/* Columns of one type on both sides, by which equi-joins are made. */
static bool common(struct gen *g, const struct rel *l, const struct rel *r, const struct col **x, const struct col **y)
{
	unsigned tries;

	/* most references first, which find something */
	for (tries = 0; tries < 40; tries++) {
		*x = &l->cols[below(g, l->n)];
		*y = &r->cols[below(g, r->n)];
		if ((*x)->type == 'I' && (*y)->type == 'I' && strstr((*x)->name, "id") && strstr((*y)->name, "id") && !chance(g, 20))
			return true;
	}
	for (tries = 0; tries < 60; tries++) {
		*x = &l->cols[below(g, l->n)];
		*y = some_column(g, r, (*x)->type, false);
		/* mostly by numbers, which meet often */
		if (*y && (strchr("IT", (*x)->type) || chance(g, 4)))
			return true;
	}
	return false;
}

static void put_from(struct gen *g, struct buf *b, struct rel *ret, unsigned depth)
{
	unsigned joins = chance(g, 2) ? 0 : 1 + below(g, 2);

	put_item(g, b, ret, depth);
	while (joins--) {
		struct buf item = BUF_INIT(1 << 20);
		const struct col *x, *y;
		struct rel more;

		put_item(g, &item, &more, depth);
		if (ret->n + more.n < COLUMNS && ret->nkey + more.nkey <= KEYS && common(g, ret, &more, &x, &y)) {
			put(b, " %s ", ONE_OF(g, "JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN"));
			buf_putv(b, buf_view(&item));
			put(b, " ON %s = %s", y->name, x->name);
			append(ret, &more);
			if (chance(g, 6) && common(g, ret, &more, &x, &y))
				put(b, " AND %s = %s", y->name, x->name);
			if (chance(g, 4)) {
				buf_puts(b, " AND ");
				put_bool(g, b, ret, 0);
			}
		}
		buf_release(&item);
	}
}

static void put_where(struct gen *g, struct buf *b, const struct rel *r, unsigned depth)
{
	struct buf item = BUF_INIT(1 << 20);
	const struct col *x, *y;
	bool any = chance(g, 2);
	struct rel inner;

	if (any) {
		buf_puts(b, " WHERE ");
		put_bool(g, b, r, 1);
	}
	if (depth && chance(g, 5)) {
		put_table(g, &item, &inner);
		if (common(g, r, &inner, &x, &y)) {
			buf_puts(b, any ? " AND " : " WHERE ");
			if (chance(g, 2))
				put(b, "%s %s (SELECT %s FROM %s%s)", x->name, ONE_OF(g, "IN", "IN", "NOT IN"), y->name, buf_cstr(&item),
					ONE_OF(g, "", " GROUP BY 1", " ORDER BY 1"));
			else
				put(b, "%sEXISTS (SELECT 1 FROM %s WHERE %s = %s)", ONE_OF(g, "", "NOT "), buf_cstr(&item), y->name, x->name);
		}
	}
	buf_release(&item);
}

/* (SELECT agg FROM table): no row of its own depends on it, so it may stand in any expression over rows. */
static char put_scalar(struct gen *g, struct buf *b)
{
	struct buf from = BUF_INIT(1 << 20);
	struct rel inner;
	char type;

	put_table(g, &from, &inner);
	buf_puts(b, "(SELECT ");
	type = put_aggregate(g, b, &inner);
	put(b, " FROM %s)", buf_cstr(&from));
	buf_release(&from);
	return derived(type);
}

static void put_output(struct buf *b, struct rel *out, char type)
{
	put(b, " AS c%u", out->n);
	add_column(out, type, false, "c%u", out->n);
}

static void put_projection(struct gen *g, struct buf *b, struct rel *out, unsigned depth)
{
	struct buf from = BUF_INIT(1 << 20);
	unsigned i, more = 1 + below(g, 4);
	struct rel r;

	*out = (struct rel){.n = 0};
	put_from(g, &from, &r, depth);
	put_where(g, &from, &r, depth);
	buf_puts(b, "SELECT ");
	for (i = 0; i < r.nkey; i++) {
		put(b, "%s%s", i ? ", " : "", r.cols[r.key[i]].name);
		put_output(b, out, r.cols[r.key[i]].type);
		out->key[out->nkey++] = i;
	}
	for (i = 0; i < more; i++) {
		char type = some_type(g, &r);

		buf_puts(b, out->n ? ", " : "");
		if (chance(g, 15))
			type = put_scalar(g, b);
		else
			put_expr(g, b, &r, type, DEPTH);
		put_output(b, out, type);
	}
	out->one_row = r.one_row;
	buf_puts(b, " FROM ");
	buf_putv(b, buf_view(&from));
	buf_release(&from);
}

/* An aggregate over the rows and the type it gives. */
static char put_aggregate(struct gen *g, struct buf *b, const struct rel *r)
{
	char type = some_type(g, r), result = 'I';
	const struct col *c;

	switch (below(g, 6)) {
	case 0:
		buf_puts(b, "count(*)");
		break;
	case 1:
		buf_puts(b, chance(g, 2) ? "count(DISTINCT " : "count(");
		put_expr(g, b, r, type, 1);
		buf_puts(b, ")");
		break;
	case 2:
		if (strchr("INMTDZSCVEGFR", type)) {
			put(b, "%s(", ONE_OF(g, "min", "max"));
			put_expr(g, b, r, type, 1);
			buf_puts(b, ")");
			result = type;
			break;
		}
		/* fall through */
	case 3:
		buf_puts(b, chance(g, 3) ? "sum(DISTINCT (" : "sum((");
		put_expr(g, b, r, 'I', 1);
		buf_puts(b, ")::numeric)");
		result = 'M';
		break;
	case 4:
		c = some_column(g, r, "NGRVM"[below(g, 5)], true);
		if (c) {
			/* of one row each: equal ones with different spellings would not be */
			put(b, "%s(%s)", c->type == 'R' ? "sum" : ONE_OF(g, "sum", "avg"), c->name);
			result = c->type == 'G' ? 'F' : c->type == 'N' ? 'M' : c->type;
			break;
		}
		/* fall through */
	default:
		put(b, "%s(", ONE_OF(g, "bool_and", "bool_or"));
		put_bool(g, b, r, 1);
		buf_puts(b, ")");
		result = 'B';
	}
	if (chance(g, 4)) {
		buf_puts(b, " FILTER (WHERE ");
		put_bool(g, b, r, 1);
		buf_puts(b, ")");
	}
	return result;
}

static void put_group(struct gen *g, struct buf *b, struct rel *out, unsigned depth)
{
	struct buf from = BUF_INIT(1 << 20), groups = BUF_INIT(1 << 20);
	unsigned ngroups = below(g, 4) ? 1 + below(g, 2) : 0, naggs = 1 + below(g, 4), i;
	struct rel r;

	*out = (struct rel){.n = 0};
	put_from(g, &from, &r, depth);
	put_where(g, &from, &r, depth);
	buf_puts(b, "SELECT ");
	for (i = 0; i < ngroups; i++) {
		char type = some_type(g, &r);

		buf_puts(b, i ? ", " : "");
		put_expr(g, b, &r, type, 1);
		put_output(b, out, type);
		out->key[out->nkey++] = i;
		put(&groups, "%s%u", i ? ", " : "", i + 1);
	}
	for (i = 0; i < naggs; i++) {
		char type;

		buf_puts(b, out->n ? ", " : "");
		type = put_aggregate(g, b, &r);
		put_output(b, out, type);
	}
	buf_puts(b, " FROM ");
	buf_putv(b, buf_view(&from));
	if (ngroups) {
		put(b, " GROUP BY %s", buf_cstr(&groups));
		switch (below(g, 8)) {
		case 0:
			put(b, " HAVING count(*) > %u", below(g, 3));
			break;
		case 1:
			buf_puts(b, " HAVING bool_or(");
			put_bool(g, b, &r, 1);
			buf_puts(b, ")");
			break;
		case 2:
			buf_puts(b, " HAVING count(*) > (SELECT min(qty) FROM shop.items)");
			break;
		default:
			break;
		}
	}
	out->one_row = ngroups == 0;
	buf_release(&groups);
	buf_release(&from);
}

static void put_distinct(struct gen *g, struct buf *b, struct rel *out, unsigned depth)
{
	struct buf from = BUF_INIT(1 << 20);
	unsigned i, n = 1 + below(g, 3);
	struct rel r;

	*out = (struct rel){.n = 0};
	put_from(g, &from, &r, depth);
	put_where(g, &from, &r, depth);
	buf_puts(b, "SELECT DISTINCT ");
	for (i = 0; i < n; i++) {
		char type = some_type(g, &r);

		buf_puts(b, i ? ", " : "");
		put_expr(g, b, &r, type, 1);
		put_output(b, out, type);
		out->key[out->nkey++] = i;
	}
	buf_puts(b, " FROM ");
	buf_putv(b, buf_view(&from));
	buf_release(&from);
}

/* Branches are told apart by a number, and their rows by their tables' keys. */
static void put_union(struct gen *g, struct buf *b, struct rel *out)
{
	bool all = !chance(g, 4);
	unsigned branches = 2 + below(g, 2), n = 1 + below(g, 3), i, k;
	char types[4];

	for (i = 0; i < n; i++)
		types[i] = "INMTBDZSVE"[below(g, 10)];
	*out = (struct rel){.nkey = 3};
	for (k = 0; k < branches; k++) {
		struct buf from = BUF_INIT(1 << 20);
		struct rel r, mine = {.n = 0};

		put_table(g, &from, &r);
		put_where(g, &from, &r, 0);
		put(b, "%sSELECT %u", k == 0 ? "" : all ? " UNION ALL " : " UNION ", k);
		put_output(b, &mine, 'I');
		for (i = 0; i < 2; i++) {
			put(b, ", %s::text", i < r.nkey ? r.cols[r.key[i]].name : "''");
			put_output(b, &mine, 'T');
		}
		for (i = 0; i < n; i++) {
			buf_puts(b, ", ");
			/* smallint, integer and bigint meet somewhere: let them be one */
			buf_puts(b, types[i] == 'I' ? "(" : "");
			put_expr(g, b, &r, types[i], 1);
			buf_puts(b, types[i] == 'I' ? ")::bigint" : "");
			put_output(b, &mine, types[i]);
		}
		buf_puts(b, " FROM ");
		buf_putv(b, buf_view(&from));
		buf_release(&from);
		mine.nkey = out->nkey;
		*out = mine;
	}
	for (i = 0; i < 3; i++)
		out->key[i] = i;
}

static void put_select(struct gen *g, struct buf *b, struct rel *ret, unsigned depth)
{
	switch (below(g, 8)) {
	case 0: case 1: case 2:
		put_projection(g, b, ret, depth);
		break;
	case 3: case 4: case 5:
		put_group(g, b, ret, depth);
		break;
	case 6:
		put_distinct(g, b, ret, depth);
		break;
	default:
		put_union(g, b, ret);
	}
}

void genjob_make(struct genjob *j, uint64_t seed, unsigned number)
{
	struct buf body = BUF_INIT(1 << 20), key = BUF_INIT(1 << 20), whole = BUF_INIT(1 << 20);
	struct gen g = {.random = (seed * 1000 + number + 1) * UINT64_C(0x9E3779B97F4A7C15), .with = BUF_INIT(1 << 20)};
	struct rel r;
	unsigned i;

	for (i = 0; i < 8; i++)
		below(&g, 2);
	put_select(&g, &body, &r, DEPTH);
	if (g.with.len) {
		buf_puts(&whole, "WITH ");
		buf_putv(&whole, buf_view(&g.with));
		buf_puts(&whole, " ");
	}
	buf_putv(&whole, buf_view(&body));
	for (i = 0; i < r.nkey; i++)
		put(&key, "%s%s", i ? ", " : "", r.cols[r.key[i]].name);
	snprintf(j->name, sizeof(j->name), "g%u", number);
	j->query = strdup(buf_cstr(&whole));
	j->key = r.nkey ? strdup(buf_cstr(&key)) : NULL;
	buf_release(&body);
	buf_release(&key);
	buf_release(&whole);
	buf_release(&g.with);
}

void genjob_release(struct genjob *j)
{
	free(j->query); /* style: free, strdup allocates it */
	free(j->key);   /* style: free, strdup allocates it */
}
