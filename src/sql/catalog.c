/* Catalog look-ups; see catalog.h. */
#include "sql/catalog.h"

#include <stdlib.h>
#include <string.h>

int catalog_query(struct catalog *c, const char *sql, const char *const *params, uint32_t n, struct sql_rows *ret, struct err *err)
{
	return c->server->query(c->server->arg, sql, params, n, c->arena, ret, NULL, err);
}

static uint32_t to_oid(const char *s) { return s ? (uint32_t)strtoul(s, NULL, 10) : 0; }
static const char *from_oid(struct catalog *c, uint32_t oid) { return arena_printf(c->arena, "%u", oid); }
static bool is_true(const char *s) { return s && s[0] == 't'; }

static bool starts(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }

int catalog_open(struct catalog *c, const struct sql_server *server, struct arena *a, struct err *err)
{
	const char *collate, *ctype, *suffix;
	struct sql_rows rows;

	*c = (struct catalog){.server = server, .arena = a, .found = MAP_INIT};
	/* datlocprovider is there from version 15 on */
	if (catalog_query(c, "SELECT datcollate, datctype, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'), pg_encoding_to_char(encoding)"
	                     " FROM pg_catalog.pg_database d WHERE datname = pg_catalog.current_database()", NULL, 0, &rows, err) != 0)
		return -1;
	if (rows.nrows != 1)
		return err_set(err, ERR_PROTOCOL, "the server does not say which database this is");
	if (strcmp(sql_cell(&rows, 0, 3), "UTF8") != 0)
		return err_set(err, ERR_UNSUPPORTED, "the source database is encoded in %s, jobs need UTF8", sql_cell(&rows, 0, 3));
	collate = sql_cell(&rows, 0, 0);
	ctype = sql_cell(&rows, 0, 1);
	if (strcmp(sql_cell(&rows, 0, 2), "c") == 0) {
		/* C.UTF-8 orders by code point, which in UTF-8 is the order of bytes */
		c->database_is_c = strcmp(collate, "C") == 0 || strcmp(collate, "POSIX") == 0 || starts(collate, "C.");
		c->ctype_is_c = strcmp(ctype, "C") == 0 || strcmp(ctype, "POSIX") == 0;
		suffix = strchr(ctype, '.');
		c->ctype_known = c->ctype_is_c || (suffix && !starts(ctype, "tr_") && !starts(ctype, "az_") && !starts(ctype, "lt_") &&
			!starts(ctype, "crh_"));
	}
	return 0;
}

void catalog_close(struct catalog *c) { map_release(&c->found); }

/* ---- types ---- */

static int fill_type(struct catalog *c, const struct sql_rows *r, struct type *ret, struct err *err)
{
	char kind = sql_cell(r, 0, 1)[0];
	uint32_t base = to_oid(sql_cell(r, 0, 2));
	struct type t = {.typmod = -1, .oid = to_oid(sql_cell(r, 0, 0)), .elem = to_oid(sql_cell(r, 0, 4)), .collation = to_oid(sql_cell(r, 0,
		5))};

	if (kind == 'd') {      /* a domain is its base type to us: the source has checked its constraints */
		if (catalog_type(c, base, ret, err) != 0)
			return -1;
		ret->typmod = (int32_t)strtol(sql_cell(r, 0, 3), NULL, 10);
		return 0;
	}
	t.kind = (uint8_t)(kind == 'e' ? VALUE_ENUM : value_kind_of_oid(t.oid));
	if (kind == 'b' && strcmp(sql_cell(r, 0, 6), "citext") == 0)
		t.kind = VALUE_CITEXT;
	/* name is an array of "char" to the catalog, not to us */
	if (t.kind != VALUE_OTHER)
		t.elem = 0;
	*ret = t;
	return 0;
}

#define TYPE_COLUMNS "SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, t.typelem, t.typcollation, t.typname FROM pg_catalog.pg_type t"

static int find_type(struct catalog *c, const char *key, const char *sql, const char *const *params, uint32_t n, struct type *ret,
	struct err *err)
{
	struct type *known = map_get(&c->found, view_str(key));
	struct sql_rows rows;

	if (!known) {
		if (catalog_query(c, sql, params, n, &rows, err) != 0)
			return -1;
		if (rows.nrows != 1)
			return err_set(err, ERR_NOT_FOUND, "type \"%s\" does not exist", params[n - 1]);
		known = arena_alloc(c->arena, sizeof(*known));
		if (fill_type(c, &rows, known, err) != 0)
			return -1;
		map_put(&c->found, view_str(key), known);
	}
	*ret = *known;
	return 0;
}

int catalog_type(struct catalog *c, uint32_t oid, struct type *ret, struct err *err)
{
	const char *param = from_oid(c, oid);

	return find_type(c, arena_printf(c->arena, "type:%u", oid), TYPE_COLUMNS " WHERE t.oid = $1::oid", &param, 1, ret, err);
}

int catalog_type_named(struct catalog *c, const char *schema, const char *name, struct type *ret, struct err *err)
{
	const char *params[] = {schema, name};

	return find_type(c, arena_printf(c->arena, "type:%s.%s", schema, name),
	                 TYPE_COLUMNS " JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = $1 AND t.typname = $2",
	                 	params, 2, ret, err);
}

int catalog_is_domain(struct catalog *c, const char *schema, const char *name, bool *ret, struct err *err)
{
	const char *params[] = {schema, name};
	struct sql_rows rows;

	if (catalog_query(c, "SELECT 1 FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = $1"
		" AND t.typname = $2 AND t.typtype = 'd'", params, 2, &rows, err) != 0)
		return -1;
	*ret = rows.nrows > 0;
	return 0;
}

int catalog_enum(struct catalog *c, const struct type *type, const struct sql_enum **ret, struct err *err)
{
	const char *param = from_oid(c, type->oid), *key = arena_printf(c->arena, "enum:%u", type->oid);
	struct sql_enum *e = type->kind == VALUE_ENUM ? map_get(&c->found, view_str(key)) : NULL;
	struct sql_rows rows;

	*ret = e;
	if (e || type->kind != VALUE_ENUM)
		return 0;
	if (catalog_query(c, "SELECT enumlabel, pg_catalog.format_type(enumtypid, NULL) FROM pg_catalog.pg_enum WHERE enumtypid = $1::oid"
		" ORDER BY enumsortorder", &param, 1, &rows, err) != 0)
		return -1;
	e = arena_zalloc(c->arena, sizeof(*e));
	e->n = rows.nrows;
	e->name = rows.nrows ? sql_cell(&rows, 0, 1) : "";
	e->labels = arena_alloc(c->arena, (rows.nrows + 1) * sizeof(*e->labels));
	for (uint32_t i = 0; i < rows.nrows; i++)
		e->labels[i] = view_str(sql_cell(&rows, i, 0));
	map_put(&c->found, view_str(key), e);
	*ret = e;
	return 0;
}

int catalog_array_of(struct catalog *c, uint32_t elem, struct type *ret, struct err *err)
{
	const char *param = from_oid(c, elem);
	struct sql_rows rows;

	*ret = (struct type){.typmod = -1};
	if (catalog_query(c, "SELECT typarray FROM pg_catalog.pg_type WHERE oid = $1::oid AND typarray <> 0", &param, 1, &rows, err) != 0)
		return -1;
	return rows.nrows ? catalog_type(c, to_oid(sql_cell(&rows, 0, 0)), ret, err) : 0;
}

/* ---- relations ---- */

static int fill_columns(struct catalog *c, struct cat_relation *rel, struct err *err)
{
	const char *oid = from_oid(c, rel->oid);
	struct sql_rows rows;

	if (catalog_query(c,
		"SELECT attname, attnum, atttypid, atttypmod, attnotnull, attgenerated <> '', attcollation FROM pg_catalog.pg_attribute"
	                     " WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum", &oid, 1, &rows, err) != 0)
		return -1;
	rel->ncolumns = rows.nrows;
	rel->columns = arena_zalloc(c->arena, (rows.nrows + 1) * sizeof(*rel->columns));
	for (uint32_t i = 0; i < rows.nrows; i++) {
		struct cat_column *col = &rel->columns[i];
		int32_t typmod = (int32_t)strtol(sql_cell(&rows, i, 3), NULL, 10);

		col->name = sql_cell(&rows, i, 0);
		col->attnum = (int16_t)strtol(sql_cell(&rows, i, 1), NULL, 10);
		col->not_null = is_true(sql_cell(&rows, i, 4));
		col->generated = is_true(sql_cell(&rows, i, 5));
		if (catalog_type(c, to_oid(sql_cell(&rows, i, 2)), &col->type, err) != 0)
			return -1;
		if (typmod >= 0)
			col->type.typmod = typmod;
		col->type.collation = to_oid(sql_cell(&rows, i, 6));
		if (catalog_enum(c, &col->type, &col->labels, err) != 0)
			return -1;
	}
	return 0;
}

static int fill_pk(struct catalog *c, struct cat_relation *rel, struct err *err)
{
	const char *oid = from_oid(c, rel->oid);
	struct sql_rows rows;

	if (catalog_query(c,
		"SELECT k FROM pg_catalog.pg_index, unnest(indkey::int2[]) WITH ORDINALITY AS u (k, n) WHERE indrelid = $1::oid AND indisprimary"
	                     " AND n <= indnkeyatts ORDER BY n", &oid, 1, &rows, err) != 0)
		return -1;
	rel->npk = rows.nrows;
	rel->pk = arena_alloc(c->arena, (rows.nrows + 1) * sizeof(*rel->pk));
	for (uint32_t i = 0; i < rows.nrows; i++)
		rel->pk[i] = (int16_t)strtol(sql_cell(&rows, i, 0), NULL, 10);
	return 0;
}

int catalog_relation(struct catalog *c, const char *schema, const char *name, const struct cat_relation **ret, struct err *err)
{
	const char *key = arena_printf(c->arena, "rel:%s.%s", schema, name), *params[] = {schema, name}, *oid;
	struct cat_relation *rel = map_get(&c->found, view_str(key));
	struct sql_rows rows;

	if (rel) {
		*ret = rel;
		return 0;
	}
	if (catalog_query(c, "SELECT c.oid, c.relkind, c.relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = c.oid)"
		" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	                     " WHERE n.nspname = $1 AND c.relname = $2", params, 2, &rows, err) != 0)
		return -1;
	if (rows.nrows != 1)
		return err_set(err, ERR_NOT_FOUND, "table \"%s.%s\" does not exist", schema, name);
	rel = arena_zalloc(c->arena, sizeof(*rel));
	rel->oid = to_oid(sql_cell(&rows, 0, 0));
	rel->kind = sql_cell(&rows, 0, 1)[0];
	rel->inherited = is_true(sql_cell(&rows, 0, 2));
	rel->schema = arena_str(c->arena, view_str(schema));
	rel->name = arena_str(c->arena, view_str(name));
	if (fill_columns(c, rel, err) != 0 || fill_pk(c, rel, err) != 0)
		return -1;
	if (rel->kind == 'v') {
		oid = from_oid(c, rel->oid);
		if (catalog_query(c, "SELECT pg_catalog.pg_get_viewdef($1::oid, true)", &oid, 1, &rows, err) != 0)
			return -1;
		rel->viewdef = sql_cell(&rows, 0, 0);
	}
	map_put(&c->found, view_str(key), rel);
	*ret = rel;
	return 0;
}

/* ---- functions and operators ---- */

static int find_function(struct catalog *c, const char *key, const char *sql, const char *const *params, uint32_t n,
	struct cat_function *ret,
						 struct err *err)
{
	struct cat_function *f = map_get(&c->found, view_str(key));
	struct sql_rows rows;

	if (!f) {
		f = arena_zalloc(c->arena, sizeof(*f));
		if (catalog_query(c, sql, params, n, &rows, err) != 0)
			return -1;
		f->exists = rows.nrows == 1;
		if (f->exists) {
			f->kind = sql_cell(&rows, 0, 1)[0];
			f->volatility = sql_cell(&rows, 0, 2)[0];
			if (catalog_type(c, to_oid(sql_cell(&rows, 0, 0)), &f->result, err) != 0)
				return -1;
		}
		map_put(&c->found, view_str(key), f);
	}
	*ret = *f;
	return 0;
}

int catalog_operator(struct catalog *c, const char *name, uint32_t left, uint32_t right, struct cat_function *ret, struct err *err)
{
	const char *params[] = {name, from_oid(c, left), from_oid(c, right)};

	return find_function(c, arena_printf(c->arena, "op:%u%s%u", left, name, right),
		"SELECT o.oprresult, p.prokind, p.provolatile FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode"
		" WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprname = $1 AND o.oprleft = $2::oid AND o.oprright = $3::oid",
		params, 3, ret, err);
}

int catalog_function(struct catalog *c, const char *name, const struct type *args, uint32_t n, struct cat_function *ret, struct err *err)
{
	struct buf b = BUF_INIT(4096);
	const char *params[2] = {name, NULL};

	for (uint32_t i = 0; i < n; i++)
		buf_printf(&b, i ? " %u" : "%u", args[i].oid);
	params[1] = arena_str(c->arena, view_str(buf_cstr(&b)));
	buf_release(&b);
	return find_function(c, arena_printf(c->arena, "fn:%s(%s)", name, params[1]),
	                     "SELECT prorettype, prokind, provolatile FROM pg_catalog.pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
	                     " AND proname = $1 AND proargtypes = $2::oidvector", params, 2, ret, err);
}

/* ---- collations and zones ---- */

int catalog_collation(struct catalog *c, const char *schema, const char *name, uint32_t *ret_oid, struct err *err)
{
	const char *params[] = {schema, name};
	struct sql_rows rows;

	if (catalog_query(c,
		"SELECT c.oid FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace WHERE n.nspname = $1"
	                     " AND c.collname = $2 AND c.collencoding IN (-1, 6)", params, 2, &rows, err) != 0)
		return -1;
	if (!rows.nrows)
		return err_set(err, ERR_NOT_FOUND, "collation \"%s\" does not exist", name);
	*ret_oid = to_oid(sql_cell(&rows, 0, 0));
	return 0;
}

int catalog_collation_order(struct catalog *c, uint32_t oid, bool *ret_is_c, bool *ret_deterministic, struct err *err)
{
	const char *param = from_oid(c, oid);
	struct sql_rows rows;

	*ret_deterministic = true;
	*ret_is_c = oid == 950 || oid == 951 || oid == 0;   /* "C", "POSIX"; types without collation */
	if (oid == 100)
		*ret_is_c = c->database_is_c;
	if (*ret_is_c || oid == 100)
		return 0;
	if (catalog_query(c, "SELECT collprovider = 'c' AND (collcollate IN ('C', 'POSIX') OR collcollate LIKE 'C.%'), collisdeterministic"
	                     " FROM pg_catalog.pg_collation WHERE oid = $1::oid", &param, 1, &rows, err) != 0)
		return -1;
	if (rows.nrows == 1) {
		*ret_is_c = is_true(sql_cell(&rows, 0, 0));
		*ret_deterministic = is_true(sql_cell(&rows, 0, 1));
	}
	return 0;
}

int catalog_is_zone_abbreviation(struct catalog *c, const char *name, bool *ret, struct err *err)
{
	struct sql_rows rows;

	if (catalog_query(c, "SELECT 1 FROM pg_catalog.pg_timezone_abbrevs WHERE abbrev = upper($1)", &name, 1, &rows, err) != 0)
		return -1;
	*ret = rows.nrows > 0;
	return 0;
}
