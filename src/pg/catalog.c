/* Catalog questions; see catalog.h. */
#include "pg/catalog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct view text_in(struct arena *a, const struct pg_result *r, unsigned row, unsigned col)
{
	return pg_null(r, row, col) ? VIEW_NULL : arena_view(a, pg_value(r, row, col));
}

int pg_server_facts(struct pg_conn *c, struct arena *a, struct pg_server *ret, struct err *err)
{
	static const char sql[] =
		"SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system()), d.oid, d.datname, current_user, "
		"pg_catalog.current_setting('wal_level'), pg_catalog.pg_encoding_to_char(d.encoding), pg_catalog.pg_is_in_recovery(), "
		"r.rolsuper, r.rolsuper OR r.rolreplication, pg_catalog.current_setting('max_replication_slots'), "
		"(SELECT count(*) FROM pg_catalog.pg_replication_slots), pg_catalog.current_setting('max_wal_senders'), "
		"(SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size') "
		"FROM pg_catalog.pg_database d, pg_catalog.pg_roles r WHERE d.datname = pg_catalog.current_database() AND r.rolname = current_user";
	struct pg_result *r;

	if (pg_query(c, sql, 0, NULL, &r, err))
		return -1;
	if (pg_rows(r) != 1) {
		pg_result_free(r);
		return err_set(err, ERR_STATE, "the server does not know the current user or database");
	}
	*ret = (struct pg_server){
		.version = pg_server_version(c),
		.system_id = strtoull(pg_text(r, 0, 0), NULL, 10),
		.database_oid = (uint32_t)pg_int(r, 0, 1),
		.database = text_in(a, r, 0, 2),
		.user = text_in(a, r, 0, 3),
		.wal_level = text_in(a, r, 0, 4),
		.encoding = text_in(a, r, 0, 5),
		.in_recovery = pg_bool(r, 0, 6),
		.superuser = pg_bool(r, 0, 7),
		.may_replicate = pg_bool(r, 0, 8),
		.max_slots = (int)pg_int(r, 0, 9),
		.free_slots = (int)(pg_int(r, 0, 9) - pg_int(r, 0, 10)),
		.max_senders = (int)pg_int(r, 0, 11),
		.max_slot_wal_keep_mb = pg_null(r, 0, 12) ? -1 : pg_int(r, 0, 12),
	};
	pg_result_free(r);
	return 0;
}

int pg_list_tables(struct pg_conn *c, struct arena *a, struct pg_table_ref **ret, uint32_t *ret_n, struct err *err)
{
	static const char sql[] =
		"SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident, c.relispartition, "
		"EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND (i.indisprimary OR (i.indisreplident "
		"AND c.relreplident = 'i'))), "
		"pg_catalog.has_table_privilege(c.oid, 'SELECT'), pg_catalog.pg_has_role(c.relowner, 'USAGE'), "
		"pg_catalog.row_security_active(c.oid), c.reltuples::bigint "
		"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
		"WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') "
		"AND n.nspname !~ '^pg_(temp|toast_temp)_' "
		"ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";
	struct pg_result *r;
	unsigned i;

	/* row_security_active() would raise under row_security=off for a table whose policies apply: ask with it on */
	if (pg_exec(c, "SET row_security = on", err) || pg_query(c, sql, 0, NULL, &r, err))
		return -1;
	*ret_n = pg_rows(r);
	*ret = arena_zalloc(a, *ret_n * sizeof(**ret));
	for (i = 0; i < *ret_n; i++)
		(*ret)[i] = (struct pg_table_ref){
			.oid = (uint32_t)pg_int(r, i, 0), .schema = text_in(a, r, i, 1), .name = text_in(a, r, i, 2),
			.kind = *pg_text(r, i, 3), .replica_identity = *pg_text(r, i, 4), .is_partition = pg_bool(r, i, 5),
			.has_key = pg_bool(r, i, 6), .selectable = pg_bool(r, i, 7), .owned = pg_bool(r, i, 8),
			.row_security = pg_bool(r, i, 9), .rows_estimate = pg_int(r, i, 10),
		};
	pg_result_free(r);
	return pg_exec(c, "SET row_security = off", err);
}

/* ---- one table ---- */

struct type_row {
	uint32_t oid;
	char typtype;       /* b, d domain, e enum, c composite, r range, m multirange, p pseudo */
	uint32_t basetype;
	int32_t typmod;
	uint32_t elem;      /* true arrays only */
	struct view name;
	struct view *labels;
	uint32_t nlabels;
};

struct types {
	struct type_row *rows;
	uint32_t n;
};

static const struct type_row *find_type(const struct types *t, uint32_t oid)
{
	uint32_t i;

	for (i = 0; i < t->n; i++)
		if (t->rows[i].oid == oid)
			return &t->rows[i];
	return NULL;
}

/* Every type that the table's columns lead to, through domains and array elements. */
static int load_types(struct pg_conn *c, struct arena *a, const char *oid, struct types *ret, struct err *err)
{
	static const char sql[] =
		"WITH RECURSIVE t(oid) AS (SELECT atttypid FROM pg_catalog.pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT "
		"attisdropped "
		"UNION SELECT u.oid FROM t JOIN pg_catalog.pg_type p ON p.oid = t.oid, "
		"LATERAL (VALUES (p.typbasetype), (CASE WHEN p.typsubscript = 'pg_catalog.array_subscript_handler'::pg_catalog.regproc THEN "
		"p.typelem END)) u(oid) "
		"WHERE u.oid <> 0) "
		"SELECT p.oid, p.typtype, p.typbasetype, p.typtypmod, "
		"CASE WHEN p.typsubscript = 'pg_catalog.array_subscript_handler'::pg_catalog.regproc THEN p.typelem ELSE 0 END, p.typname, "
		"(SELECT count(*) FROM pg_catalog.pg_enum e WHERE e.enumtypid = p.oid), "
		"(SELECT pg_catalog.string_agg(e.enumlabel, pg_catalog.chr(1) ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE "
		"e.enumtypid = p.oid) "
		"FROM t JOIN pg_catalog.pg_type p ON p.oid = t.oid";
	struct pg_result *r;
	unsigned i;

	if (pg_query(c, sql, 1, &oid, &r, err))
		return -1;
	ret->n = pg_rows(r);
	ret->rows = arena_zalloc(a, ret->n * sizeof(*ret->rows));
	for (i = 0; i < ret->n; i++) {
		struct type_row *t = &ret->rows[i];
		struct view all = text_in(a, r, i, 7);
		uint32_t k;

		*t = (struct type_row){
			.oid = (uint32_t)pg_int(r, i, 0), .typtype = *pg_text(r, i, 1), .basetype = (uint32_t)pg_int(r, i, 2),
			.typmod = (int32_t)pg_int(r, i, 3), .elem = (uint32_t)pg_int(r, i, 4), .name = text_in(a, r, i, 5),
			.nlabels = (uint32_t)pg_int(r, i, 6),
		};
		t->labels = arena_zalloc(a, t->nlabels * sizeof(*t->labels));
		for (k = 0; k < t->nlabels; k++) {
			const uint8_t *end = all.len ? memchr(all.ptr, 1, all.len) : NULL;
			size_t len = end ? (size_t)(end - all.ptr) : all.len;

			t->labels[k] = view_of(all.ptr, len);
			all = end ? view_of(end + 1, all.len - len - 1) : VIEW_NULL;
		}
	}
	pg_result_free(r);
	return 0;
}

static uint8_t kind_of(const struct type_row *t)
{
	if (!t)
		return VALUE_OTHER;
	if (t->typtype == 'e')
		return VALUE_ENUM;
	if (t->elem)
		return VALUE_OTHER;
	if (t->typtype == 'b' && t->oid >= 16384 && view_is(t->name, "citext"))
		return VALUE_CITEXT;
	return t->oid < 10000 ? (uint8_t)value_kind_of_oid(t->oid) : VALUE_OTHER;
}

/* Follows domains down; the typmod in force is the column's, or the first domain's that has one. */
static const struct type_row *resolve(const struct types *types, uint32_t oid, int32_t *typmod)
{
	const struct type_row *t = find_type(types, oid);

	while (t && t->typtype == 'd') {
		if (*typmod < 0)
			*typmod = t->typmod;
		t = find_type(types, t->basetype);
	}
	return t;
}

static void fill_types(const struct types *types, struct column *col, uint32_t collation)
{
	int32_t typmod = col->type.typmod, elem_typmod;
	const struct type_row *declared = find_type(types, col->type.oid), *base = resolve(types, col->type.oid, &typmod), *elem;

	col->type.kind = kind_of(declared);
	col->type.collation = collation;
	col->type.elem = declared ? declared->elem : 0;
	col->base = (struct type){
		.kind = kind_of(base), .typmod = typmod, .oid = base ? base->oid : 0, .elem = base ? base->elem : 0, .collation = collation};
	col->elem = (struct type){.typmod = -1};
	if (base && base->elem) {
		elem_typmod = typmod; /* a typmod of an array is its elements' */
		elem = resolve(types, base->elem, &elem_typmod);
		col->elem = (struct type){.kind = kind_of(elem), .typmod = elem_typmod, .oid = elem ? elem->oid : 0, .collation = collation};
		base = elem;
	}
	if (base && base->typtype == 'e') {
		col->labels = base->labels;
		col->nlabels = base->nlabels;
	}
}

static int load_columns(struct pg_conn *c, struct arena *a, const char *oid, struct table *t, struct err *err)
{
	static const char sql[] = "SELECT a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attgenerated <> '', a.attcollation, "
							  "pg_catalog.pg_get_expr(d.adbin, d.adrelid) "
							  "FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = "
							  "a.attnum AND a.attgenerated = '' "
							  "WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
	struct types types;
	struct pg_result *r;
	unsigned i;

	if (load_types(c, a, oid, &types, err) || pg_query(c, sql, 1, &oid, &r, err))
		return -1;
	t->ncolumns = pg_rows(r);
	t->columns = arena_zalloc(a, t->ncolumns * sizeof(*t->columns));
	for (i = 0; i < t->ncolumns; i++) {
		struct column *col = &t->columns[i];

		col->attnum = (int16_t)pg_int(r, i, 0);
		col->name = col->published = text_in(a, r, i, 1);
		col->type.oid = (uint32_t)pg_int(r, i, 2);
		col->type.typmod = (int32_t)pg_int(r, i, 3);
		col->not_null = pg_bool(r, i, 4);
		col->generated = pg_bool(r, i, 5);
		col->default_expr = text_in(a, r, i, 7);
		fill_types(&types, col, (uint32_t)pg_int(r, i, 6));
	}
	pg_result_free(r);
	return 0;
}

static int load_key(struct pg_conn *c, const char *oid, struct table *t, struct err *err)
{
	static const char sql[] = "SELECT k.attnum FROM (SELECT i.indkey, i.indnkeyatts FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x "
							  "ON x.oid = i.indexrelid "
							  "WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indexprs IS NULL AND i.indpred IS NULL "
							  "ORDER BY i.indisprimary DESC, x.relname COLLATE \"C\" LIMIT 1) i, "
							  "LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY k(attnum, place) WHERE k.place <= "
							  "i.indnkeyatts ORDER BY k.place";
	struct pg_result *r;
	unsigned i;

	if (pg_query(c, sql, 1, &oid, &r, err))
		return -1;
	for (i = 0; i < pg_rows(r) && i < KEY_COLUMNS_MAX; i++) {
		int at = table_find_attnum(t, (int)pg_int(r, i, 0));

		if (at < 0)
			continue;
		t->key[t->nkey++] = (uint16_t)at;
		t->columns[at].key = (uint16_t)t->nkey;
	}
	pg_result_free(r);
	return 0;
}

void pg_put_table_list(struct buf *sql, const struct pg_table_ref *tables, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		buf_puts(sql, i ? ", " : "");
		pg_put_ident(sql, tables[i].schema);
		buf_putc(sql, '.');
		pg_put_ident(sql, tables[i].name);
	}
}

int pg_load_table(struct pg_conn *c, struct arena *a, uint32_t oid, struct table **ret, struct err *err)
{
	static const char sql[] = "SELECT n.nspname, c.relname, c.relreplident, c.relkind FROM pg_catalog.pg_class c "
				  "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid";
	struct table *t = arena_zalloc(a, sizeof(*t));
	char number[16];
	const char *param = number;
	struct pg_result *r;

	snprintf(number, sizeof(number), "%u", oid);
	if (pg_query(c, sql, 1, &param, &r, err))
		return -1;
	if (pg_rows(r) == 0) {
		pg_result_free(r);
		return err_set(err, ERR_NOT_FOUND, "table with oid %u does not exist", oid);
	}
	t->oid = oid;
	t->schema = text_in(a, r, 0, 0);
	t->name = text_in(a, r, 0, 1);
	t->replica_identity = *pg_text(r, 0, 2);
	t->kind = *pg_text(r, 0, 3);
	pg_result_free(r);
	if (load_columns(c, a, number, t, err) || load_key(c, number, t, err))
		return -1;
	*ret = t;
	return 0;
}

/* ---- defaults ---- */

/* Reads one constant at *p: 'quoted', a number, true, false, B'..'; *p moves behind it. */
static bool skip_constant(const char **p)
{
	const char *s = *p;

	if (*s == 'B' && s[1] == '\'')
		s++;
	if (*s == 'E' && s[1] == '\'')
		return false; /* the server does not write it in defaults */
	if (*s == '\'') {
		for (s++; *s; s++)
			if (*s == '\'' && *++s != '\'')
				break;
		if (s[-1] != '\'')
			return false;
	} else if (strncmp(s, "true", 4) == 0) {
		s += 4;
	} else if (strncmp(s, "false", 5) == 0) {
		s += 5;
	} else {
		const char *from = s;

		s += *s == '-';
		s += strspn(s, "0123456789.eE+");
		if (s == from || (s == from + 1 && *from == '-'))
			return false;
	}
	*p = s;
	return true;
}

/* A constant, with any number of casts to type names behind it; parentheses around a negative number as the server writes them. */
static bool is_constant(const char *s)
{
	bool paren = *s == '(';

	s += paren;
	if (!skip_constant(&s))
		return false;
	if (paren && *s++ != ')')
		return false;
	while (strncmp(s, "::", 2) == 0) {
		s += 2;
		/* type names: letters, digits, blanks, quotes, dots, and a modifier in parentheses; anything that could be a call is refused */
		while ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || strchr("_ .\"[]", *s)) {
			if (!*s)
				break;
			s++;
		}
		if (*s == '(') {
			s += 1 + strspn(s + 1, "0123456789, ");
			if (*s++ != ')')
				return false;
			s += strspn(s, "abcdefghijklmnopqrstuvwxyz []"); /* timestamp(3) without time zone */
		}
	}
	return *s == '\0';
}

int pg_constant_default(struct pg_conn *c, struct arena *a, const struct column *col, struct view *ret, struct err *err)
{
	struct buf sql = BUF_INIT(1 << 20);
	struct pg_result *r;
	const char *expr = col->default_expr.ptr ? arena_str(a, col->default_expr) : "";
	char number[16], typmod[16];
	const char *params[2] = {number, typmod};
	int rc = -1;

	*ret = VIEW_NULL;
	if (!is_constant(expr))
		return 0;
	/* the column's own type makes the value, as an INSERT would */
	snprintf(number, sizeof(number), "%u", col->type.oid);
	snprintf(typmod, sizeof(typmod), "%d", col->type.typmod);
	if (pg_query(c, "SELECT pg_catalog.format_type($1::oid, $2::int4)", 2, params, &r, err))
		return -1;
	buf_printf(&sql, "SELECT (%s)::%s", expr, pg_text(r, 0, 0));
	pg_result_free(r);
	if (pg_query_binary(c, buf_cstr(&sql), 0, NULL, &r, err))
		goto out;
	if (pg_rows(r) == 1 && !pg_null(r, 0, 0))
		*ret = arena_view(a, pg_value(r, 0, 0));
	pg_result_free(r);
	rc = 0;
out:
	buf_release(&sql);
	return rc;
}

/* ---- slots and publications ---- */

#define SLOT_SQL \
	"SELECT plugin, database, temporary, active, coalesce(active_pid, 0), restart_lsn, confirmed_flush_lsn, coalesce(wal_status, ''), " \
	"CASE WHEN pg_catalog.pg_is_in_recovery() THEN 0 ELSE coalesce(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), " \
	"restart_lsn), 0)::bigint END, slot_name FROM pg_catalog.pg_replication_slots "

static void read_slot(struct pg_result *r, unsigned row, struct arena *a, struct pg_slot *ret)
{
	*ret = (struct pg_slot){.exists = true};
	ret->plugin = text_in(a, r, row, 0);
	ret->database = text_in(a, r, row, 1);
	ret->temporary = pg_bool(r, row, 2);
	ret->active = pg_bool(r, row, 3);
	ret->active_pid = (int)pg_int(r, row, 4);
	lsn_parse(pg_value(r, row, 5), &ret->restart_lsn);
	lsn_parse(pg_value(r, row, 6), &ret->confirmed_lsn);
	ret->wal_status = text_in(a, r, row, 7);
	ret->retained_bytes = pg_int(r, row, 8);
	ret->name = text_in(a, r, row, 9);
}

int pg_slot_facts(struct pg_conn *c, struct arena *a, struct view name, struct pg_slot *ret, struct err *err)
{
	const char *param = arena_str(a, name);
	struct pg_result *r;

	if (pg_query(c, SLOT_SQL "WHERE slot_name = $1", 1, &param, &r, err))
		return -1;
	*ret = (struct pg_slot){.exists = false};
	if (pg_rows(r) == 1)
		read_slot(r, 0, a, ret);
	pg_result_free(r);
	return 0;
}

int pg_list_slots(struct pg_conn *c, struct arena *a, struct pg_slot **ret, uint32_t *ret_n, struct err *err)
{
	struct pg_result *r;
	unsigned i;

	if (pg_query(c, SLOT_SQL "WHERE database = pg_catalog.current_database() ORDER BY slot_name", 0, NULL, &r, err))
		return -1;
	*ret_n = pg_rows(r);
	*ret = arena_zalloc(a, (*ret_n + 1) * sizeof(**ret));
	for (i = 0; i < *ret_n; i++)
		read_slot(r, i, a, &(*ret)[i]);
	pg_result_free(r);
	return 0;
}

int pg_slot_drop(struct pg_conn *c, struct view name, struct err *err)
{
	struct buf sql = BUF_INIT(1024);
	int rc;

	buf_puts(&sql, "SELECT pg_catalog.pg_drop_replication_slot(");
	pg_put_literal(&sql, name);
	buf_putc(&sql, ')');
	rc = pg_exec(c, buf_cstr(&sql), err);
	buf_release(&sql);
	return rc;
}

int pg_publication_facts(struct pg_conn *c, struct arena *a, struct view name, struct pg_publication *ret, struct err *err)
{
	static const char head[] =
		"SELECT puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot, pg_catalog.pg_has_role(pubowner, 'USAGE') "
		"FROM pg_catalog.pg_publication WHERE pubname = $1";
	static const char tables[] = "SELECT c.oid, t.schemaname, t.tablename FROM pg_catalog.pg_publication_tables t JOIN "
								 "pg_catalog.pg_namespace n ON n.nspname = t.schemaname "
								 "JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename WHERE t.pubname = $1 "
								 "ORDER BY t.schemaname COLLATE \"C\", t.tablename COLLATE \"C\"";
	const char *param = arena_str(a, name);
	struct pg_result *r;
	unsigned i;

	*ret = (struct pg_publication){.exists = false};
	if (pg_query(c, head, 1, &param, &r, err))
		return -1;
	if (pg_rows(r) == 0) {
		pg_result_free(r);
		return 0;
	}
	*ret = (struct pg_publication){.exists = true, .all_tables = pg_bool(r, 0, 0), .insert = pg_bool(r, 0, 1), .update = pg_bool(r, 0, 2),
				       .delete = pg_bool(r, 0, 3), .truncate = pg_bool(r, 0, 4), .via_root = pg_bool(r, 0, 5), .owned = pg_bool(r, 0, 6)};
	pg_result_free(r);
	if (pg_query(c, tables, 1, &param, &r, err))
		return -1;
	ret->ntables = pg_rows(r);
	ret->tables = arena_zalloc(a, ret->ntables * sizeof(*ret->tables));
	for (i = 0; i < ret->ntables; i++) {
		ret->tables[i].oid = (uint32_t)pg_int(r, i, 0);
		ret->tables[i].schema = text_in(a, r, i, 1);
		ret->tables[i].name = text_in(a, r, i, 2);
	}
	pg_result_free(r);
	return 0;
}

int pg_publication_members(
	struct pg_conn *c, struct arena *a, struct view name, int server_version, struct pg_membership *ret, struct err *err)
{
	/* a partition is published as part of what it belongs to */
	static const char sql[] =
		"SELECT p.oid, p.xmin, p.pubowner, m.relid, m.by, m.filtered, p.pubinsert::int + p.pubupdate::int * 2 + p.pubdelete::int * 4 + "
		"p.pubtruncate::int * 8 + p.pubviaroot::int * 16 FROM pg_catalog.pg_publication p LEFT JOIN LATERAL ("
		"SELECT DISTINCT t.relid, m.by, m.filtered FROM ("
		"SELECT r.prrelid, r.oid, %s FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = p.oid"
		"%s) m(root, by, filtered) CROSS JOIN LATERAL "
		"(SELECT m.root UNION SELECT x.relid FROM pg_catalog.pg_partition_tree(m.root) x) t(relid) "
		"JOIN pg_catalog.pg_class c ON c.oid = t.relid AND c.relkind = 'r' AND c.relpersistence = 'p' "
		"UNION ALL SELECT c.oid, 0, false FROM pg_catalog.pg_class c WHERE p.puballtables AND c.relkind = 'r' AND c.relpersistence = 'p' "
		"AND c.oid >= 16384) m ON true WHERE p.pubname = $1 ORDER BY m.relid, m.by";
	const char *param = arena_str(a, name), *text;
	bool has_filters = server_version >= 150000;
	struct pg_result *r;
	unsigned i;

	text = arena_printf(a, sql, has_filters ? "r.prqual IS NOT NULL OR r.prattrs IS NOT NULL" : "false",
		has_filters ? " UNION ALL SELECT c.oid, n.oid, false FROM pg_catalog.pg_publication_namespace n JOIN pg_catalog.pg_class c ON "
			      "c.relnamespace = n.pnnspid WHERE n.pnpubid = p.oid AND c.relkind IN ('r', 'p')"
			    : "");
	if (pg_query(c, text, 1, &param, &r, err))
		return -1;
	*ret = (struct pg_membership){.publication = 0};
	if (pg_rows(r)) {
		ret->publication = (uint32_t)pg_int(r, 0, 0);
		ret->xmin = (uint32_t)pg_int(r, 0, 1);
		ret->owner = (uint32_t)pg_int(r, 0, 2);
		ret->publishes = (uint8_t)pg_int(r, 0, 6);
		ret->nmembers = pg_null(r, 0, 3) ? 0 : pg_rows(r);
	}
	ret->members = arena_zalloc(a, (ret->nmembers + 1) * sizeof(*ret->members));
	for (i = 0; i < ret->nmembers; i++)
		ret->members[i] = (struct pg_member){(uint32_t)pg_int(r, i, 3), (uint32_t)pg_int(r, i, 4), pg_bool(r, i, 5)};
	pg_result_free(r);
	return 0;
}
