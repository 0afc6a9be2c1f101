/* Target tables: do they exist, which column is which, what is their key; and the statements that write them. */
#include <stdio.h>

#include "base/mem.h"
#include "sink/sink_int.h"

enum { FIRST_USER_OID = 16384 }; /* FirstNormalObjectId: below it are the types that every server has */

void target_put_name(struct buf *b, const struct target *t)
{
	pg_put_ident(b, t->schema);
	buf_putc(b, '.');
	pg_put_ident(b, t->name);
}

static int target_error(const struct target *t, struct err *err, enum err_code code, const char *what)
{
	return err_set(err, code, "target table \"%.*s.%.*s\" %s", (int)t->schema.len, (const char *)t->schema.ptr, (int)t->name.len,
		       (const char *)t->name.ptr, what);
}

static int find_table(struct sink *s, struct target *t, char oid[16], struct err *err)
{
	static const char sql[] =
		"SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
		"WHERE n.nspname = $1 AND c.relname = $2";
	const char *params[2] = {t->st->target_schema ? t->st->target_schema : "public", t->st->target_table};
	struct pg_result *r;

	t->schema = view_str(params[0]);
	t->name = view_str(params[1]);
	if (pg_query(s->conn, sql, 2, params, &r, err))
		return -1;
	if (pg_rows(r) == 0 || !strchr("rp", *pg_text(r, 0, 3))) {
		bool there = pg_rows(r) != 0;

		pg_result_free(r);
		target_error(t, err, ERR_NOT_FOUND, there ? "is not a table" : "does not exist");
		return err_hint(err, "Create it, with a primary key over columns of the query, then submit the job again.");
	}
	snprintf(oid, 16, "%s", pg_text(r, 0, 0));
	pg_result_free(r);
	return 0;
}

/* The target's columns in order; result column i goes to the i-th named one, or to the i-th of all when the INSERT names none. */
static int match_columns(struct sink *s, struct target *t, const char *oid, struct err *err)
{
	/* a domain may only be known here: its base type stands for it */
	static const char sql[] =
		"SELECT a.attname, a.attgenerated <> '' OR a.attidentity = 'a', CASE WHEN b.oid < 16384 THEN pg_catalog.format_type(b.oid, b.mod) "
		"ELSE '' END, pg_catalog.format_type(a.atttypid, -1) FROM pg_catalog.pg_attribute a, LATERAL (WITH RECURSIVE d(oid, mod) AS "
		"(SELECT a.atttypid, a.atttypmod UNION ALL SELECT t.typbasetype, CASE WHEN d.mod < 0 THEN t.typtypmod ELSE d.mod END FROM d JOIN "
		"pg_catalog.pg_type t ON t.oid = d.oid AND t.typtype = 'd') SELECT d.oid, d.mod FROM d JOIN pg_catalog.pg_type t ON t.oid = d.oid "
		"AND t.typtype <> 'd') b WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
	struct buf defaults = BUF_INIT(1 << 20), quoted = BUF_INIT(4096);
	struct pg_result *r;
	uint32_t i, k, n = t->st->ncolumns;
	int rc = -1;

	if (pg_query(s->conn, sql, 1, &oid, &r, err))
		return -1;
	t->columns = arena_zalloc(&s->arena, (n + 1) * sizeof(*t->columns));
	t->target_types = arena_zalloc(&s->arena, (n + 1) * sizeof(*t->target_types));
	t->types = arena_zalloc(&s->arena, (n + 1) * sizeof(*t->types));
	target_put_name(&quoted, t);
	t->quoted = arena_view(&s->arena, buf_view(&quoted));
	buf_release(&quoted);
	for (i = 0; i < n; i++) {
		const char *want = t->st->target_columns ? t->st->target_columns[i] : i < pg_rows(r) ? pg_text(r, i, 0) : "";

		for (k = 0; k < pg_rows(r) && strcmp(pg_text(r, k, 0), want) != 0; k++)
			;
		if (k == pg_rows(r)) {
			char text[256];

			snprintf(text, sizeof(text), *want ? "has no column \"%.100s\"" : "has fewer columns than the query", want);
			target_error(t, err, ERR_INVALID, text);
			goto out;
		}
		t->columns[i] = arena_view(&s->arena, view_str(want));
		t->target_types[i] = arena_view(&s->arena, pg_value(r, k, 2));
		t->types[i] = arena_view(&s->arena, pg_value(r, k, 3));
	}
	for (k = 0; k < pg_rows(r); k++) {
		bool named = pg_bool(r, k, 1);

		for (i = 0; i < n; i++)
			named = named || view_is(t->columns[i], pg_text(r, k, 0));
		if (named)
			continue;
		buf_puts(&defaults, ", ");
		pg_put_ident(&defaults, pg_value(r, k, 0));
		buf_puts(&defaults, " = DEFAULT");
	}
	t->defaults = arena_view(&s->arena, buf_view(&defaults));
	rc = 0;
out:
	buf_release(&defaults);
	pg_result_free(r);
	return rc;
}

/* The primary key, else the first unique index, whose columns are all result columns; nulls must be told apart or not be there. */
static int find_key(struct sink *s, struct target *t, const char *oid, struct err *err)
{
	static const char sql[] =
		"SELECT i.indexrelid, a.attname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid, "
		"LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY k(attnum, place) JOIN pg_catalog.pg_attribute a ON "
		"a.attrelid = $1::oid AND a.attnum = k.attnum "
		"WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indexprs IS NULL AND i.indpred IS NULL AND "
		"k.place <= i.indnkeyatts "
		"AND (i.indnullsnotdistinct OR NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute b WHERE b.attrelid = $1::oid AND b.attnum = ANY "
		"(i.indkey) AND NOT b.attnotnull)) "
		"ORDER BY i.indisprimary DESC, x.relname COLLATE \"C\", k.place";
	static const char older[] =
		"SELECT i.indexrelid, a.attname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid, "
		"LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY k(attnum, place) JOIN pg_catalog.pg_attribute a ON "
		"a.attrelid = $1::oid AND a.attnum = k.attnum "
		"WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indexprs IS NULL AND i.indpred IS NULL AND "
		"k.place <= i.indnkeyatts "
		"AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute b WHERE b.attrelid = $1::oid AND b.attnum = ANY (i.indkey) AND NOT "
		"b.attnotnull) "
		"ORDER BY i.indisprimary DESC, x.relname COLLATE \"C\", k.place";
	struct pg_result *r;
	unsigned row = 0;

	if (pg_query(s->conn, pg_server_version(s->conn) >= 150000 ? sql : older, 1, &oid, &r, err))
		return -1;
	t->key = arena_zalloc(&s->arena, (t->st->ncolumns + 1) * sizeof(*t->key));
	while (row < pg_rows(r)) {
		unsigned from = row;
		bool all = true;

		t->nkey = 0;
		for (; row < pg_rows(r) && strcmp(pg_text(r, row, 0), pg_text(r, from, 0)) == 0; row++) {
			uint32_t i;

			for (i = 0; i < t->st->ncolumns && !view_is(t->columns[i], pg_text(r, row, 1)); i++)
				;
			if (i == t->st->ncolumns || t->st->is_write_time[i])
				all = false;
			else
				t->key[t->nkey++] = i;
		}
		if (all)
			break;
		t->nkey = 0;
	}
	pg_result_free(r);
	return 0;
}

static int check_key(struct target *t, struct err *err)
{
	if (t->nkey || sql_plan_one_row(t->st->root))
		return 0;
	target_error(t, err, ERR_INVALID, "has no key over the query's columns, so that its rows cannot be told apart");
	return err_hint(err,
		"Give it a primary key, or CREATE UNIQUE INDEX ON \"%.*s\".\"%.*s\" (...) NULLS NOT DISTINCT; over columns of the query.",
		(int)t->schema.len, (const char *)t->schema.ptr, (int)t->name.len, (const char *)t->name.ptr);
}

static int result_types(struct sink *s, struct target *t, struct err *err)
{
	uint32_t i;

	t->as_text = arena_zalloc(&s->arena, t->st->ncolumns + 1);
	for (i = 0; i < t->st->ncolumns; i++) {
		const struct type *type = &t->st->root->types[i];
		char oid[16], typmod[16];
		const char *params[2] = {oid, typmod};
		struct pg_result *r;

		t->as_text[i] = type->elem || type->oid >= FIRST_USER_OID;
		/* an enum of the source's has another oid here, if it is here at all: the target's column says what its text becomes */
		if (type->oid >= FIRST_USER_OID)
			continue;
		snprintf(oid, sizeof(oid), "%u", type->oid);
		snprintf(typmod, sizeof(typmod), "%d", type->typmod);
		if (pg_query(s->conn, "SELECT pg_catalog.format_type($1::oid, $2::int4)", 2, params, &r, err))
			return -1;
		t->types[i] = arena_view(&s->arena, pg_value(r, 0, 0));
		pg_result_free(r);
	}
	return 0;
}

int targets_load(struct sink *s, struct err *err)
{
	uint32_t i;

	s->targets = arena_zalloc(&s->arena, (s->job->nstatements + 1) * sizeof(*s->targets));
	s->keys = arena_zalloc(&s->arena, (s->job->nstatements + 1) * sizeof(*s->keys));
	for (i = 0; i < s->job->nstatements; i++) {
		struct target *t = &s->targets[i];
		char oid[16];

		t->st = &s->job->statements[i];
		if (find_table(s, t, oid, err) || match_columns(s, t, oid, err) || find_key(s, t, oid, err) || check_key(t, err) ||
			result_types(s, t, err))
			return -1;
		s->keys[i] = (struct flow_key){t->key, t->nkey};
	}
	return 0;
}

/* ---- statements ---- */

static void put_unnest(struct buf *b, const struct target *t, const uint32_t *columns, uint32_t n)
{
	uint32_t i;

	buf_puts(b, "unnest("); /* of several arrays only when it is not qualified; the search_path is empty */
	for (i = 0; i < n; i++) {
		uint32_t c = columns ? columns[i] : i;
		struct view type = t->as_text[c] ? view_str("pg_catalog.text") : t->types[c];

		buf_printf(b, "%s$%u::%.*s[]", i ? ", " : "", i + 1, (int)type.len, (const char *)type.ptr);
	}
	buf_puts(b, ") AS d(");
	for (i = 0; i < n; i++)
		buf_printf(b, "%sc%u", i ? ", " : "", i);
	buf_putc(b, ')');
}

/* Column `c` of the result as it stands in what put_unnest() named d's i-th. */
static void put_given(struct buf *b, const struct target *t, uint32_t c, uint32_t i)
{
	buf_printf(b, "d.c%u", i);
	if (t->as_text[c])
		buf_printf(b, "::%.*s", (int)t->types[c].len, (const char *)t->types[c].ptr);
}

void target_put_delete(struct buf *b, const struct target *t, uint32_t nulls)
{
	uint32_t *given = mem_alloc((t->nkey + 1) * sizeof(*given)), i, n = 0;

	for (i = 0; i < t->nkey; i++)
		if (!target_key_is_null(nulls, i))
			given[n++] = t->key[i];
	buf_puts(b, "DELETE FROM ");
	target_put_name(b, t);
	buf_puts(b, " AS t");
	if (n) {
		buf_puts(b, " USING ");
		put_unnest(b, t, given, n);
	}
	for (i = 0, n = 0; i < t->nkey; i++) {
		buf_puts(b, i ? " AND t." : " WHERE t.");
		pg_put_ident(b, t->columns[t->key[i]]);
		if (target_key_is_null(nulls, i)) {
			buf_puts(b, " IS NULL");
		} else {
			buf_puts(b, " = ");
			put_given(b, t, t->key[i], n++);
		}
	}
	mem_free(given);
}

void target_put_columns(struct buf *b, const struct target *t)
{
	uint32_t i;

	buf_puts(b, " (");
	for (i = 0; i < t->st->ncolumns; i++) {
		buf_puts(b, i ? ", " : "");
		pg_put_ident(b, t->columns[i]);
	}
	buf_putc(b, ')');
}

void target_put_rows(struct buf *b, const struct target *t)
{
	uint32_t i;

	target_put_columns(b, t);
	buf_puts(b, " SELECT ");
	for (i = 0; i < t->st->ncolumns; i++) {
		buf_puts(b, i ? ", " : "");
		if (t->st->is_write_time[i])
			buf_puts(b, "pg_catalog.now()");
		else
			put_given(b, t, i, i);
	}
	buf_puts(b, " FROM ");
	put_unnest(b, t, NULL, t->st->ncolumns);
}

static void put_upsert(struct buf *b, const struct target *t)
{
	bool any = t->defaults.len > 0;
	uint32_t i, k;

	buf_puts(b, "INSERT INTO ");
	target_put_name(b, t);
	target_put_rows(b, t);
	if (t->nkey == 0)
		return;
	buf_puts(b, " ON CONFLICT (");
	for (i = 0; i < t->nkey; i++) {
		buf_puts(b, i ? ", " : "");
		pg_put_ident(b, t->columns[t->key[i]]);
	}
	for (i = 0; i < t->st->ncolumns; i++) {
		for (k = 0; k < t->nkey && t->key[k] != i; k++)
			;
		any = any || k == t->nkey;
	}
	if (!any) {
		buf_puts(b, ") DO NOTHING");
		return;
	}
	buf_puts(b, ") DO UPDATE SET ");
	any = false;
	for (i = 0; i < t->st->ncolumns; i++) {
		for (k = 0; k < t->nkey && t->key[k] != i; k++)
			;
		if (k < t->nkey)
			continue;
		buf_puts(b, any ? ", " : "");
		any = true;
		pg_put_ident(b, t->columns[i]);
		buf_puts(b, " = EXCLUDED.");
		pg_put_ident(b, t->columns[i]);
	}
	if (any || t->defaults.len == 0)
		buf_putv(b, t->defaults);
	else
		buf_put(b, t->defaults.ptr + 2, t->defaults.len - 2);
}

int targets_prepare(struct sink *s, struct err *err)
{
	struct buf sql = BUF_INIT(16 << 20);
	char name[16];
	uint32_t i;
	int rc = -1;

	for (i = 0; i < s->job->nstatements; i++) {
		buf_clear(&sql);
		target_put_delete(&sql, &s->targets[i], 0);
		snprintf(name, sizeof(name), "d%u", i);
		if (pg_prepare(s->conn, name, buf_cstr(&sql), err))
			goto out;
		buf_clear(&sql);
		put_upsert(&sql, &s->targets[i]);
		snprintf(name, sizeof(name), "u%u", i);
		if (pg_prepare(s->conn, name, buf_cstr(&sql), err))
			goto out;
	}
	rc = 0;
out:
	if (rc)
		err_context(err, "could not prepare the writing of \"%.*s.%.*s\"", (int)s->targets[i].schema.len,
			(const char *)s->targets[i].schema.ptr, (int)s->targets[i].name.len, (const char *)s->targets[i].name.ptr);
	buf_release(&sql);
	return rc;
}
